#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// conv_reduce: adds the partial weight gradients of the splits, in index order.
//
//     dw[i] = Σ_s partial[s][i]        0 <= i < n, 0 <= s < splits
//
// An invocation takes every stride-th element, so any group count works, and no
// two invocations write the same dw[i].
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

layout(local_size_x = 64) in;

layout(push_constant) uniform Push {
    uint n;      // elements of a split
    uint splits;
    uint partial; // first element of split 0
    View dw;
} p;

layout(binding = 0) readonly buffer Partial { float partial[]; };
layout(binding = 1) writeonly buffer DW { float dw[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        float v = 0.0;
        for (uint s = 0; s < p.splits; s++)
            v += partial[p.partial + s * p.n + i];
        dw[at(p.dw, i)] = v;
    }
}
