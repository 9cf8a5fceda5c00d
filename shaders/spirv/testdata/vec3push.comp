#version 450
// GLSL puts v at byte 16, Go would put it at 4.
layout(local_size_x = 1) in;
layout(push_constant) uniform Push { uint n; vec3 v; } p;
layout(binding = 0) writeonly buffer Y { float y[]; };
void main() { y[p.n] = p.v.x; }
