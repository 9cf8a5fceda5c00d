package gpu

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ahead of time or not, the pipelines are the same ones, and nothing runs: the
// buffers of the device keep what they hold. What is used to compile is gone after.
func TestCompileAhead(t *testing.T) {
	d := openTest(t, Options{})
	y := newBuffer(t, d, 256, HostVisible)
	fillBuffer(y, func(i int) float32 { return float32(i) })
	texel := Shader{Name: "texel", Code: texelCode, Bindings: []BindingType{Texel, Storage}, PushBytes: 4, Local: [3]uint32{64, 1, 1}}
	all := []Specialised{{axpy(64), []uint32{64, 0}}, {axpy(64), []uint32{64, 1}}, {axpy(32), []uint32{32, 0}}, {texel, nil}, {axpy(64), []uint32{64, 0}}}
	before := Live()
	require.NoError(t, d.CompileAhead(all))
	first := d.Pipelines()
	live := Live()
	for _, s := range all {
		newPipeline(t, d, s.Shader, s.Spec...)
	}
	assert.Subset(t, d.Pipelines(), first)
	assert.Len(t, d.Pipelines(), 4)
	require.NoError(t, d.CompileAhead(all))
	assert.Len(t, d.Pipelines(), 4)
	for _, name := range []string{"VkDevice", "VkBuffer", "VkFence", "VkCommandPool", "VkDescriptorPool", "VkBufferView"} {
		assert.Equal(t, before[name], live[name], name)
	}
	for i, v := range floats(y.Mapped()) {
		require.Equal(t, float32(i), v)
	}
}

func TestCompileAheadRefuses(t *testing.T) {
	d := openTest(t, Options{})
	wide := axpy(64)
	wide.Name, wide.Local = "wide", [3]uint32{1 << 20, 1, 1}
	err := d.CompileAhead([]Specialised{{wide, nil}, {wide, []uint32{1 << 20}}, {wide, []uint32{1 << 20, 1}}, {wide, []uint32{1 << 20, 2}}})
	assert.ErrorContains(t, err, "wants 1048576 invocations in a workgroup")
	require.NoError(t, d.Close())
	assert.ErrorIs(t, d.CompileAhead(nil), ErrClosed)
}
