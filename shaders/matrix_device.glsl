#ifndef MATRIX_DEVICE_GLSL
#define MATRIX_DEVICE_GLSL
// Products of matrices by the device's instructions; a part of matrix.glsl. A Left is
// TM by TD, a Right TD by TN, both of float16; a Sum is TM by TN of float32.
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_shader_subgroup_basic : require

#define Left coopmat<float16_t, gl_ScopeSubgroup, TM, TD, gl_MatrixUseA>
#define Right coopmat<float16_t, gl_ScopeSubgroup, TD, TN, gl_MatrixUseB>
#define Sum coopmat<float, gl_ScopeSubgroup, TM, TN, gl_MatrixUseAccumulator>

#define subgroup gl_SubgroupID
#define subgroup_lane gl_SubgroupInvocationID

// matrix_load loads a matrix whose rows lie apart by row halves, the first at half at of
// an array of elements that have so many halves.
#define matrix_load(m, array, halves, at, row) coopMatLoad(m, array, (at) / halves, (row) / halves, gl_CooperativeMatrixLayoutRowMajor)

// matrix_add adds a·b to sum.
#define matrix_add(sum, a, b) sum = coopMatMulAdd(a, b, sum)

#define matrix_clear(sum) sum = Sum(0.0)

// matrix_rows and matrix_columns store a Sum in an array of floats, by rows or columns
// that lie apart by the step.
#define matrix_rows(sum, array, at, step_) coopMatStore(sum, array, at, step_, gl_CooperativeMatrixLayoutRowMajor)
#define matrix_columns(sum, array, at, step_) coopMatStore(sum, array, at, step_, gl_CooperativeMatrixLayoutColumnMajor)
#endif
