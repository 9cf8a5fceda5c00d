#version 450

// links: what a reader must know of each of its input channels, in one place.
//
//     links[c] = (plane[c], mean[c], istd[c], gamma[c], beta[c], 0, 0, 0)
//
// 0 <= c < p.c. The table gives, per channel, the first element of its plane and
// of its statistics. An invocation takes every stride-th channel.
// CPU reference: ops/ref.NewLinks. Host: ops.Links.

layout(local_size_x = 64) in;

layout(push_constant) uniform Push {
    uint c;     // channels
    uint gamma; // first elements
    uint beta;
} p;

layout(binding = 0) readonly buffer Table { uvec2 table[]; };
layout(binding = 1) readonly buffer Stats { float stats[]; };
layout(binding = 2) readonly buffer Gamma { float gamma[]; };
layout(binding = 3) readonly buffer Beta { float beta[]; };
layout(binding = 4) writeonly buffer Links { uvec4 links[]; };

const uint MEAN = 0, ISTD = 2; // words of the statistics: ops.StatMean, ops.StatIstd

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint c = gl_GlobalInvocationID.x; c < p.c; c += stride) {
        uvec2 t = table[c];
        links[2 * c] = uvec4(t.x, floatBitsToUint(stats[t.y + MEAN]), floatBitsToUint(stats[t.y + ISTD]),
                             floatBitsToUint(gamma[p.gamma + c]));
        links[2 * c + 1] = uvec4(floatBitsToUint(beta[p.beta + c]), 0, 0, 0);
    }
}
