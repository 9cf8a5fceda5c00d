#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "view.glsl"
#include "quad_store.glsl"

// quad_finalise: the gradient of a map, written over the map. The form for
// software drivers with 8 or 16 lanes, in quads of four pixels.
//
//     x[c][i] = A·g[c][i] + B·x[c][i] + K + (PLUS ? plus[c][i] : 0)        0 <= i < N·H·W
//
// with (A, B, K, 0) = coef[c]. The map is bound twice: x reads it in fetches,
// dx writes it. A row of workgroups (y) takes one plane, an invocation QUADS
// quads of it, a workgroup apart; no other invocation reads what it writes.
// CPU reference: ops/ref.Finalise. Host: ops.Finalise.

layout(local_size_x = 8, local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 8; // of a subgroup
layout(constant_id = 1) const uint PLUS = 0;
layout(constant_id = 2) const uint TAIL = 0; // 1: the last workgroup has less to do

layout(push_constant) uniform Push {
    uint coef; // first texel of the coefficients
    View x;
    View g;
    View plus;
    BufferAddress dx_at;
} p;

layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) uniform samplerBuffer g;
layout(binding = 2) uniform samplerBuffer plus;
layout(binding = 3) uniform samplerBuffer coef;

const uint QUADS = 8;

void main() {
    uint c = gl_WorkGroupID.y, quads = p.x.plane / 4;
    vec4 k = texelFetch(coef, int(p.coef + c));
    [[unroll]] for (uint q = 0; q < QUADS; q++) {
        uint i = (gl_WorkGroupID.x * QUADS + q) * LANES + gl_LocalInvocationID.x;
        uint at = TAIL != 0 ? min(i, quads - 1) : i;
        uint xq = px(p.x, c, 0) / 4 + at;
        vec4 v = k.x * texelFetch(g, int(px(p.g, c, 0) / 4 + at)) + (k.y * texelFetch(x, int(xq)) + k.z);
        if (PLUS != 0)
            v += texelFetch(plus, int(px(p.plus, c, 0) / 4 + at));
        if (TAIL == 0 || i < quads)
            quad_store(p.dx_at, xq, v);
    }
}
