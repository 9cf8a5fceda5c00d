#version 450
#extension GL_GOOGLE_include_directive : require

// quad_point_wgrad: weight gradient of a 1x1 convolution, optionally of batch
// norm and ReLU. The form for software drivers with 8 or 16 lanes: a lane is an input
// channel, or QUADS of them, LANES apart.
//
//     partial[split,k,c] = Σ_i dy[k,i] · z[c,i]
//     z[c] = ACT ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//
// over the pixels of the split. A step takes STEP quads: z lies in registers for
// every channel while dy lies across the lanes (lane = output and quad) and is
// broadcast. Steps run in order, splits are added by conv_reduce.
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
    BufferAddress partial_at;
} p;

layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) uniform samplerBuffer links;
layout(binding = 2) uniform samplerBuffer dy;

const uint STEP = 4;                  // quads
const uint TOGETHER = LANES / STEP;   // outputs whose dy lies across the lanes
const uint FETCHED = (OUTS + TOGETHER - 1) / TOGETHER;

float sums[OUTS][QUADS];
vec4 input_[QUADS][STEP]; // z of this lane's channels at the quads of the step
vec4 link[QUADS];         // of these channels
float beta[QUADS];        // the same
vec4 d[FETCHED];          // dy: lane n holds quad n % STEP of one output in TOGETHER

// channel returns the input channel of group g of this lane; it may not exist.
uint channel(uint g) { return (gl_WorkGroupID.x * QUADS + g) * LANES + gl_SubgroupInvocationID; }

// load fills the row of group g with the quads from first on.
void load(uint g, int first) {
    [[unroll]] for (uint q = 0; q < STEP; q++) {
        int i = TAIL != 0 ? min(first + int(q), int(p.quads) - 1) : first + int(q);
        vec4 v = texelFetch(x, (floatBitsToInt(link[g].x) >> 2) + i);
        input_[g][q] = ACT != 0 ? activate(v, link[g], beta[g]) : v;
    }
}

// Quad q of output k goes to all lanes.
#define DY_QUAD(q)                                                   \
    {                                                                \
        const uint at = k % TOGETHER * STEP;                         \
        vec4 b;                                                      \
        HELD(b, d[k / TOGETHER], at, q)                              \
        [[unroll]] for (uint g = 0; g < QUADS; g++)                  \
            sums[k][g] += dot(input_[g][q], b);                      \
    }

void main() {
    int lane = int(gl_SubgroupInvocationID), out0 = int(gl_WorkGroupID.z * OUTS);
    [[unroll]] for (uint k = 0; k < OUTS; k++)
        [[unroll]] for (uint g = 0; g < QUADS; g++)
            sums[k][g] = 0.0;
    [[unroll]] for (uint g = 0; g < QUADS; g++) {
        int l = int(p.link + 2 * min(channel(g), p.c - 1));
        link[g] = texelFetch(links, l);
        beta[g] = texelFetch(links, l + 1).x;
    }
    for (int n = 0; n < int(p.steps); n++) {
        int first = (int(gl_WorkGroupID.y * p.steps) + n) * int(STEP), mine = first + lane % int(STEP);
        [[unroll]] for (uint g = 0; g < QUADS; g++)
            load(g, first);
        [[unroll]] for (uint f = 0; f < FETCHED; f++) {
            int plane = out0 + int(f * TOGETHER) + lane / int(STEP), at = mine;
            if (TAIL != 0) {
                plane = min(plane, int(p.k) - 1);
                at = min(at, int(p.quads) - 1);
            }
            d[f] = texelFetch(dy, int(p.dy.base / 4) + plane * int(p.dy.plane / 4) + at);
            if (TAIL != 0)
                d[f] = mine < int(p.quads) ? d[f] : vec4(0.0);
        }
        [[unroll]] for (uint k = 0; k < OUTS; k++) {
            DY_QUAD(0) DY_QUAD(1) DY_QUAD(2) DY_QUAD(3)
        }
    }
    [[unroll]] for (uint g = 0; g < QUADS; g++)
        if (channel(g) < p.c)
            [[unroll]] for (uint k = 0; k < OUTS; k++)
                if (TAIL == 0 || out0 + k < p.k)
                    word_store(p.partial_at, p.dst + gl_WorkGroupID.y * p.split + (out0 + k) * p.stride + channel(g), sums[k][g]);
}
