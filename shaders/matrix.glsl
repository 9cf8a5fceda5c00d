#ifndef MATRIX_GLSL
#define MATRIX_GLSL
// What all matrix forms share: kernels for devices that multiply cooperative matrices
// of float16 with float32 sums (VK_KHR_cooperative_matrix).
//
// A run of pixels must lie as a matrix: its pixels one after the other in the patch,
// which is what shared memory holds of the input. KS = 3: where 16 divides W, runs
// are of rows, and the patch has rows of W+1 elements as in patch.glsl. Elsewhere,
// with FLAT, pixels are counted as they lie in all images with the zeros around them,
// W+1 to a row, and what comes of the zeros is dropped. KS = 1: the patch has the
// pixels alone. Positions are what runs are counted in.
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_control_flow_attributes : require
#include "view.glsl"
#include "map.glsl"
#include "act.glsl"

layout(local_size_x = 128, local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 128;  // a multiple of SUB
layout(constant_id = 1) const uint SUB = 32;     // invocations of a subgroup
layout(constant_id = 2) const uint TM = 16;      // rows, columns and depth of a product
layout(constant_id = 3) const uint TN = 16;
layout(constant_id = 4) const uint TD = 16;
layout(constant_id = 5) const uint CB = 16;      // input channels at a time
layout(constant_id = 6) const uint PAD = 8;      // halves between rows of a matrix, so that they lie in other banks
layout(constant_id = 7) const uint KS = 1;       // window: 3 or 1
layout(constant_id = 8) const bool POOL = false; // KS = 1: the mean of 2x2 pixels
layout(constant_id = 9) const uint H = 32;       // height and width of what the pixels are counted in
layout(constant_id = 10) const uint W = 32;
layout(constant_id = 11) const uint PATCH = 64;  // elements of the patch
layout(constant_id = 12) const bool FLAT = false; // positions are places

#ifdef EMULATED
#include "matrix_emulated.glsl"
#else
#include "matrix_device.glsl"
#endif

const uint SG = LANES / SUB; // subgroups
const uint KK = KS * KS;
const uint W1 = W + 1;
const uint CBP = CB + PAD;   // halves of an element of the patch

uint first; // position of the workgroup

void place_begin(uint at) { first = at; }

// padded returns the row among those of all images with a row of zeros before each.
uint padded(uint row) { return row + row / H + 1; }

// within returns the pixel of n images at column x of a padded row, or ~0 if it is 0.
uint within(uint row, uint x, uint n) {
    uint y = row % (H + 1), i = row / (H + 1);
    return x > 0 && y > 0 && i < n ? (i * H + y - 1) * W + x - 1 : ~0u;
}

// element returns where in the patch the first tap of position q of the workgroup
// reads; those of the run follow.
uint element(uint q) {
    if (KS == 1 || FLAT)
        return q;
    uint at = first + q;
    return (padded(at / W) - padded(first / W)) * W1 + at % W;
}

// patch_place returns where element e of the patch comes from: a pixel of n images,
// or ~0 if it is 0. The first element of a flat patch is one row and one place
// before its first position, which is the first of the first row.
uint patch_place(uint e, uint n) {
    if (KS == 1)
        return e < PATCH && first + e < n * H * W ? first + e : ~0u;
    if (!FLAT)
        return within(padded(first / W) - 1 + e / W1, e % W1, n);
    uint at = first + e - 1;
    return first + e > 0 ? within(at / W1, at % W1, n) : ~0u;
}

// pixel_at returns the pixel at position q of the workgroup, or ~0 if n images have
// none there.
uint pixel_at(uint q, uint n) {
    if (!FLAT)
        return first + q < n * H * W ? first + q : ~0u;
    uint at = first + q + W1;
    return within(at / W1, at % W1, n);
}
#endif
