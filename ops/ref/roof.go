package ref

// RoofFma returns y[i] = Σ_k a[k] over ten k, where a[k] starts as k + i mod 8
// and is replaced steps times by a[k]·m + c.
func RoofFma(n, steps int, m, c float64) *Tensor {
	y := New(n, 1, 1, 1)
	for i := range n {
		var s sum
		for k := range 10 {
			a := exact(float64(k + i%8))
			for range steps {
				a = add(mul(a, exact(m)), exact(c))
			}
			s.add(a)
		}
		y.set(i, num(s))
	}
	y.Len = 10 * (steps + 1)
	return y
}
