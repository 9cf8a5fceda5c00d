#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "math.glsl"

// norm_tile: sum of squares of every tile, and whether all of it is finite.
//
//     partial[t] = (Σ x², number of elements that are not finite)        0 <= t < tiles
//
// Tile t = 128·b + l is every 128th element of block b, 128·tile consecutive
// elements of the run, from its element l on; an empty tile leaves zeros. An
// invocation makes every stride-th tile; the order of its sum depends on n and
// tile alone.
// CPU reference: ops/ref.Norm2. Host: ops.Norm2.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n;     // elements
    uint tile;  // elements per tile
    uint tiles; // 128·ceil(n/(128·tile))
    View x;
    View partial; // two words per tile
} p;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) writeonly buffer Partial { float partial[]; };

const uint LANES = 128;

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint t = gl_GlobalInvocationID.x; t < p.tiles; t += stride) {
        uint first = t / LANES * LANES * p.tile;
        uint lo = at(p.x, first + t % LANES), hi = at(p.x, min(first + LANES * p.tile, p.n));
        vec2 sum = vec2(0.0);
        for (uint i = lo; i < hi; i += LANES) {
            float v = x[i];
            sum += vec2(v * v, nonfinite(v) ? 1.0 : 0.0);
        }
        partial[at(p.partial, 2 * t)] = sum.x;
        partial[at(p.partial, 2 * t + 1)] = sum.y;
    }
}
