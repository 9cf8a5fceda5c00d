#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "rng.glsl"
#include "state.glsl"

// dropout: zeroes elements at random and scales the others; its own gradient.
//
//     y[i] = x[i]·[u(j) >= rate]/(1 - rate)     j = (first + i)/group        0 <= i < n
//
// added to y if ACC. u(j) in [0, 1) is word 0 of Philox with the key of the seed
// and the counter (j, step, layer, 2): backward recomputes the mask of the
// forward. group is 1 for elements and H·W to drop whole channels of an image.
// In evaluation (State) y = x. An invocation takes every stride-th element. x and
// y may be the same elements. CPU reference: ops/ref.Dropout.Forward. Host: ops.Dropout.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint ACC = 0;

layout(push_constant) uniform Push {
    uint n;     // elements
    uint first; // index of element 0 within the whole tensor
    uint group; // consecutive elements that share a fate
    uint layer;
    float rate;
    View x;
    View state;
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer State { uint state[]; };
layout(binding = 2) buffer Y { MAP y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    bool train = state[at(p.state, STATE_TRAIN)] != 0;
    uvec2 key = uvec2(state[at(p.state, STATE_SEED_LO)], state[at(p.state, STATE_SEED_HI)]);
    uint step = state[at(p.state, STATE_STEP)];
    float scale = 1.0 / (1.0 - p.rate);
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        float v = map_load(x[at(p.x, i)]);
        if (train) {
            uint j = (p.first + i) / p.group;
            v = uniform01(philox(uvec4(j, step, p.layer, STREAM_DROPOUT), key).x) >= p.rate ? v * scale : 0.0;
        }
        uint dst = at(p.y, i);
        y[dst] = map_store(ACC != 0 ? map_load(y[dst]) + v : v);
    }
}
