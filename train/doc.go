// Package train trains a network: the loop over epochs, learning-rate
// schedules, metrics, and checkpoints from which a run goes on with the same
// bits.
//
// Package data below it holds the data sets and their batches, package
// safetensors the file format of checkpoints. Of the program, cmd/sparsenet
// imports this package; it imports sparsenet and what lies below.
package train
