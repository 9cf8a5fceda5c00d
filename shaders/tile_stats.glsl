#ifndef TILE_STATS_GLSL
#define TILE_STATS_GLSL
// The statistics that tile_fwd.glsl leaves.

// measure leaves mean and sum of squared deviations of every channel's pixels of
// this workgroup: of each unit, then merged by Chan's rule in the order of the
// units.
void measure(uint k0, uint group, uint groups) {
    uint first = pixel(unit, 0), count = min(TP, p.n * H * W - min(first, p.n * H * W));
    barrier();
    [[unroll]] for (uint o = 0; o < TK; o++) {
        float sum = 0.0, m2 = 0.0;
        [[unroll]] for (uint j = 0; j < TP; j++)
            sum += j < count ? acc[o * TP + j] : 0.0;
        float mean = sum / float(max(count, 1));
        [[unroll]] for (uint j = 0; j < TP; j++) {
            float d = j < count ? acc[o * TP + j] - mean : 0.0;
            m2 = fma(d, d, m2);
        }
        uint at = 2 * ((kg * TK + o) * (GU + 1) + unit);
        patch_[at] = mean;
        patch_[at + 1] = m2;
    }
    barrier();
    uint all = min(GU * TP, p.n * H * W - first_unit * TP);
    for (uint o = lane; o < BK; o += LANES) {
        float mean = 0.0, m2 = 0.0;
        for (uint n = 0; n < all; n += TP) { // pixels so far
            uint at = 2 * (o * (GU + 1) + n / TP);
            float more = float(min(TP, all - n)), share = more / (float(n) + more), d = patch_[at] - mean;
            mean += d * share;
            m2 += patch_[at + 1] + d * d * float(n) * share;
        }
        if (k0 + o < p.k)
            tiles[p.tiles + (k0 + o) * groups + group] = vec2(mean, m2);
    }
}
#endif
