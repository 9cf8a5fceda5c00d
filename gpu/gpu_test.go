package gpu

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

//go:generate sh -c "for f in testdata/*.comp; do glslc -O -Werror --target-env=vulkan1.1 -o ${DOLLAR}{f%.comp}.spv ${DOLLAR}f; done"

var (
	//go:embed testdata/axpy.spv
	axpyCode []byte
	//go:embed testdata/address.spv
	addressCode []byte
	//go:embed testdata/texel.spv
	texelCode []byte
	//go:embed testdata/spin.spv
	spinCode []byte
	//go:embed testdata/ballot.spv
	ballotCode []byte
)

// axpy is y += a*x + bias; specialisation: local size, bias.
func axpy(local uint32) Shader {
	return Shader{Name: "axpy", Code: axpyCode, Bindings: []BindingType{Storage, Storage}, PushBytes: 8, Local: [3]uint32{local, 1, 1}}
}

func axpyPush(n uint32, a float32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, n), math.Float32bits(a))
}

// openTest opens a device as SPARSEVK_GPU says: off skips; auto skips, with the
// reason, where there is none; require fails there. The validation layer is on
// unless SPARSEVK_VALIDATE is off (or, unless that is require, the layer is not
// installed); the test fails if it says anything. SPARSEVK_CLAMP=1 clamps.
func openTest(t testing.TB, o Options) *Device {
	t.Helper()
	policy, validate := os.Getenv("SPARSEVK_GPU"), os.Getenv("SPARSEVK_VALIDATE")
	if policy == "off" {
		t.Skip("SPARSEVK_GPU=off")
	}
	if validate != "off" {
		o.Validate = Sync
	}
	o.Clamp = o.Clamp || os.Getenv("SPARSEVK_CLAMP") == "1"
	d, err := Open(o)
	if validate != "require" && errors.Is(err, ErrNoLayer) {
		o.Validate = Off
		d, err = Open(o)
	}
	if policy != "require" && (errors.Is(err, ErrNoDevice) || errors.Is(err, ErrNoLoader)) {
		t.Skip("no device: ", err)
	}
	require.NoError(t, err)
	d.Messages()
	t.Cleanup(func() {
		assert.NoError(t, d.Close())
		assert.Empty(t, d.Messages())
	})
	return d
}

func floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func bytesOf(f ...float32) []byte {
	var b []byte
	for _, v := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func newBuffer(t testing.TB, d *Device, bytes uint64, k Kind) *Buffer {
	t.Helper()
	b, err := d.NewBuffer(bytes, k, fmt.Sprint(k))
	require.NoError(t, err)
	return b
}

func newPipeline(t testing.TB, d *Device, s Shader, spec ...uint32) *Pipeline {
	t.Helper()
	p, err := d.Pipeline(s, spec)
	require.NoError(t, err)
	return p
}

func newRecording(t testing.TB, d *Device, o RecordOptions, cmds ...Dispatch) *Recording {
	t.Helper()
	r, err := d.Record(cmds, o)
	require.NoError(t, err)
	return r
}

func whole(b *Buffer) Range { return Range{b, 0, b.Bytes()} }

// add is a dispatch of y += a*x + bias over all of y.
func add(t testing.TB, d *Device, x, y *Buffer, a, bias float32) Dispatch {
	n := uint32(y.Bytes() / 4)
	return Dispatch{Label: "add", Pipeline: newPipeline(t, d, axpy(64), 64, math.Float32bits(bias)), Args: []Range{whole(x), whole(y)},
		Push: axpyPush(n, a), Groups: [3]uint32{(n + 63) / 64, 1, 1}, Barrier: true}
}

// spin is a dispatch that takes about k steps of a few ns.
func spin(t testing.TB, d *Device, y *Buffer, k uint32) Dispatch {
	s := Shader{Name: "spin", Code: spinCode, Bindings: []BindingType{Storage}, PushBytes: 4, Local: [3]uint32{64, 1, 1}}
	return Dispatch{Label: "spin", Pipeline: newPipeline(t, d, s), Args: []Range{whole(y)},
		Push: binary.LittleEndian.AppendUint32(nil, k), Groups: [3]uint32{uint32(y.Bytes() / 256), 1, 1}, Barrier: true}
}

// fill maps a function over a host-visible buffer.
func fillBuffer(b *Buffer, f func(i int) float32) {
	m := b.Mapped()
	for i := 0; i < len(m)/4; i++ {
		binary.LittleEndian.PutUint32(m[4*i:], math.Float32bits(f(i)))
	}
}
