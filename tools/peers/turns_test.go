package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// contender plays every program that a bench starts: layered takes 9 ms, eager
// 5 ms, channels-last is slow, compiled has no compiler.
const contender = `#!/bin/sh
ms=5
case "$*" in
*--kernels*) echo '{}'; exit ;;
*compiled*) echo 'no compiler' >&2; exit 3 ;;
*channels_last*) ms=20000 ;;
*layered*) ms=9 ;;
esac
echo '{"parameters": PARAMETERS}'
while read n; do
	all=$ms
	while [ $n -gt 1 ]; do all="$all, $ms"; n=$((n-1)); done
	echo "{\"ms\": [$all]}"
done
echo '{"peak_bytes": 1}'
`

func program(t *testing.T, name, parameters string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(contender, "PARAMETERS", parameters)), 0o777))
	return path
}

// Who is quick takes turns, who is slow does one step, who fails is absent; the
// table says so, in turns and apart.
func TestCompare(t *testing.T) {
	j := job{setup{"sparse-40-12", 64, 2}, []string{"arena", "layered", "eager", "channels_last", "compiled"}}
	for _, apart := range []bool{false, true} {
		b := &bench{options: options{rounds: 3, turn: 10 * time.Millisecond, apart: apart,
			sparsenet: program(t, "sparsenet", "7"), python: program(t, "python", "7")}, missing: map[string]string{}}
		r, err := b.compare(t.Context(), j, time.Minute)
		require.NoError(t, err)
		require.Len(t, r.Contenders, 4)
		quick := [][]float64{{5}, {5, 5}, {5, 5}}
		for i, want := range [][][]float64{quick, {{9}, {9}, {9}}, quick, {{20000}}} {
			assert.Equal(t, j.contenders[i], r.Contenders[i].Name)
			assert.Equal(t, want, r.Contenders[i].Rounds, r.Contenders[i].Name)
		}
		require.Len(t, r.Absent, 1)
		assert.Equal(t, "compiled", r.Absent[0].Peer)
		assert.Empty(t, b.missing, "it may be able to run another network")
		var text strings.Builder
		require.NoError(t, r.write(&text))
		assert.Contains(t, text.String(), "**Missing in this table: PyTorch, compiled** (ended: exit status 3: no compiler).")
		assert.Equal(t, apart, strings.Contains(text.String(), "One after the other"))
		assert.Equal(t, !apart, strings.Contains(text.String(), "round by round"))
	}
}

// Another network is no contender, and without ours there is nothing to compare.
func TestCompareRefuses(t *testing.T) {
	j := job{setup{"sparse-40-12", 64, 2}, []string{"arena", "eager"}}
	b := &bench{options: options{rounds: 1, turn: time.Millisecond,
		sparsenet: program(t, "sparsenet", "7"), python: program(t, "python", "8")}, missing: map[string]string{}}
	_, err := b.compare(t.Context(), j, time.Minute)
	assert.ErrorContains(t, err, "eager trains 8 parameters, arena 7")
	b.sparsenet = "/nosuch/sparsenet"
	_, err = b.compare(t.Context(), j, time.Minute)
	assert.ErrorContains(t, err, "/nosuch/sparsenet")
}
