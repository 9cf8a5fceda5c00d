#ifndef LANES_GLSL
#define LANES_GLSL
// Subgroups of the quad forms, 8 or 16 lanes: a workgroup is one subgroup, and the
// kernels know its size when they are compiled.
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 8, local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 8; // of a subgroup: 8 or 16

// permuted returns b[i] to lane i. lavapipe shuffles 8 lanes in one instruction and
// 16 one by one; of broadcasts and selections by the lane's number, which its
// compiler knows, that makes a few permutations.
float permuted(float b[16]) {
    uint lane = gl_SubgroupInvocationID;
    float c[8], d[4], e[2];
    [[unroll]] for (uint i = 0; i < 8; i++)
        c[i] = mix(b[2 * i], b[2 * i + 1], (lane & 1) != 0);
    [[unroll]] for (uint i = 0; i < 4; i++)
        d[i] = mix(c[2 * i], c[2 * i + 1], (lane & 2) != 0);
    [[unroll]] for (uint i = 0; i < 2; i++)
        e[i] = mix(d[2 * i], d[2 * i + 1], (lane & 4) != 0);
    return mix(e[0], e[1], (lane & 8) != 0);
}

// HELD sets b to v of lane at + n, at a multiple of 4 that the compiler knows: several
// vectors lie side by side across the lanes. Hence the four constants.
#define HELD_LANE(v, n) subgroupBroadcast(v, (n) % 16)
#define HELD(b, v, at, n)                          \
    if (at == 0) b = HELD_LANE(v, n);              \
    else if (at == 4) b = HELD_LANE(v, n + 4);     \
    else if (at == 8) b = HELD_LANE(v, n + 8);     \
    else b = HELD_LANE(v, n + 12);

// all16 returns v of all lanes. The lane of a broadcast must be a constant.
#define BROADCAST4(v, i) subgroupBroadcast(v, i), subgroupBroadcast(v, i + 1), subgroupBroadcast(v, i + 2), subgroupBroadcast(v, i + 3)
float[16] all16(float v) { return float[16](BROADCAST4(v, 0u), BROADCAST4(v, 4u), BROADCAST4(v, 8u), BROADCAST4(v, 12u)); }

// from_lane returns v of lane i + step, counted round.
float from_lane(float v, uint step) {
    if (LANES == 8)
        return subgroupShuffle(v, (gl_SubgroupInvocationID + step) % LANES);
    float all[16] = all16(v), b[16];
    [[unroll]] for (uint i = 0; i < 16; i++)
        b[i] = all[(i + step) % 16];
    return permuted(b);
}

// from_xor returns v of lane i ^ bit.
float from_xor(float v, uint bit) {
    if (LANES == 8)
        return subgroupShuffleXor(v, bit);
    float all[16] = all16(v), b[16];
    [[unroll]] for (uint i = 0; i < 16; i++)
        b[i] = all[i ^ bit];
    return permuted(b);
}

float u[LANES]; // what lane_sums adds

// One step of lane_sums: of two sums a lane keeps one and takes the other lane's
// half of it. The bit is a constant: loops over powers of two stay loops in
// lavapipe, and what they index goes through memory lane by lane.
#define HALVE(bit)                                                          \
    if (bit < LANES) {                                                      \
        bool high = (gl_SubgroupInvocationID & bit) != 0;                   \
        [[unroll]] for (uint i = 0; i < LANES / 2 / bit; i++) {             \
            float give = mix(u[2 * i + 1], u[2 * i], high);                 \
            u[i] = mix(u[2 * i], u[2 * i + 1], high) + from_xor(give, bit); \
        }                                                                   \
    }

// lane_sums adds every u[i] over the lanes: lane i returns that of u[i].
float lane_sums() {
    HALVE(1) HALVE(2) HALVE(4) HALVE(8)
    return u[0];
}

// lanes_total returns the sum of v over all lanes, to each the same. No loop over
// the bit: lavapipe does not unroll those.
float lanes_total(float v) {
    v += from_xor(v, 1);
    v += from_xor(v, 2);
    v += from_xor(v, 4);
    return LANES == 8 ? v : v + from_xor(v, LANES / 2);
}
#endif
