// Queries that fill arrays of structs, which the binding may free meanwhile.
// What fails or runs out of memory is an empty list.
#include "shim.h"

#include <stdlib.h>
#include <string.h>

// names copies the name that opens each of n structs of a size.
static vx_name *names(const void *list, size_t size, uint32_t n) {
    vx_name *out = list ? calloc(n ? n : 1, sizeof *out) : NULL;
    for (uint32_t i = 0; out && i < n; i++)
        memcpy(out[i].s, (const char *)list + i * size, sizeof out[i].s - 1);
    return out;
}

vx_name *vx_layers(uint32_t *n) {
    PVX_EnumerateLayers f =
        (PVX_EnumerateLayers)vx_instance_proc(NULL, "vkEnumerateInstanceLayerProperties");
    *n = 0;
    if (!f || f(n, NULL) < 0)
        return NULL;
    VxLayerProperties *list = calloc(*n ? *n : 1, sizeof *list);
    vx_name *out = list && f(n, list) >= 0 ? names(list, sizeof *list, *n) : NULL;
    free(list);
    return out;
}

vx_name *vx_instance_extensions(const char *layer, uint32_t *n) {
    PVX_EnumerateInstanceExtensions f = (PVX_EnumerateInstanceExtensions)vx_instance_proc(
        NULL, "vkEnumerateInstanceExtensionProperties");
    const char *l = *layer ? layer : NULL;
    *n = 0;
    if (!f || f(l, n, NULL) < 0)
        return NULL;
    VxExtensionProperties *list = calloc(*n ? *n : 1, sizeof *list);
    vx_name *out = list && f(l, n, list) >= 0 ? names(list, sizeof *list, *n) : NULL;
    free(list);
    return out;
}

vx_name *vx_device_extensions(void *inst, void *pd, uint32_t *n) {
    PVX_EnumerateDeviceExtensions f = (PVX_EnumerateDeviceExtensions)vx_instance_proc(
        inst, "vkEnumerateDeviceExtensionProperties");
    *n = 0;
    if (!f || f(pd, NULL, n, NULL) < 0)
        return NULL;
    VxExtensionProperties *list = calloc(*n ? *n : 1, sizeof *list);
    vx_name *out = list && f(pd, NULL, n, list) >= 0 ? names(list, sizeof *list, *n) : NULL;
    free(list);
    return out;
}

vx_family *vx_families(void *inst, void *pd, uint32_t *n) {
    PVX_GetQueueFamilies f =
        (PVX_GetQueueFamilies)vx_instance_proc(inst, "vkGetPhysicalDeviceQueueFamilyProperties");
    *n = 0;
    if (!f)
        return NULL;
    f(pd, n, NULL);
    VxQueueFamilyProperties *list = calloc(*n ? *n : 1, sizeof *list);
    vx_family *out = calloc(*n ? *n : 1, sizeof *out);
    if (list && out)
        f(pd, n, list);
    for (uint32_t i = 0; list && out && i < *n; i++) {
        out[i].flags = list[i].queueFlags;
        out[i].timestampBits = list[i].timestampValidBits;
    }
    free(list);
    return out;
}

// vx_matrices is to be called only for devices that list the extension.
vx_matrix *vx_matrices(void *inst, void *pd, uint32_t *n) {
    PVX_GetCooperativeMatrices f = (PVX_GetCooperativeMatrices)vx_instance_proc(
        inst, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    *n = 0;
    if (!f || f(pd, n, NULL) < 0)
        return NULL;
    VxCooperativeMatrixPropertiesKHR *list = calloc(*n ? *n : 1, sizeof *list);
    vx_matrix *out = calloc(*n ? *n : 1, sizeof *out);
    for (uint32_t i = 0; list && i < *n; i++)
        list[i].sType = VX_ST_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    if (!list || !out || f(pd, n, list) < 0)
        *n = 0;
    for (uint32_t i = 0; i < *n; i++) {
        VxCooperativeMatrixPropertiesKHR *p = &list[i];
        out[i] = (vx_matrix){p->MSize, p->NSize, p->KSize,      p->AType,
                             p->BType, p->CType, p->ResultType, p->scope};
    }
    free(list);
    return out;
}
