#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

// quad_point_gather: what a map receives from the 1x1 convolutions that read it,
// or with POOL from those that read its 2x2 means. The form for software drivers
// with 8 or 16 lanes (quad_point.glsl).
//
//     D_j[c]       = Σ_k w_j[k,c] · dy_j[k], with POOL a quarter of it to each of four pixels
//     g[c]         = (p.acc ? g[c] : 0) + Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial_j[c,t] = (Σ [z_j > 0]·D_j, Σ [z_j > 0]·D_j·xhat) over the pixels of subgroup t
//
// 0 <= c < p.k <= OUTS. Readers and their planes k are taken in the order of the
// table, so the sums have one order.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

#include "quad_point.glsl"

layout(push_constant) uniform Push {
    uint quads;   // quads per plane of dy
    uint row;     // quads per row of dy
    uint dy;      // quads from a plane of dy to the next
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

const uint FACE = POOL != 0 ? 4 : 1;          // quads of the map for one of dy
const uint DY = QUADS / FACE;                 // quads of dy of an invocation
const uint ROWS = QUADS;                      // for quad_fold.glsl

int first; // the first quad of dy
#include "quad_fold.glsl"

// dy_quad returns quad i of those of dy, moved to the last one.
int dy_quad(uint i) {
    int at = first + int(i * LANES);
    return TAIL != 0 ? min(at, int(p.quads) - 1) : at;
}

// own reports whether quad q of the map exists.
bool own(uint q) { return TAIL == 0 || first + int(q / FACE * LANES) < int(p.quads); }

// map_quad returns the place of quad q of the map within a plane.
int map_quad(uint q) {
    int i = dy_quad(q / FACE);
    return POOL != 0 ? unpooled(i, int(p.row)) + int(q % 2) + int(q % FACE / 2 * 2 * p.row) : i;
}

// reader_quad returns what the reader hands to quad q of output j.
vec4 reader_quad(uint j, uint q) {
    if (POOL == 0)
        return a[j][q];
    vec4 d = 0.25 * a[j][q / FACE];
    return q % 2 == 0 ? d.xxyy : d.zzww;
}

#define PLANE(e)                                                              \
    {                                                                         \
        int plane = TAIL != 0 ? min(k + e, planes - 1) : k + e;               \
        [[unroll]] for (uint i = 0; i < DY; i++)                              \
            z[e][i] = texelFetch(dy, base + plane * int(p.dy) + dy_quad(i));     \
    }

// convolve leaves in a the gradient that a reader's dy hands back; base is the
// first quad of dy[0], wrow this lane's first texel of weights.
void convolve(int base, int planes, int wrow) {
    no_sums();
    for (int k = 0; k < planes; k += 4) {
        [[unroll]] for (uint f = 0; f < FETCHES; f++)
            t[f] = texelFetch(w, wrow + (k / 4 * int(FETCHES) + int(f)) * int(LANES));
        PLANE(0) PLANE(1) PLANE(2) PLANE(3)
        add_inputs(DY);
    }
}

void main() {
    uint lane = gl_SubgroupInvocationID;
    first = int(gl_WorkGroupID.x * LANES * DY + lane);
    normalise();
    for (int i = 0; i < int(p.readers); i++) {
        ivec4 e = floatBitsToInt(texelFetch(readers, int(p.table) + 2 * i)); // dy, its planes, weights, links: ops.quadEntries
        uint pairs = floatBitsToUint(texelFetch(readers, int(p.table) + 2 * i + 1).x);
        convolve(e.x / 4, e.y, e.z + int(lane));
        fold(e.w, pairs, lane);
    }
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        [[unroll]] for (uint q = 0; q < QUADS; q++)
            store(j, q);
}
