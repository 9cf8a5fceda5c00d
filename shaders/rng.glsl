#ifndef RNG_GLSL
#define RNG_GLSL
// Philox4x32-10, a counter-based generator: the same key and counter give the
// same four words on every device, in any order, forward and backward.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2,
// 3", SC 2011. CPU reference: ops/ref.Philox.

// philox returns four random words for a counter and a key.
uvec4 philox(uvec4 counter, uvec2 key) {
    for (int round = 0; round < 10; round++) {
        uint hi0, lo0, hi1, lo1;
        umulExtended(0xD2511F53u, counter.x, hi0, lo0);
        umulExtended(0xCD9E8D57u, counter.z, hi1, lo1);
        counter = uvec4(hi1 ^ counter.y ^ key.x, lo1, hi0 ^ counter.w ^ key.y, lo0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

// uniform01 maps a word to [0, 1) in steps of 2^-24; exact in float32.
float uniform01(uint word) { return float(word >> 8) * 5.9604644775390625e-8; }

// Streams keep the uses of one seed apart: crop and flip count (image, epoch,
// STREAM_AUGMENT, 0), dropout (number, step, layer, STREAM_DROPOUT).
const uint STREAM_AUGMENT = 1;
const uint STREAM_DROPOUT = 2;
#endif
