#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "state.glsl"

// adam: Adam, AdamW and AMSGrad, as PyTorch's.
//
//     g = dw[i]·factor + decay·w[i]                        0 <= i < n
//     m[i] = b1·m[i] + (1-b1)·g        v[i] = b2·v[i] + (1-b2)·g²
//     w[i] -= rate/c1 · m[i] / (√s/√c2 + eps)
//
// s is v[i], with AMSGRAD the largest v[i] so far, kept in top[i]. With DECOUPLED
// (AdamW) the decay is not in g: w[i] is first multiplied by 1 - rate·decay. decay
// is 0 without DECAY. The numbers come from State, c1 = 1-b1^t and c2 = 1-b2^t
// among them; factor is gradient_factor. Nothing changes if results say that the
// gradient is not finite. No two invocations touch the same element.
// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019,
// algorithm 2; Reddi et al., ICLR 2018, in the form of torch.optim.Adam.
// CPU reference: ops/ref.Adam.Step. Host: ops.Adam.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint DECAY = 1;
layout(constant_id = 1) const uint DECOUPLED = 0;
layout(constant_id = 2) const uint AMSGRAD = 0;

layout(push_constant) uniform Push {
    uint n; // elements
    View dw;
    View state;
    View results; // two words of norm_merge
    View m;
    View v;
    View top; // untouched without AMSGRAD
    View w;
} p;

layout(binding = 0) readonly buffer DW { float dw[]; };
layout(binding = 1) readonly buffer State { uint state[]; };
layout(binding = 2) readonly buffer Results { uint results[]; };
layout(binding = 3) buffer M { float m[]; };
layout(binding = 4) buffer V { float v[]; };
layout(binding = 5) buffer Top { float top[]; };
layout(binding = 6) buffer W { float w[]; };

#include "update.glsl"

float number(uint word) { return uintBitsToFloat(state[at(p.state, word)]); }

void main() {
    if (refused())
        return;
    float rate = number(STATE_RATE), b1 = number(STATE_MOMENTUM), b2 = number(STATE_BETA2);
    float decay = DECAY != 0 ? number(STATE_DECAY) : 0.0, eps = number(STATE_EPSILON), factor = gradient_factor();
    float step = rate / number(STATE_CORRECT1), root2 = sqrt(number(STATE_CORRECT2));
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        float old = w[at(p.w, i)], g = dw[at(p.dw, i)] * factor;
        if (DECOUPLED != 0)
            old *= 1.0 - rate * decay;
        else
            g += decay * old;
        float first = b1 * m[at(p.m, i)] + (1.0 - b1) * g;
        float second = b2 * v[at(p.v, i)] + (1.0 - b2) * g * g;
        m[at(p.m, i)] = first;
        v[at(p.v, i)] = second;
        if (AMSGRAD != 0)
            top[at(p.top, i)] = second = max(second, top[at(p.top, i)]);
        w[at(p.w, i)] = old - step * first / (sqrt(second) / root2 + eps);
    }
}
