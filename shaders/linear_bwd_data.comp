#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// linear_bwd_data: gradient of linear_fwd with respect to its input.
//
//     dx[c][n] = Σ_k w[k][c]·dy[k][n]        0 <= c < inputs, 0 <= n < images, 0 <= k < outputs
//
// added to dx if ACC. An invocation makes one element. Sums of 64 products are
// summed, in index order. CPU reference: ops/ref.LinearBackward. Host: ops.Linear.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint ACC = 0;

layout(push_constant) uniform Push {
    uint inputs;
    uint outputs;
    uint images;
    View dy; // outputs planes of images elements
    View w;  // [outputs][inputs]
    View dx; // inputs planes of images elements
} p;

layout(binding = 0) readonly buffer DY { float dy[]; };
layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 2) buffer DX { MAP dx[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.inputs * p.images; i += stride) {
        uint c = i / p.images, n = i - c * p.images;
        float sum = 0.0;
        for (uint lo = 0; lo < p.outputs; lo += 64) {
            float part = 0.0;
            for (uint k = lo; k < min(lo + 64, p.outputs); k++)
                part += w[at(p.w, k * p.inputs + c)] * dy[px(p.dy, k, n)];
            sum += part;
        }
        uint dst = px(p.dx, c, n);
        dx[dst] = map_store(ACC != 0 ? map_load(dx[dst]) + sum : sum);
    }
}
