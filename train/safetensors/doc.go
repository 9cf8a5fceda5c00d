// Package safetensors reads and writes the safetensors format: an 8-byte
// little-endian header length, a JSON header that names every tensor with its
// type, shape and place, and the tensors' bytes without gaps.
//
// The reader trusts nothing: duplicate keys, overlaps, holes, trailing bytes,
// sizes that overflow and giant headers are errors before a byte of tensor data
// is read, and a tensor is read only when it is asked for. The writer is
// deterministic: the same tensors and metadata give the same bytes.
//
// It knows files and no networks; packages train and cmd/sparsenet use it.
// Format: https://github.com/huggingface/safetensors, section "Format".
package safetensors
