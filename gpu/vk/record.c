// The hot calls: recording, submitting, waiting, reading timestamps. None of
// them allocates, and none calls back into Go.
#include "shim.h"

static uint64_t wide(const uint32_t *d) { return d[0] | (uint64_t)d[1] << 32; }

static void dispatch(vx_dev *d, void *cb, const vx_op *o, const uint8_t *push, uint64_t bound) {
    if (o->h0 != bound)
        d->CmdBindPipeline(cb, VX_BIND_POINT_COMPUTE, o->h0);
    d->CmdBindDescriptorSets(cb, VX_BIND_POINT_COMPUTE, o->h1, 0, 1, &o->h2, 0, NULL);
    if (o->b)
        d->CmdPushConstants(cb, o->h1, VX_SHADER_STAGE_COMPUTE, 0, o->b, push + o->a);
    d->CmdDispatch(cb, o->d[0], o->d[1], o->d[2]);
}

// vx_record walks ops, which may fill several command buffers.
VxResult vx_record(vx_dev *d, const vx_op *ops, uint32_t n, const uint8_t *push) {
    void *cb = NULL;
    uint64_t bound = 0;
    for (const vx_op *o = ops; o < ops + n; o++) {
        VxResult r = 0;
        switch (o->op) {
        case VX_OP_BEGIN: {
            VxCommandBufferBeginInfo bi = {VX_ST_COMMAND_BUFFER_BEGIN_INFO, NULL, 0, NULL};
            cb = (void *)(uintptr_t)o->h0;
            bound = 0;
            r = d->BeginCommandBuffer(cb, &bi);
            break;
        }
        case VX_OP_END:
            r = d->EndCommandBuffer(cb);
            break;
        case VX_OP_DISPATCH:
            dispatch(d, cb, o, push, bound);
            bound = o->h0;
            break;
        case VX_OP_BARRIER: {
            VxMemoryBarrier m = {VX_ST_MEMORY_BARRIER, NULL, o->c, o->d[0]};
            d->CmdPipelineBarrier(cb, o->a, o->b, 0, 1, &m, 0, NULL, 0, NULL);
            break;
        }
        case VX_OP_TIMESTAMP:
            d->CmdWriteTimestamp(cb, o->b, o->h0, o->a);
            break;
        case VX_OP_RESET:
            d->CmdResetQueryPool(cb, o->h0, o->a, o->b);
            break;
        case VX_OP_COPY: {
            VxBufferCopy c = {wide(o->d), wide(o->d + 2), o->h2};
            d->CmdCopyBuffer(cb, o->h0, o->h1, 1, &c);
            break;
        }
        }
        if (r)
            return r;
    }
    return 0;
}

// vx_submit submits each command buffer on its own: a driver may merge what
// one vkQueueSubmit carries into one job for the watchdog. The fence follows
// the last.
VxResult vx_submit(vx_dev *d, void *q, const uint64_t *cbs, uint32_t n, uint64_t fence) {
    for (uint32_t i = 0; i < n; i++) {
        void *cb = (void *)(uintptr_t)cbs[i];
        VxSubmitInfo s = {VX_ST_SUBMIT_INFO, NULL, 0, NULL, NULL, 1, &cb, 0, NULL};
        VxResult r = d->QueueSubmit(q, 1, &s, i + 1 == n ? fence : 0);
        if (r)
            return r;
    }
    return 0;
}

// vx_wait waits for the fence and, if it came, resets it.
VxResult vx_wait(vx_dev *d, uint64_t fence, uint64_t nanoseconds) {
    VxResult r = d->WaitForFences(d->dev, 1, &fence, 1, nanoseconds);
    return r ? r : d->ResetFences(d->dev, 1, &fence);
}

VxResult vx_queries(vx_dev *d, uint64_t pool, uint32_t first, uint32_t n, uint64_t *out) {
    return d->GetQueryPoolResults(d->dev, pool, first, n, 8ull * n, out, 8, VX_QUERY_RESULT_64);
}

// vx_address_flags is the link of VkMemoryAllocateInfo for memory of buffers whose
// addresses shaders get.
const void *vx_address_flags(void) {
    static const VxMemoryAllocateFlagsInfo f = {VX_ST_MEMORY_ALLOCATE_FLAGS_INFO, NULL,
                                                VX_MEMORY_ALLOCATE_DEVICE_ADDRESS, 0};
    return &f;
}

uint64_t vx_address(vx_dev *d, uint64_t buffer) {
    VxBufferDeviceAddressInfo i = {VX_ST_BUFFER_DEVICE_ADDRESS_INFO, NULL, buffer};
    return d->GetBufferDeviceAddress(d->dev, &i);
}

VxResult vx_flush(vx_dev *d, int invalidate, uint64_t memory, uint64_t off, uint64_t bytes) {
    VxMappedMemoryRange r = {VX_ST_MAPPED_MEMORY_RANGE, NULL, memory, off, bytes};
    return (invalidate ? d->InvalidateMappedMemoryRanges : d->FlushMappedMemoryRanges)(d->dev, 1,
                                                                                       &r);
}
