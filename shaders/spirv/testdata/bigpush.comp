#version 450
// 132 bytes of push constants.
layout(local_size_x = 1) in;
struct Four { uint a, b, c, d; };
layout(push_constant) uniform Push { Four a, b, c, d, e, f, g, h; uint n; } p;
layout(binding = 0) writeonly buffer Y { float y[]; };
void main() { y[p.n] = 0; }
