// Package gpu is the device: it opens one, allocates memory, builds compute
// pipelines, and turns a list of dispatches into a recording that is submitted
// again and again. It knows no tensors and no networks; ops/record is its main
// user.
//
//	dev, err := gpu.Open(gpu.Options{})
//	buf, err := dev.NewBuffer(4096, gpu.DeviceLocal, "x")
//	pipe, err := dev.Pipeline(shader, []uint32{64})
//	rec, err := dev.Record([]gpu.Dispatch{{Label: "relu", Pipeline: pipe, Args: ..., Groups: [3]uint32{16, 1, 1}}}, gpu.RecordOptions{})
//	err = rec.Run()
//
// What a device allows is checked here, with names and numbers, since software
// drivers check nothing: see Limits. Errors of Vulkan are *Error; a lost device
// stays lost (ErrLost) and every later call says so.
//
// Before the first instance is made, the process's environment gets what Mesa's
// driver for processors should read there: vectors of 512 bits on processors with
// AVX-512, and a cache folder for them (vectors.go). A width that is set stays.
//
// A Device and its Buffers may be used by several goroutines, a Recording by
// one at a time. One queue runs everything, in the order of submission.
package gpu
