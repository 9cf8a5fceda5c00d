#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "bn.glsl"

// bn_bwd_reduce: per tile, the two sums that batch norm's gradient needs.
//
//     partial[c][t] = (Σ g, Σ g·xhat)        0 <= c < planes, 0 <= t < 128·ceil(m/(128·tile))
//     xhat = (x - mean)·istd     g = dy, or dy·[gamma·xhat + beta > 0] if RELU
//
// over the elements of tile t, as stats_tile cuts them. An invocation makes every
// stride-th tile; the order of its sums depends on m and tile alone.
// CPU reference: ops/ref.BatchNormBackward. Host: ops.BatchNorm.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint RELU = 0;

layout(push_constant) uniform Push {
    uint planes;
    uint m;    // elements per plane
    uint tile; // elements per tile
    View x;
    View dy;
    View stats; // StatWords words per plane: mean, variance, istd, count
    View gamma;
    View beta;
    View partial; // two words per tile
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer DY { MAP dy[]; };
layout(binding = 2) readonly buffer Stats { float stats[]; };
layout(binding = 3) readonly buffer Gamma { float gamma[]; };
layout(binding = 4) readonly buffer Beta { float beta[]; };
layout(binding = 5) writeonly buffer Partial { float partial[]; };

const uint LANES = 128;

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint blocks = (p.m + LANES * p.tile - 1) / (LANES * p.tile);
    for (uint k = gl_WorkGroupID.x; k < p.planes * blocks; k += gl_NumWorkGroups.x) {
        uint c = k / blocks, first = (k - c * blocks) * LANES * p.tile;
        uint n = min(LANES * p.tile, p.m - first);
        uint src = px(p.x, c, first), grad = px(p.dy, c, first), s = px(p.stats, c, 0);
        float mean = stats[s], istd = stats[s + 2];
        float scale = gamma[at(p.gamma, c)], shift = beta[at(p.beta, c)];
        vec2 sum = vec2(0.0);
        for (uint i = lane; i < n; i += LANES) {
            float xhat = bn_xhat(map_load(x[src + i]), mean, istd), g = map_load(dy[grad + i]);
            if (RELU != 0)
                g = bn_apply(xhat, scale, shift) > 0.0 ? g : 0.0;
            sum += vec2(g, g * xhat);
        }
        uint dst = at(p.partial, 2 * (k * LANES + lane));
        partial[dst] = sum.x;
        partial[dst + 1] = sum.y;
    }
}
