#version 450
#extension GL_GOOGLE_include_directive : require
// quad_wgrad: weight gradient of a 3x3 convolution, optionally of batch norm and
// ReLU. The form for software drivers with 8 or 16 lanes: a lane is an input channel.
//
//     partial[split,k,c,r,s] = Σ_{n,p,q} dy[k,n,p,q] · z[c, n, p+r-1, q+s-1]
//     z[c] = act ? max(gamma[c]·(x[c]-mean[c])·istd[c] + beta[c], 0) : x[c]
//
// over the pixels of the split; z is 0 outside of the image. The images are cut
// into strips, QUADS·4 pixels wide and as high as the image; a step takes one row
// of SIDE strips, whose z lies in registers for every channel while dy lies
// across the lanes (lane = quad) and is broadcast. Winograd's F(3,4) along x, the
// transpose of the forward's F(4,3) (winograd.glsl). Steps run in order, splits
// are added by conv_reduce.
// CPU reference: ops/ref.ConvBackwardWeights. Host: ops.Conv.

#include "lanes.glsl"
#include "view.glsl"
#include "winograd.glsl"
#include "quad_bn.glsl"

layout(constant_id = 1) const uint OUTS = 6;  // output channels of an invocation
layout(constant_id = 2) const uint QUADS = 8; // quads of a strip's row, W/4 or a divisor of it
layout(constant_id = 3) const uint EDGE = 0;  // 1: an image row has several strips
layout(constant_id = 4) const uint TAIL = 0;  // 1: some invocation has fewer outputs, or the last step fewer strips
layout(constant_id = 5) const uint ACROSS = 8; // quads of dy of one output channel, at most, that lie across the lanes: 4 or 8

layout(push_constant) uniform Push {
    uint width, height;
    uint strips; // of all images
    uint steps;  // groups of SIDE strips per split
    uint c, k;   // input and output channels of this dispatch
    uint link;   // first texel of the links
    uint row;    // elements from one output channel to the next
    uint dst;    // first element of the partial sums
    uint split;  // elements from one split to the next
    uint act;    // 1: batch norm and ReLU on load. No constant, so that the stem shares the layers' pipeline
    View dy;
    BufferAddress partial_at;
} p;

layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) uniform samplerBuffer links;
layout(binding = 2) uniform samplerBuffer dy;

const uint SIDE = ACROSS / QUADS;  // strips side by side
const uint WIDE = SIDE * QUADS;    // quads of a step
const uint TOGETHER = LANES / ACROSS; // output channels whose dy lies across the lanes
const uint FETCHES = (OUTS + TOGETHER - 1) / TOGETHER;

float a[OUTS][3][6]; // sums per output, row of taps and point
float z[3][WIDE][6]; // three rows of the input, transformed
float t[FETCHES][6]; // a quad of dy, transformed: lane n holds it of one output in TOGETHER

// One lane's point i of output k goes to all lanes.
#define QUAD(lane)                                                   \
    if (lane < WIDE) {                                               \
        const uint q = lane < WIDE ? lane : 0;                       \
        const uint at = k % TOGETHER * ACROSS;                       \
        float b;                                                     \
        HELD(b, t[k / TOGETHER][i], at, lane)                        \
        [[unroll]] for (uint r = 0; r < 3; r++)                      \
            a[k][r][i] += z[r][q][i] * b;                            \
    }

vec4 activate(vec4 q, vec4 link, float beta) { return quad_relu(quad_apply(quad_xhat(q, link.y, link.z), link.w, beta), p.act); }

// strip_at returns the first quad of strip i within a plane.
int strip_at(int i, int quads) {
    if (EDGE == 0)
        return i * int(p.height) * quads;
    int per = quads / int(QUADS);
    return i / per * int(p.height) * quads + i % per * int(QUADS);
}

void main() {
    int lane = int(gl_SubgroupInvocationID), c = int(gl_WorkGroupID.x * LANES) + lane, quads = int(p.width) / 4;
    int link = int(p.link) + 2 * min(c, int(p.c) - 1);
    vec4 l = texelFetch(links, link);
    float beta = texelFetch(links, link + 1).x;
    int xfirst = floatBitsToInt(l.x) >> 2, dfirst = int(px(p.dy, gl_WorkGroupID.z * OUTS, 0) / 4);
    [[unroll]] for (uint k = 0; k < OUTS; k++)
        [[unroll]] for (uint r = 0; r < 3; r++)
            [[unroll]] for (uint i = 0; i < 6; i++)
                a[k][r][i] = 0.0;
    [[unroll]] for (uint q = 0; q < WIDE; q++)
        [[unroll]] for (uint i = 0; i < 6; i++) {
            z[0][q][i] = 0.0;
            z[1][q][i] = 0.0;
        }
    int strip = int(gl_WorkGroupID.y * p.steps * SIDE), y = -1; // step y = -1 only loads row 0
    for (int n = 0; n < int(p.steps * (p.height + 1)); n++) {
        bool row_in = y < int(p.height) - 1, dy_in = y >= 0;
        [[unroll]] for (uint i = 0; i < SIDE; i++) {
            int s = strip + int(i);
            if (TAIL != 0) s = min(s, int(p.strips) - 1);
            int from = xfirst + strip_at(s, quads) + (row_in ? y + 1 : y) * quads;
            vec4 row[QUADS];
            [[unroll]] for (uint q = 0; q < QUADS; q++) {
                row[q] = activate(texelFetch(x, from + int(q)), l, beta);
                row[q] = row_in ? row[q] : vec4(0.0);
            }
            float left = 0.0, right = 0.0;
            if (EDGE != 0) {
                int at = s % (quads / int(QUADS));
                bool left_in = row_in && at > 0, right_in = row_in && at < quads / int(QUADS) - 1;
                left = activate(texelFetch(x, from - (left_in ? 1 : 0)), l, beta).w;
                right = activate(texelFetch(x, from + int(QUADS) - (right_in ? 0 : 1)), l, beta).x;
                left = left_in ? left : 0.0;
                right = right_in ? right : 0.0;
            }
            [[unroll]] for (uint q = 0; q < QUADS; q++) {
                float before = q > 0 ? row[q > 0 ? q - 1 : 0].w : left, after = q < QUADS - 1 ? row[q < QUADS - 1 ? q + 1 : 0].x : right;
                points_of_pixels(before, row[q], after, z[2][i * QUADS + q]);
            }
        }
        int across = lane % int(ACROSS), mine = min(strip + across / int(QUADS), int(p.strips) - 1);
        int from = dfirst + strip_at(mine, quads) + across % int(QUADS) + (dy_in ? y : 0) * quads;
        bool in_step = dy_in;
        if (TAIL != 0) in_step = in_step && strip + across / int(QUADS) < int(p.strips);
        [[unroll]] for (uint f = 0; f < FETCHES; f++) {
            uint plane = f * TOGETHER + lane / ACROSS;
            if (TAIL != 0) plane = min(plane, p.k - 1 - gl_WorkGroupID.z * OUTS);
            vec4 d = texelFetch(dy, from + int(plane * (p.dy.plane / 4)));
            points_of_quad(in_step ? d : vec4(0.0), t[f]);
        }
        [[unroll]] for (uint i = 0; i < 6; i++)
            [[unroll]] for (uint k = 0; k < OUTS; k++) {
                QUAD(0) QUAD(1) QUAD(2) QUAD(3) QUAD(4) QUAD(5) QUAD(6) QUAD(7)
            }
        [[unroll]] for (uint q = 0; q < WIDE; q++)
            [[unroll]] for (uint i = 0; i < 6; i++) {
                z[0][q][i] = z[1][q][i];
                z[1][q][i] = z[2][q][i];
            }
        if (row_in) {
            y++;
        } else {
            y = -1;
            strip += int(SIDE);
        }
    }
    if (c >= int(p.c))
        return;
    [[unroll]] for (uint k = 0; k < OUTS; k++) {
        uint out_ = gl_WorkGroupID.z * OUTS + k;
        if (TAIL == 0 || out_ < p.k)
            [[unroll]] for (uint r = 0; r < 3; r++) {
                vec3 w = taps_of_points(a[k][r]);
                uint at = p.dst + gl_WorkGroupID.y * p.split + out_ * p.row + c * 9 + 3 * r;
                word_store(p.partial_at, at, w.x);
                word_store(p.partial_at, at + 1, w.y);
                word_store(p.partial_at, at + 2, w.z);
            }
    }
}
