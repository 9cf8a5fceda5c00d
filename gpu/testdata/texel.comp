#version 450
// texel: y[i] = sum of the components of texel i of x, i < n.
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint n; } p;
layout(binding = 0) uniform samplerBuffer x;
layout(binding = 1) writeonly buffer Y { float y[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < p.n) {
        vec4 v = texelFetch(x, int(i));
        y[i] = v.x + v.y + v.z + v.w;
    }
}
