#ifndef STATS_MERGE_GLSL
#define STATS_MERGE_GLSL
// What the forms of stats_merge share: all but how they read the tiles.
#include "view.glsl"
#include "math.glsl"
#include "state.glsl"

layout(push_constant) uniform Push {
    uint planes;
    uint m;     // elements per plane
    uint tile;  // elements per tile
    uint tiles; // per plane
    float epsilon;
    View partial;      // (mean, M2) per tile
    View stats;        // StatWords words per plane
    View running_mean; // a word per plane
    View running_var;
    View state;
} p;

layout(binding = 1) writeonly buffer Stats { float stats[]; };
layout(binding = 2) buffer RunningMean { float running_mean[]; };
layout(binding = 3) buffer RunningVar { float running_var[]; };
layout(binding = 4) readonly buffer State { uint state[]; };

// write stores the statistics of plane c and moves the running ones.
void write(uint c, vec3 all) {
    float mean = all.y, var = all.z / all.x;
    uint dst = px(p.stats, c, 0);
    stats[dst] = mean;
    stats[dst + 1] = var;
    stats[dst + 2] = 1.0 / sqrt(var + p.epsilon);
    stats[dst + 3] = all.x;
    if (state[at(p.state, STATE_TRAIN)] == 0 || nonfinite(mean) || nonfinite(all.z))
        return;
    float w = uintBitsToFloat(state[at(p.state, STATE_BN_MOMENTUM)]);
    uint a = at(p.running_mean, c), b = at(p.running_var, c);
    running_mean[a] = (1.0 - w) * running_mean[a] + w * mean;
    running_var[b] = (1.0 - w) * running_var[b] + w * (all.z / max(all.x - 1.0, 1.0));
}
#endif
