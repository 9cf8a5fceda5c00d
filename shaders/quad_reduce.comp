#version 450
#extension GL_GOOGLE_include_directive : require
#include "lanes.glsl"
#include "view.glsl"

// quad_reduce: adds the partial weight gradients of the splits, in index order. The
// form for software drivers with 8 or 16 lanes: four at a time, a texel.
//
//     dw[i] = Σ_s partial[s][i]        0 <= i < n, 0 <= s < splits
//
// An invocation makes four elements; no two write the same dw[i].
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

layout(push_constant) uniform Push {
    uint n;       // elements of a split
    uint splits;
    uint partial; // first texel of split 0
    uint stride;  // texels from a split to the next
    View dw;
} p;

layout(binding = 0) uniform samplerBuffer partial;
layout(binding = 1) writeonly buffer DW { float dw[]; };

void main() {
    uint i = min(gl_GlobalInvocationID.x, p.stride - 1);
    vec4 v = vec4(0.0);
    for (uint s = 0; s < p.splits; s++)
        v += texelFetch(partial, int(p.partial + s * p.stride + i));
    [[unroll]] for (uint e = 0; e < 4; e++)
        if (4 * gl_GlobalInvocationID.x + e < p.n)
            dw[at(p.dw, 4 * gl_GlobalInvocationID.x + e)] = v[e];
}
