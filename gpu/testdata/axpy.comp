#version 450
// axpy: y[i] += a * x[i] + BIAS, i < n. For the tests of package gpu.
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL = 64;
layout(constant_id = 1) const float BIAS = 0.0;
layout(push_constant) uniform Push {
    uint n;
    float a;
} p;
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) buffer Y { float y[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < p.n) y[i] += p.a * x[i] + BIAS;
}
