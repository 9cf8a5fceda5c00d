#version 450
// A storage texel buffer, which no kernel may use.
layout(local_size_x = 1) in;
layout(binding = 0, rgba32f) uniform writeonly imageBuffer y;
void main() { imageStore(y, 0, vec4(0)); }
