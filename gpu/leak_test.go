package gpu

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"sparsevk/gpu/vk"
)

// The tests leave no handle and no goroutine.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := Live(); len(left) > 0 {
		fmt.Println("leak: Vulkan handles are left:", left)
		code = 1
	}
	if err := goleak.Find(); err != nil {
		fmt.Println("leak:", err)
		code = 1
	}
	os.Exit(code)
}

// Every type of handle is counted up when it is made and down when it is
// destroyed: by Close, also where the caller forgot.
func TestCloseLeavesNoHandle(t *testing.T) {
	d := openTest(t, Options{CacheDir: t.TempDir()})
	x, y := newBuffer(t, d, 1<<12, DeviceLocal), newBuffer(t, d, 1<<12, DeviceLocal)
	newRecording(t, d, RecordOptions{Timestamps: true}, add(t, d, x, y, 1, 0))
	s := Shader{Name: "texel", Code: texelCode, Bindings: []BindingType{Texel, Storage}, PushBytes: 4, Local: [3]uint32{64, 1, 1}}
	newRecording(t, d, RecordOptions{}, Dispatch{Label: "texel", Pipeline: newPipeline(t, d, s), Args: []Range{whole(x), whole(y)},
		Push: make([]byte, 4), Groups: [3]uint32{1, 1, 1}})
	require.NoError(t, d.Upload(x, 0, make([]byte, 64)))
	live := Live()
	for _, name := range []string{"VkInstance", "VkDevice", "VkFence", "VkCommandPool", "VkQueryPool", "VkBuffer", "VkDeviceMemory", "VkBufferView",
		"VkPipelineCache", "VkShaderModule", "VkDescriptorSetLayout", "VkPipelineLayout", "VkPipeline", "VkDescriptorPool"} {
		assert.Positive(t, live[name], name)
	}

	// a planted leak: a fence that nobody destroys, not even Close
	leak, r := d.dev.NewFence()
	require.Equal(t, vk.Success, r)
	assert.Equal(t, live["VkFence"]+1, Live()["VkFence"])
	d.dev.DestroyFence(leak)
	assert.Equal(t, live, Live())

	require.NoError(t, d.Close())
	assert.Empty(t, Live())
}
