package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sparsevk/train"
)

// The hand-written part of the page stands between these lines; the generator
// keeps it.
const (
	handBegin = "<!-- written by hand: the generator keeps what stands between these marks -->"
	handEnd   = "<!-- end of what is written by hand -->"
)

const pageHead = `# Benchmarks

Made by ` + "`make bench-peers`" + ` ([tools/peers](../tools/peers/main.go)) from the figures in [docs/benchmarks](benchmarks); a test holds this page against
them. Every contender is a program of its own that trains the same network on demand; they take turns within the same minutes, and each round of
turns starts with another one. **best** is the best round, a round standing by the median of its steps; **median** and the range are over rounds.
A step is forward, loss, backward and update by SGD with Nesterov momentum, of random images; it ends when the loss is on the host. Figures of one
table belong together. Different tables were measured at different times, and different machines have sections of their own.

`

// writePage makes the page, and the plots beside the results, from all results.
func writePage(o options) error {
	all, err := loadAll(o.results)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("no results in %s: run go run ./tools/peers measure first", o.results)
	}
	old, err := os.ReadFile(o.page)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, plots, err := page(all, string(old))
	if err != nil {
		return err
	}
	for name, data := range plots {
		if err := os.WriteFile(filepath.Join(o.results, name), data, 0o666); err != nil {
			return err
		}
	}
	return os.WriteFile(o.page, []byte(text), 0o666)
}

// page returns the page of all results, with the hand-written part of the old
// one, and its plots by name.
func page(all []*Results, old string) (text string, plots map[string][]byte, err error) {
	var b strings.Builder
	b.WriteString(pageHead)
	hand := "\n"
	if _, rest, ok := strings.Cut(old, handBegin); ok {
		if hand, _, ok = strings.Cut(rest, handEnd); !ok {
			return "", nil, fmt.Errorf("the page has no line %q", handEnd)
		}
	}
	b.WriteString(handBegin + hand + handEnd + "\n")
	plots = map[string][]byte{}
	for _, r := range all {
		if err := r.write(&b, plots); err != nil {
			return "", nil, err
		}
	}
	return b.String(), plots, nil
}

// write writes the section of one machine.
func (all *Results) write(b *strings.Builder, plots map[string][]byte) error {
	m := all.Machine
	fmt.Fprintf(b, "\n## %s, %d cores: %s\n\nDriver %s; %s.\n", m.CPU, m.Cores, m.Device, m.Driver, m.OS)
	for _, x := range all.Missing {
		fmt.Fprintf(b, "**Missing here: %s** (%s).\n", peerName(x.Peer), x.Why)
	}
	b.WriteString("\nThat all train the same network was checked first: contenders of a table have equally many parameters, and traces of whole training steps " +
		"were replayed.\n\n")
	for _, c := range all.Checks {
		fmt.Fprintf(b, "* %s\n", c)
	}
	for _, r := range all.Jobs {
		if err := r.write(b); err != nil {
			return fmt.Errorf("%v: %w", r.setup, err)
		}
	}
	if all.Depths != nil {
		if err := all.Depths.write(b, m.slug()+"-depth.svg", plots); err != nil {
			return err
		}
	}
	if all.Cold != nil {
		return all.Cold.write(b)
	}
	return nil
}

// names are how the page calls the contenders.
var names = map[string]string{
	"arena": "**sparsenet, arena**", "layered": "sparsenet, layered",
	"eager": "PyTorch, eager", "channels_last": "PyTorch, channels-last", "compiled": "PyTorch, compiled",
	"cuda": "PyTorch on CUDA, eager", "cuda_channels_last": "PyTorch on CUDA, channels-last", "cuda_compiled": "PyTorch on CUDA, compiled",
	"tf32": "PyTorch on CUDA, TF32", "graph": "PyTorch on CUDA, graph-captured", "fp16": "PyTorch on CUDA, fp16 autocast",
	"graph_fp16": "PyTorch on CUDA, fp16, graph-captured", "webgpu": "TensorFlow.js, WebGPU",
}

func peerName(name string) string {
	if n, ok := names[name]; ok {
		return n
	}
	return name
}

// write writes the table of one setup.
func (r *Result) write(b *strings.Builder) error {
	fmt.Fprintf(b, "\n### %s, batch %d", r.Net, r.Batch)
	if r.Threads > 0 {
		fmt.Fprintf(b, ", %d thread%s", r.Threads, strings.Repeat("s", min(1, r.Threads-1)))
	}
	fmt.Fprintf(b, "\n\n%s UTC, commit %s, load before %s; `%s`\n\n", r.When.Format("2006-01-02 15:04"), r.Commit, or(r.Load, "unknown"), r.Command)
	b.WriteString("| | best ms | images/s | median (range) ms | rounds | memory | process |\n|---|---|---|---|---|---|---|\n")
	for _, c := range r.Contenders {
		m := c.medians()
		fmt.Fprintf(b, "| %s | %s | %s | %s (%s to %s) | %d | %s | %s |\n", peerName(c.Name), number(c.best()), number(1e3*float64(r.Batch)/c.best()),
			number(median(m)), number(slices.Min(m)), number(slices.Max(m)), len(m), c.Memory.text(), mib(c.RSSBytes))
	}
	b.WriteString("\n")
	for _, x := range r.Absent {
		fmt.Fprintf(b, "**Missing in this table: %s** (%s).\n", peerName(x.Peer), x.Why)
	}
	if r.Apart {
		b.WriteString("One after the other, not in turns, since memory does not hold all of them at once.\n")
	}
	r.ratios(b)
	fmt.Fprintf(b, "Versions: %s.\n", r.versions())
	return r.writeKernels(b)
}

// ratios compares the arena engine with every peer: best with best, and round
// with round.
func (r *Result) ratios(b *strings.Builder) {
	i := slices.IndexFunc(r.Contenders, func(c Contender) bool { return c.Name == ours[0] })
	if i < 0 {
		return
	}
	us := r.Contenders[i]
	var best *Contender
	var parts []string
	for k := range r.Contenders {
		c := &r.Contenders[k]
		if slices.Contains(ours, c.Name) {
			continue
		}
		parts = append(parts, fmt.Sprintf("%.2f of %s", c.best()/us.best(), peerName(c.Name)))
		if best == nil || c.best() < best.best() {
			best = c
		}
	}
	if best == nil {
		return
	}
	fmt.Fprintf(b, "Images/s of the arena engine against the best peer, %s: **%.2f**", peerName(best.Name), best.best()/us.best())
	if !r.Apart {
		fmt.Fprintf(b, "; round by round the median is %.2f", byRound(us, *best))
	}
	fmt.Fprintf(b, ". Against each: %s.\n", strings.Join(parts, ", "))
}

// byRound returns the median over the rounds of what a peer takes for each ms of ours.
func byRound(us, peer Contender) float64 {
	var per []float64
	theirs := peer.medians()
	for k, m := range us.medians() {
		if k < len(theirs) {
			per = append(per, theirs[k]/m)
		}
	}
	return median(per)
}

// versions lists what the contenders say of themselves.
func (r *Result) versions() string {
	seen := map[string]bool{}
	var out []string
	for _, c := range r.Contenders {
		for _, k := range slices.Sorted(func(yield func(string) bool) {
			for k := range c.Hello.Versions {
				if !yield(k) {
					return
				}
			}
		}) {
			if v := c.Hello.Versions[k]; v != "" && !seen[k] {
				seen[k] = true
				out = append(out, k+" "+v)
			}
		}
		if c.Name == "eager" || c.Name == "webgpu" || c.Name == "cuda" {
			out = append(out, fmt.Sprintf("%s on %s", peerName(c.Name), c.Hello.Device))
		}
	}
	return strings.Join(out, ", ")
}

// targets are the shares of the multiply-add rate that the first stage's kernels
// should reach on lavapipe.
var targets = map[string]float64{"quad_fwd": 0.75, "quad_gather": 0.6, "quad_wgrad": 0.45}

// writeKernels writes where the arena engine's step goes, against the roof that
// the same run measured.
func (r *Result) writeKernels(b *strings.Builder) error {
	if len(r.Kernels) == 0 {
		return nil
	}
	var k struct {
		Roof    train.Roof         `json:"roof"`
		Total   train.KernelTime   `json:"total"`
		Kernels []train.KernelTime `json:"kernels"`
		Stages  []train.StageTime  `json:"stages"`
	}
	if err := json.Unmarshal(r.Kernels, &k); err != nil {
		return err
	}
	fmt.Fprintf(b, "\nThe device's roof in the same minute: %.1f GFLOP/s multiply-add, %.1f GB/s copy. The whole step reaches %.1f GFLOP/s, **%.2f of the "+
		"multiply-add rate**; the floor of its dispatches is %.2f of its time. The stages' kernels against the multiply-add rate (a form that spares "+
		"multiplications may exceed 1):\n\n", k.Roof.MultiplyAdd, k.Roof.Copy, k.Total.GFLOPs, k.Total.GFLOPs/k.Roof.MultiplyAdd, k.Total.RoofShare)
	b.WriteString("| stage | kernel | ms | GFLOP/s | of the rate | target |\n|---|---|---|---|---|---|\n")
	for _, s := range k.Stages {
		if s.Time < 0.01*k.Total.Time {
			continue
		}
		target := ""
		if t, ok := targets[s.Kernel]; ok && s.Stage == "stage0" {
			target = fmt.Sprintf("%.2f, %s", t, verdict(s.RateShare >= t))
		}
		fmt.Fprintf(b, "| %s | %s | %.1f | %.1f | %.2f | %s |\n", s.Stage, s.Kernel, s.Time, s.GFLOPs, s.RateShare, target)
	}
	b.WriteString("\nThe rest of the step:")
	sep := " "
	for _, t := range k.Kernels {
		if t.MACs == 0 && t.Share >= 0.005 {
			fmt.Fprintf(b, "%s%s %.1f ms", sep, t.Kernel, t.Time)
			sep = ", "
		}
	}
	b.WriteString(".\n")
	return nil
}

func verdict(ok bool) string {
	if ok {
		return "reached"
	}
	return "missed"
}

// write writes the plot of depth and its table.
func (d *Depths) write(b *strings.Builder, name string, plots map[string][]byte) error {
	svg, err := d.plot()
	if err != nil {
		return err
	}
	plots[name] = svg
	fmt.Fprintf(b, "\n### Time over depth\n\nSparse wiring, growth 12, batch %d; %s UTC, commit %s; best of the turns. Multiply-accumulates grow with the links, "+
		"not with the square of the depth, and the time with them.\n\n![time of a step over multiply-accumulates](benchmarks/%s)\n\n",
		d.Batch, d.When.Format("2006-01-02 15:04"), d.Commit, name)
	b.WriteString("| network | multiply-accumulates of a step | ms | ms per 10⁹ | pipelines |\n|---|---|---|---|---|\n")
	for _, p := range d.Points {
		fmt.Fprintf(b, "| %s | %.2f·10⁹ | %s | %.1f | %d |\n", p.Net, float64(p.MACs)/1e9, number(p.StepMS), p.StepMS/float64(p.MACs)*1e9, p.Pipelines)
	}
	return nil
}

// write writes what starting costs.
func (c *Cold) write(b *strings.Builder) error {
	var costs struct {
		Total     float64              `json:"total_ms"`
		Pipelines []train.PipelineCost `json:"pipelines"`
	}
	if err := json.Unmarshal(c.Costs, &costs); err != nil {
		return err
	}
	fmt.Fprintf(b, "\n### First step\n\n%s, from the program's start to the end of its first step; %s UTC, commit %s. With empty caches: **%s s** at best, %s s in the "+
		"median of %d; with what that left in them: **%s s**, %s s. Mesa keeps what it compiled in `~/.cache/mesa_shader_cache` or `$MESA_SHADER_CACHE_DIR`; "+
		"a CI that keeps that folder from run to run starts warm. Other drivers' code lies in `$SPARSEVK_CACHE`, `~/.cache/sparsevk` without it. %d pipelines, whatever the depth:\n\n",
		c.Net, c.When.Format("2006-01-02 15:04"), c.Commit, seconds(slices.Min(c.ColdMS)), seconds(median(c.ColdMS)), len(c.ColdMS),
		seconds(slices.Min(c.WarmMS)), seconds(median(c.WarmMS)), len(costs.Pipelines))
	b.WriteString("| kernel | dispatches | ms to compile |\n|---|---|---|\n")
	rest, others := 0.0, 0
	for i, p := range costs.Pipelines {
		if i < 12 {
			fmt.Fprintf(b, "| %s %s | %d | %.0f |\n", p.Kernel, strings.Trim(fmt.Sprint(p.Spec), "[]"), p.Dispatches, p.Total())
		} else {
			rest, others = rest+p.Total(), others+1
		}
	}
	fmt.Fprintf(b, "| %d others | | %.0f |\n", others, rest)
	return nil
}

// text is the memory as its contender counts it.
func (m memory) text() string {
	var parts []string
	for _, p := range []struct {
		what  string
		bytes uint64
	}{{"planned", m.Planned}, {"allocated", m.Allocated}, {"saved for backward", m.Saved}, {"peak growth", m.Peak}, {"between steps", m.Backend}} {
		if p.bytes > 0 {
			parts = append(parts, mib(p.bytes)+" "+p.what)
		}
	}
	return strings.Join(parts, ", ")
}

func mib(bytes uint64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
}

// number has three digits at least.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func seconds(ms float64) string { return fmt.Sprintf("%.1f", ms/1e3) }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
