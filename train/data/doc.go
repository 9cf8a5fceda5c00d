// Package data holds image data sets in memory and hands out their batches:
// reading and checking the files of CIFAR-10, CIFAR-100, MNIST and
// Fashion-MNIST, downloading them, folders of the user's own images, the held-out
// split, and the seeded order of an epoch.
//
// Images stay bytes, [n][c][y][x]; crop, flip and normalisation are the
// device's business. Everything random comes from a counter-based generator
// keyed by seed and epoch, so that any batch of any epoch can be had again
// without replaying what came before it.
//
// The package knows no network and no device. Packages train and cmd/sparsenet
// use it.
//
//	set, err := data.Open("cifar10", dir, data.Train, data.Options{})
//	...
//	loader := data.Loader{Set: set, Size: 64, Seed: 1}
//	for batch := range loader.Train(epoch).From(0) {
//		err := batch.Fill(images, labels)
//	}
package data
