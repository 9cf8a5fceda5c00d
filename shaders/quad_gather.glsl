#ifndef QUAD_GATHER_GLSL
#define QUAD_GATHER_GLSL
// The gather of quad_gather.comp and quad_gather_acc.comp.
#include "view.glsl"
#include "quad.glsl"

layout(push_constant) uniform Push {
    uint width, height;
    uint columns; // N·(H/ROWS)·(W/4)
    uint table;   // first texel of the table
    uint readers; // entries of the table
    uint k;       // channels of the map, <= OUTS
    uint stats;   // first texel of their statistics
    View x;
    View g;
} p;

layout(binding = 0) uniform samplerBuffer readers;
layout(binding = 1) uniform samplerBuffer dy;
layout(binding = 2) uniform samplerBuffer w;
layout(binding = 3) uniform samplerBuffer links;
layout(binding = 4) uniform samplerBuffer x;
layout(binding = 5) uniform samplerBuffer stats;
layout(binding = 6) G_ACCESS buffer G { vec4 g[]; };
layout(binding = 7) writeonly buffer Partial { float partial[]; };

const uint SUMS = (2 * OUTS + LANES - 1) / LANES * LANES;

vec4 xhat[OUTS][ROWS]; // the map, normalised
vec4 total[OUTS][ROWS]; // G
float s[SUMS];         // dbeta and dgamma of each channel, of this lane

// channel returns which channel output j makes; the last ones may repeat.
uint channel(uint j) { return TAIL != 0 ? min(j, p.k - 1) : j; }

// place returns the quad of row r of channel j in a view.
uint place(View v, uint j, Column col, uint r) { return px(v, j, 0) / 4 + col.first + r * col.stride; }

// lane_sums adds s[first + i] over the lanes: lane i returns the total.
float lane_sums(uint lane, uint first) {
    float u[LANES];
    [[unroll]] for (uint i = 0; i < LANES; i++)
        u[i] = s[first + i];
    [[unroll]] for (uint bit = 1; bit < LANES; bit *= 2) {
        bool high = (lane & bit) != 0;
        [[unroll]] for (uint i = 0; i < LANES / 2 / bit; i++) {
            float keep = high ? u[2 * i + 1] : u[2 * i], give = high ? u[2 * i] : u[2 * i + 1];
            u[i] = keep + subgroupShuffleXor(give, bit);
        }
    }
    return u[0];
}

// convolve leaves in a the gradient that a reader's dy hands back; at is the
// column's first quad of dy[0], wrow this lane's first filter row.
void convolve(Column col, int at, int planes, int wrow) {
    no_sums();
    for (int k = 0; k < planes; k++) {
        [[unroll]] for (int r = -1; r <= int(ROWS); r++) {
            vec4 q = texelFetch(dy, at + step_to(col, r)), beside = vec4(0.0);
            if (EDGE != 0)
                beside = texelFetch(dy, at + step_to(col, r) + col.beside);
            row_points(col, r, q, beside, v[r + 1]);
        }
        [[unroll]] for (uint f = 0; f < FETCHES; f++)
            points_of_taps(texelFetch(w, wrow + int(f * LANES)), t[f]);
        add_input();
        at += int(p.g.plane / 4);
        wrow += int(FETCHES * LANES);
    }
}

// fold masks what convolve left, adds gamma times it to the total, and leaves
// the sums of this lane; link is the reader's first link for this map.
void fold(int link, bool own) {
    [[unroll]] for (uint i = 2 * OUTS; i < SUMS; i++)
        s[i] = 0.0;
    [[unroll]] for (uint j = 0; j < OUTS; j++) {
        int at = link + 2 * int(channel(j));
        float gamma = texelFetch(links, at).w, beta = texelFetch(links, at + 1).x;
        s[2 * j] = 0.0;
        s[2 * j + 1] = 0.0;
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            vec4 d = quad_of_points(a[j][r]);
            d = mix(vec4(0.0), d, greaterThan(quad_apply(xhat[j][r], gamma, beta), vec4(0.0)));
            if (TAIL != 0)
                d = own ? d : vec4(0.0);
            total[j][r] += gamma * d;
            s[2 * j] += dot(d, vec4(1.0));
            s[2 * j + 1] += dot(d, xhat[j][r]);
        }
    }
}

void run() {
    int id = int(gl_GlobalInvocationID.x);
    bool own = TAIL == 0 || id < int(p.columns);
    Column col = column(TAIL != 0 ? min(id, int(p.columns) - 1) : id, int(p.width), int(p.height));
    [[unroll]] for (uint j = 0; j < OUTS; j++) {
        vec4 st = texelFetch(stats, int(p.stats + channel(j))); // mean, variance, istd
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            xhat[j][r] = quad_xhat(texelFetch(x, int(place(p.x, channel(j), col, r))), st.x, st.z);
            total[j][r] = vec4(0.0);
        }
    }
    for (int i = 0; i < int(p.readers); i++) {
        ivec4 e = floatBitsToInt(texelFetch(readers, int(p.table) + 2 * i)); // dy, its planes, weights, links: ops.quadEntry
        uint pairs = floatBitsToUint(texelFetch(readers, int(p.table) + 2 * i + 1).x);
        convolve(col, e.x / 4 + col.first, e.y, e.z + int(col.lane));
        fold(e.w, own);
        [[unroll]] for (uint f = 0; f < SUMS; f += LANES) {
            float sum = lane_sums(col.lane, f);
            uint j = (f + col.lane) / 2, pair = pairs + j * gl_NumWorkGroups.x + gl_WorkGroupID.x;
            if (j < (TAIL != 0 ? p.k : OUTS))
                partial[2 * pair + col.lane % 2] = sum;
        }
    }
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            if (TAIL == 0 || (own && j < p.k))
                put(place(p.g, j, col, r), total[j][r]);
}
#endif
