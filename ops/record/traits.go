package record

import (
	"cmp"
	"slices"

	"sparsevk/gpu"
	"sparsevk/ops"
)

// Traits returns what the choice of kernels for dev depends on. Limits that were
// clamped count as clamped.
func Traits(dev *gpu.Device) ops.Traits {
	i, l := dev.Info(), dev.Limits()
	least := i.SubgroupMin
	if least == 0 {
		least = i.SubgroupSize
	}
	return ops.Traits{CPU: i.Type == "cpu", Vendor: i.VendorID, Lanes: i.SubgroupSize, Least: least,
		Texels: l.TexelElements, Shared: l.SharedBytes, Invocations: l.Invocations, Addresses: i.Features.Int64 && i.Features.Address, Matrix: matrix(i)}
}

// matrix returns the product that the matrix forms take of those that a device lists:
// the deepest, then the one with fewest channels, since growth is small, then the one
// with most pixels.
func matrix(i gpu.Info) ops.Matrix {
	all := Matrices(i)
	if len(all) == 0 {
		return ops.Matrix{}
	}
	return slices.MaxFunc(all, func(a, b ops.Matrix) int {
		return cmp.Or(cmp.Compare(a.K, b.K), -cmp.Compare(a.N, b.N), cmp.Compare(a.M, b.M))
	})
}

// Matrices returns the products of float16 matrices with float32 sums that a device
// lists and the matrix forms can be made of.
func Matrices(i gpu.Info) (all []ops.Matrix) {
	switch {
	case !i.Features.CooperativeMatrix, !i.Features.Float16, !i.Features.Storage16:
		return nil
	case i.DriverID == gpu.Llvmpipe && i.SubgroupSize > 8: // the compiler of Mesa 26.1 and 26.2 crashes
		return nil
	}
	for _, m := range i.Matrices {
		q := ops.Matrix{M: m.M, N: m.N, K: m.K, Lanes: lanes(i)}
		if m.Subgroup && m.A == "float16" && m.B == "float16" && m.C == "float32" && m.Result == "float32" && q.Usable() {
			all = append(all, q)
		}
	}
	return all
}

// lanes returns the size of the subgroups that multiply matrices: AMD's may have 32
// or 64 lanes, of which 32 are more to choose from; Intel's compilers multiply with
// the least that they have.
func lanes(i gpu.Info) uint32 {
	if !i.Features.SubgroupControl || i.SubgroupMin == i.SubgroupMax {
		return i.SubgroupSize
	}
	if i.VendorID == ops.VendorIntel {
		return i.SubgroupMin
	}
	return max(i.SubgroupMin, 32)
}
