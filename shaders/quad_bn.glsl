#ifndef QUAD_BN_GLSL
#define QUAD_BN_GLSL
#include "quad_words.glsl"
// quad_xhat and quad_apply are bn_xhat and bn_apply of bn.glsl for four pixels,
// with the same roundings, so that all kernels agree about the mask.
vec4 quad_xhat(vec4 x, float mean, float istd) {
    precise vec4 h = (x - mean) * istd;
    return h;
}

vec4 quad_apply(vec4 xhat, float gamma, float beta) {
    precise vec4 z = fma(xhat, vec4(gamma), vec4(beta));
    return z;
}
#endif
