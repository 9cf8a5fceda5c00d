#ifndef QUAD_POINT_GATHER_GLSL
#define QUAD_POINT_GATHER_GLSL
// The gather of quad_point_gather.comp and quad_point_gather_acc.comp.
#include "quad_point.glsl"

layout(push_constant) uniform Push {
    uint quads;   // quads per plane of dy
    uint row;     // quads per row of dy
    uint dy;      // quads from a plane of dy to the next
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
layout(binding = 6) writeonly buffer G { vec4 g[]; };
layout(binding = 7) writeonly buffer Partial { float partial[]; };

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
            z[i] = texelFetch(dy, base + plane * int(p.dy) + dy_quad(i));     \
        add_input(e, DY);                                                     \
    }

// convolve leaves in a the gradient that a reader's dy hands back; base is the
// first quad of dy[0], wrow this lane's first texel of weights.
void convolve(int base, int planes, int wrow) {
    no_sums();
    for (int k = 0; k < planes; k += 4) {
        [[unroll]] for (uint f = 0; f < FETCHES; f++)
            t[f] = texelFetch(w, wrow + (k / 4 * int(FETCHES) + int(f)) * int(LANES));
        PLANE(0) PLANE(1) PLANE(2) PLANE(3)
    }
}

void run() {
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
#endif
