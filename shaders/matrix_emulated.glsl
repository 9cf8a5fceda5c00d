#ifndef MATRIX_EMULATED_GLSL
#define MATRIX_EMULATED_GLSL
// Products of matrices by ordinary arithmetic, with the names of matrix_device.glsl:
// for tests, which try products of all shapes on any device with float16. A subgroup
// is SUB invocations in a row, whatever subgroups the device has, and of a Sum each
// holds every SUB-th element. Factors are read in shared memory when they are
// multiplied: nothing changes there before. The includer defines LEFT(i) and RIGHT(i),
// half i of the arrays that factors lie in.
struct Left {
    uint at;
    uint row;
};
#define Right Left

const uint MINE = TM * TN / SUB;

struct Sum {
    float v[MINE];
};

#define subgroup (gl_LocalInvocationID.x / SUB)
#define subgroup_lane (gl_LocalInvocationID.x % SUB)

#define matrix_load(m, array, halves, at, row) m = Left(at, row)

#define matrix_clear(sum) \
    [[dont_unroll]] for (uint e_ = 0; e_ < MINE; e_++) \
        sum.v[e_] = 0.0;

#define matrix_add(sum, a, b) \
    [[dont_unroll]] for (uint e_ = 0; e_ < MINE; e_++) { \
        uint i_ = e_ * SUB + subgroup_lane; \
        [[dont_unroll]] for (uint k_ = 0; k_ < TD; k_++) \
            sum.v[e_] += float(LEFT((a).at + i_ / TN * (a).row + k_)) * float(RIGHT((b).at + k_ * (b).row + i_ % TN)); \
    }

#define matrix_rows(sum, array, at, step_) \
    [[dont_unroll]] for (uint e_ = 0; e_ < MINE; e_++) { \
        uint i_ = e_ * SUB + subgroup_lane; \
        array[(at) + i_ / TN * (step_) + i_ % TN] = sum.v[e_]; \
    }

#define matrix_columns(sum, array, at, step_) \
    [[dont_unroll]] for (uint e_ = 0; e_ < MINE; e_++) { \
        uint i_ = e_ * SUB + subgroup_lane; \
        array[(at) + i_ % TN * (step_) + i_ / TN] = sum.v[e_]; \
    }
#endif
