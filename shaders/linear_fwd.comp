#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// linear_fwd: matrix product with bias, y = w·x + b.
//
//     y[k][n] = b[k] + Σ_c w[k][c]·x[c][n]        0 <= k < outputs, 0 <= n < images, 0 <= c < inputs
//
// An invocation makes OUT outputs of one image, so that it loads x once for all
// of them. Sums of 64 products are summed, in index order.
// CPU reference: ops/ref.Linear. Host: ops.Linear.

layout(local_size_x = 128) in;
const uint OUT = 4;

layout(push_constant) uniform Push {
    uint inputs;
    uint outputs;
    uint images;
    View x; // inputs planes of images elements
    View w; // [outputs][inputs]
    View b;
    View y; // outputs planes of images elements
} p;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 2) readonly buffer B { float b[]; };
layout(binding = 3) writeonly buffer Y { float y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    uint blocks = (p.outputs + OUT - 1) / OUT;
    for (uint i = gl_GlobalInvocationID.x; i < blocks * p.images; i += stride) {
        uint block = i / p.images, n = i - block * p.images, last = p.outputs - 1;
        uvec4 k = min(uvec4(block * OUT) + uvec4(0, 1, 2, 3), uvec4(last));
        uvec4 row = uvec4(at(p.w, 0)) + k * p.inputs;
        vec4 sum = vec4(0.0);
        for (uint lo = 0; lo < p.inputs; lo += 64) {
            vec4 part = vec4(0.0);
            for (uint c = lo; c < min(lo + 64, p.inputs); c++)
                part += x[px(p.x, c, n)] * vec4(w[row.x + c], w[row.y + c], w[row.z + c], w[row.w + c]);
            sum += part;
        }
        for (uint o = 0; o < OUT && block * OUT + o <= last; o++)
            y[px(p.y, k[o], n)] = sum[o] + b[at(p.b, k[o])];
    }
}
