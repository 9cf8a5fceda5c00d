package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit statuses.
const (
	exitSuccess = 0
	exitFailure = 1
	exitUsage   = 2
)

// A usageError is the user's: a flag, an argument or a network that cannot be.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef makes a usageError; say the way out.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

var errNoCommand = usagef("no command; see 'sparsenet --help'")

// report prints err, if any, and returns the exit status.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitSuccess
	}
	fmt.Fprintln(w, "sparsenet: "+strings.TrimPrefix(err.Error(), "sparsenet: "))
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailure
}

// withHint adds the way to the help of cmd, unless err has it.
func withHint(cmd *cobra.Command, err error) error {
	if strings.Contains(err.Error(), "--help'") {
		return err
	}
	return fmt.Errorf("%w; see '%s --help'", err, cmd.CommandPath())
}

// flagError says in words which values a flag takes.
func flagError(_ *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	want := map[string]string{"int": "a whole number", "float64": "a number", "bool": "true or false", "duration": "a time with its unit, as in 90m"}[bad.GetFlag().Value.Type()]
	if want == "" {
		return err
	}
	return fmt.Errorf("%s %q: want %s", bad.GetFlag().Name, bad.GetValue(), want)
}

// noArguments is what commands of flags alone take.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes flags only, not %q", cmd.Name(), args[0])
}

// knownCommand rejects what is not a subcommand.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w, did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}

// wantsJSON reports whether --json was given.
func wantsJSON(cmd *cobra.Command) bool {
	on, err := cmd.Flags().GetBool("json")
	return err == nil && on
}

// printJSON writes v, indented, to the command's output.
func printJSON(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}
