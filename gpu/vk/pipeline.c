// Pipelines and descriptors: calls that the binding makes with memory which
// the garbage collector may free meanwhile.
#include "shim.h"

#include <string.h>

enum { MAX_SPEC = 64, WRITES_PER_CALL = 64 };

// Specialization constants are 32 bits each, with identifiers 0..nspec-1. lanes is the
// subgroup size to demand; 0 leaves it to the driver.
VxResult vx_compute_pipeline(vx_dev *d, uint64_t cache, uint64_t module, uint64_t layout,
                             const uint32_t *spec, uint32_t nspec, VxFlags flags, uint32_t lanes, uint64_t *out) {
    VxSpecializationMapEntry entry[MAX_SPEC];
    if (nspec > MAX_SPEC)
        return VX_ERROR_INITIALIZATION_FAILED;
    for (uint32_t i = 0; i < nspec; i++) {
        VxSpecializationMapEntry e = {i, 4 * i, 4};
        entry[i] = e;
    }
    VxSpecializationInfo si = {nspec, entry, 4ull * nspec, spec};
    VxRequiredSubgroupSize size = {VX_ST_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO, NULL, lanes};
    VxComputePipelineCreateInfo ci;
    memset(&ci, 0, sizeof ci);
    ci.sType = VX_ST_COMPUTE_PIPELINE_CREATE_INFO;
    ci.flags = flags;
    ci.layout = layout;
    ci.basePipelineIndex = -1;
    ci.stage.sType = VX_ST_PIPELINE_SHADER_STAGE_CREATE_INFO;
    ci.stage.pNext = lanes ? &size : NULL;
    ci.stage.stage = VX_SHADER_STAGE_COMPUTE;
    ci.stage.module = module;
    ci.stage.pName = "main";
    ci.stage.pSpecializationInfo = nspec ? &si : NULL;
    return d->CreateComputePipelines(d->dev, cache, 1, &ci, NULL, out);
}

// vx_write_sets writes n descriptors, a few dozen a call.
void vx_write_sets(vx_dev *d, const vx_write *w, uint32_t n) {
    VxDescriptorBufferInfo range[WRITES_PER_CALL];
    VxWriteDescriptorSet call[WRITES_PER_CALL];
    while (n) {
        uint32_t k = n < WRITES_PER_CALL ? n : WRITES_PER_CALL;
        for (uint32_t i = 0; i < k; i++, w++) {
            int texel = w->type == VX_DESCRIPTOR_UNIFORM_TEXEL_BUFFER;
            VxDescriptorBufferInfo b = {w->handle, w->off, w->bytes};
            VxWriteDescriptorSet c = {
                VX_ST_WRITE_DESCRIPTOR_SET, NULL, w->set, w->binding,
                0,  1,  (VxEnum)w->type, NULL,
                texel ? NULL : &range[i],   texel ? &w->handle : NULL};
            range[i] = b;
            call[i] = c;
        }
        d->UpdateDescriptorSets(d->dev, k, call, 0, NULL);
        n -= k;
    }
}
