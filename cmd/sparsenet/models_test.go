package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/sparsenet"
)

// docs/NETWORKS.md is what models --markdown prints.
func TestNetworksDoc(t *testing.T) {
	want, err := os.ReadFile("../../docs/NETWORKS.md")
	require.NoError(t, err)
	models, err := listModels()
	require.NoError(t, err)
	doc := func() string {
		var b strings.Builder
		require.NoError(t, writeModelsDoc(&b, models))
		return b.String()
	}
	assert.Equal(t, string(want), doc(), "run: go run ./cmd/sparsenet models --markdown >docs/NETWORKS.md")
	models[3].Parameters++
	assert.NotEqual(t, string(want), doc())
}

// The list gives the memory that the memory command gives, and none for what can
// only be counted; every published count is equal or explained.
func TestModelsList(t *testing.T) {
	models, err := listModels()
	require.NoError(t, err)
	require.Len(t, models, len(sparsenet.Presets()))
	off := 0
	for _, m := range models {
		countedOnly := strings.HasSuffix(m.Name, "-paper") || m.Name == "dense-1000-12"
		assert.Equal(t, countedOnly, m.Memory == 0, m.Name)
		if p := m.Published; p != nil && !p.Equal {
			assert.NotEmpty(t, p.Explained, m.Name)
			off++
		}
		if m.Name != "sparse-40-24" {
			continue
		}
		c, err := sparsenet.Preset(m.Name)
		require.NoError(t, err)
		g, err := sparsenet.Build(c)
		require.NoError(t, err)
		n, err := sparsenet.NewNetwork(g, sparsenet.Options{Batch: 64, WideEval: true})
		require.NoError(t, err)
		assert.Equal(t, n.Memory().Total, m.Memory)
		data, err := json.Marshal(m)
		require.NoError(t, err)
		assert.Contains(t, string(data), `"training_bytes":`)
	}
	assert.Equal(t, 2, off)
}
