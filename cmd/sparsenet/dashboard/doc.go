// Package dashboard shows a training run on a terminal while it goes on: curves
// of loss and accuracy, throughput, memory, learning rate, progress, time left.
//
// A [Board] collects what the trainer tells it, which costs the loop a lock and a
// few additions, and renders it as text of any size. A [Screen] draws a board on
// a terminal four times a second, and leaves the terminal as it was.
package dashboard
