#version 450
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
// y[i] = x[i] + 1 for i < n, where y is an address among the push constants.
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint n, low, high; } p;
layout(binding = 0) readonly buffer X { float x[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Floats { float f[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < p.n)
        Floats(uvec2(p.low, p.high)).f[i] = x[i] + 1.0;
}
