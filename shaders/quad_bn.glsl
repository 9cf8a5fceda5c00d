#ifndef QUAD_BN_GLSL
#define QUAD_BN_GLSL
#include "lanes.glsl"
#include "quad_store.glsl"
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

// quad_relu returns max(z, 0), and z itself where act is 0. lavapipe's max of 8 lanes
// is one instruction and makes 0 of a NaN (minus infinity where act is 0); that of 16
// is four, and a comparison and a selection are two, which leave a NaN alone.
vec4 quad_relu(vec4 z, uint act) {
    vec4 lowest = vec4(act != 0 ? 0.0 : uintBitsToFloat(0xff800000u)); // minus infinity
    return LANES == 8 ? max(z, lowest) : mix(z, lowest, lessThan(z, lowest));
}
#endif
