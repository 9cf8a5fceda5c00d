package sparsenet

import (
	"fmt"
	"maps"
	"math"

	"sparsevk/ops"
)

// readerStats keeps running statistics as frameworks do: for every reader's
// batch norm its own. The layered engine updates them on the device.
type readerStats struct {
	params *Params
	block  *ops.Block
}

func newReaderStats(g *Graph) *readerStats {
	return &readerStats{g.Params, keep(ops.Vector("running", ops.Other, g.Params.RunningElems))}
}

func (s *readerStats) view(name string) ops.View {
	p, ok := s.params.Find(name)
	if !ok {
		panic("sparsenet: no running statistic " + name)
	}
	return s.block.View(uint32(p.Offset), uint32(p.Offset+p.Elems()))
}

func (s *readerStats) blocks() []*ops.Block { return []*ops.Block{s.block} }

func (s *readerStats) load(m *Model, values map[string][]float32) error {
	for _, p := range s.params.Running {
		if err := m.mem.UploadFloats(s.view(p.Name), values[p.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (s *readerStats) store(m *Model) (map[string][]float32, error) {
	values := map[string][]float32{}
	for _, p := range s.params.Running {
		v, err := m.mem.DownloadFloats(s.view(p.Name))
		if err != nil {
			return nil, err
		}
		values[p.Name] = v
	}
	return values, nil
}

func (s *readerStats) prepare(*Model) error { return nil }

func (s *readerStats) trained() {}

func (s *readerStats) imported() Imported { return Imported{} }

func (s *readerStats) setImported(Imported) {}

// Imported is what running statistics that were loaded differ by among the readers
// of a map. Values rounds it away; a checkpoint keeps it, so that a run goes on
// with the same bits.
type Imported struct {
	Differences map[string][]float64 // to the first reader of the map, by name; empty if there are none
	Steps       int                  // training steps since
}

// Imported returns what the last Load left of differences.
func (m *Model) Imported() Imported { return m.stats.imported() }

// LoadImported sets the differences of a model that has been loaded from what
// Values and Imported returned together.
func (m *Model) LoadImported(i Imported) error {
	for name, d := range i.Differences {
		if p, ok := m.Graph.Params.Find(name); !ok || p.Kind.Trained() || len(d) != p.Elems() {
			return fmt.Errorf("sparsenet: %d differences of %s: want as many as the running statistic has", len(d), name)
		}
	}
	m.ready = false
	m.stats.setImported(i)
	return nil
}

// mapStats keeps running statistics once per map, and what each reader's differ
// by. All readers of a map see the same batches, so after n steps a reader's
// statistic is the map's plus (1-momentum)^n times the difference at the start:
// imported statistics that differ among the readers of a map stay exact.
type mapStats struct {
	graph   *Graph
	running [][2]*ops.Block // per map: mean and variance; nil for the image
	reader  *ops.Block      // for evaluation: StatWords words per input channel of every reader
	first   []uint32        // per node: its first channel in reader
	delta   map[string][]float64
	steps   int // training steps since the import
}

func newMapStats(g *Graph) *mapStats {
	s := &mapStats{graph: g, running: make([][2]*ops.Block, len(g.Maps)), delta: map[string][]float64{}}
	for id, m := range g.Maps {
		if id > 0 {
			s.running[id] = [2]*ops.Block{
				keep(ops.Vector(m.Name+"/running_mean", ops.Other, m.C)),
				keep(ops.Vector(m.Name+"/running_var", ops.Other, m.C)),
			}
		}
	}
	channels := uint32(0)
	for _, n := range g.Nodes {
		s.first = append(s.first, channels)
		if n.BN != "" {
			channels += uint32(n.C)
		}
	}
	s.reader = keep(ops.NewStatsBlock("reader_stats", channels))
	return s
}

// views returns the running mean and variance of a map.
func (s *mapStats) views(id int) (mean, variance ops.View) {
	return s.running[id][0].All(), s.running[id][1].All()
}

// eval returns the statistics that node uses in evaluation for its input pos.
func (s *mapStats) eval(node, pos int) ops.View {
	g := &s.graph.Nodes[node]
	c := s.first[node]
	for _, id := range g.In[:pos] {
		c += uint32(s.graph.Maps[id].C)
	}
	return s.reader.View(c, c+uint32(s.graph.Maps[g.In[pos]].C))
}

func (s *mapStats) blocks() []*ops.Block {
	all := []*ops.Block{s.reader}
	for _, b := range s.running[1:] {
		all = append(all, b[0], b[1])
	}
	return all
}

func (s *mapStats) trained() { s.steps++ }

func (s *mapStats) imported() Imported { return Imported{maps.Clone(s.delta), s.steps} }

func (s *mapStats) setImported(i Imported) { s.delta, s.steps = maps.Clone(i.Differences), i.Steps }

// suffixes of the running statistics, in the order of mapStats.running.
var suffixes = [2]string{".running_mean", ".running_var"}

// load takes each map's statistics from its first reader, and keeps what the
// other readers' differ by.
func (s *mapStats) load(m *Model, values map[string][]float32) error {
	s.steps = 0
	s.delta = map[string][]float64{}
	for id := 1; id < len(s.graph.Maps); id++ {
		for i, suffix := range suffixes {
			var base []float32
			for _, r := range s.graph.Readers[id] {
				name := s.graph.Nodes[r.Node].BN + suffix
				v := values[name][r.C0 : r.C0+s.graph.Maps[id].C]
				if base == nil {
					base = v
				}
				s.keepDelta(name, r.C0, v, base)
			}
			if base == nil { // nobody reads the map
				base = make([]float32, s.graph.Maps[id].C)
			}
			if err := m.mem.UploadFloats(s.running[id][i].All(), base); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *mapStats) keepDelta(name string, c0 int, v, base []float32) {
	for j := range v {
		d := float64(v[j]) - float64(base[j])
		if d == 0 {
			continue
		}
		if s.delta[name] == nil {
			p, _ := s.graph.Params.Find(name)
			s.delta[name] = make([]float64, p.Elems())
		}
		s.delta[name][c0+j] = d
	}
}

// store returns every reader's statistics.
func (s *mapStats) store(m *Model) (map[string][]float32, error) {
	values := map[string][]float32{}
	for _, p := range s.graph.Params.Running {
		values[p.Name] = make([]float32, p.Elems())
	}
	decay := math.Pow(1-m.bnMomentum, float64(s.steps))
	for id := 1; id < len(s.graph.Maps); id++ {
		for i, suffix := range suffixes {
			base, err := m.mem.DownloadFloats(s.running[id][i].All())
			if err != nil {
				return nil, err
			}
			for _, r := range s.graph.Readers[id] {
				name := s.graph.Nodes[r.Node].BN + suffix
				for j, x := range base {
					if d := s.delta[name]; d != nil {
						x = float32(float64(x) + decay*d[r.C0+j])
					}
					values[name][r.C0+j] = x
				}
			}
		}
	}
	return values, nil
}

// prepare writes the statistics that the readers use in evaluation.
func (s *mapStats) prepare(m *Model) error {
	values, err := s.store(m)
	if err != nil {
		return err
	}
	words := make([]float32, s.reader.All().Elems())
	for i, n := range s.graph.Nodes {
		if n.BN == "" {
			continue
		}
		mean, variance := values[n.BN+suffixes[0]], values[n.BN+suffixes[1]]
		for c := range mean {
			w := words[(int(s.first[i])+c)*ops.StatWords:]
			w[ops.StatMean], w[ops.StatVar] = mean[c], variance[c]
			w[ops.StatIstd] = float32(1 / math.Sqrt(float64(variance[c])+Epsilon))
		}
	}
	if err := m.mem.UploadFloats(s.reader.All(), words); err != nil {
		return fmt.Errorf("sparsenet: statistics for evaluation: %w", err)
	}
	return nil
}
