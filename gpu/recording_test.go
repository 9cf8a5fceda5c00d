package gpu

import (
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A chain of dispatches in which each reads what the one before wrote.
func chain(t testing.TB, d *Device, n int) ([]Dispatch, *Buffer) {
	a, b := newBuffer(t, d, 256, HostVisible), newBuffer(t, d, 256, HostVisible)
	var cmds []Dispatch
	for i := range n {
		c := add(t, d, a, b, 1, 0) // b += a
		if i%2 == 1 {
			c = add(t, d, b, a, 1, 0) // a += b
		}
		cmds = append(cmds, c)
	}
	reset := func(i int) float32 { return float32(i%3 + 1) }
	fillBuffer(a, reset)
	fillBuffer(b, reset)
	return cmds, b
}

// fibonacci is what the chain computes.
func fibonacci(n int, start float32) float32 {
	a, b := start, start
	for i := range n {
		if i%2 == 0 {
			b += a
		} else {
			a += b
		}
	}
	return b
}

// The result does not depend on the pieces.
func TestPieces(t *testing.T) {
	d := openTest(t, Options{})
	const n = 30
	for _, limit := range []time.Duration{1, time.Hour} {
		for _, each := range []bool{false, true} {
			cmds, b := chain(t, d, n)
			r := newRecording(t, d, RecordOptions{MaxSubmit: limit, Timestamps: each}, cmds...)
			assert.Equal(t, 4, r.Submissions(), "small at first")
			require.NoError(t, r.Run())
			for i, v := range floats(b.Mapped()) {
				require.Equal(t, fibonacci(n, float32(i%3+1)), v)
			}
			fillBuffer(cmds[0].Args[0].Buffer, func(int) float32 { return 2 })
			fillBuffer(b, func(int) float32 { return 2 })
			require.NoError(t, r.Run())
			require.Equal(t, fibonacci(n, 2), floats(b.Mapped())[5])
			want := 1
			if limit == 1 {
				want = n
			}
			for run := 2; run < settling && r.Submissions() != want; run++ { // where others use the machine
				require.NoError(t, r.Run())
			}
			assert.Equal(t, want, r.Submissions())
			require.NoError(t, r.Close())
			require.NoError(t, r.Close())
		}
	}
}

func TestTimes(t *testing.T) {
	d := openTest(t, Options{})
	y := newBuffer(t, d, 256, DeviceLocal)
	require.NoError(t, d.Upload(y, 0, make([]byte, 256)))
	long, short := spin(t, d, y, 1<<18), spin(t, d, y, 1<<8)
	r := newRecording(t, d, RecordOptions{Timestamps: true}, short, long, short)
	best := []time.Duration{time.Hour, time.Hour, time.Hour} // others use the machine too
	apart := func() bool { return best[1] > 5*best[0] && best[1] > 5*best[2] }
	for run := 0; run < 5 || run < 50 && !apart(); run++ {
		require.NoError(t, r.Run())
		require.Len(t, r.Times(), 3)
		sum := time.Duration(0)
		for i, x := range r.Times() {
			best[i] = min(best[i], x)
			sum += x
		}
		assert.LessOrEqual(t, sum, r.Elapsed()+time.Microsecond)
	}
	assert.True(t, apart(), "%v", best)
	assert.Positive(t, d.CompileTime())
	plain := newRecording(t, d, RecordOptions{}, short)
	require.NoError(t, plain.Run())
	assert.Nil(t, plain.Times())
	assert.Positive(t, plain.Elapsed())
}

// Measured times keep the submissions below the limit, and few: here about a
// fifth of a run each. Others use the machine too, so the bounds are wide.
func TestSubmissionsAreShort(t *testing.T) {
	d := openTest(t, Options{})
	y := newBuffer(t, d, 256, DeviceLocal)
	require.NoError(t, d.Upload(y, 0, make([]byte, 256)))
	cmds := make([]Dispatch, 64)
	for i := range cmds {
		cmds[i] = spin(t, d, y, 1<<14)
	}
	probe := newRecording(t, d, RecordOptions{MaxSubmit: time.Hour}, cmds...)
	whole := time.Hour
	for range 6 {
		require.NoError(t, probe.Run())
		whole = min(whole, probe.Elapsed())
	}
	require.Equal(t, 1, probe.Submissions())
	for _, bits := range []uint32{0, d.limits.TimestampBits} {
		d.limits.TimestampBits = bits
		r := newRecording(t, d, RecordOptions{MaxSubmit: whole / 4}, cmds...)
		few := func() bool { return r.Submissions() > 2 && r.Submissions() < 40 }
		for run := 0; run < 3 || run < 200 && !few(); run++ {
			require.NoError(t, r.Run())
		}
		assert.True(t, few(), "%d submissions", r.Submissions())
		assert.Positive(t, r.Elapsed())
		require.NoError(t, r.Close())
	}
	d.limits.TimestampBits = 0
	_, err := d.Record(cmds, RecordOptions{Timestamps: true})
	assert.ErrorContains(t, err, "has no timestamps")
}

func TestTwoInFlight(t *testing.T) {
	d := openTest(t, Options{})
	x, y := newBuffer(t, d, 256, HostVisible), newBuffer(t, d, 256, HostVisible)
	fillBuffer(x, func(int) float32 { return 1 })
	fillBuffer(y, func(int) float32 { return 0 })
	a := newRecording(t, d, RecordOptions{}, add(t, d, x, y, 1, 0)) // y += x
	b := newRecording(t, d, RecordOptions{}, add(t, d, y, x, 1, 0)) // x += y
	for range 3 {
		require.NoError(t, a.Submit())
		require.NoError(t, b.Submit())
		assert.ErrorContains(t, a.Submit(), "submitted twice without Wait")
		require.NoError(t, a.Wait())
		require.NoError(t, b.Wait())
	}
	assert.NoError(t, a.Wait(), "nothing to wait for")
	assert.Equal(t, float32(13), floats(x.Mapped())[0])
	assert.Equal(t, float32(8), floats(y.Mapped())[63])

	// An upload comes after what was submitted before it.
	z := newBuffer(t, d, 256, DeviceLocal)
	c := newRecording(t, d, RecordOptions{}, add(t, d, x, z, 1, 0))
	require.NoError(t, c.Submit())
	require.NoError(t, d.Upload(z, 0, bytesOf(5, 6)))
	got := make([]byte, 8)
	require.NoError(t, d.Download(z, 0, got))
	assert.Equal(t, []float32{5, 6}, floats(got))
	require.NoError(t, c.Wait())

	require.NoError(t, b.Submit())
	require.NoError(t, y.Close(), "waits")
	require.NoError(t, b.Wait())
	assert.ErrorIs(t, b.Submit(), ErrClosed)
	assert.ErrorIs(t, a.Submit(), ErrClosed)
	require.NoError(t, b.Close())
	assert.ErrorIs(t, b.Submit(), ErrClosed)
}

func TestSpecialisation(t *testing.T) {
	d := openTest(t, Options{})
	p := newPipeline(t, d, axpy(64), 64, 0)
	assert.Same(t, p, newPipeline(t, d, axpy(64), 64, 0))
	assert.NotSame(t, p, newPipeline(t, d, axpy(64), 64, 1))
	assert.NotSame(t, p, newPipeline(t, d, axpy(32), 32, 0))
	s := axpy(64)
	s.Code = spinCode
	_, err := d.Pipeline(s, []uint32{64, 0})
	assert.ErrorContains(t, err, "gpu: shader axpy: two modules have this name")
	x, y := newBuffer(t, d, 256, HostVisible), newBuffer(t, d, 256, HostVisible)
	fillBuffer(x, func(i int) float32 { return float32(i) })
	for _, bias := range []float32{0, 0.5, -3} {
		fillBuffer(y, func(int) float32 { return 7 })
		require.NoError(t, newRecording(t, d, RecordOptions{}, add(t, d, x, y, 3, bias)).Run())
		for i, v := range floats(y.Mapped()) {
			require.Equal(t, 7+(3*float32(i)+bias), v)
		}
	}
}

func TestTexels(t *testing.T) {
	d := openTest(t, Options{})
	align := uint64(max(d.Limits().TexelAlign, 16))
	x, y := newBuffer(t, d, align+1024, HostVisible), newBuffer(t, d, 256, HostVisible)
	fillBuffer(x, func(i int) float32 { return float32(i) })
	s := Shader{Name: "texel", Code: texelCode, Bindings: []BindingType{Texel, Storage}, PushBytes: 4, Local: [3]uint32{64, 1, 1}}
	c := Dispatch{Label: "texel", Pipeline: newPipeline(t, d, s), Args: []Range{{x, align, 1024}, whole(y)},
		Push: []byte{64, 0, 0, 0}, Groups: [3]uint32{1, 1, 1}}
	again := c
	again.Barrier = true
	r := newRecording(t, d, RecordOptions{}, c, again)
	assert.Len(t, r.views, 1, "shared")
	require.NoError(t, r.Run())
	for i, v := range floats(y.Mapped()) {
		require.Equal(t, float32(align+16*uint64(i)+6), v)
	}
}

// A recording fills in where the bytes of an Address lie, range by range, and leaves
// the caller's push constants alone.
func TestAddress(t *testing.T) {
	d := openTest(t, Options{})
	s := Shader{Name: "address", Code: addressCode, Bindings: []BindingType{Storage, Address}, PushBytes: 12, Addresses: []uint32{4}, Local: [3]uint32{64, 1, 1}}
	if !d.Info().Features.Address {
		_, err := d.Pipeline(s, nil)
		assert.ErrorContains(t, err, "needs the addresses of buffers, which the device does not give")
		return
	}
	x, y := newBuffer(t, d, 256, HostVisible), newBuffer(t, d, 512, HostVisible)
	fillBuffer(x, func(i int) float32 { return float32(i) })
	fillBuffer(y, func(int) float32 { return -1 })
	push := []byte{63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	first := Dispatch{Label: "address", Pipeline: newPipeline(t, d, s), Args: []Range{whole(x), {y, 256, 256}}, Push: push, Groups: [3]uint32{1, 1, 1}}
	second := first
	second.Args = []Range{whole(x), {y, 16, 240}}
	second.Push = []byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	require.NoError(t, newRecording(t, d, RecordOptions{}, first, second).Run())
	assert.Equal(t, make([]byte, 8), push[4:])
	for i, v := range floats(y.Mapped()) {
		want := float32(-1)
		switch {
		case i >= 4 && i < 6:
			want = float32(i - 4 + 1)
		case i >= 64 && i < 127:
			want = float32(i - 64 + 1)
		}
		require.Equal(t, want, v, i)
	}
}

func TestSubgroup(t *testing.T) {
	d := openTest(t, Options{})
	s := Shader{Name: "ballot", Code: ballotCode, Bindings: make([]BindingType, 2), Local: [3]uint32{64, 1, 1}, Subgroup: true}
	x, y := newBuffer(t, d, 256, HostVisible), newBuffer(t, d, 256, HostVisible)
	fillBuffer(x, func(i int) float32 { return float32(i) })
	r := newRecording(t, d, RecordOptions{}, Dispatch{Label: "ballot", Pipeline: newPipeline(t, d, s), Args: []Range{whole(x), whole(y)}, Groups: [3]uint32{1, 1, 1}})
	require.NoError(t, r.Run())
	size := int(d.Info().SubgroupSize)
	for i, v := range floats(y.Mapped()) {
		require.Equal(t, float32(i/size*size), v)
	}
}

// Running an existing recording costs no Go memory.
func TestNoAllocations(t *testing.T) {
	d := openTest(t, Options{})
	cmds, _ := chain(t, d, 100)
	for _, o := range []RecordOptions{{}, {Timestamps: true}, {MaxSubmit: 1}} {
		r := newRecording(t, d, o, cmds...)
		for range settling {
			require.NoError(t, r.Run())
		}
		assert.Zero(t, testing.AllocsPerRun(20, func() {
			if err := r.Run(); err != nil {
				panic(err)
			}
		}), "%+v", o)
	}
}

// Nothing that the driver holds is memory of Go's: collecting all the time
// changes no result. Several goroutines use the device.
func TestGarbageCollector(t *testing.T) {
	d := openTest(t, Options{})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	const rounds = 5
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for k := range rounds {
				cmds, b := chain(t, d, 20)
				bias := math.Float32bits(float32(1000*g + k)) // compiles anew
				_, err := d.Pipeline(axpy(64), []uint32{64, bias})
				assert.NoError(t, err)
				list, err := List(Options{Validate: shared.mode})
				assert.NoError(t, err)
				assert.Equal(t, d.Info().Name, list[d.Info().Index].Name)
				r, err := d.Record(cmds, RecordOptions{})
				if !assert.NoError(t, err) || !assert.NoError(t, r.Run()) {
					return
				}
				got := make([]byte, 256)
				assert.NoError(t, d.Download(b, 0, got))
				assert.Equal(t, fibonacci(20, 2), floats(got)[1])
				assert.NoError(t, r.Close())
				for _, a := range cmds[0].Args {
					assert.NoError(t, a.Buffer.Close())
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	<-done
	assert.LessOrEqual(t, d.Allocated(), uint64(StagingBytes))
}

func BenchmarkRecord1000(b *testing.B) {
	d := openTest(b, Options{})
	cmds, _ := chain(b, d, 1000)
	r := newRecording(b, d, RecordOptions{}, cmds...)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.record(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	d := openTest(b, Options{})
	cmds, _ := chain(b, d, 1)
	r := newRecording(b, d, RecordOptions{}, cmds...)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Run(); err != nil {
			b.Fatal(err)
		}
	}
}
