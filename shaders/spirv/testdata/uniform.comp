#version 450
// A uniform buffer, which no kernel may use.
layout(local_size_x = 1) in;
layout(binding = 0) uniform U { float u; };
layout(binding = 1) writeonly buffer Y { float y[]; };
void main() { y[0] = u; }
