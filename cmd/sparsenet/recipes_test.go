package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train"
)

func TestRecipesCommand(t *testing.T) {
	out, _, code := execute(t, "recipes")
	require.Equal(t, exitSuccess, code)
	for _, want := range []string{"keras ", "amsgrad, rate constant(0.001), plateau(x0.316", "bug, off: --bugs bn-momentum:", "bug, off: test-selection:"} {
		assert.Contains(t, out, want)
	}
	var all []train.Recipe
	decode(t, "recipes --json", &all)
	require.Len(t, all, len(train.Recipes()))
	assert.Equal(t, "keras", all[0].Name)
	assert.Equal(t, 100, all[0].Batch)
}
