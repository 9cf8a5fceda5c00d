#ifndef QUAD_BN_GLSL
#define QUAD_BN_GLSL
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

// quad_relu returns max(z, 0), and z itself where act is 0. A NaN stays one. This
// selection is one instruction for lavapipe's compiler; its max of 16 lanes is four.
vec4 quad_relu(vec4 z, uint act) {
    vec4 lowest = vec4(act != 0 ? 0.0 : uintBitsToFloat(0xff800000u)); // minus infinity
    return mix(z, lowest, lessThan(z, lowest));
}
#endif
