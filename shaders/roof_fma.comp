#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"

// roof_fma: the device's multiply-add rate, a roof over every kernel's speed.
//
//     y[i] = Σ_k a[k],   a[k] = a[k]·m + c, 16·rounds times from a[k] = k + i mod 8        0 <= i < n, 0 <= k < 10
//
// An invocation has one i. Ten chains keep the arithmetic units busy and are as
// many as stay in the registers of a processor with sixteen; the sum keeps them
// alive.
// CPU reference: ops/ref.RoofFma. Host: ops.RoofFma.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n;      // elements
    uint rounds;
    float m;
    float c;
    View y;
} p;

layout(binding = 0) writeonly buffer Y { float y[]; };

#define STEP(a) a = a * m + c;
#define STEPS STEP(a0) STEP(a1) STEP(a2) STEP(a3) STEP(a4) STEP(a5) STEP(a6) STEP(a7) STEP(a8) STEP(a9)
#define FOUR STEPS STEPS STEPS STEPS

void main() {
    uint i = gl_GlobalInvocationID.x;
    float m = p.m, c = p.c, first = float(i % 8);
    float a0 = first, a1 = first + 1.0, a2 = first + 2.0, a3 = first + 3.0, a4 = first + 4.0;
    float a5 = first + 5.0, a6 = first + 6.0, a7 = first + 7.0, a8 = first + 8.0, a9 = first + 9.0;
    for (uint r = 0; r < p.rounds; r++) {
        FOUR FOUR FOUR FOUR
    }
    if (i < p.n)
        y[at(p.y, i)] = ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7)) + (a8 + a9);
}
