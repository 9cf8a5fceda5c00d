package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A precision is in what commands print, and one that cannot be is refused.
func TestPrecision(t *testing.T) {
	maps := map[string]float64{}
	for _, p := range []string{"fp32", "fp16", "bf16"} {
		var got map[string]any
		decode(t, "memory --preset sparse-16-6 --batch 8 --json --precision "+p, &got)
		assert.Equal(t, p, got["precision"])
		maps[p] = got["maps_bytes"].(float64)
	}
	assert.Less(t, maps["fp16"], 0.55*maps["fp32"])
	assert.Equal(t, maps["fp16"], maps["bf16"])
	for _, command := range []string{"memory", "bench", "train", "verify trace"} {
		_, errs, code := execute(t, command+" --precision half")
		assert.Equal(t, 2, code, command)
		assert.Contains(t, errs, "use fp32, fp16 or bf16", command)
	}
	_, errs, code := execute(t, "verify trace --precision fp16")
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "selftest --op fp16")
}
