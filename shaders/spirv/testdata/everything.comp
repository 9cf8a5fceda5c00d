#version 450
#extension GL_KHR_shader_subgroup_basic : require
// Every kind of thing that Reflect reads.
layout(local_size_x = 64, local_size_y = 2, local_size_x_id = 1) in;
layout(constant_id = 0) const bool FLAG = true;
layout(constant_id = 1) const uint GROUP = 64;
layout(constant_id = 2) const float SCALE = 2.5;
layout(constant_id = 3) const int SHIFT = -3;
struct View { uint base; uint plane; };
struct Pair { View a; float f; };
layout(push_constant) uniform Push {
    uint n;
    int kernel_size;
    Pair dy;
    View x_base;
} p;
layout(binding = 0) uniform samplerBuffer w;
layout(binding = 1) readonly buffer State { float rate; uint step; } state;
layout(binding = 2) writeonly buffer Y { float y[]; };
layout(binding = 3) buffer DX { float dx[]; };
shared vec3 tile[gl_WorkGroupSize.x * 2 + 1];
shared float rest[FLAG ? 5 : 7][(GROUP >> 4) - 1];
void main() {
    tile[gl_LocalInvocationIndex] = vec3(gl_SubgroupID);
    rest[1][1] = SCALE;
    barrier();
    dx[p.n] += texelFetch(w, SHIFT + int(state.step)).x * tile[p.dy.a.base].x;
    y[p.x_base.plane] = rest[p.kernel_size][1] + p.dy.f;
}
