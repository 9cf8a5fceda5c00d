package ops

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"sparsevk/shaders"
)

var copyKernel = &shaders.Kernel{Name: "copy", Bindings: []shaders.Binding{{Name: "x", Access: shaders.Read}, {Name: "y", Access: shaders.Write}}}

// randomSteps makes a list of steps over blocks of random size and purpose.
func randomSteps(t *rapid.T, chunk uint64) ([]Step, []*Block) {
	n := rapid.IntRange(1, 30).Draw(t, "blocks")
	blocks := make([]*Block, n)
	for i := range blocks {
		blocks[i] = Vector("b", Purpose(rapid.IntRange(0, int(purposes)-1).Draw(t, "purpose")), rapid.IntRange(1, int(chunk/4)).Draw(t, "elems"))
		blocks[i].Keep = rapid.Bool().Draw(t, "keep")
	}
	pick := rapid.IntRange(0, n-1)
	var steps []Step
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		x, y := blocks[pick.Draw(t, "x")], blocks[pick.Draw(t, "y")]
		steps = append(steps, Step{Kernel: copyKernel, Args: []Planes{{x.All()}, {y.All()}}})
	}
	return steps, blocks
}

// overlap returns two lifetimes that meet in time and in bytes, if there are.
func overlap(p *Plan) (a, b *Lifetime) {
	for i := range p.Lifetimes {
		for j := range p.Lifetimes[:i] {
			x, y := &p.Lifetimes[i], &p.Lifetimes[j]
			if x.Block.Host() == y.Block.Host() && x.First <= y.Last && y.First <= x.Last &&
				x.Block.Off < y.Block.Off+y.Block.Bytes() && y.Block.Off < x.Block.Off+x.Block.Bytes() {
				return x, y
			}
		}
	}
	return nil, nil
}

func TestLiveBlocksNeverOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const chunk = 1 << 14
		steps, _ := randomSteps(t, chunk)
		p, err := Place(steps, chunk)
		require.NoError(t, err)
		a, b := overlap(p)
		if a != nil {
			t.Fatalf("%+v and %+v share bytes", *a, *b)
		}
		var sum uint64
		for i, r := range p.Regions {
			if Purpose(i) != Staging {
				sum += r.Bytes()
			}
		}
		assert.Equal(t, p.DeviceBytes(), sum, "regions leave no hole")
		for _, l := range p.Lifetimes {
			assert.Zero(t, l.Block.Off%Align)
			assert.Equal(t, l.Block.Off/chunk, (l.Block.Off+l.Block.Bytes()-1)/chunk, "a block crosses a chunk")
			r := p.Regions[l.Block.Purpose]
			assert.True(t, r.Lo <= l.Block.Off && l.Block.Off+l.Block.Bytes() <= r.Hi, "a block outside of its region")
		}
	})
}

func TestOverlapIsNoticed(t *testing.T) {
	x, y := Vector("x", Map, 100), Vector("y", Map, 100)
	p, err := Place([]Step{{Kernel: copyKernel, Args: []Planes{{x.All()}, {y.All()}}}}, DefaultChunk)
	require.NoError(t, err)
	a, _ := overlap(p)
	require.Nil(t, a)
	y.Off = x.Off + 256
	a, _ = overlap(p)
	assert.NotNil(t, a)
}

func TestDeadBlocksAreReused(t *testing.T) {
	bs := make([]*Block, 10)
	for i := range bs {
		bs[i] = Vector("b", Map, 64)
	}
	var steps []Step
	for i := range 9 {
		steps = append(steps, Step{Kernel: copyKernel, Args: []Planes{{bs[i].All()}, {bs[i+1].All()}}})
	}
	p, err := Place(steps, DefaultChunk)
	require.NoError(t, err)
	assert.EqualValues(t, 2*256, p.DeviceBytes(), "a chain needs two blocks at a time")
}

// A step may hold what it does not read.
func TestHeldBlocksLive(t *testing.T) {
	x, y, z := Vector("x", Map, 100), Vector("y", Map, 100), Vector("z", Map, 100)
	steps := []Step{{Kernel: copyKernel, Args: []Planes{{x.All()}, {y.All()}}}, {Kernel: copyKernel, Args: []Planes{{y.All()}, {z.All()}}}}
	_, err := Place(steps, 1<<14)
	require.NoError(t, err)
	assert.Equal(t, x.Off, z.Off, "dead by then")
	steps[1].Holds = Planes{x.All()}
	_, err = Place(steps, 1<<14)
	require.NoError(t, err)
	assert.NotEqual(t, x.Off, z.Off)
}

func TestPlaceRefusesWhatIsLargerThanAChunk(t *testing.T) {
	b := Vector("huge", Map, 1<<10)
	_, err := Place([]Step{{Kernel: copyKernel, Args: []Planes{{b.All()}, {b.All()}}}}, 1<<10)
	var e *TooLargeError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "ops: huge of 4096 bytes is larger than a memory object of 1024 bytes: use a smaller batch", err.Error())
}

func TestSplitCoversEverythingWithinTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plane := rapid.IntRange(1, 200).Draw(t, "plane")
		limit := uint64(4*plane + Align + rapid.IntRange(0, 4000).Draw(t, "room"))
		chunk := uint64(1<<14) * rapid.Uint64Range(0, 2).Draw(t, "chunk") // a block has at most 16,000 bytes
		var p Planes
		var off uint64
		for range rapid.IntRange(1, 8).Draw(t, "views") {
			b := &Block{C: uint32(rapid.IntRange(1, 20).Draw(t, "c")), N: 1, H: 1, W: uint32(plane), Off: off}
			if chunk > 0 {
				b.Off = avoidCut(off, b.Bytes(), chunk)
			}
			off = alignUp(b.Off + b.Bytes() + uint64(rapid.IntRange(0, 2000).Draw(t, "hole")))
			p = append(p, b.All())
		}
		if rapid.Bool().Draw(t, "newest first") {
			for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
				p[i], p[j] = p[j], p[i]
			}
		}
		var flat, want []uint64
		planes := func(v View) (starts []uint64) {
			for c := v.Lo; c < v.Hi; c++ {
				starts = append(starts, v.Block.Off+4*uint64(c)*v.Block.Plane())
			}
			return starts
		}
		for _, v := range p {
			want = append(want, planes(v)...)
		}
		for _, g := range p.Split(limit, chunk) {
			off, n := g.Range()
			assert.LessOrEqual(t, n, limit)
			if chunk > 0 {
				assert.Equal(t, off/chunk, (off+n-1)/chunk, "a binding crosses a chunk")
			}
			for _, v := range g {
				flat = append(flat, planes(v)...)
			}
		}
		assert.Equal(t, want, flat, "every plane once, in order")
	})
}
