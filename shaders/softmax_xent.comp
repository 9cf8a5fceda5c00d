#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "math.glsl"
#include "state.glsl"

// softmax_xent: cross-entropy of the softmax of each image's logits, and its
// gradient.
//
//     loss[n]  = Σ_k target[k]·(ln Σ_j e^x[j][n] - x[k][n])        0 <= n < images, 0 <= k < classes
//     dx[k][n] = scale/valid·(softmax(x[:][n])[k] - target[k])
//     target[k] = (1 - smoothing)·[k = label[n]] + smoothing/classes
//     rank[n]  = number of other classes that the label does not beat; of equal logits the lower class wins
//
// scale (loss scale) and valid come from State. Images from valid on give loss
// 0, gradient 0 and rank classes. A logit that is not finite, or a label that is
// no class, gives loss NaN. An invocation takes every stride-th image and its
// classes in index order. CPU reference: ops/ref.SoftmaxCrossEntropy. Host: ops.SoftmaxLoss.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint classes;
    uint images;
    float smoothing;
    View x;
    View labels;
    View state;
    View dx;
    View loss; // a word per image
    View rank; // a word per image
} p;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer Labels { uint labels[]; };
layout(binding = 2) readonly buffer State { uint state[]; };
layout(binding = 3) writeonly buffer DX { float dx[]; };
layout(binding = 4) writeonly buffer Loss { float loss[]; };
layout(binding = 5) writeonly buffer Rank { uint rank[]; };

// skip writes what an image beyond the valid ones leaves.
void skip(uint n) {
    for (uint k = 0; k < p.classes; k++)
        dx[px(p.dx, k, n)] = 0.0;
    loss[at(p.loss, n)] = 0.0;
    rank[at(p.rank, n)] = p.classes;
}

void image(uint n, float factor) {
    uint label = labels[at(p.labels, n)];
    bool bad = label >= p.classes;
    label = min(label, p.classes - 1);
    float mine = x[px(p.x, label, n)], top = mine;
    uint ahead = 0;
    for (uint k = 0; k < p.classes; k++) {
        float v = x[px(p.x, k, n)];
        bad = bad || nonfinite(v);
        top = max(top, v);
        if (!(mine > v || (mine == v && label <= k)))
            ahead++;
    }
    float sum = 0.0, below = 0.0;
    for (uint k = 0; k < p.classes; k++) {
        float d = x[px(p.x, k, n)] - top;
        sum += exp_neg(d);
        below += d;
    }
    float uniform_part = p.smoothing / float(p.classes), lse = log_pos(sum);
    // Logits count from top, so that large ones do not cancel.
    float l = lse - (1.0 - p.smoothing) * (mine - top) - uniform_part * below;
    loss[at(p.loss, n)] = bad ? uintBitsToFloat(0x7fc00000u) : l;
    rank[at(p.rank, n)] = ahead;
    for (uint k = 0; k < p.classes; k++) {
        float target = (k == label ? 1.0 - p.smoothing : 0.0) + uniform_part;
        dx[px(p.dx, k, n)] = factor * (exp_neg(x[px(p.x, k, n)] - top) / sum - target);
    }
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    uint valid = min(state[at(p.state, STATE_VALID)], p.images);
    float factor = uintBitsToFloat(state[at(p.state, STATE_LOSS_SCALE)]) / float(max(valid, 1u));
    for (uint n = gl_GlobalInvocationID.x; n < p.images; n += stride) {
        if (n < valid)
            image(n, factor);
        else
            skip(n);
    }
}
