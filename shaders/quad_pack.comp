#version 450
#extension GL_GOOGLE_include_directive : require
#include "quad_store.glsl"

// quad_pack: weights in texels, in the order in which the quad forms read them.
//
//     packed[DST + i·ROW + 3·o + r] = (w[b], w[b+1], w[b+2], 0)    b = SRC + i·IN + o·OUT + 3·r     3x3
//     packed[DST + i·ROW + o][e]    = w[SRC + (4·i+e)·IN + o·OUT]                                   POINT
//
// 3x3: i is an input, 0 <= r < 3, with FLIP r and the taps run backwards. POINT:
// four inputs i, 0 <= e < 4. 0 <= o < OUTS; what lies beyond the inputs, the
// outputs and up to ROW is 0. Workgroup (., j) takes job j of the table. No two
// invocations write the same texel.
// CPU reference: none, it only moves; ops/ref.Conv sees a fault. Host: ops.Conv, ops.Gather.

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint POINT = 0; // 1: weights of 1x1 convolutions

layout(push_constant) uniform Push {
    uint table; // first texel of the first job
    BufferAddress packed_at;
} p;

layout(binding = 0) uniform samplerBuffer table;
layout(binding = 1) readonly buffer W { float w[]; };

// The words of a job, ops.packTable: where its weights begin, the steps from an input
// and from an output to the next, and how many there are; the texels of a row; whether
// taps run backwards; where the packed ones begin.
uint src, in_, out_, inputs, outs, row, flip, dst;

// taps returns filter row n of input i.
vec4 taps(uint i, uint n) {
    uint o = n / 3, r = n % 3;
    if (o >= outs)
        return vec4(0.0);
    uint b = src + i * in_ + o * out_ + 3 * (flip != 0 ? 2 - r : r);
    vec3 v = vec3(w[b], w[b + 1], w[b + 2]);
    return vec4(flip != 0 ? v.zyx : v, 0.0);
}

// points returns the weights of inputs 4i to 4i+3 to output o.
vec4 points(uint i, uint o) {
    vec4 v = vec4(0.0);
    for (uint e = 0; e < 4; e++)
        if (4 * i + e < inputs && o < outs)
            v[e] = w[src + (4 * i + e) * in_ + o * out_];
    return v;
}

void main() {
    int job = int(p.table + 2 * gl_WorkGroupID.y);
    uvec4 a = floatBitsToUint(texelFetch(table, job)), b = floatBitsToUint(texelFetch(table, job + 1));
    src = a.x; in_ = a.y; out_ = a.z; inputs = a.w;
    outs = b.x; row = b.y; flip = b.z; dst = b.w;
    uint texels = row * (POINT != 0 ? (inputs + 3) / 4 : inputs), stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < texels; i += stride)
        quad_store(p.packed_at, dst + i, POINT != 0 ? points(i / row, i % row) : taps(i / row, i % row));
}
