#ifndef MATH_GLSL
#define MATH_GLSL
// exp and log in float32 by range reduction and a polynomial, within 2 ulp.
// Vulkan allows the built-in log an absolute error of 2^-21 near 1 and drivers
// differ; with these a loss has the same accuracy everywhere.
// Source: Moshier, Cephes Mathematical Library, expf.c and logf.c.

// exp_neg returns e^x for x <= 0; results below 2^-125 are 0.
float exp_neg(float x) {
    if (x < -86.0)
        return 0.0;
    precise float n = floor(x * 1.44269504088896341 + 0.5);
    precise float r = x - n * 0.693359375; // exact: 10 bits of ln 2
    precise float q = r + n * 2.12194440e-4;
    precise float y = 1.9875691500e-4;
    y = y * q + 1.3981999507e-3;
    y = y * q + 8.3334519073e-3;
    y = y * q + 4.1665795894e-2;
    y = y * q + 1.6666665459e-1;
    y = y * q + 5.0000001201e-1;
    y = y * (q * q) + q + 1.0;
    return y * uintBitsToFloat(uint(int(n) + 127) << 23);
}

// log_pos returns ln x for a normal, finite x > 0.
float log_pos(float x) {
    uint bits = floatBitsToUint(x);
    int e = int(bits >> 23) - 126; // x = m·2^e, m in [0.5, 1)
    float m = uintBitsToFloat((bits & 0x007fffffu) | 0x3f000000u);
    if (m < 0.707106781186547524) {
        e -= 1;
        m += m;
    }
    precise float q = m - 1.0;
    precise float z = q * q;
    precise float y = 7.0376836292e-2;
    y = y * q - 1.1514610310e-1;
    y = y * q + 1.1676998740e-1;
    y = y * q - 1.2420140846e-1;
    y = y * q + 1.4249322787e-1;
    y = y * q - 1.6668057665e-1;
    y = y * q + 2.0000714765e-1;
    y = y * q - 2.4999993993e-1;
    y = y * q + 3.3333331174e-1;
    y = y * q * z;
    y = y - float(e) * 2.12194440e-4 - 0.5 * z;
    precise float l = q + y + float(e) * 0.693359375;
    return l;
}

// nonfinite tells infinities and NaN by their bits: a driver may assume that
// there are none and fold isnan to false.
bool nonfinite(float x) { return (floatBitsToUint(x) & 0x7fffffffu) >= 0x7f800000u; }

// is_nan likewise.
bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }
#endif
