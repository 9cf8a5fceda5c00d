#version 450
#extension GL_GOOGLE_include_directive : require

// quad_pack: filter rows of 3x3 weights, a texel each, in the order in which the
// quad forms read them.
//
//     packed[DST + i·ROW + 3·o + r] = (w[b], w[b+1], w[b+2], 0)    b = SRC + i·IN + o·OUT + 3·r
//
// 0 <= i < INPUTS, 0 <= o < OUTS, 0 <= r < 3; with FLIP r and the taps run
// backwards; texels up to ROW are 0. Workgroup (., j) takes job j of the table.
// No two invocations write the same texel.
// CPU reference: none, it only moves; ops/ref.Conv sees a fault. Host: ops.Conv, ops.Gather.

layout(local_size_x = 64) in;

layout(push_constant) uniform Push {
    uint table; // first word of the first job
} p;

layout(binding = 0) readonly buffer Table { uint table[]; };
layout(binding = 1) readonly buffer W { float w[]; };
layout(binding = 2) writeonly buffer Packed { vec4 packed[]; };

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

void main() {
    uint job = p.table + gl_WorkGroupID.y * WORDS, row = table[job + ROW];
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < table[job + INPUTS] * row; i += stride) {
        uint o = i % row / 3, r = i % row % 3;
        vec4 v = vec4(0.0);
        if (o < table[job + OUTS]) {
            bool flip = table[job + FLIP] != 0;
            uint b = table[job + SRC] + i / row * table[job + IN] + o * table[job + OUT] + 3 * (flip ? 2 - r : r);
            v.xyz = vec3(w[b], w[b + 1], w[b + 2]);
            v.xyz = flip ? v.zyx : v.xyz;
        }
        packed[table[job + DST] + i] = v;
    }
}
