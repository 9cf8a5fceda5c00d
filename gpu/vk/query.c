// Physical-device queries that need pNext chains. Structs that a driver does
// not know are skipped by it and stay zero.
#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINK(head, x, type)                                                                        \
    do {                                                                                           \
        (x).sType = (type);                                                                        \
        (x).pNext = (head);                                                                        \
        (head) = &(x);                                                                             \
    } while (0)

// find returns the function, or its KHR form.
static PVX_GetPhysicalDevice2 find(void *inst, const char *name) {
    PVX_Void f = vx_instance_proc(inst, name);
    if (!f) {
        char khr[64];
        snprintf(khr, sizeof khr, "%sKHR", name);
        f = vx_instance_proc(inst, khr);
    }
    return (PVX_GetPhysicalDevice2)f;
}

static void properties(PVX_GetPhysicalDevice2 get, void *pd, vx_info *o) {
    void *h = NULL;
    VxIDProperties id = {0};
    VxSubgroupProperties sg = {0};
    VxSubgroupSizeControlProperties sc = {0};
    VxDriverProperties dr = {0};
    VxMaintenance3Properties m3 = {0};
    VxMaintenance4Properties m4 = {0};
    LINK(h, id, VX_ST_PD_ID_PROPERTIES);
    LINK(h, sg, VX_ST_PD_SUBGROUP_PROPERTIES);
    LINK(h, sc, VX_ST_PD_SUBGROUP_SIZE_CONTROL_PROPERTIES);
    LINK(h, dr, VX_ST_PD_DRIVER_PROPERTIES);
    LINK(h, m3, VX_ST_PD_MAINTENANCE_3_PROPERTIES);
    LINK(h, m4, VX_ST_PD_MAINTENANCE_4_PROPERTIES);
    VxPhysicalDeviceProperties2 p;
    memset(&p, 0, sizeof p);
    p.sType = VX_ST_PD_PROPERTIES_2;
    p.pNext = h;
    get(pd, &p);
    memcpy(o->deviceUUID, id.deviceUUID, sizeof o->deviceUUID);
    memcpy(o->driverName, dr.driverName, sizeof o->driverName);
    memcpy(o->driverInfo, dr.driverInfo, sizeof o->driverInfo);
    o->driverID = dr.driverID;
    o->subgroupSize = sg.subgroupSize;
    o->subgroupStages = sg.supportedStages;
    o->subgroupOps = sg.supportedOperations;
    o->subgroupMin = sc.minSubgroupSize ? sc.minSubgroupSize : sg.subgroupSize;
    o->subgroupMax = sc.maxSubgroupSize ? sc.maxSubgroupSize : sg.subgroupSize;
    o->maxAllocation = m3.maxMemoryAllocationSize;
    o->maxBuffer = m4.maxBufferSize;
}

static void features(PVX_GetPhysicalDevice2 get, void *pd, vx_info *o) {
    void *h = NULL;
    VxSubgroupSizeControlFeatures sc = {0};
    Vx16BitStorageFeatures s16 = {0};
    Vx8BitStorageFeatures s8 = {0};
    VxFloat16Int8Features fi = {0};
    VxIntDotFeatures dot = {0};
    VxBufferDeviceAddressFeatures ad = {0};
    VxVulkanMemoryModelFeatures mm = {0};
    VxCooperativeMatrixFeaturesKHR cm = {0};
    LINK(h, sc, VX_ST_PD_SUBGROUP_SIZE_CONTROL_FEATURES);
    LINK(h, s16, VX_ST_PD_16BIT_STORAGE_FEATURES);
    LINK(h, s8, VX_ST_PD_8BIT_STORAGE_FEATURES);
    LINK(h, fi, VX_ST_PD_FLOAT16_INT8_FEATURES);
    LINK(h, dot, VX_ST_PD_INT_DOT_FEATURES);
    LINK(h, ad, VX_ST_PD_BUFFER_DEVICE_ADDRESS_FEATURES);
    LINK(h, mm, VX_ST_PD_VULKAN_MEMORY_MODEL_FEATURES);
    LINK(h, cm, VX_ST_PD_COOPERATIVE_MATRIX_FEATURES_KHR);
    VxPhysicalDeviceFeatures2 q;
    memset(&q, 0, sizeof q);
    q.sType = VX_ST_PD_FEATURES_2;
    q.pNext = h;
    get(pd, &q);
    o->float64 = q.features.f[VX_F_SHADER_FLOAT64];
    o->int64 = q.features.f[VX_F_SHADER_INT64];
    o->int16 = q.features.f[VX_F_SHADER_INT16];
    o->float16 = fi.shaderFloat16;
    o->int8 = fi.shaderInt8;
    o->storage16 = s16.storageBuffer16BitAccess;
    o->storage8 = s8.storageBuffer8BitAccess;
    o->intDot = dot.shaderIntegerDotProduct;
    o->address = ad.bufferDeviceAddress;
    o->subgroupControl = sc.subgroupSizeControl;
    o->memoryModel = mm.vulkanMemoryModel;
    o->matrix = cm.cooperativeMatrix;
}

// A chain asks for a feature in VkDeviceCreateInfo. A device that cannot refuses.
#define CHAIN(name, type, stype, feature)                                                          \
    void *name(void *next) {                                                                       \
        type *f = calloc(1, sizeof *f);                                                            \
        if (f) {                                                                                   \
            f->sType = stype;                                                                      \
            f->pNext = next;                                                                       \
            f->feature = 1;                                                                        \
        }                                                                                          \
        return f;                                                                                  \
    }

CHAIN(vx_storage16_chain, Vx16BitStorageFeatures, VX_ST_PD_16BIT_STORAGE_FEATURES, storageBuffer16BitAccess)
CHAIN(vx_int64_chain, VxPhysicalDeviceFeatures2, VX_ST_PD_FEATURES_2, features.f[VX_F_SHADER_INT64])
CHAIN(vx_address_chain, VxBufferDeviceAddressFeatures, VX_ST_PD_BUFFER_DEVICE_ADDRESS_FEATURES, bufferDeviceAddress)
CHAIN(vx_float16_chain, VxFloat16Int8Features, VX_ST_PD_FLOAT16_INT8_FEATURES, shaderFloat16)
CHAIN(vx_memory_model_chain, VxVulkanMemoryModelFeatures, VX_ST_PD_VULKAN_MEMORY_MODEL_FEATURES, vulkanMemoryModel)
CHAIN(vx_matrix_chain, VxCooperativeMatrixFeaturesKHR, VX_ST_PD_COOPERATIVE_MATRIX_FEATURES_KHR, cooperativeMatrix)
CHAIN(vx_subgroup_size_chain, VxSubgroupSizeControlFeatures, VX_ST_PD_SUBGROUP_SIZE_CONTROL_FEATURES, subgroupSizeControl)
CHAIN(vx_statistics_chain, VxPipelineExecutableFeatures, VX_ST_PD_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES, pipelineExecutableInfo)

void vx_chain_free(void *chain) {
    while (chain) {
        VxIDProperties *link = chain; // every link begins alike
        chain = link->pNext;
        free(link);
    }
}

void vx_query(void *inst, void *pd, vx_info *o) {
    memset(o, 0, sizeof *o);
    PVX_GetPhysicalDevice2 p = find(inst, "vkGetPhysicalDeviceProperties2");
    PVX_GetPhysicalDevice2 f = find(inst, "vkGetPhysicalDeviceFeatures2");
    if (p)
        properties(p, pd, o);
    if (f)
        features(f, pd, o);
}
