#ifndef REDUCE_GLSL
#define REDUCE_GLSL
// Sums over a workgroup of LANES invocations in one fixed order: eight partial
// sums of every eighth lane, then these eight in turn. It has two barriers where
// a binary tree has seven, which is what software drivers pay for.
const uint LANES = 128;

shared vec2 reduce_lane[LANES];
shared vec2 reduce_part[8];

// group_sum returns the sum of v over the workgroup, to every invocation. All
// invocations must call it. Calls may follow each other without a barrier: the
// barriers inside keep a later call from overwriting what an earlier one reads.
vec2 group_sum(vec2 v) {
    uint lane = gl_LocalInvocationIndex;
    reduce_lane[lane] = v;
    barrier();
    if (lane < 8) {
        vec2 s = reduce_lane[lane];
        for (uint i = lane + 8; i < LANES; i += 8)
            s += reduce_lane[i];
        reduce_part[lane] = s;
    }
    barrier();
    vec2 s = reduce_part[0];
    for (uint i = 1; i < 8; i++)
        s += reduce_part[i];
    return s;
}

// group_sum returns the sum of v over the workgroup, in the same order.
float group_sum(float v) { return group_sum(vec2(v, 0.0)).x; }
#endif
