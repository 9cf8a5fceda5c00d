#ifndef PATCH_WEIGHTS_GLSL
#define PATCH_WEIGHTS_GLSL
// How the tile and matrix forms load weights; a part of patch.glsl and
// matrix_patch.glsl. Their includers declare the buffer w of master weights.

// weights_load loads the weights from CB input channels i to the BK outputs: those
// of output o begin at base + o·row + i·step. Channels beyond the inputs or the
// outputs that are left have weight 0. With turned the taps run backwards, and the
// outputs of an input lie together.
void weights_load(uint base, uint row, uint step_, uint outputs, uint inputs, bool turned) {
    [[unroll]] for (uint n = 0; n < WEIGHTS; n++) {
        uint e = n * LANES + lane, tap = e % KK, a = e / KK;
        uint i = turned ? a / BK : a % CB, o = turned ? a % BK : a / CB;
        bool in_ = e < CB * KK * BK && i < inputs && o < outputs;
        float v = w[base + (in_ ? o * row + i * step_ + (turned ? KK - 1 - tap : tap) : 0)];
        wahead[n] = in_ ? v : 0.0;
    }
}

// weights_keep puts them into shared memory.
void weights_keep(bool turned) {
    [[unroll]] for (uint n = 0; n < WEIGHTS; n++) {
        uint e = n * LANES + lane, tap = e % KK, a = e / KK;
        uint i = turned ? a / BK : a % CB, o = turned ? a % BK : a / CB;
        if (e < CB * KK * BK)
            weight_put(i, tap, o, wahead[n]);
    }
}
#endif
