package gpu

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"sparsevk/gpu/vk"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTransfer(t *testing.T) {
	d := openTest(t, Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	const size = 2*StagingBytes + 1000
	want := make([]byte, size)
	for _, k := range []Kind{DeviceLocal, HostVisible} {
		b := newBuffer(t, d, size, k)
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		require.NoError(t, d.Upload(b, 0, want))
		// Odd offsets and lengths, one of them across the pieces' border.
		for _, r := range [][2]uint64{{0, 0}, {size, 0}, {1, 1}, {3, 17}, {StagingBytes - 5, 11}, {7, StagingBytes + 1}} {
			part := want[r[0] : r[0]+r[1]]
			for i := range part {
				part[i] ^= 0x5a
			}
			require.NoError(t, d.Upload(b, r[0], part))
			got := make([]byte, r[1])
			require.NoError(t, d.Download(b, r[0], got))
			assert.True(t, bytes.Equal(part, got), "%v %v", k, r)
		}
		got := make([]byte, size)
		require.NoError(t, d.Download(b, 0, got))
		assert.True(t, bytes.Equal(want, got), "%v", k)
		assert.Equal(t, k == HostVisible, b.Mapped() != nil)
	}
}

func TestTransferErrors(t *testing.T) {
	d := openTest(t, Options{})
	b := newBuffer(t, d, 64, DeviceLocal)
	p := make([]byte, 65)
	assert.ErrorContains(t, d.Upload(b, 0, p), "bytes [0,65) of 64")
	assert.ErrorContains(t, d.Download(b, 60, p[:5]), "bytes [60,65) of 64")
	assert.Error(t, d.Upload(b, ^uint64(0), p[:2]), "the sum wraps")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	assert.ErrorIs(t, d.Upload(b, 0, p[:1]), ErrClosed)
	e, err := Open(Options{Validate: shared.mode})
	require.NoError(t, err)
	defer e.Close()
	assert.ErrorContains(t, d.Upload(newBuffer(t, e, 64, DeviceLocal), 0, p[:1]), "another device")
}

func TestAllocated(t *testing.T) {
	d := openTest(t, Options{})
	require.Zero(t, d.Allocated())
	a := newBuffer(t, d, 1<<20, DeviceLocal)
	b := newBuffer(t, d, 3<<10, HostVisible)
	assert.EqualValues(t, 1<<20+3<<10, d.Allocated())
	require.NoError(t, d.Upload(a, 0, []byte{1}))
	assert.EqualValues(t, 1<<20+3<<10+StagingBytes, d.Allocated(), "with staging")
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	assert.EqualValues(t, StagingBytes, d.Allocated())
}

func TestOutOfMemory(t *testing.T) {
	d := openTest(t, Options{})
	_, err := d.NewBuffer(0, DeviceLocal, "nothing")
	assert.ErrorContains(t, err, `buffer "nothing": 0 bytes`)
	_, err = d.NewBuffer(1<<50, DeviceLocal, "huge")
	assert.ErrorIs(t, err, ErrOutOfMemory)
	assert.ErrorContains(t, err, `buffer "huge" asks for 1125899906842624 bytes`)

	// A heap that is almost full: refused before the driver is asked.
	heap := d.types[memoryTypes(d.types, DeviceLocal, ^uint32(0))[0]].Heap
	d.heapUsed[heap] = d.info.Heaps[heap].Bytes - 100
	_, err = d.NewBuffer(4096, DeviceLocal, "late")
	d.heapUsed[heap] = 0
	assert.ErrorIs(t, err, ErrOutOfMemory)
	assert.ErrorContains(t, err, "are allocated")

	d.limits.Allocations = 1
	b := newBuffer(t, d, 64, DeviceLocal)
	_, err = d.NewBuffer(64, DeviceLocal, "second")
	assert.ErrorIs(t, err, ErrOutOfMemory)
	assert.ErrorContains(t, err, "allows 1 allocations")
	require.NoError(t, b.Close())
	newBuffer(t, d, 64, DeviceLocal)

	driver := newError("vkAllocateMemory", vk.OutOfDeviceMemory, "asks for 5 bytes")
	assert.ErrorIs(t, driver, ErrOutOfMemory)
	assert.NotErrorIs(t, driver, ErrLost)
	assert.EqualError(t, driver, "gpu: vkAllocateMemory: VK_ERROR_OUT_OF_DEVICE_MEMORY (-2): asks for 5 bytes")
}

// Flushed ranges are whole atoms, clamped to the allocation's end.
func TestAtoms(t *testing.T) {
	for _, c := range [][6]uint64{ // off, n, atom, size, want off, want n
		{0, 64, 64, 256, 0, 64}, {1, 1, 64, 256, 0, 64}, {63, 2, 64, 256, 0, 128},
		{64, 64, 64, 256, 64, 64}, {200, 50, 64, 250, 192, 58}, {0, 250, 256, 250, 0, 250}, {5, 7, 1, 256, 5, 7},
	} {
		off, n := atoms(c[0], c[1], c[2], c[3])
		assert.Equal(t, [2]uint64{c[4], c[5]}, [2]uint64{off, n}, "%v", c)
	}
}

func TestMemoryTypes(t *testing.T) {
	const dev, vis, coh, cached = vk.DeviceLocal, vk.HostVisible, vk.HostCoherent, vk.HostCached
	card := []vk.MemoryType{{Flags: 0}, {Flags: dev}, {Flags: vis | coh}, {Flags: vis | coh | cached}, {Flags: dev | vis | coh}}
	assert.Equal(t, []int{1, 4}, memoryTypes(card, DeviceLocal, ^uint32(0)))
	assert.Equal(t, []int{3, 2, 4}, memoryTypes(card, HostVisible, ^uint32(0)))
	assert.Equal(t, []int{4}, memoryTypes(card, HostVisible, 1<<4|1))
	assert.Empty(t, memoryTypes(card, DeviceLocal, 1))
	mixed := []vk.MemoryType{{Flags: vis | cached}, {Flags: vis | coh}, {Flags: dev | vis}}
	assert.Equal(t, []int{1, 0, 2}, memoryTypes(mixed, HostVisible, ^uint32(0)), "coherent before cached")
	unified := []vk.MemoryType{{Flags: dev | vis | coh | cached}}
	assert.Equal(t, []int{0}, memoryTypes(unified, DeviceLocal, 1))
	assert.Equal(t, []int{0}, memoryTypes(unified, HostVisible, 1))
}

// Memory that is taken for incoherent is flushed and invalidated by recordings;
// the validation layer sees the ranges.
func TestIncoherent(t *testing.T) {
	d := openTest(t, Options{})
	for i := range d.types {
		d.types[i].Flags &^= vk.HostCoherent
	}
	x, y := newBuffer(t, d, 1000, HostVisible), newBuffer(t, d, 1000, HostVisible)
	require.False(t, x.coherent)
	fillBuffer(x, func(i int) float32 { return float32(i) })
	fillBuffer(y, func(int) float32 { return 1 })
	r := newRecording(t, d, RecordOptions{}, add(t, d, x, y, 2, 0), add(t, d, x, y, 0, 0))
	assert.Equal(t, []Range{whole(x), whole(y)}, r.mapped, "what it binds, once, and nothing that the host may be writing to")
	require.NoError(t, r.Run())
	for i, v := range floats(y.Mapped()) {
		require.Equal(t, 2*float32(i)+1, v)
	}
	require.NoError(t, y.Flush(3, 5))
	require.NoError(t, y.Invalidate(999, 1))
	assert.ErrorContains(t, y.Flush(999, 2), "bytes [999,1001) of 1000")
}
