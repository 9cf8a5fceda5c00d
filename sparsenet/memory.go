package sparsenet

import (
	"fmt"
	"io"
	"text/tabwriter"

	"sparsevk/gpu"
	"sparsevk/ops"
)

// A Memory says what a network takes, in bytes by purpose, before anything is
// allocated. The parts add up to Total, and Total is what a device hands out.
type Memory struct {
	Engine          Engine        `json:"engine"`
	Batch           int           `json:"batch"`
	EvalBatch       int           `json:"evaluation_batch"`       // see Network.EvalBatch
	Precision       ops.Precision `json:"precision"`              // of the maps
	Parameters      uint64        `json:"parameters_bytes"`       // master weights, gammas, betas, biases
	Optimizer       uint64        `json:"optimizer_bytes"`        // momentum
	WeightGradients uint64        `json:"weight_gradients_bytes"` // of the parameters
	Maps            uint64        `json:"maps_bytes"`             // feature maps; in the layered engine their copies and gradients too
	Scratch         uint64        `json:"scratch_bytes"`          // gradients that live within a few steps
	Workspace       uint64        `json:"workspace_bytes"`        // partial results of reductions
	Staging         uint64        `json:"staging_bytes"`          // host-visible: batches, results, and the buffer through which the host reaches device memory
	Other           uint64        `json:"other_bytes"`            // statistics, tables, packed weights
	Total           uint64        `json:"total_bytes"`
}

// Features returns the bytes of maps, scratch and workspace: everything that the
// backward pass needs besides parameters and their gradients.
func (m Memory) Features() uint64 { return m.Maps + m.Scratch + m.Workspace }

// Memory returns what n takes. Training and evaluation share their bytes. What a
// driver takes for itself (pipelines, command buffers) is not in it.
func (n *Network) Memory() Memory {
	bytes := func(p ops.Purpose) uint64 { return n.Plan.Regions[p].Bytes() }
	return Memory{
		Engine: n.Engine, Batch: n.Batch, EvalBatch: n.EvalBatch, Precision: n.Precision,
		Parameters: bytes(ops.Parameter), Optimizer: bytes(ops.Optimizer), WeightGradients: bytes(ops.Gradient),
		Maps: bytes(ops.Map), Scratch: bytes(ops.Scratch), Workspace: bytes(ops.Workspace),
		Staging: bytes(ops.Staging) + gpu.StagingBytes, Other: bytes(ops.Other),
		Total: n.Plan.Total() + gpu.StagingBytes,
	}
}

// MiB returns bytes in units of 2^20.
func MiB(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// A Framework says what a framework that materialises concatenations keeps from
// the forward to the backward pass of a training step: feature maps only, without
// parameters, gradients and workspace.
type Framework struct {
	// Naive counts the concatenated input of every layer, transition and head, each
	// batch norm's output (ReLU works in place), and each output of a convolution
	// and pooling: what must be kept when nothing is computed twice.
	Naive uint64 `json:"naive_bytes"`
	// Efficient counts each output of a convolution and pooling once;
	// concatenations and batch norms are computed again in the backward pass.
	Efficient uint64 `json:"efficient_bytes"`
	Note      string `json:"note"`
}

// Framework counts for a batch of images with maps of precision p.
func (g *Graph) Framework(batch int, p ops.Precision) Framework {
	c := g.Counts()
	floats := func(n int64) uint64 { return p.Bytes() * uint64(batch) * uint64(n) }
	return Framework{
		Naive:     floats(c.DistinctFloats + c.ConcatenatedFloats + c.BatchNormFloats),
		Efficient: floats(c.DistinctFloats),
		Note: "feature maps kept for the backward pass, " + p.String() + "; naive: copied concatenations, batch-norm outputs (ReLU in place) " +
			"and every convolution's and pooling's output; efficient: those outputs alone, the rest is computed again; " +
			"gradients, workspace and parameters are not counted",
	}
}

// A Wired is what a network with other wiring takes; if it cannot be planned,
// Memory is nil and Error says why.
type Wired struct {
	*Memory
	Error string `json:"error,omitempty"`
}

// A MemoryReport sets what a network takes beside what it would take otherwise.
type MemoryReport struct {
	Memory
	Dense     Wired     `json:"dense"` // the same network, engine and batch with dense wiring
	Framework Framework `json:"framework"`
}

// Report returns what n takes, and what it would take otherwise.
func (n *Network) Report() MemoryReport {
	r := MemoryReport{Memory: n.Memory(), Framework: n.Graph.Framework(n.Batch, n.Precision)}
	c := n.Graph.Config
	c.Wiring = Dense()
	dense, err := Build(c)
	if err == nil {
		var d *Network
		if d, err = NewNetwork(dense, n.Options); err == nil {
			m := d.Memory()
			r.Dense.Memory = &m
			return r
		}
	}
	r.Dense.Error = err.Error()
	return r
}

// WriteText prints r as a table.
func (r MemoryReport) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	dense := make([]memoryRow, len(r.rows()))
	fmt.Fprint(t, "\tbytes\tMiB\t")
	if r.Dense.Memory != nil {
		dense = r.Dense.rows()
		fmt.Fprint(t, "dense wiring, MiB\t")
	}
	fmt.Fprintln(t)
	for i, row := range r.rows() {
		fmt.Fprintf(t, "%s\t%s\t%.1f\t", row.what, Thousands(int64(row.bytes)), MiB(row.bytes))
		if r.Dense.Memory != nil {
			fmt.Fprintf(t, "%.1f\t", MiB(dense[i].bytes))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("sparsenet: memory: %w", err)
	}
	if r.Dense.Error != "" {
		fmt.Fprintf(w, "\nWith dense wiring there is no plan: %s\n", r.Dense.Error)
	}
	_, err := fmt.Fprintf(w, `
Maps, scratch and workspace, which is all that the backward pass needs besides
parameters and their gradients: %.1f MiB. A framework that copies concatenations
keeps %.1f MiB of feature maps, and %.1f MiB if it computes them again.
`, MiB(r.Features()), MiB(r.Framework.Naive), MiB(r.Framework.Efficient))
	return err
}

type memoryRow struct {
	what  string
	bytes uint64
}

func (m Memory) rows() []memoryRow {
	return []memoryRow{
		{"parameters", m.Parameters}, {"optimizer", m.Optimizer}, {"weight gradients", m.WeightGradients},
		{"maps", m.Maps}, {"scratch", m.Scratch}, {"workspace", m.Workspace},
		{"staging", m.Staging}, {"other", m.Other}, {"total", m.Total},
	}
}

// checkPlanes refuses a batch for which one channel of a map cannot be bound, or
// does not fit a memory object.
func (n *Network) checkPlanes() error {
	limit, what := n.Range-ops.Align, "a bound range"
	if n.Chunk < limit {
		limit, what = n.Chunk, "a memory object"
	}
	for _, m := range n.Graph.Maps {
		if plane := 4 * uint64(n.Batch) * uint64(m.H) * uint64(m.W); plane > limit {
			return fmt.Errorf("sparsenet: batch %d: %w", n.Batch,
				&ops.TooLargeError{Block: "one channel of " + m.Name, Bytes: plane, Limit: limit, What: what})
		}
	}
	return nil
}
