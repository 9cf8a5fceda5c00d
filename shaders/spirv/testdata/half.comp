#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
// Binding 1 is a map: its elements have 16 bits with FP16 or BF16.
layout(local_size_x = 32) in;
layout(binding = 0) readonly buffer X { uint n; uint x[]; };
layout(binding = 1) writeonly buffer Y { uint n_y; MAP y[]; };
void main() { y[gl_GlobalInvocationID.x] = MAP(x[gl_GlobalInvocationID.x]); }
