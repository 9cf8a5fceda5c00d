package record

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sparsevk/gpu"
	"sparsevk/ops"
)

// TestMatrix: of what devices list, the product that the matrix forms take.
func TestMatrix(t *testing.T) {
	product := func(m, n, k uint32, sum string) gpu.Matrix {
		return gpu.Matrix{M: m, N: n, K: k, A: "float16", B: "float16", C: sum, Result: sum, Subgroup: true}
	}
	info := func(size, least, most uint32, all ...gpu.Matrix) gpu.Info {
		return gpu.Info{SubgroupSize: size, SubgroupMin: least, SubgroupMax: most, Matrices: all,
			Features: gpu.Features{CooperativeMatrix: true, Float16: true, Storage16: true, SubgroupControl: true}}
	}
	nvidia := info(32, 32, 32, product(16, 16, 16, "float16"), product(16, 8, 8, "float32"), product(16, 16, 16, "float32"), product(16, 8, 16, "float32"))
	amd := info(64, 32, 64, product(16, 16, 16, "float16"), product(16, 16, 16, "float32"))
	intel8 := info(32, 8, 32, product(8, 8, 16, "float32"))
	intel8.VendorID = ops.VendorIntel
	cpu := info(8, 8, 8, product(8, 8, 8, "float32"))
	cpu.DriverID = gpu.Llvmpipe
	for name, c := range map[string]struct {
		gpu.Info
		want ops.Matrix
	}{
		"NVIDIA": {nvidia, ops.Matrix{M: 16, N: 8, K: 16, Lanes: 32}},
		"AMD":    {amd, ops.Matrix{M: 16, N: 16, K: 16, Lanes: 32}},
		"Intel":  {intel8, ops.Matrix{M: 8, N: 8, K: 16, Lanes: 8}},
		"CPU":    {cpu, ops.Matrix{M: 8, N: 8, K: 8, Lanes: 8}},
		"none":   {info(32, 32, 32), ops.Matrix{}},
		"large":  {info(32, 32, 32, product(32, 32, 16, "float32")), ops.Matrix{}},
	} {
		assert.Equal(t, c.want, matrix(c.Info), name)
		assert.Equal(t, c.want != ops.Matrix{}, matrix(c.Info).Usable(), name)
	}
	for name, change := range map[string]func(i *gpu.Info){
		"not enabled":          func(i *gpu.Info) { i.Features.CooperativeMatrix = false },
		"no arithmetic":        func(i *gpu.Info) { i.Features.Float16 = false },
		"no storage":           func(i *gpu.Info) { i.Features.Storage16 = false },
		"16 lanes of lavapipe": func(i *gpu.Info) { i.SubgroupSize, i.SubgroupMin, i.SubgroupMax = 16, 16, 16 },
		"of a workgroup": func(i *gpu.Info) {
			i.Matrices = []gpu.Matrix{{M: 8, N: 8, K: 8, A: "float16", B: "float16", C: "float32", Result: "float32"}}
		},
		"float16 sums": func(i *gpu.Info) { i.Matrices = []gpu.Matrix{product(8, 8, 8, "float16")} },
	} {
		i := cpu
		change(&i)
		assert.Zero(t, matrix(i), name)
	}
}
