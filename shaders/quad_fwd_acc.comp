#version 450
#extension GL_GOOGLE_include_directive : require

// quad_fwd_acc: quad_fwd, added to what y holds.
//
//     y[k,n,p,q] += Σ_{c,r,s} w[k,c,r,s] · z[c, n, p+r-1, q+s-1]
//
// For inputs that are larger than a bound range, and for data gradients that
// meet in one place. The statistics are those of the sum.
// CPU reference: ops/ref.Conv. Host: ops.Conv.

vec4 sum_with(uint i, vec4 v);
#include "quad_fwd.glsl"

layout(binding = 3) uniform samplerBuffer before; // y: a fetch is one call, a read of y eight branches

vec4 sum_with(uint i, vec4 v) { return texelFetch(before, int(i)) + v; }

void main() { run(); }
