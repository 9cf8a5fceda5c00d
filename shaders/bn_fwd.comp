#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "bn.glsl"

// bn_fwd: batch norm with given statistics, optionally followed by ReLU.
//
//     y[c,i] = gamma[c]·(x[c,i] - mean[c])·istd[c] + beta[c]        0 <= c < planes, 0 <= i < m
//     y[c,i] = max(that, 0)                                         if RELU
//
// The groups' y axis walks the planes, so an invocation loads the constants of a
// plane once; its x axis walks the elements with a stride. x and y may be the
// same elements. CPU reference: ops/ref.BatchNorm. Host: ops.BatchNorm.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint RELU = 0;

layout(push_constant) uniform Push {
    uint planes;
    uint m; // elements per plane
    View x;
    View stats; // StatWords words per plane: mean, variance, istd, count
    View gamma;
    View beta;
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer Stats { float stats[]; };
layout(binding = 2) readonly buffer Gamma { float gamma[]; };
layout(binding = 3) readonly buffer Beta { float beta[]; };
layout(binding = 4) writeonly buffer Y { MAP y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint c = gl_WorkGroupID.y; c < p.planes; c += gl_NumWorkGroups.y) {
        uint s = px(p.stats, c, 0);
        float mean = stats[s], istd = stats[s + 2];
        float scale = gamma[at(p.gamma, c)], shift = beta[at(p.beta, c)];
        uint src = px(p.x, c, 0), dst = px(p.y, c, 0);
        for (uint i = gl_GlobalInvocationID.x; i < p.m; i += stride) {
            float z = bn_apply(bn_xhat(map_load(x[src + i]), mean, istd), scale, shift);
            y[dst + i] = map_store(RELU != 0 ? max(z, 0.0) : z);
        }
    }
}
