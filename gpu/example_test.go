package gpu_test

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"log"
	"math"

	"sparsevk/gpu"
)

//go:embed testdata/axpy.spv
var axpy []byte // y += a·x + bias; push constants n and a, specialization constants group size and bias

// One kernel, recorded once and run three times. It needs a device, so it is
// compiled and not run.
func Example() {
	dev, err := gpu.Open(gpu.Options{})
	check(err)
	defer dev.Close()
	buf, err := dev.NewBuffer(8192, gpu.DeviceLocal, "x and y")
	check(err)
	defer buf.Close()
	check(dev.Upload(buf, 0, make([]byte, 8192)))

	pipe, err := dev.Pipeline(gpu.Shader{
		Name: "axpy", Code: axpy, Bindings: []gpu.BindingType{gpu.Storage, gpu.Storage}, PushBytes: 8, Local: [3]uint32{64, 1, 1},
	}, []uint32{64, math.Float32bits(1)})
	check(err)
	push := binary.LittleEndian.AppendUint32(nil, 1024)
	push = binary.LittleEndian.AppendUint32(push, math.Float32bits(2))
	rec, err := dev.Record([]gpu.Dispatch{{
		Label: "axpy", Pipeline: pipe, Args: []gpu.Range{{Buffer: buf, Bytes: 4096}, {Buffer: buf, Off: 4096, Bytes: 4096}},
		Push: push, Groups: [3]uint32{1024 / 64, 1, 1},
	}}, gpu.RecordOptions{})
	check(err)
	defer rec.Close()
	for range 3 {
		check(rec.Run())
	}
	y := make([]byte, 4)
	check(dev.Download(buf, 4096, y))
	fmt.Println(math.Float32frombits(binary.LittleEndian.Uint32(y))) // 3: x is 0, and the bias was added three times
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
