#ifndef QUAD_GLSL
#define QUAD_GLSL
// What the quad forms share: kernels for software drivers with 8 or 16 lanes. A quad
// is four pixels side by side, one RGBA32F texel; a workgroup is one subgroup.
// An invocation owns a column: ROWS quads below each other. Columns are numbered
// x first, then y, then image, so that the neighbours of a column in x are the
// next lanes.
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "lanes.glsl"
#include "quad_bn.glsl"
#include "winograd.glsl"

layout(constant_id = 1) const uint OUTS = 12; // channels that an invocation makes
layout(constant_id = 2) const uint ROWS = 4;  // quads below each other: 2 or 4
layout(constant_id = 3) const uint EDGE = 0;  // 1: a row's quads may lie in two subgroups, since W/4 does not divide LANES
layout(constant_id = 4) const uint TAIL = 0;  // 1: fewer than OUTS channels are wanted, or the last workgroup has idle lanes

const uint FETCHES = (3 * OUTS + LANES - 1) / LANES; // of weights per input channel: filter rows [out][dy], a texel each

struct Column {
    int first;          // its first quad within a plane
    int above, below;   // steps to the rows next to it, 0 outside of the image
    int beside;         // EDGE: step to the neighbour that no lane holds
    int stride;         // quads per row
    uint lane;
    bool above_in, below_in, left_in, right_in; // whether the neighbours lie in the image
};

// column returns column i of images of height x width pixels.
Column column(int i, int width, int height) {
    Column c;
    int quads = width / 4, bands = height / int(ROWS);
    int x = i % quads, y = i / quads % bands, n = i / (quads * bands);
    c.first = (n * height + y * int(ROWS)) * quads + x;
    c.stride = quads;
    c.lane = gl_SubgroupInvocationID;
    c.left_in = x > 0;
    c.right_in = x < quads - 1;
    c.above_in = y > 0;
    c.below_in = y < bands - 1;
    c.above = c.above_in ? -quads : 0;
    c.below = c.below_in ? int(ROWS) * quads : int(ROWS - 1) * quads;
    c.beside = c.lane == 0 && c.left_in ? -1 : c.lane == LANES - 1 && c.right_in ? 1 : 0;
    return c;
}

// step_to returns the step from a column's first quad to its row r, -1 <= r <= ROWS.
int step_to(Column c, int r) { return r < 0 ? c.above : r == int(ROWS) ? c.below : r * c.stride; }

// row_points transforms row r of a column: q is its quad, beside the texel at
// c.beside (EDGE only), both activated. Outside of the image everything is 0 by
// selection, so that no NaN from there gets in.
void row_points(Column c, int r, vec4 q, vec4 beside, out float v[6]) {
    if (r < 0) q = c.above_in ? q : vec4(0.0);
    if (r == int(ROWS)) q = c.below_in ? q : vec4(0.0);
    float left = from_lane(q.w, LANES - 1), right = from_lane(q.x, 1);
    if (EDGE != 0) {
        if (r < 0) beside = c.above_in ? beside : vec4(0.0);
        if (r == int(ROWS)) beside = c.below_in ? beside : vec4(0.0);
        left = c.lane == 0 ? beside.w : left;
        right = c.lane == LANES - 1 ? beside.x : right;
    }
    points_of_pixels(c.left_in ? left : 0.0, q, c.right_in ? right : 0.0, v);
}

// One lane's filter row goes to all lanes; it is row n of the fetches, tap row
// n%3 of output n/3. The lane of a broadcast must be a constant: hence a macro.
#define FILTER_ROW(lane)                                             \
    {                                                                \
        const uint n = LANES * f + lane;                             \
        if (lane < LANES && n < 3 * OUTS) {                          \
            float b = subgroupBroadcast(t[f][i], lane);              \
            [[unroll]] for (uint r = 0; r < ROWS; r++)               \
                a[n / 3][r][i] += v[r + n % 3][i] * b;               \
        }                                                            \
    }

float a[OUTS][ROWS][6];     // the invocation's sums, per output, row and point
float v[ROWS + 2][6];       // its rows of one input plane, transformed
float t[FETCHES][6];        // this lane's filter rows for that plane, transformed

// add_input adds one input plane to the sums. The point is the outermost loop,
// so that its rows stay in registers.
void add_input() {
    [[unroll]] for (uint i = 0; i < 6; i++)
        [[unroll]] for (uint f = 0; f < FETCHES; f++) {
            FILTER_ROW(0) FILTER_ROW(1) FILTER_ROW(2) FILTER_ROW(3)
            FILTER_ROW(4) FILTER_ROW(5) FILTER_ROW(6) FILTER_ROW(7)
            FILTER_ROW(8) FILTER_ROW(9) FILTER_ROW(10) FILTER_ROW(11)
            FILTER_ROW(12) FILTER_ROW(13) FILTER_ROW(14) FILTER_ROW(15)
        }
}

// no_sums clears the sums.
void no_sums() {
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            [[unroll]] for (uint i = 0; i < 6; i++)
                a[j][r][i] = 0.0;
}
#endif
