// Package record lowers steps to a device: it allocates the arena that a plan
// describes, inserts the barriers that overlapping bytes need, and makes one
// recording out of a list of steps. It is the one package that knows both ops
// and gpu; it knows no network.
package record
