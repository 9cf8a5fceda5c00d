#version 450
// Identifier 0 is missing, 1 has two defaults.
layout(local_size_x = 32, local_size_x_id = 1) in;
layout(constant_id = 1) const uint GROUP = 64;
layout(binding = 0) writeonly buffer Y { float y[]; };
void main() { y[0] = GROUP; }
