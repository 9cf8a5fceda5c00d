#ifndef TILE_FOLD_GLSL
#define TILE_FOLD_GLSL
// What tile_gather.glsl makes of the gradient that a reader hands back.

// fold masks acc, adds gamma·acc to the sums, and leaves the sums over the
// workgroup of the masked gradient and of its product with xhat.
void fold(uint at, uint c0, uint group, uint groups) {
    barrier();
    [[unroll]] for (uint o = 0; o < TK; o++) {
        uint c = min(c0 + channel(o), p.c - 1), first = 2 * (table[at + LINK] + c);
        Link l = link_unpack(links[first], links[first + 1]);
        vec2 s = vec2(0.0);
        [[unroll]] for (uint j = 0; j < TP; j++)
            [[unroll]] for (uint f = 0; f < FACE; f++) {
                bool in_ = exists(unit, j, p.n);
                float xhat = link_xhat(l, map_load(x[px(p.x, c, in_ ? map_pixel(pixel(unit, j), f) : 0)]));
                float d = in_ && link_pre(l, xhat) > 0.0 ? SHARE * acc[o * TP + j] : 0.0;
                s += in_ ? vec2(d, d * xhat) : vec2(0.0);
                sums[(o * TP + j) * FACE + f] += l.gamma * d;
            }
        uint i = 2 * (channel(o) * (GU + 1) + unit);
        SCRATCH[i] = s.x;
        SCRATCH[i + 1] = s.y;
    }
    barrier();
    for (uint o = lane; o < BK; o += LANES) {
        vec2 s = vec2(0.0);
        for (uint u = 0; u < GU; u++)
            s += vec2(SCRATCH[2 * (o * (GU + 1) + u)], SCRATCH[2 * (o * (GU + 1) + u) + 1]);
        if (c0 + o < p.c)
            partial[table[at + PARTIAL] + (c0 + o) * groups + group] = s;
    }
}

// swap reads (before any reader) or writes this invocation's part of g.
void swap(uint c0, bool read) {
    [[unroll]] for (uint o = 0; o < TK; o++)
        [[unroll]] for (uint j = 0; j < TP; j++)
            [[unroll]] for (uint f = 0; f < FACE; f++) {
                uint c = c0 + channel(o), i = (o * TP + j) * FACE + f;
                bool in_ = c < p.c && exists(unit, j, p.n);
                uint at = px(p.g, in_ ? c : 0, in_ ? map_pixel(pixel(unit, j), f) : 0);
                if (read)
                    sums[i] = in_ ? g[at] : 0.0;
                else if (in_)
                    g[at] = sums[i];
            }
}
#endif
