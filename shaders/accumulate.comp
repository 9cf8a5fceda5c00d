#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "state.glsl"

// accumulate: the gradient of several batches, one after the other.
//
//     y[i] = share·x[i] + (begin ? 0 : y[i])        0 <= i < n
//
// share and begin come from State. What y held before the first batch, NaN too,
// does not matter. An invocation takes every stride-th element; no two touch the
// same one. CPU reference: ops/ref.Accumulate. Host: ops.Accumulate.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n; // elements
    View x;
    View state;
    View y;
} p;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer State { uint state[]; };
layout(binding = 2) buffer Y { float y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    float share = uintBitsToFloat(state[at(p.state, STATE_SHARE)]);
    bool begin = state[at(p.state, STATE_BEGIN)] != 0;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        float part = share * x[at(p.x, i)];
        y[at(p.y, i)] = begin ? part : y[at(p.y, i)] + part;
    }
}
