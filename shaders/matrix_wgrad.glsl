#ifndef MATRIX_WGRAD_GLSL
#define MATRIX_WGRAD_GLSL
// The weight gradient of matrix_wgrad.comp and matrix_wgrad_emulated.comp.
#include "matrix.glsl"

layout(constant_id = 13) const uint FK = 1;     // runs of output channels
layout(constant_id = 14) const uint ITEMS = 1;  // of a subgroup
layout(constant_id = 15) const uint BP = 64;    // positions of a step
layout(constant_id = 16) const bool ACT = true; // batch norm and ReLU on load

layout(push_constant) uniform Push {
    View dy;
    uint k;     // output channels of this dispatch
    uint c;     // input channels of this dispatch
    uint link;  // index of the first of their links
    uint steps; // of a split
    uint row;   // elements of dst from an output channel to the next
    uint dst;   // first element of split 0 at the first channels
    uint split; // elements from a split to the next
    uint n;     // images
    uint h;     // height and width of the input
    uint w;
} p;

layout(binding = 0) restrict readonly buffer X { MAP x[]; };
layout(binding = 1) restrict readonly buffer Links { uvec4 links[]; };
layout(binding = 2) restrict readonly buffer DY { MAP dy[]; };
layout(binding = 3) restrict writeonly buffer Dst { float dst[]; };

const uint FC = CB / TN;
const uint BK = FK * TM;
const uint ROW = BP + PAD; // halves of an output channel

shared float16_t grad[BK * ROW];
shared f16vec2 patch_[PATCH * CBP / 2];
shared uvec4 near[2 * CB]; // the links of the input channels
shared float stage[SG * TM * TN];

#define LEFT(i) grad[i]
#define RIGHT(i) patch_[(i) / 2][(i) % 2]

Sum sums[ITEMS * FK];

#include "matrix_fill.glsl"

// multiply adds the products of all positions of the step.
void multiply() {
    [[dont_unroll]] for (uint q = 0; q < BP; q += TD) {
        Left d[FK];
        Right z;
        [[unroll]] for (uint k = 0; k < FK; k++)
            matrix_load(d[k], grad, 1, k * TM * ROW + q, ROW);
        uint from = element(q);
        [[unroll]] for (uint i = 0; i < ITEMS; i++) {
            uint item = min(i * SG + subgroup, KK * FC - 1), tap = item / FC; // the last again, rather than a branch
            matrix_load(z, patch_, 2, (from + tap / KS * W1 + tap % KS) * CBP + item % FC * TN, CBP);
            [[unroll]] for (uint k = 0; k < FK; k++)
                matrix_add(sums[i * FK + k], d[k], z);
        }
    }
}

// store writes the sums, by way of shared memory.
void store(uint k0, uint c0) {
    uint at = subgroup * TM * TN;
    [[unroll]] for (uint i = 0; i < ITEMS * FK; i++) {
        uint item = i / FK * SG + subgroup, tap = item / FC;
        barrier();
        matrix_rows(sums[i], stage, at, TN);
        barrier();
        [[unroll]] for (uint j = 0; j < TM * TN / SUB; j++) { // else compilers keep the sums in memory
            uint e = j * SUB + subgroup_lane, k = k0 + i % FK * TM + e / TN, c = c0 + item % FC * TN + e % TN;
            if (item < KK * FC && k < p.k && c < p.c)
                dst[p.dst + gl_WorkGroupID.z * p.split + k * p.row + c * KK + tap] = stage[at + e];
        }
    }
}

void run() {
    uint c0 = gl_WorkGroupID.x * CB, k0 = gl_WorkGroupID.y * BK;
    for (uint i = gl_LocalInvocationID.x; i < 2 * CB; i += LANES)
        near[i] = links[2 * (p.link + min(c0 + i / 2, p.c - 1)) + i % 2];
    [[unroll]] for (uint i = 0; i < ITEMS * FK; i++)
        matrix_clear(sums[i]);
    for (uint n = 0; n < p.steps; n++) {
        place_begin((gl_WorkGroupID.z * p.steps + n) * BP);
        barrier();
        fill_grad(k0);
        fill_input(c0);
        barrier();
        multiply();
    }
    store(k0, c0);
}
#endif
