#version 450
#extension GL_GOOGLE_include_directive : require
#include "lanes.glsl"
#include "stats_merge.glsl"

// quad_stats_merge: the statistics of every plane from those of its tiles, if they
// are of equal size and even in number. The form for software drivers with 8 or 16
// lanes: two tiles at a time, a texel.
//
//     stats[c] = (mean, var, istd, m)        0 <= c < planes
//     mean = Σ_t mean_t / tiles     var = Σ_t (M2_t + tile·(mean_t - mean)²) / m     istd = 1/sqrt(var + epsilon)
//
// A workgroup takes one plane; a lane adds every LANES-th texel in order, then the
// lanes are added as a tree. Running statistics as in stats_merge.
// CPU reference: ops/ref.BatchStats. Host: ops.Stats.

layout(binding = 0) uniform samplerBuffer partial;

void main() {
    uint c = gl_WorkGroupID.x, lane = gl_SubgroupInvocationID, texels = p.tiles / 2;
    int first = int(at(p.partial, 2 * c * p.tiles) / 4);
    float sum = 0.0, m2 = 0.0;
    for (uint t = lane; t < texels; t += LANES) {
        vec4 v = texelFetch(partial, first + int(t));
        sum += v.x + v.z;
    }
    float mean = lanes_total(sum) / float(p.tiles);
    for (uint t = lane; t < texels; t += LANES) {
        vec4 v = texelFetch(partial, first + int(t));
        vec2 d = v.xz - mean;
        m2 += v.y + v.w + float(p.tile) * dot(d, d);
    }
    m2 = lanes_total(m2);
    if (lane == 0)
        write(c, vec3(float(p.m), mean, m2));
}
