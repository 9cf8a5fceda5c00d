// Package ref holds the operations of package ops in float64, written straight
// from their formulas, slow and obvious. It is the oracle of every kernel: tests,
// selftest and tune compare what a device computed with it. It imports nothing
// of this module, not even shape arithmetic, so that it cannot share a mistake
// with what it judges. The letters N, C, H, W, K, P, Q, R, S are those of
// package ops, and so is the element order [C][N][H][W].
//
// # Magnitudes
//
// Every result carries, beside each value, a magnitude m (Tensor.Mag): the value
// that float32 arithmetic gives differs by about u·m, u = 2⁻²⁴, and package optest
// accepts 16·u·m. For a sum m = Σ|terms|. Composite results carry m to first order,
// after Wilkinson's running error analysis:
//
//	exact input                   m = 0
//	a + b, a - b                  |result| + m_a + m_b
//	a · b                         |result| + |a|·m_b + |b|·m_a
//	a / b                         |result| + m_a/|b| + |result|·m_b/|b|
//	Σ t                           Σ max(|t|, m_t): any order, any split
//	1/√a                          |result|·(1 + m_a/2a)
//	exp a                         result·(1 + |a| + m_a): Vulkan grants exp 3 + 2|a| ulp
//	ln a                          max(|result|, 1) + m_a/a: Vulkan grants ln 2⁻²¹ near 1
//	max(a, 0)                     m_a if a > 0, else 0: the result is exactly 0
//
// What only copies or selects (ReLU, max pooling, concatenation) is exact: m = 0
// for exact inputs, so that the comparison demands equal values. Tensor.Len bounds
// the roundings on the way to any value and may cap the 16 (optest.Tolerance.Terms). The subtraction
// of two exact inputs loses nothing, so that the magnitude of batch norm with
// given statistics is |gamma·xhat| + |beta|, however far the mean is from zero:
// a kernel that folds gamma·istd and beta - mean·gamma·istd into two constants
// fails, as it should (KERNELS.md section 1, precision hazards).
//
// Masks and choices (ReLU, max pooling) are made in float64. Where an input lies
// on a kink, float32 may choose otherwise, and no magnitude covers that: use
// ClearKinks and Distinct to make inputs.
//
// Wrong shapes are mistakes of the caller: functions panic with the prefix "ref:".
package ref
