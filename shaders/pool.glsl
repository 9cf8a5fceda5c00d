#ifndef POOL_GLSL
#define POOL_GLSL
// Pooling over windows of R × S elements, STRIDE apart, PAD elements over the
// edge on every side. The images of a run of planes are rows of one tall image,
// so a row is (plane·N + n)·H + y and needs one division, not one per element.
layout(constant_id = 0) const uint R = 2;
layout(constant_id = 1) const uint S = 2;
layout(constant_id = 2) const uint STRIDE = 2;
layout(constant_id = 3) const uint PAD = 0;

// window returns the part [lo, hi) of window i of extent size that lies inside
// an image of extent n.
uvec2 window(uint i, uint size, uint n) {
    int lo = int(i * STRIDE) - int(PAD);
    return uvec2(max(lo, 0), min(lo + int(size), int(n)));
}

// covering returns the windows [lo, hi) of extent size, of out in all, that hold
// element i.
uvec2 covering(uint i, uint size, uint n_out) {
    uint reach = i + PAD;
    uint lo = reach < size ? 0 : (reach - size) / STRIDE + 1;
    return uvec2(lo, min(reach / STRIDE + 1, n_out));
}
#endif
