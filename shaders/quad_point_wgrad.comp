#version 450
#extension GL_GOOGLE_include_directive : require

// quad_point_wgrad: weight gradient of a 1x1 convolution, optionally of batch
// norm and ReLU. The form for software drivers with 8 or 16 lanes: a lane is an input
// channel, or QUADS of them, LANES apart.
//
//     partial[split,k,c] = Σ_i dy[k,i] · z[c,i]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//
// over the pixels of the split. A step takes LANES quads: z lies in registers for
// every channel while dy lies across the lanes (lane = quad) and is broadcast.
// Steps run in order, splits are added by conv_reduce.
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

#include "quad_point.glsl"

layout(constant_id = 5) const uint ACT = 1; // 1: batch norm and ReLU on load

layout(push_constant) uniform Push {
    uint quads;  // quads per plane of dy
    uint steps;  // of a split
    uint c, k;   // input and output channels of this dispatch
    uint link;   // first texel of the links
    uint stride; // elements from one output channel to the next
    uint dst;    // first element of the partial sums
    uint split;  // elements from one split to the next
    View dy;
} p;

layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) uniform samplerBuffer links;
layout(binding = 2) uniform samplerBuffer dy;
layout(binding = 3) writeonly buffer Partial { float partial[]; };

float sums[OUTS][QUADS];
vec4 input_[QUADS][LANES]; // z of this lane's channels at the quads of the step

// channel returns the input channel of group g of this lane; it may not exist.
uint channel(uint g) { return (gl_WorkGroupID.x * QUADS + g) * LANES + gl_SubgroupInvocationID; }

// load fills the row of group g with the quads from first on.
void load(uint g, int first) {
    int l = int(p.link + 2 * min(channel(g), p.c - 1));
    vec4 link = texelFetch(links, l);
    float beta = texelFetch(links, l + 1).x;
    int base = (floatBitsToInt(link.x) >> 2);
    [[unroll]] for (uint q = 0; q < LANES; q++) {
        int i = TAIL != 0 ? min(first + int(q), int(p.quads) - 1) : first + int(q);
        vec4 v = texelFetch(x, base + i);
        input_[g][q] = ACT != 0 ? activate(v, link, beta) : v;
    }
}

// One lane's quad of dy goes to all lanes, pixel by pixel.
#define DY_QUAD(lane)                                                \
    if (lane < LANES) {                                              \
        vec4 b = subgroupBroadcast(d, lane);                         \
        [[unroll]] for (uint g = 0; g < QUADS; g++)                  \
            sums[k][g] += dot(input_[g][lane < LANES ? lane : 0], b); \
    }

void main() {
    int lane = int(gl_SubgroupInvocationID), out0 = int(gl_WorkGroupID.z * OUTS);
    [[unroll]] for (uint k = 0; k < OUTS; k++)
        [[unroll]] for (uint g = 0; g < QUADS; g++)
            sums[k][g] = 0.0;
    for (int n = 0; n < int(p.steps); n++) {
        int first = (int(gl_WorkGroupID.y * p.steps) + n) * int(LANES), mine = first + lane;
        [[unroll]] for (uint g = 0; g < QUADS; g++)
            load(g, first);
        [[unroll]] for (uint k = 0; k < OUTS; k++) {
            int plane = out0 + int(k), at = mine;
            if (TAIL != 0) {
                plane = min(plane, int(p.k) - 1);
                at = min(at, int(p.quads) - 1);
            }
            vec4 d = texelFetch(dy, int(p.dy.base / 4) + plane * int(p.dy.plane / 4) + at);
            if (TAIL != 0)
                d = mine < int(p.quads) ? d : vec4(0.0);
            DY_QUAD(0) DY_QUAD(1) DY_QUAD(2) DY_QUAD(3) DY_QUAD(4) DY_QUAD(5) DY_QUAD(6) DY_QUAD(7)
            DY_QUAD(8) DY_QUAD(9) DY_QUAD(10) DY_QUAD(11) DY_QUAD(12) DY_QUAD(13) DY_QUAD(14) DY_QUAD(15)
        }
    }
    [[unroll]] for (uint g = 0; g < QUADS; g++)
        if (channel(g) < p.c)
            [[unroll]] for (uint k = 0; k < OUTS; k++)
                if (TAIL == 0 || out0 + k < p.k)
                    partial[p.dst + gl_WorkGroupID.y * p.split + (out0 + k) * p.stride + channel(g)] = sums[k][g];
}
