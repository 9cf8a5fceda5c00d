#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

// quad_gather: what a map receives from the 3x3 convolutions that read it. The
// form for software drivers with 8 or 16 lanes (quad.glsl).
//
//     D_j[c,n,y,x] = Σ_{k,r,s} w_j[k,c,2-r,2-s] · dy_j[k, n, y+r-1, x+s-1]
//     g[c]         = (p.acc ? g[c] : 0) + Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial_j[c,t] = (Σ [z_j > 0]·D_j, Σ [z_j > 0]·D_j·xhat) over the pixels of subgroup t
//
// 0 <= c < p.k <= OUTS. Readers and their planes k are taken in the
// order of the table, so the sums have one order. Winograd's F(4,3) along x
// (winograd.glsl); the weights are filter rows [k][c][r] with the taps turned
// round (quad_pack.comp).
// CPU reference: ops/ref.Gather. Host: ops.Gather.

#include "view.glsl"
#include "quad.glsl"

layout(push_constant) uniform Push {
    uint width, height;
    uint columns; // N·(H/ROWS)·(W/4)
    uint table;   // first texel of the table
    uint readers; // entries of the table
    uint k;       // channels of the map, <= OUTS
    uint stats;   // first texel of their statistics
    uint acc;     // 1: add to what g holds
    View x;
    View g;
    BufferAddress g_at;
} p;

layout(binding = 0) uniform samplerBuffer readers;
layout(binding = 1) uniform samplerBuffer dy;
layout(binding = 2) uniform samplerBuffer w;
layout(binding = 3) uniform samplerBuffer links;
layout(binding = 4) uniform samplerBuffer x;
layout(binding = 5) uniform samplerBuffer stats;
layout(binding = 6) writeonly buffer Partial { float partial[]; };
layout(binding = 7) uniform samplerBuffer before; // g again: a fetch is one call, a read of g eight branches

Column col; // the column that this invocation owns
int id;     // its number, perhaps beyond the last
#include "quad_fold.glsl"

int map_quad(uint r) { return col.first + int(r) * col.stride; }
bool own(uint r) { return TAIL == 0 || id < int(p.columns); }
vec4 reader_quad(uint j, uint r) { return quad_of_points(a[j][r]); }

// convolve leaves in a the gradient that a reader's dy hands back; at is the
// column's first quad of dy[0], wrow this lane's first filter row.
void convolve(int at, int planes, int wrow) {
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

void main() {
    id = int(gl_GlobalInvocationID.x);
    col = column(TAIL != 0 ? min(id, int(p.columns) - 1) : id, int(p.width), int(p.height));
    normalise();
    for (int i = 0; i < int(p.readers); i++) {
        ivec4 e = floatBitsToInt(texelFetch(readers, int(p.table) + 2 * i)); // dy, its planes, weights, links: ops.quadEntries
        uint pairs = floatBitsToUint(texelFetch(readers, int(p.table) + 2 * i + 1).x);
        convolve(e.x / 4 + col.first, e.y, e.z + int(col.lane));
        fold(e.w, pairs, col.lane);
    }
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            store(j, r);
}
