package vk

/*
#cgo noescape vx_record
#cgo nocallback vx_record
#cgo noescape vx_submit
#cgo nocallback vx_submit
#cgo noescape vx_wait
#cgo nocallback vx_wait
#cgo noescape vx_queries
#cgo nocallback vx_queries
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	vulkan "github.com/vulkan-go/vulkan"
)

// An Op is one command of a recording: 64 bytes, no pointers.
type Op = C.vx_op

// Pipeline stages and accesses of barriers and timestamps.
const (
	StageCompute  = uint32(vulkan.PipelineStageComputeShaderBit)
	StageTransfer = uint32(vulkan.PipelineStageTransferBit)
	StageBottom   = uint32(vulkan.PipelineStageBottomOfPipeBit)
	StageHost     = uint32(vulkan.PipelineStageHostBit)

	ShaderRead    = uint32(vulkan.AccessShaderReadBit)
	ShaderWrite   = uint32(vulkan.AccessShaderWriteBit)
	TransferRead  = uint32(vulkan.AccessTransferReadBit)
	TransferWrite = uint32(vulkan.AccessTransferWriteBit)
	HostRead      = uint32(vulkan.AccessHostReadBit)
	HostWrite     = uint32(vulkan.AccessHostWriteBit)
)

// Begin starts a command buffer: what follows goes there, up to End.
func Begin(cb CommandBuffer) Op { return Op{op: C.VX_OP_BEGIN, h0: C.uint64_t(cb)} }

// End ends the command buffer.
func End() Op { return Op{op: C.VX_OP_END} }

// Dispatch binds pipeline and set, pushes bytes [off, off+bytes) of the push
// data and dispatches groups.
func Dispatch(p Pipeline, l PipelineLayout, s DescriptorSet, off, bytes int, groups [3]uint32) Op {
	o := Op{op: C.VX_OP_DISPATCH, a: C.uint32_t(off), b: C.uint32_t(bytes),
		h0: C.uint64_t(bits(p)), h1: C.uint64_t(bits(l)), h2: C.uint64_t(bits(s))}
	for i, g := range groups {
		o.d[i] = C.uint32_t(g)
	}
	return o
}

// Barrier is a global memory barrier.
func Barrier(srcStage, dstStage, srcAccess, dstAccess uint32) Op {
	o := Op{op: C.VX_OP_BARRIER, a: C.uint32_t(srcStage), b: C.uint32_t(dstStage), c: C.uint32_t(srcAccess)}
	o.d[0] = C.uint32_t(dstAccess)
	return o
}

// Timestamp writes the time at which all earlier commands passed the stage.
func Timestamp(p QueryPool, query int, stage uint32) Op {
	return Op{op: C.VX_OP_TIMESTAMP, a: C.uint32_t(query), b: C.uint32_t(stage), h0: C.uint64_t(bits(p))}
}

// ResetQueries makes n queries from first on ready to be written.
func ResetQueries(p QueryPool, first, n int) Op {
	return Op{op: C.VX_OP_RESET, a: C.uint32_t(first), b: C.uint32_t(n), h0: C.uint64_t(bits(p))}
}

// Copy copies bytes between buffers.
func Copy(src, dst Buffer, srcOff, dstOff, bytes uint64) Op {
	o := Op{op: C.VX_OP_COPY, h0: C.uint64_t(bits(src)), h1: C.uint64_t(bits(dst)), h2: C.uint64_t(bytes)}
	o.d[0], o.d[1] = C.uint32_t(uint32(srcOff)), C.uint32_t(srcOff>>32)
	o.d[2], o.d[3] = C.uint32_t(uint32(dstOff)), C.uint32_t(dstOff>>32)
	return o
}

// Record walks ops, whatever their number, in one crossing of the border.
func (d *Device) Record(ops []Op, push []byte) Result {
	return Result(C.vx_record(d.fn, unsafe.SliceData(ops), C.uint32_t(len(ops)), (*C.uint8_t)(unsafe.SliceData(push))))
}

// Submit hands the command buffers to the queue, each as a submission of its
// own; f comes after the last. The caller serialises calls.
func (d *Device) Submit(cbs []CommandBuffer, f Fence) Result {
	return Result(C.vx_submit(d.fn, pointer(d.queue), (*C.uint64_t)(unsafe.Pointer(unsafe.SliceData(cbs))),
		C.uint32_t(len(cbs)), C.uint64_t(bits(f))))
}

// Wait waits for f without limit and resets it.
func (d *Device) Wait(f Fence) Result {
	return Result(C.vx_wait(d.fn, C.uint64_t(bits(f)), C.uint64_t(^uint64(0))))
}

// Queries reads len(out) timestamps from first on; they must have been written.
func (d *Device) Queries(p QueryPool, first int, out []uint64) Result {
	return Result(C.vx_queries(d.fn, C.uint64_t(bits(p)), C.uint32_t(first), C.uint32_t(len(out)),
		(*C.uint64_t)(unsafe.Pointer(unsafe.SliceData(out)))))
}
