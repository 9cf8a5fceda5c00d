#ifndef QUAD_FOLD_GLSL
#define QUAD_FOLD_GLSL
// What the quad gathers do with the gradient of one reader. The includer declares
// p, links, x, stats, before and partial; OUTS channels of ROWS quads, whose place in
// a plane is map_quad(r), of which own(r) says whether it exists; and reader_quad(j, r),
// what the reader hands to them.
int map_quad(uint r);
bool own(uint r);
vec4 reader_quad(uint j, uint r);

const uint SUMS = (2 * OUTS + LANES - 1) / LANES * LANES;

const uint LINK_FETCHES = (2 * OUTS + LANES - 1) / LANES; // of a reader's links, two texels per channel

vec4 xhat[OUTS][ROWS];  // the map, normalised
vec4 total[OUTS][ROWS]; // G
float s[SUMS];          // dbeta and dgamma of each channel, of this lane
float gamma[OUTS], beta[OUTS]; // of the reader

// channel returns which channel output j makes; the last ones may repeat.
uint channel(uint j) { return TAIL != 0 ? min(j, p.k - 1) : j; }

// place returns quad r of channel j in a view.
uint place(View v, uint j, uint r) { return px(v, j, 0) / 4 + map_quad(r); }

// normalise loads the map and what there is of the total: readers are added one
// after the other, however many dispatches they take.
void normalise() {
    [[unroll]] for (uint j = 0; j < OUTS; j++) {
        vec4 st = texelFetch(stats, int(p.stats + channel(j))); // mean, variance, istd
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            xhat[j][r] = quad_xhat(texelFetch(x, int(place(p.x, channel(j), r))), st.x, st.z);
            total[j][r] = vec4(0.0);
            if (p.acc != 0)
                total[j][r] = texelFetch(before, int(place(p.g, channel(j), r)));
        }
    }
}

// store writes quad r of channel j.
void store(uint j, uint r) {
    if (TAIL == 0 || (own(r) && j < p.k))
        quad_store(p.g_at, place(p.g, channel(j), r), total[j][r]);
}

// One lane's texel of links goes to all lanes: texel n belongs to channel n/2.
#define LINK(lane)                                                   \
    {                                                                \
        const uint n = LANES * f + lane;                             \
        if (lane < LANES && n < 2 * OUTS) {                          \
            if (n % 2 == 0)                                          \
                gamma[n / 2] = subgroupBroadcast(t.w, lane);         \
            else                                                     \
                beta[n / 2] = subgroupBroadcast(t.x, lane);          \
        }                                                            \
    }

// load_links fills gamma and beta; link is the reader's first link for this map.
void load_links(int link, uint lane) {
    [[unroll]] for (uint f = 0; f < LINK_FETCHES; f++) {
        uint i = LANES * f + lane;
        vec4 t = texelFetch(links, link + int(2 * channel(min(i / 2, OUTS - 1)) + i % 2));
        LINK(0) LINK(1) LINK(2) LINK(3) LINK(4) LINK(5) LINK(6) LINK(7)
        LINK(8) LINK(9) LINK(10) LINK(11) LINK(12) LINK(13) LINK(14) LINK(15)
    }
}

// fold masks the reader's gradient, adds gamma times it to the total, and leaves
// the sums of this workgroup. link is the reader's first link for this map, pairs
// its first pair of partial sums.
void fold(int link, uint pairs, uint lane) {
    [[unroll]] for (uint i = 2 * OUTS; i < SUMS; i++)
        s[i] = 0.0;
    load_links(link, lane);
    [[unroll]] for (uint j = 0; j < OUTS; j++) {
        s[2 * j] = 0.0;
        s[2 * j + 1] = 0.0;
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            vec4 d = reader_quad(j, r);
            d = mix(vec4(0.0), d, greaterThan(quad_apply(xhat[j][r], gamma[j], beta[j]), vec4(0.0)));
            if (TAIL != 0)
                d = own(r) ? d : vec4(0.0);
            total[j][r] += gamma[j] * d;
            s[2 * j] += dot(d, vec4(1.0));
            s[2 * j + 1] += dot(d, xhat[j][r]);
        }
    }
    [[unroll]] for (uint f = 0; f < SUMS; f += LANES) {
        [[unroll]] for (uint i = 0; i < LANES; i++)
            u[i] = s[f + i];
        float sum = lane_sums();
        uint j = (f + lane) / 2, pair = pairs + j * gl_NumWorkGroups.x + gl_WorkGroupID.x;
        if (j < (TAIL != 0 ? p.k : OUTS))
            partial[2 * pair + lane % 2] = sum; // in this loop a scatter makes all of it a sixth slower on lavapipe
    }
}
#endif
