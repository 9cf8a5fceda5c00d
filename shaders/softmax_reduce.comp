#version 450
#extension GL_GOOGLE_include_directive : require
#include "view.glsl"
#include "math.glsl"
#include "reduce.glsl"
#include "state.glsl"

// softmax_reduce: the figures of a batch from those of its images.
//
//     results = (Σ loss/valid, Σ [rank = 0], flag, Σ loss, Σ [rank < 5])        sums over 0 <= n < images
//
// loss as float, counts as uint; flag is 1 if any loss is not finite. One
// workgroup; the order of the sums depends on images alone.
// CPU reference: ops/ref.SoftmaxCrossEntropy. Host: ops.SoftmaxLoss.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint classes;
    uint images;
    View loss;
    View rank;
    View state;
    View results;
} p;

layout(binding = 0) readonly buffer Loss { float loss[]; };
layout(binding = 1) readonly buffer Rank { uint rank[]; };
layout(binding = 2) readonly buffer State { uint state[]; };
layout(binding = 3) writeonly buffer Results { uint results[]; };

void main() {
    float sum = 0.0;
    float bad = 0.0;
    vec2 hits = vec2(0.0); // counts below 2^24 are exact in float32
    for (uint n = gl_LocalInvocationIndex; n < p.images; n += LANES) {
        float l = loss[at(p.loss, n)];
        sum += l;
        bad += nonfinite(l) ? 1.0 : 0.0;
        uint r = rank[at(p.rank, n)];
        if (r < p.classes)
            hits += vec2(r == 0 ? 1.0 : 0.0, r < 5 ? 1.0 : 0.0);
    }
    vec2 total = group_sum(vec2(sum, bad));
    hits = group_sum(hits);
    if (gl_LocalInvocationIndex == 0) {
        uint valid = min(state[at(p.state, STATE_VALID)], p.images);
        uint dst = at(p.results, 0);
        results[dst] = floatBitsToUint(total.x / float(max(valid, 1u)));
        results[dst + 1] = uint(hits.x);
        results[dst + 2] = total.y > 0.0 ? 1 : 0;
        results[dst + 3] = floatBitsToUint(total.x);
        results[dst + 4] = uint(hits.y);
    }
}
