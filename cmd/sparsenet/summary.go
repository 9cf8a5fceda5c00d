package main

import (
	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
)

func newSummaryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "summary",
		Short: "Layers, parameters, multiply-accumulates and links of a network",
		Long: `Prints a table of a network's layers, with the maps that each reads, and its
totals, for one image and the forward pass. It needs no device.`,
		Example: "  sparsenet summary --preset sparse-bc-100-24\n  sparsenet summary --depth 40 --growth 16,32,64 --wiring dense --json",
	}
	net := addNetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := net.config()
		if err != nil {
			return err
		}
		g, err := sparsenet.Build(config)
		if err != nil {
			return usageError{err}
		}
		if wantsJSON(cmd) {
			return printJSON(cmd, g.Summary())
		}
		return g.Summary().WriteText(cmd.OutOrStdout())
	}
	return cmd
}
