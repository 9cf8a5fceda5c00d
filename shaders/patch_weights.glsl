#ifndef PATCH_WEIGHTS_GLSL
#define PATCH_WEIGHTS_GLSL
// How the tile and matrix forms load weights; a part of patch.glsl and
// matrix_patch.glsl. Their includers declare the buffer w of master weights.
#include "winograd.glsl"

// weights_load loads the weights from CB input channels i to the BK outputs: those
// of output o begin at base + o·row + i·step. Channels beyond the inputs or the
// outputs that are left have weight 0. With turned the taps run backwards, and the
// outputs of an input lie together.
void weights_load(uint base, uint row, uint step_, uint outputs, uint inputs, bool turned) {
    [[unroll]] for (uint n = 0; n < WEIGHTS; n++) {
        uint e = n * LANES + lane, run = e % RUNS, a = e / RUNS;
        uint i = turned ? a / BK : a % CB, o = turned ? a % BK : a / CB;
        bool in_ = e < CB * RUNS * BK && i < inputs && o < outputs;
        [[unroll]] for (uint s = 0; s < RUN; s++) {
            uint tap = run * RUN + s;
            float v = w[base + (in_ ? o * row + i * step_ + (turned ? KK - 1 - tap : tap) : 0)];
            wahead[n * RUN + s] = in_ ? v : 0.0;
        }
    }
}

// weights_keep puts them into shared memory, with WINOGRAD as points of filter rows.
void weights_keep(bool turned) {
    [[unroll]] for (uint n = 0; n < WEIGHTS; n++) {
        uint e = n * LANES + lane, run = e % RUNS, a = e / RUNS;
        uint i = turned ? a / BK : a % CB, o = turned ? a % BK : a / CB;
        if (e < CB * RUNS * BK) {
            if (WINOGRAD) {
                float t[6];
                points_of_taps(vec4(wahead[n * RUN], wahead[n * RUN + 1], wahead[n * RUN + 2], 0.0), t);
                [[unroll]] for (uint f = 0; f < 6; f++)
                    weight_put(i, run * 6 + f, o, t[f]);
            } else
                weight_put(i, run, o, wahead[n]);
        }
    }
}
#endif
