#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

// quad_handed_gather: what a map receives from readers without a convolution. The
// form for software drivers with 8 or 16 lanes, in quads of four pixels.
//
//     D_j[c]       = dy_j[c], with HEAD (batch norm - ReLU - global average pooling) dy_j[c,n]/(H·W) to each pixel of image n
//     g[c]         = (p.acc ? g[c] : 0) + Σ_j gamma_j[c]·[z_j > 0]·D_j[c]     z_j = gamma_j[c]·xhat[c] + beta_j[c]
//     partial_j[c,t] = (Σ [z_j > 0]·D_j, Σ [z_j > 0]·D_j·xhat) over the pixels of subgroup t
//
// 0 <= c < p.k <= OUTS. An invocation owns a quad of every channel. Readers are
// taken in the order of the table, so the sums have one order.
// CPU reference: ops/ref.Gather. Host: ops.Gather.

#include "lanes.glsl"
#include "view.glsl"
#include "quad_bn.glsl"

layout(constant_id = 1) const uint OUTS = 12; // channels that an invocation makes
layout(constant_id = 2) const uint HEAD = 1;  // 1: readers are heads; 0: dy has the shape of the map
layout(constant_id = 3) const uint TAIL = 0;  // 1: idle lanes, or fewer than OUTS channels wanted

layout(push_constant) uniform Push {
    uint quads;   // quads per plane of the map
    uint image;   // quads per image
    uint dy;      // elements from a plane of dy to the next
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
layout(binding = 2) uniform samplerBuffer links;
layout(binding = 3) uniform samplerBuffer x;
layout(binding = 4) uniform samplerBuffer stats;
layout(binding = 5) writeonly buffer Partial { float partial[]; };
layout(binding = 6) uniform samplerBuffer before; // g again

const uint ROWS = 1; // for quad_fold.glsl

vec4 dy_quads[OUTS]; // what a reader hands back
int quad;            // that the invocation owns, perhaps beyond the last
#include "quad_fold.glsl"

int map_quad(uint r) { return TAIL != 0 ? min(quad, int(p.quads) - 1) : quad; }
bool own(uint r) { return TAIL == 0 || quad < int(p.quads); }
vec4 reader_quad(uint j, uint r) { return dy_quads[j]; }

// load fills dy_quads; base is the first element of dy.
void load(int base) {
    [[unroll]] for (uint j = 0; j < OUTS; j++) {
        int at = base + int(channel(j) * p.dy);
        if (HEAD != 0) {
            at += map_quad(0) / int(p.image);
            vec4 four = texelFetch(dy, at / 4);
            dy_quads[j] = vec4((at % 4 < 2 ? at % 2 == 0 ? four.x : four.y : at % 2 == 0 ? four.z : four.w) / float(4 * p.image));
        } else
            dy_quads[j] = texelFetch(dy, at / 4 + map_quad(0));
    }
}

void main() {
    quad = int(gl_GlobalInvocationID.x);
    normalise();
    for (int i = 0; i < int(p.readers); i++) {
        ivec4 e = floatBitsToInt(texelFetch(readers, int(p.table) + 2 * i)); // dy, its planes, weights, links: ops.quadEntries
        uint pairs = floatBitsToUint(texelFetch(readers, int(p.table) + 2 * i + 1).x);
        load(e.x);
        fold(e.w, pairs, gl_SubgroupInvocationID);
    }
    [[unroll]] for (uint j = 0; j < OUTS; j++)
        store(j, 0);
}
