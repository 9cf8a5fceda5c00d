#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "state.glsl"

// average: exponential moving average of weights.
//
//     a[i] = d·a[i] + (1-d)·w[i]        0 <= i < n, d = STATE_AVERAGE
//
// Nothing changes if results say that the gradient is not finite. No two
// invocations touch the same element.
// Source: Polyak and Juditsky, SIAM J. Control Optim. 1992, with a decaying weight.
// CPU reference: ops/ref.Average. Host: ops.Average.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n; // elements
    View w;
    View state;
    View results; // two words of norm_merge
    View a;
} p;

layout(binding = 0) readonly buffer W { float w[]; };
layout(binding = 1) readonly buffer State { uint state[]; };
layout(binding = 2) readonly buffer Results { uint results[]; };
layout(binding = 3) buffer A { float a[]; };

void main() {
    if (results[at(p.results, 1)] != 0)
        return;
    float d = uintBitsToFloat(state[at(p.state, STATE_AVERAGE)]);
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride)
        a[at(p.a, i)] = d * a[at(p.a, i)] + (1.0 - d) * w[at(p.w, i)];
}
