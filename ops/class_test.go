package ops_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sparsevk/ops"
)

// Devices as they report themselves (PLATFORM.md section 4 for the drivers without
// hardware), and what the table takes for them.
func TestClassOf(t *testing.T) {
	const texels, few = 1 << 27, 1 << 16
	for name, c := range map[string]struct {
		t    ops.Traits
		want ops.Class
	}{
		"lavapipe":                {ops.Traits{CPU: true, Vendor: 0x10005, Lanes: 8, Least: 8, Texels: texels, Shared: 32 << 10, Invocations: 1024, Addresses: true}, ops.Quad},
		"lavapipe, no addresses":  {ops.Traits{CPU: true, Vendor: 0x10005, Lanes: 8, Least: 8, Texels: texels, Shared: 32 << 10, Invocations: 1024}, ops.Plain},
		"lavapipe, short texels":  {ops.Traits{CPU: true, Vendor: 0x10005, Lanes: 8, Least: 8, Texels: few, Shared: 32 << 10, Invocations: 1024}, ops.Plain},
		"lavapipe on AVX-512":     {ops.Traits{CPU: true, Vendor: 0x10005, Lanes: 16, Least: 16, Texels: texels, Shared: 32 << 10, Invocations: 1024, Addresses: true}, ops.Quad16},
		"SwiftShader":             {ops.Traits{CPU: true, Vendor: 0x1ae0, Lanes: 4, Least: 4, Texels: few, Shared: 32 << 10, Invocations: 256}, ops.Plain},
		"NVIDIA":                  {ops.Traits{Vendor: 0x10de, Lanes: 32, Least: 32, Texels: texels, Shared: 48 << 10, Invocations: 1024}, ops.NVIDIA},
		"NVIDIA, clamped":         {ops.Traits{Vendor: 0x10de, Lanes: 32, Least: 32, Texels: texels, Shared: 16 << 10, Invocations: 128}, ops.Small},
		"AMD navi21":              {ops.Traits{Vendor: 0x1002, Lanes: 64, Least: 32, Texels: texels, Shared: 64 << 10, Invocations: 1024}, ops.RDNA},
		"AMD polaris":             {ops.Traits{Vendor: 0x1002, Lanes: 64, Least: 64, Texels: texels, Shared: 64 << 10, Invocations: 1024}, ops.GCN},
		"Intel":                   {ops.Traits{Vendor: 0x8086, Lanes: 32, Least: 8, Texels: texels, Shared: 64 << 10, Invocations: 1024}, ops.Intel},
		"Apple":                   {ops.Traits{Vendor: 0x106b, Lanes: 32, Least: 32, Texels: texels, Shared: 32 << 10, Invocations: 1024}, ops.Small},
		"weaker than Vulkan asks": {ops.Traits{Shared: 8 << 10, Invocations: 64}, ops.Plain},
	} {
		got := ops.ClassOf(c.t)
		assert.Equal(t, c.want, got, name)
		assert.NoError(t, got.Fits(c.t), name)
	}
}

func TestClassFits(t *testing.T) {
	gpu := ops.Traits{Vendor: 0x10de, Lanes: 32, Least: 32, Texels: 1 << 27, Shared: 48 << 10, Invocations: 1024}
	assert.ErrorContains(t, ops.Quad.Fits(gpu), "the quad kernels need subgroups of 8 lanes, the device has 32")
	assert.ErrorContains(t, ops.Quad.Fits(ops.Traits{Lanes: 8, Texels: 1 << 27}), "the quad kernels need 64-bit integers and addresses of buffers, which the device has not")
	weak := ops.Traits{Vendor: 0x10de, Shared: 16 << 10, Invocations: 128}
	assert.ErrorContains(t, ops.NVIDIA.Fits(weak), "32768 bytes of shared memory, the device has 16384")
	for _, c := range ops.Classes() {
		got, err := ops.ParseClass(c.String())
		assert.NoError(t, err)
		assert.Equal(t, c, got)
	}
	_, err := ops.ParseClass("vast")
	assert.ErrorContains(t, err, `"vast": there are plain quad`)
}
