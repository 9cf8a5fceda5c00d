#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// stats_running: statistics for evaluation, from the running ones.
//
//     stats[c] = (running_mean, running_var, 1/sqrt(running_var + epsilon), m)        0 <= c < planes
//
// An invocation takes every stride-th plane. CPU reference: ops/ref.RunningStats.
// Host: ops.Stats.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint planes;
    uint m; // elements per plane
    float epsilon;
    View running_mean; // a word per plane
    View running_var;
    View stats; // StatWords words per plane
} p;

layout(binding = 0) readonly buffer RunningMean { float running_mean[]; };
layout(binding = 1) readonly buffer RunningVar { float running_var[]; };
layout(binding = 2) writeonly buffer Stats { float stats[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint c = gl_GlobalInvocationID.x; c < p.planes; c += stride) {
        float var = running_var[at(p.running_var, c)];
        uint dst = px(p.stats, c, 0);
        stats[dst] = running_mean[at(p.running_mean, c)];
        stats[dst + 1] = var;
        stats[dst + 2] = 1.0 / sqrt(var + p.epsilon);
        stats[dst + 3] = float(p.m);
    }
}
