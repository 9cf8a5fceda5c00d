package train

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"sparsevk/sparsenet"
)

// FuzzDescription: whatever a file says of its network, it is refused, or is a
// network that can be built, and says the same when it is written again.
func FuzzDescription(f *testing.F) {
	for _, name := range []string{"sparse-40-12", "dense-bc-100-12", "imagenet-sparse-121-32-paper"} {
		c, err := sparsenet.Preset(name)
		require.NoError(f, err)
		text, err := json.Marshal(Description{Network: c, Dataset: "x", Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{1, 1, 1e-3}})
		require.NoError(f, err)
		f.Add(string(text), false)
		f.Add(`{"step": 7, "model": `+string(text)+`}`, true)
	}
	f.Add(`{"network":{"depth":7,"growth":[2],"wiring":"table:0|1,0","classes":2,"compression":1,"input":"8x8x2"},"classes":["a","b"],"mean":[0,0],"std":[1,2]}`, false)
	f.Add(`{"network":{"growth":[2],"blocks":[1,1,1,1,1,1,1,1,1]}}`, false)
	f.Add("null", false)
	f.Fuzz(func(t *testing.T, text string, checkpoint bool) {
		meta := map[string]string{"format": modelFormat, modelKey: text}
		if checkpoint {
			meta = map[string]string{"format": checkpointFormat, "state": text}
		}
		d, err := parseDescription(meta)
		if err != nil || d == nil {
			return
		}
		layers := 0
		for _, n := range d.Network.Blocks {
			layers += n
		}
		if layers < 200 { // the graph of the largest takes long
			_, err = sparsenet.Build(d.Network)
			require.NoError(t, err)
		}
		once, err := json.Marshal(d)
		require.NoError(t, err)
		again, err := parseDescription(map[string]string{"format": modelFormat, modelKey: string(once)})
		require.NoError(t, err)
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}
