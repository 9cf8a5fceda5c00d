#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// stats_tile: mean and sum of squared deviations of every tile of every plane.
//
//     partial[c][t] = (mean, M2)        0 <= c < planes, 0 <= t < 128·ceil(m/(128·tile))
//     mean = Σ x / n     M2 = Σ (x - mean)²     over the n elements of tile t
//
// Tile t = 128·b + l is every 128th element of block b, 128·tile consecutive
// elements of the plane, from its element l on: neighbours read neighbours. An
// empty tile leaves zeros. An invocation makes every stride-th tile and reads it
// twice: deviations are taken from the tile's own mean, never as E[x²]-E[x]².
// There is no barrier: software drivers run loops around one slowly.
// CPU reference: ops/ref.BatchStats. Host: ops.Stats.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint planes;
    uint m;    // elements per plane
    uint tile; // elements per tile
    View x;
    View partial; // two words per tile
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) writeonly buffer Partial { float partial[]; };

const uint LANES = 128;

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint blocks = (p.m + LANES * p.tile - 1) / (LANES * p.tile);
    for (uint g = gl_WorkGroupID.x; g < p.planes * blocks; g += gl_NumWorkGroups.x) {
        uint c = g / blocks, first = (g - c * blocks) * LANES * p.tile;
        uint lo = px(p.x, c, first) + lane, hi = px(p.x, c, min(first + LANES * p.tile, p.m));
        float sum = 0.0, n = 0.0, m2 = 0.0;
        for (uint i = lo; i < hi; i += LANES) {
            sum += map_load(x[i]);
            n += 1.0;
        }
        float mean = sum / max(n, 1.0);
        for (uint i = lo; i < hi; i += LANES) {
            float d = map_load(x[i]) - mean;
            m2 = fma(d, d, m2);
        }
        uint dst = at(p.partial, 2 * (g * LANES + lane));
        partial[dst] = mean;
        partial[dst + 1] = m2;
    }
}
