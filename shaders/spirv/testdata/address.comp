#version 450
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
struct BufferAddress { uint low, high; };
struct Other { uint low, high; };
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint n; BufferAddress dx_at; Other o; BufferAddress dy_at; } p;
layout(binding = 0) readonly buffer X { float x[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Floats { float f[]; };
void main() {
    Floats(uvec2(p.dx_at.low, p.dx_at.high)).f[p.o.low] = x[p.n];
    Floats(uvec2(p.dy_at.low, p.dy_at.high)).f[0] = 1.0;
}
