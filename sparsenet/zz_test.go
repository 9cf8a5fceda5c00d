package sparsenet
import ("testing";"sparsevk/ops";"github.com/stretchr/testify/require")
func TestZZ(t *testing.T) {
	c, _ := Preset("sparse-bc-100-16x32x64")
	for _, init := range []bool{false, true} {
	for seed := range 3 {
		var outs []outcome
		for _, cl := range []ops.Class{ops.Plain, ops.Quad} {
			for _, e := range []Engine{Layered, Arena} {
				m := open(t, c, Options{Batch: 2, Floats: true, Engine: e, Class: cl})
				if init {
					v := map[string][]float32{}
					for _, q := range m.Graph.Params.All { v[q.Name] = make([]float32, q.Elems()); q.Fill(v[q.Name], uint64(seed)) }
					require.NoError(t, m.Load(v))
				}
				var o outcome
				feed(t, m, uint64(100+seed))
				r, err := m.TrainStep(hyper(m, 0)); require.NoError(t, err)
				o.loss = []float32{r.Loss}
				o.logits, _ = m.Logits(); o.gradients, _ = m.Gradients()
				outs = append(outs, o)
				m.Close()
			}
		}
		cmp := func(n string, a, b outcome) { t.Logf("init %v seed %d %s: logits %.1e loss %.1e grads %v", init, seed, n, strays(a.logits, b.logits, 0), strays(a.loss, b.loss, 0), spreadOf(a.gradients, b.gradients)) }
		cmp("plain arena/layered", outs[1], outs[0])
		cmp("quad arena/layered", outs[3], outs[2])
		cmp("layered quad/plain", outs[2], outs[0])
		cmp("arena quad/plain", outs[3], outs[1])
	}}
}
