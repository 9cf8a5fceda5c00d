#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "state.glsl"

// sgd: stochastic gradient descent with momentum, as PyTorch's.
//
//     g = dw[i]·factor + decay·w[i]    v[i] = mu·v[i] + g        0 <= i < n
//     w[i] -= rate·(g + mu·v[i])       or rate·v[i] without NESTEROV
//
// decay is 0 without DECAY. rate, mu, decay, loss scale and the limit of the norm
// come from State; factor is gradient_factor. Nothing changes if results say that
// the gradient is not finite. An invocation takes every stride-th element; no two
// touch the same one.
// Source: Sutskever et al., ICML 2013, in the form of torch.optim.SGD.
// CPU reference: ops/ref.SGD.Step. Host: ops.SGD.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint NESTEROV = 1;
layout(constant_id = 1) const uint DECAY = 1;

layout(push_constant) uniform Push {
    uint n; // elements
    View dw;
    View state;
    View results; // two words of norm_merge
    View v;
    View w;
} p;

layout(binding = 0) readonly buffer DW { float dw[]; };
layout(binding = 1) readonly buffer State { uint state[]; };
layout(binding = 2) readonly buffer Results { uint results[]; };
layout(binding = 3) buffer V { float v[]; };
layout(binding = 4) buffer W { float w[]; };

#include "update.glsl"

void main() {
    if (refused())
        return;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    float rate = uintBitsToFloat(state[at(p.state, STATE_RATE)]);
    float mu = uintBitsToFloat(state[at(p.state, STATE_MOMENTUM)]);
    float decay = DECAY != 0 ? uintBitsToFloat(state[at(p.state, STATE_DECAY)]) : 0.0;
    float factor = gradient_factor();
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        float old = w[at(p.w, i)];
        float g = dw[at(p.dw, i)] * factor + decay * old;
        float m = mu * v[at(p.v, i)] + g;
        v[at(p.v, i)] = m;
        w[at(p.w, i)] = old - rate * (NESTEROV != 0 ? g + mu * m : m);
    }
}
