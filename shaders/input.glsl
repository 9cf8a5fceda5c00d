#ifndef INPUT_GLSL
#define INPUT_GLSL
#include "act.glsl"
#include "map.glsl"
// What a convolution reads, for its forward and weight kernels. The includer
// declares the constants ACT and POOL and the buffer x.

// input_mean returns the activated element i, or with POOL the mean of the four
// whose upper left is i, in a plane of the given row width.
float input_mean(Link l, uint i, uint width) {
    if (!POOL)
        return ACT ? link_act(l, map_load(x[i])) : map_load(x[i]);
    float a = map_load(x[i]), b = map_load(x[i + 1]), c = map_load(x[i + width]), d = map_load(x[i + width + 1]);
    if (ACT)
        return 0.25 * ((link_act(l, a) + link_act(l, b)) + (link_act(l, c) + link_act(l, d)));
    return 0.25 * ((a + b) + (c + d));
}

// input_at returns z of image n at row y and column x_ (pooled ones with POOL)
// of a channel with h rows of w columns. Outside it is 0 after the activation:
// the address is moved inside and the value dropped, so that no branch and
// nothing that lies there matters.
float input_at(Link l, uint n, int y, int x_, uint h, uint w) {
    int f = POOL ? 2 : 1, rows = int(h) / f, cols = int(w) / f;
    uint row = n * h + uint(clamp(y, 0, rows - 1) * f);
    float v = input_mean(l, l.plane + row * w + uint(clamp(x_, 0, cols - 1) * f), w);
    return y >= 0 && y < rows && x_ >= 0 && x_ < cols ? v : 0.0;
}
#endif
