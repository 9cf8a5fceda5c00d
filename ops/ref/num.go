package ref

import "math"

// A num is a value with its magnitude; doc.go has the rules.
type num struct{ v, m float64 }

func exact(v float64) num { return num{v: v} }

func add(a, b num) num {
	v := a.v + b.v
	return num{v, math.Abs(v) + a.m + b.m}
}

func sub(a, b num) num { return add(a, num{-b.v, b.m}) }

func mul(a, b num) num {
	v := a.v * b.v
	return num{v, math.Abs(v) + math.Abs(a.v)*b.m + math.Abs(b.v)*a.m}
}

func div(a, b num) num {
	v := a.v / b.v
	return num{v, math.Abs(v) + (a.m+math.Abs(v)*b.m)/math.Abs(b.v)}
}

func rsqrt(a num) num {
	v := 1 / math.Sqrt(a.v)
	return num{v, v * (1 + a.m/(2*a.v))}
}

func root(a num) num {
	v := math.Sqrt(a.v)
	if v == 0 {
		return num{}
	}
	return num{v, v + a.m/(2*v)}
}

func exp(a num) num {
	v := math.Exp(a.v)
	return num{v, v * (1 + math.Abs(a.v) + a.m)}
}

func log(a num) num {
	v := math.Log(a.v)
	return num{v, math.Max(math.Abs(v), 1) + a.m/a.v}
}

// positive is max(a, 0).
func positive(a num) num {
	if a.v > 0 {
		return a
	}
	return num{}
}

// A sum adds terms in any order: its magnitude is Σ|terms|, each term counted
// with its own magnitude where that is larger.
type sum num

func (s *sum) add(a num) {
	s.v += a.v
	s.m += math.Max(math.Abs(a.v), a.m)
}

// sums are the sums behind the values of a tensor.
type sums []sum

// tensor returns the values of s, each a sum of at most terms terms.
func (s sums) tensor(c, n, h, w, terms int) *Tensor {
	t := New(c, n, h, w)
	for i, a := range s {
		t.set(i, num(a))
	}
	t.Len = terms
	return t
}
