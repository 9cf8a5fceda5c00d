// Command sparsenet trains SparseNets and DenseNets on any Vulkan device, and
// says beforehand what that takes.
//
// Every subcommand has a file of its own and a constructor in commands. It exits
// with 0 for success, 1 for failure and 2 for wrong usage; an error is one line
// on standard error that names the thing, the number and the way out.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// commands makes the subcommands, in the order of the help.
var commands = []func() *cobra.Command{
	newDevicesCommand,
	newModelsCommand,
	newSummaryCommand,
	newTrainCommand,
	newRecipesCommand,
	newEvalCommand,
	newPredictCommand,
	newReportCommand,
	newImportCommand,
	newExportCommand,
	newMemoryCommand,
	newBenchCommand,
	newTuneCommand,
	newVerifyCommand,
	newSelftestCommand,
	newDataCommand,
}

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ends = append(ends, syscall.SIGHUP) // the terminal was closed
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	go func() {
		<-ctx.Done()
		stop() // the second signal ends the program at once
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr)) // and no stop before: a signal now is too late to matter
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	running := false
	root := newRoot(func() { running = true })
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !running { // the command line itself is wrong
		err = usageError{withHint(cmd, err)}
	}
	return report(errOut, err)
}

// newRoot returns the program's command; started is called before a subcommand
// runs, so after its command line has been found correct.
func newRoot(started func()) *cobra.Command {
	root := &cobra.Command{
		Use:                        "sparsenet",
		Short:                      "Train SparseNets and DenseNets on any Vulkan device",
		Args:                       knownCommand,
		RunE:                       func(*cobra.Command, []string) error { return errNoCommand },
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().Bool("json", false, "print JSON instead of text")
	cobra.EnableCommandSorting = false
	for _, construct := range commands {
		c := construct()
		watch(c, started)
		root.AddCommand(c)
	}
	return root
}

// watch makes c and its subcommands call started before they run.
func watch(c *cobra.Command, started func()) {
	if c.Args == nil {
		c.Args = noArguments
	}
	inner := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		started()
		return inner(cmd, args)
	}
	for _, sub := range c.Commands() {
		watch(sub, started)
	}
}
