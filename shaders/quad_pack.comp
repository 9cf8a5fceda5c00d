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
    uint table; // first word of the first job
    BufferAddress packed_at;
} p;

layout(binding = 0) readonly buffer Table { uint table[]; };
layout(binding = 1) readonly buffer W { float w[]; };

// Words of a job, ops.packJob.
const uint SRC = 0;
const uint IN = 1;
const uint OUT = 2;
const uint INPUTS = 3;
const uint OUTS = 4;
const uint ROW = 5;
const uint FLIP = 6;
const uint DST = 7;
const uint WORDS = 8;

// taps returns filter row n of input i.
vec4 taps(uint job, uint i, uint n) {
    uint o = n / 3, r = n % 3;
    if (o >= table[job + OUTS])
        return vec4(0.0);
    bool flip = table[job + FLIP] != 0;
    uint b = table[job + SRC] + i * table[job + IN] + o * table[job + OUT] + 3 * (flip ? 2 - r : r);
    vec3 v = vec3(w[b], w[b + 1], w[b + 2]);
    return vec4(flip ? v.zyx : v, 0.0);
}

// points returns the weights of inputs 4i to 4i+3 to output o.
vec4 points(uint job, uint i, uint o) {
    vec4 v = vec4(0.0);
    for (uint e = 0; e < 4; e++)
        if (4 * i + e < table[job + INPUTS] && o < table[job + OUTS])
            v[e] = w[table[job + SRC] + (4 * i + e) * table[job + IN] + o * table[job + OUT]];
    return v;
}

void main() {
    uint job = p.table + gl_WorkGroupID.y * WORDS, row = table[job + ROW], inputs = table[job + INPUTS];
    uint texels = row * (POINT != 0 ? (inputs + 3) / 4 : inputs), stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < texels; i += stride)
        quad_store(p.packed_at, table[job + DST] + i, POINT != 0 ? points(job, i / row, i % row) : taps(job, i / row, i % row));
}
