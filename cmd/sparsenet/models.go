package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
)

// modelsBatch is the batch of the list's memory.
const modelsBatch = 64

// A model is one row of the list of presets.
type model struct {
	Name       string           `json:"name"`
	Classes    int              `json:"classes"`
	Parameters int64            `json:"parameters"`
	MACs       int64            `json:"multiply_accumulates"`
	Links      int64            `json:"links"`
	Memory     uint64           `json:"training_bytes,omitempty"` // at batch 64, arena engine; 0 if it can only be counted
	Published  *publishedCounts `json:"published,omitempty"`
}

// publishedCounts sets a published count beside ours for the same classes.
type publishedCounts struct {
	sparsenet.Published
	Ours      int64 `json:"our_parameters"`
	OursFLOPs int64 `json:"our_flops,omitempty"`
	Equal     bool  `json:"equal"` // to every printed digit
}

func newModelsCommand() *cobra.Command {
	var markdown bool
	c := &cobra.Command{
		Use:   "models",
		Short: "The presets, with their counts and what was published about them",
		Long: `Lists the presets. Published counts stand beside ours for the number of classes
that they were printed for; "equal" means to every printed digit. The published
error is that of CIFAR-100 with augmentation, or of ImageNet, top-1; C10 % is that
of CIFAR-10. MiB is what
training takes at batch 64; "-" if a network can be counted only (the 3x3 head of
the paper's ImageNet counts; a parameter larger than a bound range). Other names of the same form are presets too, for
example sparse-64-8 or powers3-100-24.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			models, err := listModels()
			if err != nil {
				return err
			}
			switch {
			case wantsJSON(cmd):
				return printJSON(cmd, models)
			case markdown:
				return writeModelsDoc(cmd.OutOrStdout(), models)
			}
			return writeModels(cmd.OutOrStdout(), models)
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "print docs/NETWORKS.md: published counts against ours, explained")
	return c
}

func listModels() ([]model, error) {
	var models []model
	for _, name := range sparsenet.Presets() {
		g, err := buildPreset(name)
		if err != nil {
			return nil, err
		}
		c := g.Counts()
		m := model{Name: name, Classes: g.Config.Classes, Parameters: c.Parameters, MACs: c.MACs, Links: c.Links}
		if n, err := sparsenet.NewNetwork(g, sparsenet.Options{Batch: modelsBatch, WideEval: true}); err == nil {
			m.Memory = n.Memory().Total
		}
		if p, ok := sparsenet.PublishedFor(name); ok {
			if g, err = buildPreset(fmt.Sprintf("%s-c%d", name, p.Classes)); err != nil {
				return nil, err
			}
			c := g.Counts()
			m.Published = &publishedCounts{Published: p, Ours: c.Parameters, Equal: p.Agrees(c)}
			if p.FLOPs != "" {
				m.Published.OursFLOPs = c.FLOPs()
			}
		}
		models = append(models, m)
	}
	return models, nil
}

func buildPreset(name string) (*sparsenet.Graph, error) {
	c, err := sparsenet.Preset(name)
	if err != nil {
		return nil, err
	}
	return sparsenet.Build(c)
}

func writeModels(w io.Writer, models []model) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "preset\tclasses\tparameters\tMMACs\tlinks\tMiB\tpublished\tours\tverdict\terror %\tC10 %")
	for _, m := range models {
		fmt.Fprintf(t, "%s\t%d\t%s\t%.1f\t%d\t%s", m.Name, m.Classes, sparsenet.Thousands(m.Parameters), float64(m.MACs)/1e6, m.Links, m.MiB())
		if p := m.Published; p != nil {
			fmt.Fprintf(t, "\t%v\t%s\t%s\t%s\t%s\n", p.Published, ours(p), verdict(p), errorRate(p.Error), errorRate(p.Error10))
		} else {
			fmt.Fprintln(t, "\t-\t-\t-\t-\t-")
		}
	}
	for _, m := range models {
		if p := m.Published; p != nil && p.Explained != "" {
			fmt.Fprintf(t, "\n%s: %s", m.Name, p.Explained)
		}
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the models: %w", err)
	}
	return nil
}

// MiB writes what training takes.
func (m model) MiB() string {
	if m.Memory == 0 {
		return "-"
	}
	return strconv.FormatFloat(sparsenet.MiB(m.Memory), 'f', 1, 64)
}

func ours(p *publishedCounts) string {
	s := sparsenet.Thousands(p.Ours)
	if p.OursFLOPs > 0 {
		s += fmt.Sprintf(", %.2fG", float64(p.OursFLOPs)/1e9)
	}
	return s
}

func verdict(p *publishedCounts) string {
	if p.Equal {
		return "equal"
	}
	return "off"
}

// errorRate writes an error in %, or - where none was published.
func errorRate(e float64) string {
	if e == 0 {
		return "-"
	}
	return strconv.FormatFloat(e, 'f', -1, 64)
}
