#ifndef PATCH_GLSL
#define PATCH_GLSL
// What the tile forms share: kernels for GPUs. A workgroup makes GK·TK channels by
// GU·TP pixels, an invocation TK by TP of them in registers. For CB input channels
// at a time it keeps in shared memory what those pixels read, each element
// activated once, and the weights; the next CB are loaded while it multiplies.
//
// KS = 3: a unit is TP pixels of a row, and units are numbered over the rows of
// all images, so that a workgroup spans images where they are small. The patch has
// rows of W+1 elements, of which the first is 0: it serves as the neighbour of the
// row's first pixel and of the last one of the row before. Between two images lies
// a row of zeros. KS = 1: a unit is TP pixels of the plane, kept TP+1 apart, so
// that neighbours lie in other banks.
#extension GL_EXT_control_flow_attributes : require
#include "view.glsl"
#include "map.glsl"
#include "act.glsl"

layout(local_size_x = 128, local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 128; // GK·GU
layout(constant_id = 1) const uint TK = 8;      // channels of an invocation, a multiple of 4
layout(constant_id = 2) const uint TP = 8;      // pixels of an invocation
layout(constant_id = 3) const uint GK = 4;      // groups of channels
layout(constant_id = 4) const uint CB = 4;      // input channels at a time
layout(constant_id = 5) const uint KS = 3;      // window: 3 or 1
layout(constant_id = 6) const bool POOL = false; // KS = 1: the mean of 2x2 pixels
layout(constant_id = 7) const uint H = 32;      // height and width of what the pixels are counted in
layout(constant_id = 8) const uint W = 32;
layout(constant_id = 9) const uint ROWS = 10;   // KS = 3: rows of the patch
layout(constant_id = 10) const bool WINOGRAD = false; // KS = 3, TP a multiple of 4: six products for four pixels (patch_winograd.glsl)
#define FREE 11 // the next identifier of a constant

const uint GU = LANES / GK;
const uint KK = KS * KS;
const uint BK = GK * TK;
const uint W1 = W + 1;
const uint SEG = (W + TP - 1) / TP; // units of a row
const uint PATCH = KS == 3 ? ROWS * W1 + 1 + TP : GU * (TP + 1);
const uint SIDE = 1;                        // channels that an invocation loads
const uint PER = LANES / CB;                // invocations that load a channel
const uint LOADS = (PATCH + PER - 1) / PER; // elements that each of them loads
const uint PITCH = BK / 4 + 1;              // of the weights, in vec4
const uint RUN = WINOGRAD ? 3 : 1;          // taps that are loaded together
const uint RUNS = KK / RUN;                 // and how often, for a pair of channels
const uint KEPT = WINOGRAD ? 6 * KS : KK;   // of a pair of channels: points of filter rows, or taps
const uint WEIGHTS = (CB * RUNS * BK + LANES - 1) / LANES; // runs that an invocation loads
const uint ACC = WINOGRAD ? TK * TP * 3 / 2 : TK * TP;
const uint SUMS = 2 * BK * (GU + 1);        // floats for reductions: two of each unit

shared float patch_[CB * PATCH > SUMS ? CB * PATCH : SUMS];
shared vec4 weights[CB * KEPT * PITCH];
#define SCRATCH patch_ // floats for reductions

float acc[ACC];              // [channel][pixel]; until acc_finish with WINOGRAD [channel][quad][point]
float ahead[LOADS];          // the next elements of the patch
float wahead[WEIGHTS * RUN]; // and weights
uint inside;                 // bit i: element i of ahead lies in the image

uint lane, kg, unit;  // this invocation, its group of channels, its unit in the workgroup
uint first_unit;      // of the workgroup
uint start;           // where the unit's pixels begin in the patch
uint first_row;       // KS = 3: padded row of the patch's first row

// padded returns the row among those of all images with a row of zeros before each.
uint padded(uint row) { return row + row / H + 1; }

// patch_begin finds this invocation's place; group numbers the workgroups over the units.
void patch_begin(uint group) {
    lane = gl_LocalInvocationID.x;
    kg = lane / GU;
    unit = lane % GU;
    first_unit = group * GU;
    start = unit * (TP + 1);
    if (KS == 3) {
        uint u = first_unit + unit;
        first_row = padded(first_unit / SEG) - 1;
        start = (padded(u / SEG) - 1 - first_row) * W1 + u % SEG * TP;
    }
}

// pixel returns pixel j of unit u of the workgroup within the planes; it may not
// exist. exists tells, of n images.
uint pixel(uint u, uint j) {
    u += first_unit;
    return KS == 3 ? u / SEG * W + u % SEG * TP + j : u * TP + j;
}
bool exists(uint u, uint j, uint n) {
    return pixel(u, j) < n * H * W && (KS != 3 || (u + first_unit) % SEG * TP + j < W);
}

// patch_place returns where element e of the patch comes from: a pixel of n
// images, or ~0 if it is 0.
uint patch_place(uint e, uint n) {
    if (KS == 3) {
        uint r = e / W1, x = e % W1, row = first_row + r, y = row % (H + 1), i = row / (H + 1);
        return r < ROWS && x > 0 && y > 0 && i < n ? (i * H + y - 1) * W + x - 1 : ~0u;
    }
    uint j = e % (TP + 1), at = pixel(e / (TP + 1), j);
    return e < PATCH && j < TP && at < n * H * W ? at : ~0u;
}

// count returns how many pixels of unit u there are, of n images whose pixels units
// cut without a rest in a row.
uint count(uint u, uint n) { return min(TP, n * H * W - min(pixel(u, 0), n * H * W)); }

// channel returns channel o of this invocation among those of the workgroup.
uint channel(uint o) { return kg * TK + o; }

// patch_put puts element e of the channel that this invocation loads into the patch.
void patch_put(uint e, float v[SIDE]) { patch_[lane / PER * PATCH + e] = v[0]; }

// weight_put puts the weight from input i by a tap or point to output o into shared
// memory.
void weight_put(uint i, uint tap, uint o, float v) { weights[(i * KEPT + tap) * PITCH + o / 4][o % 4] = v; }

#include "patch_weights.glsl"
#include "patch_multiply.glsl"
#endif
