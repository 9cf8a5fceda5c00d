#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "reduce.glsl"

// bn_bwd_merge: the gradients of shift and scale from the sums of the tiles.
//
//     dbeta[c] = Σ_t partial[c][t].x     dgamma[c] = Σ_t partial[c][t].y        0 <= c < planes, 0 <= t < tiles
//
// A workgroup takes every stride-th plane; the order of the sums depends on tiles
// alone. CPU reference: ops/ref.BatchNormBackward. Host: ops.BatchNorm.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint planes;
    uint tiles; // per plane
    View partial;
    View dgamma;
    View dbeta;
} p;

layout(binding = 0) readonly buffer Partial { float partial[]; };
layout(binding = 1) writeonly buffer DGamma { float dgamma[]; };
layout(binding = 2) writeonly buffer DBeta { float dbeta[]; };

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint c = gl_WorkGroupID.x; c < p.planes; c += gl_NumWorkGroups.x) {
        uint src = at(p.partial, 2 * c * p.tiles);
        vec2 sum = vec2(0.0);
        for (uint t = lane; t < p.tiles; t += LANES)
            sum += vec2(partial[src + 2 * t], partial[src + 2 * t + 1]);
        sum = group_sum(sum);
        if (lane == 0) {
            dbeta[at(p.dbeta, c)] = sum.x;
            dgamma[at(p.dgamma, c)] = sum.y;
        }
    }
}
