#ifndef MATRIX_FILL_GLSL
#define MATRIX_FILL_GLSL
// How matrix_wgrad.glsl fills shared memory.

// fill_grad puts dy at the positions of the step into shared memory.
void fill_grad(uint k0) {
    for (uint i = gl_LocalInvocationID.x; i < BP * BK; i += LANES) {
        uint k = i / BP, at = pixel_at(i % BP, p.n);
        bool in_ = k0 + k < p.k && at != ~0u;
        float d = map_load(dy[in_ ? px(p.dy, k0 + k, at) : p.dy.base]);
        grad[k * ROW + i % BP] = float16_t(in_ ? d : 0.0);
    }
}

// input_at returns z of channel c of the workgroup at pixel q.
float input_at(uint c, uint q) {
    Link l = link_unpack(near[2 * c], near[2 * c + 1]);
    uint at = l.plane + (POOL ? (q / (W * H) * p.h + 2 * (q / W % H)) * p.w + 2 * (q % W) : q);
    float v[4];
    [[unroll]] for (uint i = 0; i < (POOL ? 4 : 1); i++) {
        v[i] = map_load(x[at + i / 2 * p.w + i % 2]);
        v[i] = ACT ? link_act(l, v[i]) : v[i];
    }
    return POOL ? 0.25 * ((v[0] + v[1]) + (v[2] + v[3])) : v[0];
}

// fill_input puts z around the positions of the step into shared memory.
void fill_input(uint c0) {
    for (uint i = gl_LocalInvocationID.x; i < PATCH * (CB / 2); i += LANES) {
        uint e = i % PATCH, c = i / PATCH * 2, from = patch_place(e, p.n), q = from != ~0u ? from : 0;
        bvec2 in_ = bvec2(from != ~0u && c0 + c < p.c, from != ~0u && c0 + c + 1 < p.c);
        vec2 z = vec2(input_at(c, q), input_at(c + 1, q));
        patch_[e * (CBP / 2) + c / 2] = f16vec2(mix(vec2(0.0), z, in_));
    }
}
#endif
