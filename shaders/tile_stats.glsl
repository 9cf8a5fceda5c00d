#ifndef TILE_STATS_GLSL
#define TILE_STATS_GLSL
// The statistics that tile_fwd.glsl leaves.

// measure leaves mean and sum of squared deviations of every channel's pixels of
// this workgroup: of each unit, then merged by Chan's rule in the order of the
// units.
void measure(uint k0, uint group, uint groups) {
    uint some = max(count(unit, p.n), 1);
    barrier();
    [[unroll]] for (uint o = 0; o < TK; o++) {
        float sum = 0.0, m2 = 0.0;
        [[unroll]] for (uint j = 0; j < TP; j++)
            sum += exists(unit, j, p.n) ? acc[o * TP + j] : 0.0;
        float mean = sum / float(some);
        [[unroll]] for (uint j = 0; j < TP; j++) {
            float d = exists(unit, j, p.n) ? acc[o * TP + j] - mean : 0.0;
            m2 = fma(d, d, m2);
        }
        uint at = 2 * (channel(o) * (GU + 1) + unit);
        SCRATCH[at] = mean;
        SCRATCH[at + 1] = m2;
    }
    barrier();
    for (uint o = lane; o < BK; o += LANES) {
        float mean = 0.0, m2 = 0.0, n = 0.0; // of n pixels so far
        for (uint u = 0; u < GU; u++) {
            uint at = 2 * (o * (GU + 1) + u);
            float more = float(count(u, p.n)), share = more / max(n + more, 1.0), d = SCRATCH[at] - mean;
            mean += d * share;
            m2 += SCRATCH[at + 1] + d * d * n * share;
            n += more;
        }
        if (k0 + o < p.k)
            tiles[p.tiles + (k0 + o) * groups + group] = vec2(mean, m2);
    }
}
#endif
