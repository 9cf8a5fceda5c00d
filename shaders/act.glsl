#ifndef ACT_GLSL
#define ACT_GLSL
#include "bn.glsl"
// A Link is what a reader knows of one input channel. It lies in memory as
// two uvec4: (plane, mean, istd, gamma) and (beta, unused ...); see ops.LinkPlane.
struct Link {
    uint plane; // first element of the channel's plane, from the start of its binding
    float mean;
    float istd;
    float gamma;
    float beta;
};

Link link_unpack(uvec4 a, uvec4 b) {
    return Link(a.x, uintBitsToFloat(a.y), uintBitsToFloat(a.z), uintBitsToFloat(a.w), uintBitsToFloat(b.x));
}

// link_xhat returns the normalised value of x; link_pre the argument of the ReLU
// for a normalised value, whose sign is the mask. Forward, data and weight
// gradient all call these two, so that the mask is the same in each.
float link_xhat(Link l, float x) { return bn_xhat(x, l.mean, l.istd); }
float link_pre(Link l, float xhat) { return bn_apply(xhat, l.gamma, l.beta); }

// link_act returns what the reader convolves: relu(batch norm(x)).
float link_act(Link l, float x) { return max(link_pre(l, link_xhat(l, x)), 0.0); }
#endif
