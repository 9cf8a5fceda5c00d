package gpu

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// validated opens a device with validation or skips where the layer is not
// installed, unless SPARSEVK_VALIDATE=require.
func validated(t *testing.T, v Validation) *Device {
	openTest(t, Options{}).Close()
	if os.Getenv("SPARSEVK_VALIDATE") == "off" {
		t.Skip("SPARSEVK_VALIDATE=off")
	}
	d, err := Open(Options{Validate: v})
	if errors.Is(err, ErrNoLayer) && os.Getenv("SPARSEVK_VALIDATE") != "require" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, d.Close())
		assert.Empty(t, d.Messages())
	})
	d.Messages()
	return d
}

// Silence proves nothing unless the layer is known to speak: wrong usage.
func TestPlantedMisuse(t *testing.T) {
	d := validated(t, Core)
	b, _, _, _ := d.dev.NewBuffer(0)
	m := d.Messages()
	require.NotEmpty(t, m)
	assert.Contains(t, m[0], "error: VUID-VkBufferCreateInfo-size-00912")
	assert.Empty(t, d.Messages(), "drained")
	d.dev.DestroyBuffer(b)
	d.Messages()
}

// And a missing barrier: what one dispatch writes the next one reads.
func TestPlantedHazard(t *testing.T) {
	d := validated(t, Sync)
	for _, barrier := range []bool{true, false} {
		x, y, z := newBuffer(t, d, 256, DeviceLocal), newBuffer(t, d, 256, DeviceLocal), newBuffer(t, d, 256, DeviceLocal)
		first, second := add(t, d, x, y, 1, 0), add(t, d, y, z, 1, 0)
		second.Barrier = barrier
		r := newRecording(t, d, RecordOptions{}, first, second)
		require.NoError(t, r.Run())
		m := d.Messages()
		if barrier {
			assert.Empty(t, m)
			continue
		}
		require.NotEmpty(t, m)
		assert.Contains(t, m[0], "SYNC-HAZARD-READ")
	}
}

// Messages beyond the room are counted. Newer layers end a repetition
// themselves.
func TestMessagesOverflow(t *testing.T) {
	d := validated(t, Core)
	const n = 2000
	for range n {
		b, _, _, _ := d.dev.NewBuffer(0)
		d.dev.DestroyBuffer(b)
	}
	m := d.Messages()
	require.NotEmpty(t, m)
	if len(m) < n {
		assert.Regexp(t, "found no room|duplicate_message_limit", m[len(m)-1])
	}
	assert.Empty(t, d.Messages())
}
