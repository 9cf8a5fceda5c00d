#version 450
#extension GL_GOOGLE_include_directive : require
#include "stats_merge.glsl"

// stats_merge: the statistics of every plane from those of its tiles.
//
//     stats[c] = (mean, var, istd, m)        0 <= c < planes
//     var = M2/m     istd = 1/sqrt(var + epsilon)
//
// Tiles are merged in index order by Chan's rule: with n_a elements so far and
// n_b in the tile, d = mean_b - mean_a,
//
//     mean = mean_a + d·n_b/(n_a+n_b)     M2 = M2_a + M2_b + d²·n_a·n_b/(n_a+n_b)
//
// A workgroup takes every stride-th plane: 128 runs of tiles, 8 runs of 16 of
// these, and these 8. A tile is tile consecutive elements, the last of a plane
// possibly fewer; or with SWEEP > 1 every SWEEP-th element of SWEEP·tile, as
// stats_tile leaves them.
// In training (State) the running mean and the running unbiased variance
// M2/(m-1) move towards these by the batch-norm momentum; a plane of one element
// has variance 0. A mean or variance that is not finite leaves both as they are:
// the update of such a step is left out, and one batch must not spoil them for good.
// Source: Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for
// Computing Sample Variances", 1979. CPU reference: ops/ref.BatchStats. Host: ops.Stats.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint SWEEP = 1;

layout(binding = 0) readonly buffer Partial { float partial[]; };

shared vec3 lanes[128];
shared vec3 eights[8];

// chan merges (count, mean, M2) of what comes first and of what comes next.
vec3 chan(vec3 a, vec3 b) {
    if (b.x == 0.0)
        return a;
    float n = a.x + b.x, share = b.x / n, d = b.y - a.y;
    return vec3(n, a.y + d * share, a.z + b.z + d * d * a.x * share);
}

// count returns the number of elements of tile t.
uint count(uint t) {
    uint block = t / SWEEP, l = t - block * SWEEP;
    uint left = min(SWEEP * p.tile, p.m - block * SWEEP * p.tile);
    return left > l ? (left - l - 1) / SWEEP + 1 : 0;
}

void main() {
    uint lane = gl_LocalInvocationID.x, per = (p.tiles + 127) / 128;
    for (uint c = gl_WorkGroupID.x; c < p.planes; c += gl_NumWorkGroups.x) {
        uint src = at(p.partial, 2 * c * p.tiles);
        vec3 sum = vec3(0.0);
        for (uint t = lane * per; t < min(lane * per + per, p.tiles); t++)
            sum = chan(sum, vec3(float(count(t)), partial[src + 2 * t], partial[src + 2 * t + 1]));
        lanes[lane] = sum;
        barrier();
        if (lane < 8) {
            sum = vec3(0.0);
            for (uint i = 16 * lane; i < 16 * lane + 16; i++)
                sum = chan(sum, lanes[i]);
            eights[lane] = sum;
        }
        barrier();
        if (lane == 0) {
            for (uint i = 1; i < 8; i++)
                sum = chan(sum, eights[i]);
            write(c, sum);
        }
    }
}
