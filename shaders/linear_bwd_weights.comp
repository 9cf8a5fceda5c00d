#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// linear_bwd_weights: gradients of linear_fwd with respect to weights and bias.
//
//     dw[k][c] = Σ_n dy[k][n]·x[c][n]     db[k] = Σ_n dy[k][n]        0 <= k < outputs, 0 <= c < inputs
//
// An invocation makes one element; the bias is column c = inputs, of ones. Sums
// of 64 products are summed, in index order.
// CPU reference: ops/ref.LinearBackward. Host: ops.Linear.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint inputs;
    uint outputs;
    uint images;
    View x;  // inputs planes of images elements
    View dy; // outputs planes of images elements
    View dw; // [outputs][inputs]
    View db;
} p;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer DY { float dy[]; };
layout(binding = 2) writeonly buffer DW { float dw[]; };
layout(binding = 3) writeonly buffer DB { float db[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.outputs * (p.inputs + 1); i += stride) {
        uint k = i / (p.inputs + 1), c = i - k * (p.inputs + 1);
        bool bias = c == p.inputs;
        float sum = 0.0;
        for (uint lo = 0; lo < p.images; lo += 64) {
            float part = 0.0;
            for (uint n = lo; n < min(lo + 64, p.images); n++)
                part += dy[px(p.dy, k, n)] * (bias ? 1.0 : x[px(p.x, c, n)]);
            sum += part;
        }
        if (bias)
            db[at(p.db, k)] = sum;
        else
            dw[at(p.dw, k * p.inputs + c)] = sum;
    }
}
