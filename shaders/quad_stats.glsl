#ifndef QUAD_STATS_GLSL
#define QUAD_STATS_GLSL
// The statistics that the quad forms of the forward kernels leave of what they
// make: MADE[j], OWN quads of output j. The includer declares MADE, OWN and p.

// A lane adds up its pixels of all outputs, then the sums of LANES outputs are added
// over the lanes at once: lane i holds that of output first + i.
#define OVER_LANES(first, term)                                          \
    [[unroll]] for (uint i = 0; i < LANES; i++) {                        \
        u[i] = 0.0;                                                      \
        if (first + i < OUTS)                                            \
            [[unroll]] for (uint q = 0; q < OWN; q++)                    \
                u[i] += term(MADE[min(first + i, OUTS - 1)][q]);         \
    }

#define SUM(v) dot(v, vec4(1.0))
#define SQUARES(v) dot((v) - mean[i], (v) - mean[i])
#define MEAN(lane) if (lane < LANES) mean[lane < LANES ? lane : 0] = subgroupBroadcast(mine, lane);

// measure writes (mean, M2) of the workgroup's pixels of each output.
void measure() {
    float mean[LANES];
    [[unroll]] for (uint first = 0; first < OUTS; first += LANES) {
        OVER_LANES(first, SUM)
        float mine = lane_sums() / float(4 * LANES * OWN);
        MEAN(0) MEAN(1) MEAN(2) MEAN(3) MEAN(4) MEAN(5) MEAN(6) MEAN(7)
        MEAN(8) MEAN(9) MEAN(10) MEAN(11) MEAN(12) MEAN(13) MEAN(14) MEAN(15)
        OVER_LANES(first, SQUARES)
        float m2 = lane_sums();
        uint j = first + gl_SubgroupInvocationID;
        if (j < (TAIL != 0 ? p.k : OUTS))
            pair_store(p.tiles_at, p.tiles + j * gl_NumWorkGroups.x + gl_WorkGroupID.x, vec2(mine, m2));
    }
}
#endif
