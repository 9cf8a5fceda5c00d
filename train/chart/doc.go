// Package chart draws what a run came to: curves of loss, accuracy and learning rate,
// the confusion matrix, and a page of HTML that stands by itself. It also writes the
// event files that TensorBoard reads.
//
// It reads run directories and draws; it trains nothing and opens no device.
// cmd/sparsenet uses it.
package chart
