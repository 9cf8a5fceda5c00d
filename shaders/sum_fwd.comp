#version 450
#extension GL_GOOGLE_include_directive : require
#include "map.glsl"
#include "view.glsl"

// sum_fwd: the sum of maps, each read where it lies.
//
//     y[i] = Σ_t x[first_t + i]        0 <= i < n, 0 <= t < terms
//
// in the order of the table, which has the first element of each term. An
// invocation takes every stride-th element, so any group count works.
// CPU reference: ops/ref.Sum. Host: ops.Sum.

layout(local_size_x = 128) in;

layout(push_constant) uniform Push {
    uint n;     // elements
    uint terms; // entries of the table
    uint table; // first word of the first entry
    View y;
} p;

layout(binding = 0) readonly buffer X { MAP x[]; };
layout(binding = 1) readonly buffer Table { uint table[]; };
layout(binding = 2) writeonly buffer Y { MAP y[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.n; i += stride) {
        float sum = map_load(x[table[p.table] + i]);
        for (uint t = 1; t < p.terms; t++)
            sum += map_load(x[table[p.table + t] + i]);
        y[at(p.y, i)] = map_store(sum);
    }
}
