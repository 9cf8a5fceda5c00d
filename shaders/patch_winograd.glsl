#ifndef PATCH_WINOGRAD_GLSL
#define PATCH_WINOGRAD_GLSL
// How the tile forms multiply with WINOGRAD; a part of patch.glsl. An invocation's
// pixels are quads, and it sums six points of each over channels and filter rows:
// half the multiplications of taps.
#include "winograd.glsl"

const uint QUADS = (TP + 3) / 4; // without WINOGRAD TP may be less than 4, and no array empty

// multiply_points adds the products of the patch and the weights at every point.
// What lies beyond the row's right neighbour, another row or image, is taken as 0:
// it cancels in the pixels that exist, but for what is rounded, and the pixels of
// an image must not depend on the next.
void multiply_points() {
    uint left = W - start % W1; // pixels from the unit's first to the end of the row
    [[dont_unroll]] for (uint c = 0; c < CB; c++)
        [[dont_unroll]] for (uint r = 0; r < KS; r++) {
            float z[4 * QUADS + 2], v[QUADS][6];
            [[unroll]] for (uint j = 0; j < TP + 2; j++) {
                z[j] = patch_[c * PATCH + start + r * W1 + j];
                if (W % TP != 0)
                    z[j] = j <= left ? z[j] : 0.0;
            }
            [[unroll]] for (uint q = 0; q < QUADS; q++)
                points_of_pixels(z[4 * q], vec4(z[4 * q + 1], z[4 * q + 2], z[4 * q + 3], z[4 * q + 4]), z[4 * q + 5], v[q]);
            [[unroll]] for (uint f = 0; f < 6; f++)
                [[unroll]] for (uint g = 0; g < TK / 4; g++) {
                    vec4 t = weights[(c * KEPT + r * 6 + f) * PITCH + kg * (TK / 4) + g];
                    [[unroll]] for (uint o = 0; o < 4; o++)
                        [[unroll]] for (uint q = 0; q < QUADS; q++) {
                            uint at = ((4 * g + o) * QUADS + q) * 6 + f;
                            acc[at] = fma(t[o], v[q][f], acc[at]);
                        }
                }
        }
}

// acc_pixels makes pixels of the points. A quad's pixels lie before its points and
// those of the quads after it, so that they may be put in place in this order.
void acc_pixels() {
    [[unroll]] for (uint n = 0; n < TK * QUADS; n++) {
        float m[6];
        [[unroll]] for (uint f = 0; f < 6; f++)
            m[f] = acc[6 * n + f];
        vec4 q = quad_of_points(m);
        [[unroll]] for (uint j = 0; j < 4; j++)
            acc[4 * n + j] = q[j];
    }
}
#endif
