// The part of the 64-bit Vulkan ABI that this package calls itself: what the
// 2018 binding lacks, and what it passes unsafely. Own names (Vx*), so that no
// vulkan.h is needed to build and any may be included beside it; abi_test.go
// proves sizes, offsets and values against real headers. Dispatchable handles
// are void*, the others uint64_t.
#ifndef SPARSEVK_ABI_H
#define SPARSEVK_ABI_H
#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(void *) == 8, "64-bit targets only");

typedef uint32_t VxBool32;
typedef uint32_t VxFlags;
typedef uint64_t VxDeviceSize;
typedef int32_t VxResult;
typedef int32_t VxEnum;

#if defined(_WIN32)
#define VX_CALL __stdcall
#else
#define VX_CALL
#endif

// Structure types.
enum {
    VX_ST_SUBMIT_INFO = 4,
    VX_ST_MAPPED_MEMORY_RANGE = 6,
    VX_ST_PIPELINE_SHADER_STAGE_CREATE_INFO = 18,
    VX_ST_COMPUTE_PIPELINE_CREATE_INFO = 29,
    VX_ST_WRITE_DESCRIPTOR_SET = 35,
    VX_ST_COMMAND_BUFFER_BEGIN_INFO = 42,
    VX_ST_MEMORY_BARRIER = 46,
    VX_ST_PD_FEATURES_2 = 1000059000,
    VX_ST_PD_PROPERTIES_2 = 1000059001,
    VX_ST_MEMORY_ALLOCATE_FLAGS_INFO = 1000060000,
    VX_ST_PD_ID_PROPERTIES = 1000071004,
    VX_ST_PD_FLOAT16_INT8_FEATURES = 1000082000,
    VX_ST_PD_16BIT_STORAGE_FEATURES = 1000083000,
    VX_ST_PD_SUBGROUP_PROPERTIES = 1000094000,
    VX_ST_DEBUG_UTILS_MESSENGER_CREATE_INFO = 1000128004,
    VX_ST_PD_MAINTENANCE_3_PROPERTIES = 1000168000,
    VX_ST_PD_8BIT_STORAGE_FEATURES = 1000177000,
    VX_ST_PD_VULKAN_MEMORY_MODEL_FEATURES = 1000211000,
    VX_ST_PD_DRIVER_PROPERTIES = 1000196000,
    VX_ST_PD_SUBGROUP_SIZE_CONTROL_PROPERTIES = 1000225000,
    VX_ST_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO = 1000225001,
    VX_ST_PD_SUBGROUP_SIZE_CONTROL_FEATURES = 1000225002,
    VX_ST_BUFFER_DEVICE_ADDRESS_INFO = 1000244001,
    VX_ST_VALIDATION_FEATURES = 1000247000,
    VX_ST_PD_BUFFER_DEVICE_ADDRESS_FEATURES = 1000257000,
    VX_ST_PD_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES = 1000269000,
    VX_ST_PIPELINE_INFO = 1000269001,
    VX_ST_PIPELINE_EXECUTABLE_PROPERTIES = 1000269002,
    VX_ST_PIPELINE_EXECUTABLE_INFO = 1000269003,
    VX_ST_PIPELINE_EXECUTABLE_STATISTIC = 1000269004,
    VX_ST_PD_INT_DOT_FEATURES = 1000280000,
    VX_ST_PD_MAINTENANCE_4_PROPERTIES = 1000413001,
    VX_ST_PD_COOPERATIVE_MATRIX_FEATURES_KHR = 1000506000,
    VX_ST_COOPERATIVE_MATRIX_PROPERTIES_KHR = 1000506001,
};

// Other values.
enum {
    VX_ERROR_OUT_OF_HOST_MEMORY = -1,
    VX_ERROR_INITIALIZATION_FAILED = -3,
    VX_ERROR_EXTENSION_NOT_PRESENT = -7,
    VX_BIND_POINT_COMPUTE = 1,
    VX_SHADER_STAGE_COMPUTE = 0x20,
    VX_DESCRIPTOR_UNIFORM_TEXEL_BUFFER = 4,
    VX_DESCRIPTOR_STORAGE_BUFFER = 7,
    VX_MEMORY_ALLOCATE_DEVICE_ADDRESS = 2,
    VX_BUFFER_USAGE_SHADER_DEVICE_ADDRESS = 0x20000,
    VX_QUERY_RESULT_64 = 1,
    VX_PIPELINE_CAPTURE_STATISTICS = 0x40,
    VX_STATISTIC_BOOL32 = 0,
    VX_STATISTIC_INT64 = 1,
    VX_STATISTIC_UINT64 = 2,
    VX_STATISTIC_FLOAT64 = 3,
    VX_SEVERITY_WARNING = 0x100,
    VX_SEVERITY_ERROR = 0x1000,
    VX_MESSAGE_VALIDATION = 2,
    VX_ENABLE_SYNC_VALIDATION = 4,
};

// --- recording and submission ---

typedef struct {
    VxEnum sType;
    const void *pNext;
    uint32_t waitSemaphoreCount;
    const uint64_t *pWaitSemaphores;
    const VxFlags *pWaitDstStageMask;
    uint32_t commandBufferCount;
    void *const *pCommandBuffers;
    uint32_t signalSemaphoreCount;
    const uint64_t *pSignalSemaphores;
} VxSubmitInfo;

typedef struct {
    VxEnum sType;
    const void *pNext;
    VxFlags srcAccessMask, dstAccessMask;
} VxMemoryBarrier;

typedef struct {
    VxEnum sType;
    const void *pNext;
    VxFlags flags;
    const void *pInheritanceInfo;
} VxCommandBufferBeginInfo;

typedef struct {
    VxDeviceSize srcOffset, dstOffset, size;
} VxBufferCopy;

typedef struct {
    VxEnum sType;
    const void *pNext;
    uint64_t memory;
    VxDeviceSize offset, size;
} VxMappedMemoryRange;

// --- buffers whose addresses shaders get ---

typedef struct {
    VxEnum sType;
    const void *pNext;
    VxFlags flags;
    uint32_t deviceMask;
} VxMemoryAllocateFlagsInfo;

typedef struct {
    VxEnum sType;
    const void *pNext;
    uint64_t buffer;
} VxBufferDeviceAddressInfo;

// --- pipelines and descriptors ---

typedef struct {
    uint32_t constantID, offset;
    size_t size;
} VxSpecializationMapEntry;

typedef struct {
    uint32_t mapEntryCount;
    const VxSpecializationMapEntry *pMapEntries;
    size_t dataSize;
    const void *pData;
} VxSpecializationInfo;

typedef struct {
    VxEnum sType;
    const void *pNext;
    VxFlags flags;
    VxEnum stage;
    uint64_t module;
    const char *pName;
    const VxSpecializationInfo *pSpecializationInfo;
} VxPipelineShaderStageCreateInfo;

typedef struct {
    VxEnum sType;
    const void *pNext;
    VxFlags flags;
    VxPipelineShaderStageCreateInfo stage;
    uint64_t layout;
    uint64_t basePipelineHandle;
    int32_t basePipelineIndex;
} VxComputePipelineCreateInfo;

typedef struct {
    uint64_t buffer;
    VxDeviceSize offset, range;
} VxDescriptorBufferInfo;

typedef struct {
    VxEnum sType;
    const void *pNext;
    uint64_t dstSet;
    uint32_t dstBinding, dstArrayElement, descriptorCount;
    VxEnum descriptorType;
    const void *pImageInfo;
    const VxDescriptorBufferInfo *pBufferInfo;
    const uint64_t *pTexelBufferView;
} VxWriteDescriptorSet;

// --- what the compiler made of a pipeline ---

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 pipelineExecutableInfo;
} VxPipelineExecutableFeatures;

typedef struct {
    VxEnum sType;
    const void *pNext;
    uint64_t pipeline;
} VxPipelineInfo;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxFlags stages;
    char name[256], description[256];
    uint32_t subgroupSize;
} VxPipelineExecutableProperties;

typedef struct {
    VxEnum sType;
    const void *pNext;
    uint64_t pipeline;
    uint32_t executableIndex;
} VxPipelineExecutableInfo;

// value is a union of a truth value, two integers and a double.
typedef struct {
    VxEnum sType;
    void *pNext;
    char name[256], description[256];
    VxEnum format;
    uint64_t value;
} VxPipelineExecutableStatistic;

// --- queries; the first member of each chain link is the base ---

// The 55 core features, by index.
typedef struct {
    VxBool32 f[55];
} VxPhysicalDeviceFeatures;

enum {
    VX_F_SHADER_FLOAT64 = 39,
    VX_F_SHADER_INT64 = 40,
    VX_F_SHADER_INT16 = 41,
};

typedef struct {
    VxEnum sType;
    void *pNext;
    VxPhysicalDeviceFeatures features;
} VxPhysicalDeviceFeatures2;

// The properties are read through the binding's own type; here only their room.
typedef struct {
    VxEnum sType;
    void *pNext;
    uint64_t properties[103];
} VxPhysicalDeviceProperties2;

typedef struct {
    VxEnum sType;
    void *pNext;
    uint8_t deviceUUID[16], driverUUID[16], deviceLUID[8];
    uint32_t deviceNodeMask;
    VxBool32 deviceLUIDValid;
} VxIDProperties;

typedef struct {
    VxEnum sType;
    void *pNext;
    uint32_t subgroupSize;
    VxFlags supportedStages, supportedOperations;
    VxBool32 quadOperationsInAllStages;
} VxSubgroupProperties;

typedef struct {
    VxEnum sType;
    void *pNext;
    uint32_t minSubgroupSize, maxSubgroupSize, maxComputeWorkgroupSubgroups;
    VxFlags requiredSubgroupSizeStages;
} VxSubgroupSizeControlProperties;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 subgroupSizeControl, computeFullSubgroups;
} VxSubgroupSizeControlFeatures;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 storageBuffer16BitAccess, uniformAndStorageBuffer16BitAccess, storagePushConstant16,
        storageInputOutput16;
} Vx16BitStorageFeatures;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 bufferDeviceAddress, bufferDeviceAddressCaptureReplay, bufferDeviceAddressMultiDevice;
} VxBufferDeviceAddressFeatures;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 storageBuffer8BitAccess, uniformAndStorageBuffer8BitAccess, storagePushConstant8;
} Vx8BitStorageFeatures;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 shaderFloat16, shaderInt8;
} VxFloat16Int8Features;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 shaderIntegerDotProduct;
} VxIntDotFeatures;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 vulkanMemoryModel, vulkanMemoryModelDeviceScope, vulkanMemoryModelAvailabilityVisibilityChains;
} VxVulkanMemoryModelFeatures;

typedef struct {
    VxEnum sType;
    void *pNext;
    uint32_t requiredSubgroupSize;
} VxRequiredSubgroupSize;

// Newer than the headers of Debian 12, like their structure types.
typedef struct {
    VxEnum sType;
    void *pNext;
    VxBool32 cooperativeMatrix, cooperativeMatrixRobustBufferAccess;
} VxCooperativeMatrixFeaturesKHR;

typedef struct {
    VxEnum sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    VxEnum AType, BType, CType, ResultType;
    VxBool32 saturatingAccumulation;
    VxEnum scope;
} VxCooperativeMatrixPropertiesKHR;

typedef struct {
    VxEnum sType;
    void *pNext;
    uint32_t maxPerSetDescriptors;
    VxDeviceSize maxMemoryAllocationSize;
} VxMaintenance3Properties;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxDeviceSize maxBufferSize;
} VxMaintenance4Properties;

typedef struct {
    VxEnum sType;
    void *pNext;
    VxEnum driverID;
    char driverName[256], driverInfo[256];
    uint8_t conformanceVersion[4];
} VxDriverProperties;

typedef struct {
    char layerName[256];
    uint32_t specVersion, implementationVersion;
    char description[256];
} VxLayerProperties;

typedef struct {
    char extensionName[256];
    uint32_t specVersion;
} VxExtensionProperties;

typedef struct {
    VxFlags queueFlags;
    uint32_t queueCount, timestampValidBits;
    uint32_t minImageTransferGranularity[3];
} VxQueueFamilyProperties;

// --- validation ---

typedef struct {
    VxEnum sType;
    const void *pNext;
    uint32_t enabledValidationFeatureCount;
    const VxEnum *pEnabledValidationFeatures;
    uint32_t disabledValidationFeatureCount;
    const VxEnum *pDisabledValidationFeatures;
} VxValidationFeatures;

typedef struct {
    VxEnum sType;
    const void *pNext;
    VxFlags flags;
    const char *pMessageIdName;
    int32_t messageIdNumber;
    const char *pMessage;
    uint32_t queueLabelCount;
    const void *pQueueLabels;
    uint32_t cmdBufLabelCount;
    const void *pCmdBufLabels;
    uint32_t objectCount;
    const void *pObjects;
} VxDebugUtilsMessengerCallbackData;

typedef VxBool32(VX_CALL *PVX_DebugUtilsMessengerCallback)(
    VxEnum severity, VxFlags types, const VxDebugUtilsMessengerCallbackData *data, void *user);

typedef struct {
    VxEnum sType;
    const void *pNext;
    VxFlags flags;
    VxFlags messageSeverity, messageType;
    PVX_DebugUtilsMessengerCallback pfnUserCallback;
    void *pUserData;
} VxDebugUtilsMessengerCreateInfo;

// --- entry points ---

typedef void(VX_CALL *PVX_Void)(void);
typedef PVX_Void(VX_CALL *PVX_GetProcAddr)(void *instanceOrDevice, const char *name);
typedef void(VX_CALL *PVX_GetPhysicalDevice2)(void *pd, void *out);
typedef VxResult(VX_CALL *PVX_GetCooperativeMatrices)(void *pd, uint32_t *n,
                                                      VxCooperativeMatrixPropertiesKHR *);
typedef VxResult(VX_CALL *PVX_EnumerateInstanceVersion)(uint32_t *version);
typedef VxResult(VX_CALL *PVX_EnumerateLayers)(uint32_t *n, VxLayerProperties *);
typedef VxResult(VX_CALL *PVX_EnumerateInstanceExtensions)(const char *layer, uint32_t *n,
                                                           VxExtensionProperties *);
typedef VxResult(VX_CALL *PVX_EnumerateDeviceExtensions)(void *pd, const char *layer, uint32_t *n,
                                                         VxExtensionProperties *);
typedef void(VX_CALL *PVX_GetQueueFamilies)(void *pd, uint32_t *n, VxQueueFamilyProperties *);
typedef VxResult(VX_CALL *PVX_CreateMessenger)(void *inst, const VxDebugUtilsMessengerCreateInfo *,
                                               const void *alloc, uint64_t *out);
typedef void(VX_CALL *PVX_DestroyMessenger)(void *inst, uint64_t messenger, const void *alloc);
typedef VxResult(VX_CALL *PVX_QueueSubmit)(void *q, uint32_t n, const VxSubmitInfo *,
                                           uint64_t fence);
typedef VxResult(VX_CALL *PVX_WaitForFences)(void *dev, uint32_t n, const uint64_t *fences,
                                             VxBool32 all, uint64_t timeout);
typedef VxResult(VX_CALL *PVX_ResetFences)(void *dev, uint32_t n, const uint64_t *fences);
typedef VxResult(VX_CALL *PVX_BeginCommandBuffer)(void *cb, const VxCommandBufferBeginInfo *);
typedef VxResult(VX_CALL *PVX_EndCommandBuffer)(void *cb);
typedef void(VX_CALL *PVX_CmdBindPipeline)(void *cb, VxEnum point, uint64_t pipeline);
typedef void(VX_CALL *PVX_CmdBindDescriptorSets)(void *cb, VxEnum point, uint64_t layout,
                                                 uint32_t first, uint32_t n, const uint64_t *sets,
                                                 uint32_t ndyn, const uint32_t *dyn);
typedef void(VX_CALL *PVX_CmdPushConstants)(void *cb, uint64_t layout, VxFlags stages, uint32_t off,
                                            uint32_t size, const void *values);
typedef void(VX_CALL *PVX_CmdDispatch)(void *cb, uint32_t x, uint32_t y, uint32_t z);
typedef void(VX_CALL *PVX_CmdPipelineBarrier)(void *cb, VxFlags src, VxFlags dst, VxFlags dep,
                                              uint32_t nm, const VxMemoryBarrier *, uint32_t nb,
                                              const void *, uint32_t ni, const void *);
typedef void(VX_CALL *PVX_CmdWriteTimestamp)(void *cb, VxEnum stage, uint64_t pool, uint32_t query);
typedef void(VX_CALL *PVX_CmdResetQueryPool)(void *cb, uint64_t pool, uint32_t first, uint32_t n);
typedef void(VX_CALL *PVX_CmdCopyBuffer)(void *cb, uint64_t src, uint64_t dst, uint32_t n,
                                         const VxBufferCopy *);
typedef VxResult(VX_CALL *PVX_GetQueryPoolResults)(void *dev, uint64_t pool, uint32_t first,
                                                   uint32_t n, size_t bytes, void *data,
                                                   VxDeviceSize stride, VxFlags flags);
typedef VxResult(VX_CALL *PVX_CreateComputePipelines)(void *dev, uint64_t cache, uint32_t n,
                                                      const VxComputePipelineCreateInfo *,
                                                      const void *alloc, uint64_t *out);
typedef VxResult(VX_CALL *PVX_GetPipelineExecutableProperties)(void *dev, const VxPipelineInfo *,
                                                               uint32_t *n,
                                                               VxPipelineExecutableProperties *);
typedef VxResult(VX_CALL *PVX_GetPipelineExecutableStatistics)(void *dev,
                                                               const VxPipelineExecutableInfo *,
                                                               uint32_t *n,
                                                               VxPipelineExecutableStatistic *);
typedef void(VX_CALL *PVX_UpdateDescriptorSets)(void *dev, uint32_t nw,
                                                const VxWriteDescriptorSet *, uint32_t nc,
                                                const void *);
typedef VxDeviceSize(VX_CALL *PVX_GetBufferDeviceAddress)(void *dev, const VxBufferDeviceAddressInfo *);
typedef VxResult(VX_CALL *PVX_MappedMemoryRanges)(void *dev, uint32_t n,
                                                  const VxMappedMemoryRange *);
#endif
