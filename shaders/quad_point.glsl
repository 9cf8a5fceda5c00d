#ifndef QUAD_POINT_GLSL
#define QUAD_POINT_GLSL
// What the quad forms of 1x1 convolutions share (see quad.glsl for the idea). A
// pixel needs no neighbours, so that planes are plain runs of quads; with POOL a
// quad of pooled pixels covers two quads in each of two rows. Input channels come
// four at a time: their weights to one output are one texel.
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "lanes.glsl"
#include "view.glsl"
#include "quad_bn.glsl"

layout(constant_id = 1) const uint OUTS = 24; // channels that an invocation makes
layout(constant_id = 2) const uint QUADS = 2; // quads of each, in steps of LANES
layout(constant_id = 3) const uint POOL = 0;  // 1: 2x2 means of the activated map
layout(constant_id = 4) const uint TAIL = 0;  // 1: idle lanes, fewer than OUTS channels wanted, or inputs that four does not divide

const uint FETCHES = (OUTS + LANES - 1) / LANES; // of weights per four inputs

// unpooled returns the first of the four quads that pooled quad i covers, in
// planes whose pooled rows have the given number of quads. The map's rows are
// even in number, so that image borders need no care.
int unpooled(int i, int quads) { return 4 * quads * (i / quads) + 2 * (i % quads); }

// pool returns the means of the upper quads a, b and the lower c, d.
vec4 pool(vec4 a, vec4 b, vec4 c, vec4 d) {
    return 0.25 * (vec4(a.x + a.y, a.z + a.w, b.x + b.y, b.z + b.w) + vec4(c.x + c.y, c.z + c.w, d.x + d.y, d.z + d.w));
}

vec4 activate(vec4 q, vec4 link, float beta) { return quad_relu(quad_apply(quad_xhat(q, link.y, link.z), link.w, beta), 1); }

vec4 a[OUTS][QUADS]; // the invocation's sums
vec4 z[4][QUADS];    // its quads of four inputs
vec4 t[FETCHES];     // this lane's weights: four inputs to one output each

void no_sums() {
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        [[unroll]] for (uint q = 0; q < QUADS; q++)
            a[j][q] = vec4(0.0);
}

// add_inputs adds four inputs to the sums of count quads. An output takes all
// four before the next one begins, so that its sums are loaded and stored once. The
// lane of a broadcast must be a constant: hence the macro.
#define POINT_OUTPUT(lane)                                           \
    {                                                                \
        const uint n = LANES * f + lane;                             \
        if (lane < LANES && n < OUTS) {                              \
            vec4 b = subgroupBroadcast(t[f], lane);                  \
            [[unroll]] for (uint q = 0; q < count; q++)              \
                [[unroll]] for (uint e = 0; e < 4; e++)              \
                    a[n][q] += z[e][q] * b[e];                       \
        }                                                            \
    }
void add_inputs(const uint count) {
    [[unroll]] for (uint f = 0; f < FETCHES; f++) {
        POINT_OUTPUT(0) POINT_OUTPUT(1) POINT_OUTPUT(2) POINT_OUTPUT(3)
        POINT_OUTPUT(4) POINT_OUTPUT(5) POINT_OUTPUT(6) POINT_OUTPUT(7)
        POINT_OUTPUT(8) POINT_OUTPUT(9) POINT_OUTPUT(10) POINT_OUTPUT(11)
        POINT_OUTPUT(12) POINT_OUTPUT(13) POINT_OUTPUT(14) POINT_OUTPUT(15)
    }
}
#endif
