package ref

import "math"

// Eps is the epsilon of every batch norm, as in PyTorch.
const Eps = 1e-5

// Stats are the statistics of planes: vectors of one value per plane.
type Stats struct {
	Mean, Var, Istd *Tensor // Var is biased, divided by Count; Istd = 1/√(Var + Eps)
	Count           int     // M = N·H·W
}

// Words returns the statistics as kernels keep them: mean, variance, istd, count
// for each plane, a tensor [C][1][1][4].
func (s Stats) Words() *Tensor {
	t := New(s.Mean.C, 1, 1, 4)
	for c := range s.Mean.C {
		for i, a := range []num{s.Mean.at(c), s.Var.at(c), s.Istd.at(c), exact(float64(s.Count))} {
			t.set(4*c+i, a)
		}
	}
	return t
}

// Round returns the statistics rounded to float32, as exact values.
func (s Stats) Round() Stats {
	return Stats{s.Mean.Round(), s.Var.Round(), s.Istd.Round(), s.Count}
}

// tileMag is the smallest tile that magnitudes of variances allow for.
const tileMag = 64

// BatchStats returns mean, biased variance and istd of each plane, in two passes:
//
//	mean = Σ x / M     var = Σ (x - mean)² / M     istd = 1/√(var + Eps)
//
// Magnitudes: the mean has Σ|x|/M. The variance has the sum of its squares, three
// roundings each, and for kernels that merge tiles by Chan's rule the rounding of
// the tile means, Σ_t n_t·|mean_t - mean|·(2/M)·(magnitude of the mean), for tiles of
// 64 elements and so for every multiple. (The error of the mean itself enters the
// variance squared only.) A variance as E[x²] - E[x]² is outside once mean/σ > 20.
func BatchStats(x *Tensor) Stats {
	m := x.Plane()
	s := newStats(x.C, m)
	tiles := StatTiles(x, tileMag)
	for c := range x.C {
		var total, squares sum
		for i := c * m; i < (c+1)*m; i++ {
			total.add(x.at(i))
		}
		mean := div(num(total), exact(float64(m)))
		for i := c * m; i < (c+1)*m; i++ {
			d := sub(x.at(i), exact(mean.v))
			squares.add(mul(d, d))
		}
		for t := range tiles.H {
			n := math.Min(tileMag, float64(m-t*tileMag))
			squares.m += 2 * n * math.Abs(tiles.Data[tiles.Index(c, 0, t, 0)]-mean.v) * mean.m
		}
		s.set(c, mean, div(num(squares), exact(float64(m))))
	}
	return s
}

// RunningStats returns the statistics that evaluation uses, for planes of m
// elements: the running mean and variance, and istd computed from it.
func RunningStats(mean, variance *Tensor, m int) Stats {
	s := newStats(mean.C, m)
	for c := range mean.C {
		s.set(c, mean.at(c), variance.at(c))
	}
	return s
}

// StatTiles returns (mean, M2) of each tile of tile consecutive elements of a
// plane, M2 = Σ (x - tile mean)²: a tensor [C][1][tiles][2]. The last tile of a
// plane may be shorter.
func StatTiles(x *Tensor, tile int) *Tensor {
	m := x.Plane()
	t := New(x.C, 1, (m+tile-1)/tile, 2)
	for c := range x.C {
		for lo := 0; lo < m; lo += tile {
			n := min(tile, m-lo)
			var total, squares sum
			for i := range n {
				total.add(x.at(c*m + lo + i))
			}
			mean := div(num(total), exact(float64(n)))
			for i := range n {
				d := sub(x.at(c*m+lo+i), exact(mean.v))
				squares.add(mul(d, d))
			}
			t.set(t.Index(c, 0, lo/tile, 0), mean)
			t.set(t.Index(c, 0, lo/tile, 1), num(squares))
		}
	}
	return t
}

// MergeStats merges the (mean, M2) of tiles [C][1][tiles][2] over planes of m
// elements, in index order by Chan's rule (Chan, Golub, LeVeque, Updating formulae
// and a pairwise algorithm for computing sample variances, 1979):
//
//	δ = mean_b - mean_a     n = n_a + n_b
//	mean = mean_a + δ·n_b/n     M2 = M2_a + M2_b + δ²·n_a·n_b/n
//
// Magnitudes follow the merge for exact tiles.
func MergeStats(tiles *Tensor, tile, m int) Stats {
	s := newStats(tiles.C, m)
	for c := range tiles.C {
		var na float64
		var mean, m2 num
		for t := range tiles.H {
			nb := math.Min(float64(tile), float64(m-t*tile))
			mb, m2b := tiles.at(tiles.Index(c, 0, t, 0)), tiles.at(tiles.Index(c, 0, t, 1))
			if t == 0 {
				na, mean, m2 = nb, mb, m2b
				continue
			}
			n, delta := na+nb, sub(mb, mean)
			mean = add(mean, mul(delta, exact(nb/n)))
			m2 = add(add(m2, m2b), mul(mul(delta, delta), exact(na*nb/n)))
			na = n
		}
		s.set(c, mean, div(m2, exact(float64(m))))
	}
	return s
}

// RunningUpdate returns the running mean and variance after a batch:
//
//	mean' = (1-momentum)·mean + momentum·batch mean
//	var'  = (1-momentum)·var  + momentum·(batch variance)·M/(M-1)
//
// PyTorch's rule. A plane of one element has no unbiased variance: M-1 is then 1.
func RunningUpdate(mean, variance *Tensor, s Stats, momentum float64) (newMean, newVar *Tensor) {
	keep := sub(exact(1), exact(momentum))
	newMean, newVar = New(mean.C, 1, 1, 1), New(mean.C, 1, 1, 1)
	unbiased := exact(float64(s.Count) / float64(max(1, s.Count-1)))
	for c := range mean.C {
		newMean.set(c, add(mul(keep, mean.at(c)), mul(exact(momentum), s.Mean.at(c))))
		newVar.set(c, add(mul(keep, variance.at(c)), mul(exact(momentum), mul(s.Var.at(c), unbiased))))
	}
	return newMean, newVar
}

func newStats(c, count int) Stats {
	return Stats{New(c, 1, 1, 1), New(c, 1, 1, 1), New(c, 1, 1, 1), count}
}

func (s Stats) set(c int, mean, variance num) {
	s.Mean.set(c, mean)
	s.Var.set(c, variance)
	s.Istd.set(c, rsqrt(add(variance, exact(Eps))))
}
