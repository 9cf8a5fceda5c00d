// Package torch reads the tensors of a PyTorch checkpoint, the .pth or .pt file
// that torch.save writes: a zip archive of a pickle and raw storages, or the older
// form without a zip.
//
// A pickle is a program. This package runs it on a machine that knows numbers,
// strings, lists, dicts and tensors; every other class becomes a value that says
// its name and does nothing, so no code of the file is ever executed. Sizes are
// capped, and a tensor must lie within its storage, overlap with itself nowhere,
// and its storage within the file, before a byte of it is read.
//
// It knows files and no networks; package convert above it knows the names.
// Format: torch/serialization.py and torch/_utils.py of PyTorch 2; pickle protocol
// 2 and up as in Python's pickletools.
package torch
