#ifndef TILE_GLSL
#define TILE_GLSL
// A register tile of a convolution: one invocation owns KT output channels by
// PY rows by PX columns of sums. For each input channel and row of taps it loads
// the inputs of that row once and every weight once, so that an input serves up
// to KT·S and a weight PY·PX multiply-adds. The includer defines STEP, the
// distance in the input of neighbouring outputs, and the function weight.
layout(local_size_x = 64) in;

layout(constant_id = 0) const uint KT = 6;
layout(constant_id = 1) const uint PY = 2;
layout(constant_id = 2) const uint PX = 4;
layout(constant_id = 3) const uint R = 3;
layout(constant_id = 4) const uint S = 3;
layout(constant_id = 5) const uint STRIDE = 1;
layout(constant_id = 6) const uint PAD = 1;
layout(constant_id = 7) const bool POOL = false;

const uint VW = (PX - 1) * STEP + S;

float acc[KT * PY * PX]; // [channel][row][column]
float window[PY * VW];   // what the rows of outputs read at the current row of taps

// weight returns the weight of output channel o of the tile at tap (r, s).
float weight(uint o, uint r, uint s);

void tile_clear() {
    [[unroll]] for (uint i = 0; i < KT * PY * PX; i++)
        acc[i] = 0.0;
}

// tile_multiply adds the products of the window with row r of the taps.
void tile_multiply(uint r) {
    [[unroll]] for (uint o = 0; o < KT; o++)
        [[unroll]] for (uint s = 0; s < S; s++) {
            float w = weight(o, r, s);
            [[unroll]] for (uint y = 0; y < PY; y++)
                [[unroll]] for (uint x = 0; x < PX; x++)
                    acc[(o * PY + y) * PX + x] += w * window[y * VW + x * STEP + s];
        }
}

#ifdef HELD
// What an invocation keeps of its sums in shared memory, to go through them in a
// loop: unrolled, the last part of a kernel may take longer to compile than all
// the rest. Nobody else reads them, so no barrier is needed.
shared float held[KT * PY * PX * gl_WorkGroupSize.x];

// tile_hold keeps the sums, times scale.
void tile_hold(float scale) {
    [[unroll]] for (uint i = 0; i < KT * PY * PX; i++)
        held[i * gl_WorkGroupSize.x + gl_LocalInvocationID.x] = scale * acc[i];
}

// tile_held returns the kept sum of channel o, row y and column x.
float tile_held(uint o, uint y, uint x) {
    return held[((o * PY + y) * PX + x) * gl_WorkGroupSize.x + gl_LocalInvocationID.x];
}
#endif

// Spot is where a tile lies: image, and first row and column in tiles.
struct Spot {
    uint n;
    uint y;
    uint x;
};

// tile_spot returns the place of this invocation's tile in a grid of rows by
// cols tiles per image. Groups run over x, then z; y is the block of channels.
Spot tile_spot(uint rows, uint cols) {
    uint t = (gl_WorkGroupID.z * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    return Spot(t / (rows * cols), t / cols % rows, t % cols);
}
#endif
