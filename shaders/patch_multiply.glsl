#ifndef PATCH_MULTIPLY_GLSL
#define PATCH_MULTIPLY_GLSL
// How the tile forms multiply; a part of patch.glsl.
#include "patch_winograd.glsl"

// multiply_taps adds the products of the patch and the weights.
void multiply_taps() {
    [[dont_unroll]] for (uint c = 0; c < CB; c++)
        [[dont_unroll]] for (uint r = 0; r < KS; r++) {
            float z[TP + 2];
            [[unroll]] for (uint j = 0; j < TP + KS - 1; j++)
                z[j] = patch_[c * PATCH + start + r * W1 + j];
            [[unroll]] for (uint s = 0; s < KS; s++)
                [[unroll]] for (uint q = 0; q < TK / 4; q++) {
                    vec4 v = weights[(c * KK + r * KS + s) * PITCH + kg * (TK / 4) + q];
                    [[unroll]] for (uint o = 0; o < 4; o++)
                        [[unroll]] for (uint j = 0; j < TP; j++)
                            acc[(4 * q + o) * TP + j] = fma(v[o], z[j + s], acc[(4 * q + o) * TP + j]);
                }
        }
}

void acc_clear() {
    [[unroll]] for (uint i = 0; i < ACC; i++)
        acc[i] = 0.0;
}

// multiply adds the products of CB input channels; acc_finish comes after the last.
void multiply() {
    if (WINOGRAD)
        multiply_points();
    else
        multiply_taps();
}

void acc_finish() {
    if (WINOGRAD)
        acc_pixels();
}
#endif
