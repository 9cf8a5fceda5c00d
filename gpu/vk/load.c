// Loading the library and its functions.
#include "shim.h"

#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
static const char *const names[] = {"vulkan-1.dll", NULL};
static void *open_library(const char *path, char *why, size_t cap) {
    HMODULE h = LoadLibraryA(path);
    if (!h)
        snprintf(why, cap, "%s: error %lu", path, GetLastError());
    return (void *)h;
}
static void *symbol(void *lib, const char *name) {
    return (void *)GetProcAddress((HMODULE)lib, name);
}
#else
#include <dlfcn.h>
#if defined(__APPLE__)
static const char *const names[] = {"libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib",
                                    NULL};
#else
static const char *const names[] = {"libvulkan.so.1", NULL};
#endif
static void *open_library(const char *path, char *why, size_t cap) {
    void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *e = h ? NULL : dlerror();
    if (e)
        snprintf(why, cap, "%s", e);
    return h;
}
static void *symbol(void *lib, const char *name) { return dlsym(lib, name); }
#endif

static PVX_GetProcAddr gipa;

// vx_load opens the library at path, or the system's, and returns its
// vkGetInstanceProcAddr; or NULL, and says why. The library stays loaded:
// drivers leave threads behind that must not lose their code.
void *vx_load(const char *path, char *why, size_t cap) {
    const char *const given[] = {path, NULL};
    for (const char *const *n = path && *path ? given : names; *n; n++) {
        void *lib = open_library(*n, why, cap);
        if (!lib)
            continue;
        PVX_GetProcAddr f = (PVX_GetProcAddr)symbol(lib, "vkGetInstanceProcAddr");
        if (f) {
            gipa = f;
            return (void *)f;
        }
        snprintf(why, cap, "%s has no vkGetInstanceProcAddr", *n);
    }
    return NULL;
}

PVX_Void vx_instance_proc(void *inst, const char *name) { return gipa(inst, name); }

// vx_instance_version is the loader's version; 1.0 loaders lack the query.
uint32_t vx_instance_version(void) {
    PVX_EnumerateInstanceVersion f =
        (PVX_EnumerateInstanceVersion)gipa(NULL, "vkEnumerateInstanceVersion");
    uint32_t v = 1u << 22;
    if (f)
        f(&v);
    return v;
}

// vx_dev_init fills d and returns the name of a function that the driver
// lacks, or NULL. All that must be there are Vulkan 1.0.
const char *vx_dev_init(void *inst, void *dev, vx_dev *d) {
    PVX_GetProcAddr get = (PVX_GetProcAddr)gipa(inst, "vkGetDeviceProcAddr");
    if (!get)
        return "vkGetDeviceProcAddr";
    memset(d, 0, sizeof *d);
    d->dev = dev;
#define FIND(n)                                                                                    \
    d->n = (__typeof__(d->n))get(dev, "vk" #n);                                                    \
    if (!d->n)                                                                                     \
        return "vk" #n;
    FIND(QueueSubmit)
    FIND(WaitForFences)
    FIND(ResetFences)
    FIND(BeginCommandBuffer)
    FIND(EndCommandBuffer)
    FIND(CmdBindPipeline)
    FIND(CmdBindDescriptorSets)
    FIND(CmdPushConstants)
    FIND(CmdDispatch)
    FIND(CmdPipelineBarrier)
    FIND(CmdWriteTimestamp)
    FIND(CmdResetQueryPool)
    FIND(CmdCopyBuffer)
    FIND(GetQueryPoolResults)
    FIND(CreateComputePipelines)
    FIND(UpdateDescriptorSets)
    FIND(FlushMappedMemoryRanges)
    FIND(InvalidateMappedMemoryRanges)
#undef FIND
#define MAY_FIND(n) d->n = (__typeof__(d->n))get(dev, "vk" #n);
    MAY_FIND(GetBufferDeviceAddress)
    MAY_FIND(GetPipelineExecutablePropertiesKHR)
    MAY_FIND(GetPipelineExecutableStatisticsKHR)
#undef MAY_FIND
    return NULL;
}
