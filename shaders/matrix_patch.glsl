#ifndef MATRIX_PATCH_GLSL
#define MATRIX_PATCH_GLSL
// What forward and gather of the matrix forms share: what patch.glsl is to the tile
// forms, and offers the same names. A product has TM pixels by TN channels, of TD input
// channels. A workgroup makes TK·TN channels by BP pixels: each of its SG subgroups
// all channels of FM runs of TM pixels. For CB input channels at a time shared
// memory holds what those pixels read, as float16, with the channels of a pixel side
// by side, each element activated once, and the weights.
//
// Sums reach an invocation in FM·TK parts, by way of shared memory: nobody knows
// which invocation holds which element of a matrix. Of each part it takes one
// channel and a unit of PART pixels.
#include "matrix.glsl"

layout(constant_id = 13) const uint FM = 1; // runs of pixels of a subgroup
layout(constant_id = 14) const uint TK = 1; // runs of channels, and channels of an invocation
#define FREE 15                             // the next identifier of a constant

const uint PART = TM * TN / SUB;      // pixels of an invocation in a part
const uint GU = SG * TM / PART;       // units of a part
const uint TP = FM * PART;            // pixels of an invocation
const uint BK = TK * TN, BP = FM * SG * TM;
const uint BKP = BK + PAD;            // halves of the weights of an input channel
const uint SIDE = 2;                  // channels that an invocation loads
const uint PER = LANES * SIDE / CB;   // invocations that load them
const uint LOADS = (PATCH + PER - 1) / PER;
const bool WINOGRAD = false;          // see patch.glsl
const uint RUN = 1, RUNS = KK;        // taps that are loaded together, and such runs of a window
const uint WEIGHTS = (CB * RUNS * BK + LANES - 1) / LANES;
const uint COLUMN = SG * TM + 4;      // floats from a channel of a part to the next
const uint SUMS = 2 * BK * (GU + 1);  // floats for reductions: two of each unit

shared f16vec2 patch_[PATCH * CBP / 2];
shared float16_t weights[KK * CB * BKP];
shared float stage[TN * COLUMN > SUMS ? TN * COLUMN : SUMS];
#define SCRATCH stage

#define LEFT(i) patch_[(i) / 2][(i) % 2]
#define RIGHT(i) weights[i]

Sum product[FM * TK];
float acc[TK * TP];          // [channel][pixel]
float ahead[LOADS * SIDE];   // the next elements of the patch
float wahead[WEIGHTS * RUN];       // and weights
uint inside;                 // bit i: elements i of ahead lie in the image
uint lane, kg, unit;         // this invocation, its channel and its unit in a part
uint start[FM];              // where the first tap of each run reads

void patch_begin(uint group) {
    lane = gl_LocalInvocationID.x;
    kg = lane / GU;
    unit = lane % GU;
    place_begin(group * BP);
    [[unroll]] for (uint f = 0; f < FM; f++)
        start[f] = element((f * SG + subgroup) * TM);
}

// pixel, exists, count and channel are patch.glsl's. pixel returns one that exists.
uint position(uint u, uint j) { return j / PART * SG * TM + u * PART + j % PART; }
uint pixel(uint u, uint j) { return pixel_at(position(u, j), ~0u); }
bool exists(uint u, uint j, uint n) { return pixel_at(position(u, j), n) != ~0u; }
uint channel(uint o) { return o * TN + kg; }
uint count(uint u, uint n) {
    uint sum = 0;
    [[unroll]] for (uint j = 0; j < TP; j++)
        sum += exists(u, j, n) ? 1 : 0;
    return sum;
}

void patch_put(uint e, float v[SIDE]) { patch_[e * (CBP / 2) + lane / PER] = f16vec2(v[0], v[1]); }
void weight_put(uint i, uint tap, uint o, float v) { weights[(tap * CB + i) * BKP + o] = float16_t(v); }

#include "patch_weights.glsl"

void acc_clear() {
    [[unroll]] for (uint i = 0; i < FM * TK; i++)
        matrix_clear(product[i]);
}

// multiply adds the products of the patch and the weights.
void multiply() {
    [[dont_unroll]] for (uint d = 0; d < CB; d += TD)
        [[dont_unroll]] for (uint r = 0; r < KS; r++)
            [[unroll]] for (uint s = 0; s < KS; s++) {
                Left z[FM];
                Right w;
                [[unroll]] for (uint f = 0; f < FM; f++)
                    matrix_load(z[f], patch_, 2, (start[f] + r * W1 + s) * CBP + d, CBP);
                [[unroll]] for (uint o = 0; o < TK; o++) {
                    matrix_load(w, weights, 1, ((r * KS + s) * CB + d) * BKP + o * TN, BKP);
                    [[unroll]] for (uint f = 0; f < FM; f++)
                        matrix_add(product[o * FM + f], z[f], w);
                }
            }
}

// acc_finish hands the sums to the invocations.
void acc_finish() {
    [[unroll]] for (uint i = 0; i < FM * TK; i++) {
        barrier();
        matrix_columns(product[i], stage, subgroup * TM, COLUMN);
        barrier();
        [[unroll]] for (uint j = 0; j < PART; j++)
            acc[i * PART + j] = stage[kg * COLUMN + unit * PART + j];
    }
}
#endif
