package ref

// A Loss is the result of SoftmaxCrossEntropy.
type Loss struct {
	PerImage *Tensor // N values; 0 for images that do not count
	Sum      *Tensor // one value: Σ over the images that count
	Mean     *Tensor // one value: Sum / valid
	DLogits  *Tensor // [K][N][1][1], scaled; 0 for images that do not count
	// Rank is, for each image, the number of classes that come before its label:
	// larger logits, and equal ones of a lower class. K for images that do not count.
	Rank []int
}

// Correct returns how many images have their label among the first k classes.
func (l Loss) Correct(k int) int {
	n := 0
	for _, r := range l.Rank {
		if r < min(k, l.DLogits.C) {
			n++
		}
	}
	return n
}

// SoftmaxCrossEntropy takes logits x [K][N][1][1]; the first valid of N images
// count. With p = softmax(x) and the target q = (1-smoothing)·[k = label] +
// smoothing/K:
//
//	loss[n]      = -Σ_k q[k,n]·ln p[k,n]
//	dlogits[k,n] = (p[k,n] - q[k,n])·scale/valid
//
// ln p is x - max - ln Σ exp(x - max), and its magnitude that of this expression.
func SoftmaxCrossEntropy(x *Tensor, labels []int, valid int, scale, smoothing float64) Loss {
	checkFeatures(x)
	k, n := x.C, x.N
	check(0 < valid && valid <= n && len(labels) >= valid, "softmax: %d of %d images count, %d labels", valid, n, len(labels))
	l := Loss{New(n, 1, 1, 1), New(1, 1, 1, 1), New(1, 1, 1, 1), New(k, n, 1, 1), make([]int, n)}
	var total sum
	for i := range n {
		l.Rank[i] = k
		l.PerImage.set(i, num{})
		for c := range k {
			l.DLogits.set(c*n+i, num{})
		}
		if i < valid {
			check(0 <= labels[i] && labels[i] < k, "softmax: label %d of image %d, %d classes", labels[i], i, k)
			l.image(x, i, labels[i], scale/float64(valid), smoothing)
			total.add(l.PerImage.at(i))
		}
	}
	l.Sum.set(0, num(total))
	l.Mean.set(0, div(num(total), exact(float64(valid))))
	return l
}

// image computes what belongs to image i.
func (l Loss) image(x *Tensor, i, label int, scale, smoothing float64) {
	k, n := x.C, x.N
	top := x.at(i)
	l.Rank[i] = 0
	for c := range k {
		v, mine := x.at(c*n+i), x.at(label*n+i)
		if v.v > top.v {
			top = v
		}
		if v.v > mine.v || v.v == mine.v && c < label {
			l.Rank[i]++
		}
	}
	var norm, loss sum
	for c := range k {
		norm.add(exp(sub(x.at(c*n+i), top)))
	}
	for c := range k {
		shifted, q := sub(x.at(c*n+i), top), smoothing/float64(k)
		if c == label {
			q += 1 - smoothing
		}
		loss.add(mul(exact(-q), sub(shifted, log(num(norm)))))
		p := div(exp(shifted), num(norm))
		l.DLogits.set(c*n+i, mul(sub(p, num{q, q}), exact(scale)))
	}
	l.PerImage.set(i, num(loss))
}
