#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"
#include "bn.glsl"

// bn_bwd_data: gradient of batch norm with respect to its input.
//
//     dx[c,i] = gamma[c]·istd[c]·(g - dbeta[c]/m - xhat·dgamma[c]/m)        0 <= c < planes, 0 <= i < m
//     xhat = (x - mean)·istd     g = dy, or dy·[gamma·xhat + beta > 0] if RELU
//
// added to dx if ACC. The mask is recomputed from x through bn.glsl, bit for bit
// that of the forward. dy and dx may be the same elements, x and dx too. Groups
// are as in bn_fwd. CPU reference: ops/ref.BatchNormBackward. Host: ops.BatchNorm.

layout(local_size_x = 128) in;
layout(constant_id = 0) const uint RELU = 0;
layout(constant_id = 1) const uint ACC = 0;

layout(push_constant) uniform Push {
    uint planes;
    uint m; // elements per plane
    View x;
    View dy;
    View stats; // StatWords words per plane: mean, variance, istd, count
    View gamma;
    View beta;
    View dgamma;
    View dbeta;
    View dx;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer DY { MAP dy[]; };
layout(binding = 2) readonly buffer Stats { float stats[]; };
layout(binding = 3) readonly buffer Gamma { float gamma[]; };
layout(binding = 4) readonly buffer Beta { float beta[]; };
layout(binding = 5) readonly buffer DGamma { float dgamma[]; };
layout(binding = 6) readonly buffer DBeta { float dbeta[]; };
layout(binding = 7) buffer DX { MAP dx[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint c = gl_WorkGroupID.y; c < p.planes; c += gl_NumWorkGroups.y) {
        uint s = px(p.stats, c, 0);
        float mean = stats[s], istd = stats[s + 2];
        float scale = gamma[at(p.gamma, c)], shift = beta[at(p.beta, c)];
        float m1 = dbeta[at(p.dbeta, c)] / float(p.m), m2 = dgamma[at(p.dgamma, c)] / float(p.m);
        uint src = px(p.x, c, 0), grad = px(p.dy, c, 0), dst = px(p.dx, c, 0);
        for (uint i = gl_GlobalInvocationID.x; i < p.m; i += stride) {
            float xhat = bn_xhat(map_load(x[src + i]), mean, istd), g = map_load(dy[grad + i]);
            if (RELU != 0)
                g = bn_apply(xhat, scale, shift) > 0.0 ? g : 0.0;
            float d = scale * istd * (g - m1 - xhat * m2);
            dx[dst + i] = map_store(ACC != 0 ? map_load(dx[dst + i]) + d : d);
        }
    }
}
