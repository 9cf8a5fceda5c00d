package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
)

// compileReport is what bench --compile prints.
type compileReport struct {
	Device    string               `json:"device"`
	Driver    string               `json:"driver"`
	Network   string               `json:"network"`
	Engine    string               `json:"engine"`
	TotalMS   float64              `json:"total_ms"`
	Pipelines []train.PipelineCost `json:"pipelines"`
}

// compileCosts runs m's first steps and prints what each pipeline cost.
func compileCosts(cmd *cobra.Command, m *sparsenet.Model) error {
	p := newProgress(cmd)
	defer p.clear()
	p.show("the driver compiles")
	costs, err := train.CompileCosts(m)
	if err != nil {
		return err
	}
	i := m.Device.Info()
	r := compileReport{Device: i.Name, Driver: driverName(i), Network: m.Graph.Config.Name(), Engine: string(m.Engine), Pipelines: costs}
	for _, c := range costs {
		r.TotalMS += c.Total()
	}
	p.clear()
	if wantsJSON(cmd) {
		return printJSON(cmd, r)
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s, %s, %s: %s, %s engine\n%d pipelines, %.0f ms to compile\n",
		r.Device, r.Driver, m.Class, r.Network, r.Engine, len(costs), r.TotalMS)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "kernel\tspecialisation\tdispatches\tms made\tms at first dispatch")
	for _, c := range costs {
		fmt.Fprintf(t, "%s\t%s\t%d\t%.1f\t%.1f\n", c.Kernel, strings.Trim(fmt.Sprint(c.Spec), "[]"), c.Dispatches, c.Build, c.First)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the costs: %w", err)
	}
	return nil
}
