// Package optest checks steps on a device against the float64 reference. Tests,
// the program's selftest and its tuner use it.
//
// A [Case] is what to run (steps), what memory holds before (In), and what it
// must hold after (Out), with the reference's values and magnitudes. Everything
// that In does not fill holds NaN; every block lies between sentinels. [Check]
// runs a case three times from the same contents and demands: values within the
// tolerance formula, sentinels and read-only blocks unchanged to the bit, equal
// bits in the three runs, barriers that an independent checker accepts, and
// silence of the validation layer.
//
// A [Trial] holds the variants of one task against the reference and, at the shape
// that a network has, against the plain form.
//
// The tables of shapes live here, not in test files, so that selftest runs them
// on the user's driver:
//
//	// ops/optest/cases_relu.go
//	func init() { Register("relu", reluCases) }
//
//	// ops/relu_test.go
//	func TestReLU(t *testing.T) { optest.RunAll(t, "relu") }
//
// A case is built from blocks, an op, random contents and the reference:
//
//	x := NewBlock("x", c, n, h, w)
//	values := rng.Normal(x)                    // float32 values, as float64
//	case := Case{Name: "n2_c3", Env: env, Steps: op.Forward,
//		In:  []Input{Floats(x.All(), values)},
//		Out: []Want{Near("y", y.All(), want.Value, want.Mag)}}
package optest
