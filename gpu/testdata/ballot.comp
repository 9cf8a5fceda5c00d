#version 450
#extension GL_KHR_shader_subgroup_ballot : require
// ballot: y[i] = x of the subgroup's first lane.
layout(local_size_x = 64) in;
layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };
void main() { y[gl_GlobalInvocationID.x] = subgroupBroadcastFirst(x[gl_GlobalInvocationID.x]); }
