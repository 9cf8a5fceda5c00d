package record

import (
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
		Texels: l.TexelElements, Shared: l.SharedBytes, Invocations: l.Invocations, Addresses: i.Features.Int64 && i.Features.Address}
}
