// What Go calls. Only flat structs without pointers cross the border; every
// pNext chain lives on the C stack of one call.
#ifndef SPARSEVK_SHIM_H
#define SPARSEVK_SHIM_H
#include "abi.h"

// What properties2 and features2 say of a physical device; what the driver
// does not know stays zero.
typedef struct {
    uint8_t deviceUUID[16];
    char driverName[256], driverInfo[256];
    uint32_t driverID;
    uint32_t subgroupSize, subgroupStages, subgroupOps, subgroupMin, subgroupMax;
    uint32_t float64, int64, int16, float16, int8, storage16, storage8, intDot, subgroupControl, address, memoryModel, matrix;
    uint64_t maxAllocation, maxBuffer;
} vx_info;

// The device's functions, and the device.
typedef struct {
    void *dev;
    PVX_QueueSubmit QueueSubmit;
    PVX_WaitForFences WaitForFences;
    PVX_ResetFences ResetFences;
    PVX_BeginCommandBuffer BeginCommandBuffer;
    PVX_EndCommandBuffer EndCommandBuffer;
    PVX_CmdBindPipeline CmdBindPipeline;
    PVX_CmdBindDescriptorSets CmdBindDescriptorSets;
    PVX_CmdPushConstants CmdPushConstants;
    PVX_CmdDispatch CmdDispatch;
    PVX_CmdPipelineBarrier CmdPipelineBarrier;
    PVX_CmdWriteTimestamp CmdWriteTimestamp;
    PVX_CmdResetQueryPool CmdResetQueryPool;
    PVX_CmdCopyBuffer CmdCopyBuffer;
    PVX_GetQueryPoolResults GetQueryPoolResults;
    PVX_CreateComputePipelines CreateComputePipelines;
    PVX_UpdateDescriptorSets UpdateDescriptorSets;
    PVX_MappedMemoryRanges FlushMappedMemoryRanges, InvalidateMappedMemoryRanges;
    // NULL before Vulkan 1.2
    PVX_GetBufferDeviceAddress GetBufferDeviceAddress;
    // NULL unless the device was made for statistics
    PVX_GetPipelineExecutableProperties GetPipelineExecutablePropertiesKHR;
    PVX_GetPipelineExecutableStatistics GetPipelineExecutableStatisticsKHR;
} vx_dev;

// Commands. Operands in brackets.
enum {
    VX_OP_BEGIN = 1, // the command buffer that takes what follows [h0]
    VX_OP_END,
    VX_OP_DISPATCH,  // [h0 pipeline, h1 layout, h2 set, a b push offset and bytes, d[0..2] groups]
    VX_OP_BARRIER,   // [a b stages, c d[0] accesses, source first]
    VX_OP_TIMESTAMP, // [h0 pool, a query, b stage]
    VX_OP_RESET,     // [h0 pool, a first query, b how many]
    VX_OP_COPY,      // [h0 source, h1 destination, h2 bytes, d[0..1] d[2..3] offsets, low word first]
};

// One recorded command, 64 bytes; push constants lie in an array beside.
typedef struct {
    uint32_t op, a, b, c;
    uint64_t h0, h1, h2;
    uint32_t d[6];
} vx_op;
_Static_assert(sizeof(vx_op) == 64, "no padding");

// One descriptor of a set: a buffer's range, or a texel view (in handle).
typedef struct {
    uint64_t set, handle, off, bytes;
    uint32_t binding, type;
} vx_write;

// The name of a layer or an extension.
typedef struct {
    char s[256];
} vx_name;

typedef struct {
    uint32_t flags, timestampBits;
} vx_family;

// A product of matrices that a device has instructions for, with Vulkan's values.
typedef struct {
    uint32_t m, n, k, a, b, c, result, scope;
} vx_matrix;

// A number that the compiler tells of a pipeline.
typedef struct {
    char name[256];
    double value;
} vx_statistic;

// load.c
void *vx_load(const char *path, char *why, size_t cap);
uint32_t vx_instance_version(void);
PVX_Void vx_instance_proc(void *inst, const char *name);
const char *vx_dev_init(void *inst, void *dev, vx_dev *d);

// query.c
void vx_query(void *inst, void *pd, vx_info *out);
// links of VkDeviceCreateInfo that ask for a feature; vx_chain_free frees them all
void *vx_storage16_chain(void *next);
void *vx_int64_chain(void *next);
void *vx_address_chain(void *next);
void *vx_float16_chain(void *next);
void *vx_memory_model_chain(void *next);
void *vx_matrix_chain(void *next);
void *vx_subgroup_size_chain(void *next);
void *vx_statistics_chain(void *next);
void vx_chain_free(void *chain);

// list.c; the lists are the caller's to free
vx_name *vx_layers(uint32_t *n);
vx_name *vx_instance_extensions(const char *layer, uint32_t *n);
vx_name *vx_device_extensions(void *inst, void *pd, uint32_t *n);
vx_matrix *vx_matrices(void *inst, void *pd, uint32_t *n);
vx_family *vx_families(void *inst, void *pd, uint32_t *n);

// statistics.c; the list is the caller's to free
VxResult vx_statistics(vx_dev *d, uint64_t pipeline, vx_statistic **out, uint32_t *n);

// record.c
VxResult vx_record(vx_dev *d, const vx_op *ops, uint32_t n, const uint8_t *push);
VxResult vx_submit(vx_dev *d, void *q, const uint64_t *cbs, uint32_t n, uint64_t fence);
VxResult vx_wait(vx_dev *d, uint64_t fence, uint64_t nanoseconds);
VxResult vx_queries(vx_dev *d, uint64_t pool, uint32_t first, uint32_t n, uint64_t *out);
const void *vx_address_flags(void);
uint64_t vx_address(vx_dev *d, uint64_t buffer);
VxResult vx_flush(vx_dev *d, int invalidate, uint64_t memory, uint64_t off, uint64_t bytes);

// pipeline.c
VxResult vx_compute_pipeline(vx_dev *d, uint64_t cache, uint64_t module, uint64_t layout,
                             const uint32_t *spec, uint32_t nspec, VxFlags flags, uint32_t lanes, uint64_t *out);
void vx_write_sets(vx_dev *d, const vx_write *w, uint32_t n);

// debug.c
void *vx_debug_chain(int features, int sync);
VxResult vx_messenger(void *inst, uint64_t *out);
void vx_messenger_destroy(void *inst, uint64_t messenger);
uint32_t vx_messages(char *out, size_t cap);
#endif
