#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "state.glsl"

// sgd: stochastic gradient descent with momentum, as PyTorch's.
//
//     g = dw[i]/scale + decay·w[i]     v[i] = mu·v[i] + g        0 <= i < n
//     w[i] -= rate·(g + mu·v[i])       or rate·v[i] without NESTEROV
//
// rate, mu, decay and scale (loss scale) come from State. An invocation takes
// every stride-th element; no two touch the same one.
// Source: Sutskever et al., ICML 2013, in the form of torch.optim.SGD.
// CPU reference: ops/ref.SGD.Step. Host: ops.SGD.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint NESTEROV = 1;

layout(push_constant) uniform Push {
    uint n; // elements
    View dw;
    View state;
    View v;
    View w;
} p;

layout(binding = 0) readonly buffer DW { float dw[]; };
layout(binding = 1) readonly buffer State { uint state[]; };
layout(binding = 2) buffer V { float v[]; };
layout(binding = 3) buffer W { float w[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    float rate = uintBitsToFloat(state[at(p.state, STATE_RATE)]);
    float mu = uintBitsToFloat(state[at(p.state, STATE_MOMENTUM)]);
    float decay = uintBitsToFloat(state[at(p.state, STATE_DECAY)]);
    float unscale = 1.0 / uintBitsToFloat(state[at(p.state, STATE_LOSS_SCALE)]);
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        float old = w[at(p.w, i)];
        float g = dw[at(p.dw, i)] * unscale + decay * old;
        float m = mu * v[at(p.v, i)] + g;
        v[at(p.v, i)] = m;
        w[at(p.w, i)] = old - rate * (NESTEROV != 0 ? g + mu * m : m);
    }
}
