package gpu

import (
	"math"

	"sparsevk/gpu/vk"
)

// Limits is what a device allows. Package gpu checks all of it, since software
// drivers run past their limits without a word.
type Limits struct {
	StorageRange    uint64 // bytes that a storage binding may span
	MaxAllocation   uint64 // bytes of one allocation
	MaxBuffer       uint64 // bytes of one buffer
	StorageAlign    uint64 // of a storage binding's offset, bytes
	TexelElements   uint64 // texels (16 bytes each) that a texel binding may span
	TexelAlign      uint64 // of a texel binding's offset, bytes
	NonCoherentAtom uint64 // granularity of Flush and Invalidate, bytes; rounding is done here

	Invocations    uint32    // of a workgroup
	GroupSize      [3]uint32 // of a workgroup, per axis
	GroupCount     [3]uint32 // of a dispatch, per axis
	SharedBytes    uint32    // shared memory of a workgroup
	PushBytes      uint32    // push constants
	StorageBuffers uint32    // storage bindings of a shader
	TexelBuffers   uint32    // texel bindings of a shader
	Resources      uint32    // bindings of a shader
	Allocations    uint32    // allocations at a time
	DescriptorSets uint32    // sets bound at a time

	TimestampPeriod float64 // nanoseconds per tick
	TimestampBits   uint32  // valid bits; 0: the device has no timestamps
}

// guaranteed is maxMemoryAllocationSize at the least.
const guaranteed = 1 << 30

func newLimits(p *vk.Properties, timestampBits uint32) Limits {
	v := &p.Limits
	l := Limits{
		StorageRange:  uint64(v.MaxStorageBufferRange),
		MaxAllocation: p.MaxAllocation, MaxBuffer: p.MaxBuffer,
		StorageAlign:  uint64(v.MinStorageBufferOffsetAlignment),
		TexelElements: uint64(v.MaxTexelBufferElements), TexelAlign: uint64(v.MinTexelBufferOffsetAlignment),
		NonCoherentAtom: uint64(v.NonCoherentAtomSize),
		Invocations:     v.MaxComputeWorkGroupInvocations, GroupSize: v.MaxComputeWorkGroupSize, GroupCount: v.MaxComputeWorkGroupCount,
		SharedBytes: v.MaxComputeSharedMemorySize, PushBytes: v.MaxPushConstantsSize,
		StorageBuffers: v.MaxPerStageDescriptorStorageBuffers, TexelBuffers: v.MaxPerStageDescriptorSampledImages,
		Resources: v.MaxPerStageResources, Allocations: v.MaxMemoryAllocationCount, DescriptorSets: v.MaxBoundDescriptorSets,
		TimestampPeriod: float64(v.TimestampPeriod), TimestampBits: timestampBits,
	}
	if l.MaxAllocation == 0 {
		l.MaxAllocation = guaranteed
	}
	if l.MaxBuffer == 0 {
		l.MaxBuffer = l.MaxAllocation
	}
	// RADV without a card says +Inf.
	if !(l.TimestampPeriod > 0) || math.IsInf(l.TimestampPeriod, 0) {
		l.TimestampPeriod, l.TimestampBits = 0, 0
	}
	return l
}

// clamped returns the limits of the weakest device that we support.
func (l Limits) clamped() Limits {
	l.StorageRange = min(l.StorageRange, 128<<20)
	l.Invocations = min(l.Invocations, 128)
	for i, n := range [3]uint32{128, 128, 64} {
		l.GroupSize[i] = min(l.GroupSize[i], n)
	}
	l.SharedBytes = min(l.SharedBytes, 16<<10)
	l.PushBytes = min(l.PushBytes, 128)
	l.StorageBuffers = min(l.StorageBuffers, 8)
	return l
}
