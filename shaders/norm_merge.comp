#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "math.glsl"
#include "reduce.glsl"

// norm_merge: the sum of squares and the flag from those of the tiles.
//
//     results = (Σ_t partial[t].x, flag)        0 <= t < tiles
//
// The sum as float; the flag, as uint, is 1 if an element or the sum is not
// finite. One workgroup; the order of the sums depends on tiles alone.
// CPU reference: ops/ref.Norm2. Host: ops.Norm2.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint tiles;
    View partial; // two words per tile
    View results;
} p;

layout(binding = 0) readonly buffer Partial { float partial[]; };
layout(binding = 1) writeonly buffer Results { uint results[]; };

void main() {
    vec2 sum = vec2(0.0);
    for (uint t = gl_LocalInvocationIndex; t < p.tiles; t += LANES)
        sum += vec2(partial[at(p.partial, 2 * t)], partial[at(p.partial, 2 * t + 1)]);
    sum = group_sum(sum);
    if (gl_LocalInvocationIndex == 0) {
        results[at(p.results, 0)] = floatBitsToUint(sum.x);
        results[at(p.results, 1)] = sum.y > 0.0 || nonfinite(sum.x) ? 1 : 0;
    }
}
