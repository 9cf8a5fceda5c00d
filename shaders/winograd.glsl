#ifndef WINOGRAD_GLSL
#define WINOGRAD_GLSL
// Winograd's F(4,3) in one dimension: four outputs of a three-tap filter from six
// products, y = Aᵀ[(G w) ∘ (Bᵀ x)], at the points 0, 1, -1, 2, -2 and infinity.
// Transposed it is F(3,4), the three taps' gradients from four output gradients:
// dw = Gᵀ[(A dy) ∘ (Bᵀ x)].
// Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.

// points_of_pixels returns Bᵀ of six neighbouring pixels: a quad and the pixel on either side.
void points_of_pixels(float left, vec4 q, float right, out float v[6]) {
    float s = q.w - 4.0 * q.y, u = q.z - 4.0 * q.x, e = q.w - q.y, f = 2.0 * (q.z - q.x);
    v[0] = 4.0 * left + (s - q.y);
    v[1] = s + u;
    v[2] = s - u;
    v[3] = e + f;
    v[4] = e - f;
    v[5] = (right - 4.0 * q.z) - u;
}

// points_of_taps returns G of three taps w.xyz.
void points_of_taps(vec4 w, out float t[6]) {
    float h = w.x * (1.0 / 24.0) + w.z * (1.0 / 6.0), k = w.y * (1.0 / 12.0);
    t[0] = 0.25 * w.x;
    t[1] = (-1.0 / 6.0) * (w.x + w.y + w.z);
    t[2] = (-1.0 / 6.0) * (w.x - w.y + w.z);
    t[3] = h + k;
    t[4] = h - k;
    t[5] = w.z;
}

// quad_of_points returns Aᵀ of six products: four pixels.
vec4 quad_of_points(float m[6]) {
    float p = m[1] + m[2], n = m[1] - m[2], q = m[3] + m[4], r = m[3] - m[4];
    return vec4(m[0] + p + q, n + 2.0 * r, p + 4.0 * q, n + 8.0 * r + m[5]);
}

// points_of_quad returns A of four pixels.
void points_of_quad(vec4 d, out float t[6]) {
    float s = d.x + d.z, u = d.y + d.w, g = d.x + 4.0 * d.z, h = 2.0 * d.y + 8.0 * d.w;
    t[0] = d.x;
    t[1] = s + u;
    t[2] = s - u;
    t[3] = g + h;
    t[4] = g - h;
    t[5] = d.w;
}

// taps_of_points returns Gᵀ of six products: three taps.
vec3 taps_of_points(float m[6]) {
    float p = m[1] + m[2], n = m[1] - m[2], q = m[3] + m[4], r = m[3] - m[4];
    return vec3(0.25 * m[0] - p * (1.0 / 6.0) + q * (1.0 / 24.0), r * (1.0 / 12.0) - n * (1.0 / 6.0), (q - p) * (1.0 / 6.0) + m[5]);
}
#endif
