package sparsenet

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWiringByHand(t *testing.T) {
	p := Powers(2).Reads
	assert.Equal(t, []int{0}, p(1))
	assert.Equal(t, []int{1, 0}, p(2))
	assert.Equal(t, []int{2, 1}, p(3))
	assert.Equal(t, []int{3, 2, 0}, p(4))
	// Stage outputs of 12, 16 and 32 layers, NETWORKS section 1.
	assert.Equal(t, []int{12, 11, 9, 5}, p(13))
	assert.Equal(t, []int{16, 15, 13, 9, 1}, p(17))
	assert.Equal(t, []int{32, 31, 29, 25, 17, 1}, p(33))
	assert.Equal(t, []int{9, 7, 1}, Powers(3).Reads(10))
	assert.Equal(t, []int{0, 1, 2, 3}, Dense().Reads(4))
	assert.Equal(t, []int{6}, Powers(math.MaxInt).Reads(7))
}

// Powers reads exactly the maps at distances that are powers of the base,
// newest first; a map d back is digit sum of d hops away.
func TestPowersProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, l := rapid.IntRange(2, 12).Draw(t, "base"), rapid.IntRange(1, 2000).Draw(t, "l")
		reads := Powers(base).Reads(l)
		want := []int{}
		for d := 1; d <= l; d++ {
			n := d
			for n%base == 0 {
				n /= base
			}
			if n == 1 {
				want = append(want, l-d)
			}
		}
		assert.Equal(t, want, reads)
	})
}

func TestHops(t *testing.T) {
	for layers, want := range map[int]int{12: 3, 16: 4, 32: 5, 332: 8} {
		hops, worst := make([]int, layers+1), 0
		for l := 1; l <= layers; l++ { // hops from map 0
			hops[l] = math.MaxInt
			for _, m := range Powers(2).Reads(l) {
				hops[l] = min(hops[l], hops[m]+1)
			}
			worst = max(worst, hops[l])
		}
		assert.Equal(t, want, worst, layers)
	}
}

func TestDenseAndPowersPartAtThree(t *testing.T) {
	for l := 1; l <= 3; l++ {
		assert.Equal(t, l <= 2, assert.ObjectsAreEqual(len(Dense().Reads(l)), len(Powers(2).Reads(l))), l)
		assert.Subset(t, Dense().Reads(l), Powers(2).Reads(l))
	}
}

func TestParseWiring(t *testing.T) {
	for _, name := range []string{"powers", "powers:3", "powers:17", "dense"} {
		w, err := ParseWiring(name)
		require.NoError(t, err)
		assert.Equal(t, name, w.String())
		data, err := json.Marshal(w)
		require.NoError(t, err)
		var back Wiring
		require.NoError(t, json.Unmarshal(data, &back))
		assert.Equal(t, w.Reads(30), back.Reads(30))
	}
	w, err := ParseWiring("powers:2")
	require.NoError(t, err)
	assert.Equal(t, "powers", w.Name)
	for _, bad := range []string{"", "power", "powers:", "powers:1", "powers:0", "powers:-3", "powers:x", "powers:99999999999", "Dense", "dense "} {
		_, err := ParseWiring(bad)
		assert.ErrorContains(t, err, "powers:3", bad)
	}
	assert.PanicsWithValue(t, "sparsenet: powers of 1: the base must be at least 2", func() { Powers(1) })
}

// A caller's own wiring is checked before it can break an engine.
func TestWiringCheck(t *testing.T) {
	assert.Empty(t, Powers(2).check(0, 40))
	assert.Empty(t, Dense().check(0, 40))
	assert.Empty(t, Powers(5).check(0, 1))
	chain := func(l int) []int { return []int{l - 1} }
	assert.Empty(t, Wiring{Reads: chain}.check(0, 10))
	for want, at3 := range map[string][]int{
		"reads nothing":        nil,
		"may read maps 0 to 2": {3},
		"reads map -1":         {2, -1},
		"reads map 2 twice":    {2, 1, 2},
		"map 2 of a stage of 4 layers is read by none": {1},
	} {
		w := Wiring{Reads: func(l int) []int {
			if l == 3 {
				return at3
			}
			return chain(l)
		}}
		assert.Contains(t, w.check(0, 5), want)
		err := Config{Depth: 16, Growth: []int{4}, Wiring: w}.Validate()
		assert.ErrorContains(t, err, "wiring custom")
	}
}
