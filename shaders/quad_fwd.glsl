#ifndef QUAD_FWD_GLSL
#define QUAD_FWD_GLSL
// The convolution of quad_fwd.comp and quad_fwd_acc.comp.
#include "view.glsl"
#include "quad.glsl"

layout(constant_id = 5) const uint STATS = 0; // 1: leave the statistics of every tile

layout(push_constant) uniform Push {
    uint width, height;
    uint columns; // N·(H/ROWS)·(W/4)
    uint c;       // input channels
    uint k;       // output channels, <= OUTS
    uint w;       // first texel of the weights
    uint link;    // first texel of the links
    uint tiles;   // first pair of the statistics
    uint act;     // 1: batch norm and ReLU on load. No constant, so that the stem shares the layers' pipeline
    View y;
    BufferAddress y_at;
    BufferAddress tiles_at;
} p;

layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) uniform samplerBuffer w;
layout(binding = 2) uniform samplerBuffer links;

vec4 activate(vec4 q, vec4 link, float beta) { return quad_relu(quad_apply(quad_xhat(q, link.y, link.z), link.w, beta), p.act); }

vec4 o[OUTS][ROWS]; // what the invocation makes
#define MADE o
#define OWN ROWS
#include "quad_stats.glsl"

void run() {
    int id = int(gl_GlobalInvocationID.x);
    Column col = column(TAIL != 0 ? min(id, int(p.columns) - 1) : id, int(p.width), int(p.height));
    int wrow = int(p.w + col.lane);
    int lrow = int(p.link + col.lane % 2);
    no_sums();
    for (int c = 0; c < int(p.c); c++) {
        vec4 both = texelFetch(links, lrow + 2 * c);
        vec4 link = subgroupBroadcast(both, 0u);
        float beta = subgroupBroadcast(both.x, 1u);
        int at = (floatBitsToInt(link.x) >> 2) + col.first;
        [[unroll]] for (int r = -1; r <= int(ROWS); r++) {
            vec4 q = activate(texelFetch(x, at + step_to(col, r)), link, beta), beside = vec4(0.0);
            if (EDGE != 0)
                beside = activate(texelFetch(x, at + step_to(col, r) + col.beside), link, beta);
            row_points(col, r, q, beside, v[r + 1]);
        }
        [[unroll]] for (uint f = 0; f < FETCHES; f++)
            points_of_taps(texelFetch(w, wrow + int((c * FETCHES + f) * LANES)), t[f]);
        add_input();
    }
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint at = px(p.y, TAIL != 0 ? min(j, p.k - 1) : j, 0) / 4 + col.first + r * col.stride;
            o[j][r] = sum_with(at, quad_of_points(a[j][r]));
            if (TAIL == 0 || (id < int(p.columns) && j < p.k))
                quad_store(p.y_at, at, o[j][r]);
        }
    if (STATS != 0)
        measure();
}
#endif
