#ifndef BN_GLSL
#define BN_GLSL
// Batch norm on one element. Every kernel that needs the sign of the result (the
// ReLU mask) recomputes it through these two functions: precise keeps the
// compiler from contracting or reordering them differently in each.

// bn_xhat returns the normalised value (x - mean)·istd.
float bn_xhat(float x, float mean, float istd) {
    precise float h = (x - mean) * istd;
    return h;
}

// bn_apply returns gamma·xhat + beta. Folding gamma·istd into one factor would
// cancel where the mean is much larger than the deviation.
float bn_apply(float xhat, float gamma, float beta) {
    precise float z = fma(xhat, gamma, beta);
    return z;
}
#endif
