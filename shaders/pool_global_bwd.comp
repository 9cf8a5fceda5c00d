#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// pool_global_bwd: gradient of pool_global_fwd.
//
//     dx[i·area + j] = dy[i] / area        0 <= i < images, 0 <= j < area
//
// added to dx if ACC. Invocations take every stride-th image and element; no two
// write the same dx. CPU reference: ops/ref.GlobalAvgPoolBackward. Host: ops.GlobalAvgPool.

layout(local_size_x = 8, local_size_y = 16) in;
layout(constant_id = 0) const uint ACC = 0;

layout(push_constant) uniform Push {
    uint images; // planes·N
    uint area;   // H·W
    View dy;
    View dx;
} p;

layout(binding = 0) readonly buffer DY { MAP dy[]; };
layout(binding = 1) buffer DX { MAP dx[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.y;
    for (uint i = gl_WorkGroupID.x * gl_WorkGroupSize.y + gl_LocalInvocationID.y; i < p.images; i += stride) {
        float g = map_load(dy[at(p.dy, i)]) / float(p.area);
        for (uint j = gl_LocalInvocationID.x; j < p.area; j += gl_WorkGroupSize.x) {
            uint dst = at(p.dx, i * p.area + j);
            dx[dst] = map_store(ACC != 0 ? map_load(dx[dst]) + g : g);
        }
    }
}
