#ifndef QUAD_WORDS_GLSL
#define QUAD_WORDS_GLSL
// Stores of the quad forms: lavapipe stores word by word, with a check and a branch
// for each, so that two words of 64 bits cost half of four of 32.
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

// quad_words returns the bits of q.
u64vec2 quad_words(vec4 q) {
    uvec4 b = floatBitsToUint(q);
    return u64vec2(packUint2x32(b.xy), packUint2x32(b.zw));
}
#endif
