#version 450
// spin: a chain of k dependent multiply-adds in y[i], to take time.
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint k; } p;
layout(binding = 0) buffer Y { float y[]; };
void main() {
    float v = y[gl_GlobalInvocationID.x];
    for (uint i = 0; i < p.k; i++) v = v * 0.999 + 1e-3;
    y[gl_GlobalInvocationID.x] = v;
}
