package chart

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"sparsevk/train"
)

// fields decodes a message into its fields' raw values.
func fields(t *testing.T, b []byte) map[protowire.Number][]any {
	t.Helper()
	out := map[protowire.Number][]any{}
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		b = b[n:]
		var v any
		switch kind {
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.Fixed32Type:
			v, n = protowire.ConsumeFixed32(b)
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		default:
			v, n = protowire.ConsumeBytes(b)
		}
		require.Positive(t, n)
		out[field] = append(out[field], v)
		b = b[n:]
	}
	return out
}

func TestEvents(t *testing.T) {
	dir := t.TempDir()
	e, err := OpenEvents(dir, time.Unix(1700000000, 5))
	require.NoError(t, err)
	e.Write(train.Metric{Time: time.Unix(1700000001, 0), Kind: train.KindStep, Step: 7, Loss: 0.5, Accuracy: 0.25, LR: 0.1, GradNorm: 2})
	e.Write(train.Metric{Kind: train.KindValid, Step: 8, Loss: train.Number(math.NaN())})
	e.Write(train.Metric{Kind: train.KindTest, Step: 8})
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	_, err = OpenEvents(dir, time.Unix(1700000000, 5))
	assert.ErrorIs(t, err, os.ErrExist)
	_, err = OpenEvents(filepath.Join(dir, "none"), time.Unix(0, 0))
	assert.ErrorIs(t, err, os.ErrNotExist)

	b, err := os.ReadFile(filepath.Join(dir, "events.out.tfevents.1700000000.000000005.sparsevk"))
	require.NoError(t, err)
	var events []map[protowire.Number][]any
	for len(b) > 0 {
		n := binary.LittleEndian.Uint64(b)
		assert.Equal(t, masked(b[:8]), binary.LittleEndian.Uint32(b[8:]))
		data := b[12 : 12+n]
		assert.Equal(t, masked(data), binary.LittleEndian.Uint32(b[12+n:]))
		events = append(events, fields(t, data))
		b = b[16+n:]
	}
	require.Len(t, events, 4)
	assert.Equal(t, "brain.Event:2", string(events[0][3][0].([]byte)))
	assert.Equal(t, math.Float64bits(1700000001), events[1][1][0])
	assert.Equal(t, uint64(7), events[1][2][0])
	values := fields(t, events[1][5][0].([]byte))[1]
	require.Len(t, values, 5)
	first := fields(t, values[0].([]byte))
	assert.Equal(t, "step/loss", string(first[1][0].([]byte)))
	assert.Equal(t, math.Float32bits(0.5), first[2][0])
	assert.Len(t, fields(t, events[2][5][0].([]byte))[1], 4)
	assert.Len(t, fields(t, events[3][5][0].([]byte))[1], 3, "no learning rate")
}

// The published value: crc32c of "123456789" is 0xe3069283.
func TestMasked(t *testing.T) {
	c := uint32(0xe3069283)
	assert.Equal(t, (c>>15|c<<17)+0xa282ead8, masked([]byte("123456789")))
}

// An error sticks and is told at the end.
func TestEventsFail(t *testing.T) {
	e, err := OpenEvents(t.TempDir(), time.Unix(1, 0))
	require.NoError(t, err)
	require.NoError(t, e.f.Close())
	e.Write(train.Metric{})
	assert.ErrorContains(t, e.Close(), "event file: ")
}
