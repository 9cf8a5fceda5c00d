package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/sparsenet"
	"sparsevk/train"
)

// pacedHello is the first line of bench --paced. The scripts of tools/peers
// print the like of it.
type pacedHello struct {
	Network     string            `json:"network"`
	Batch       int               `json:"batch"`
	Mode        string            `json:"mode"` // the engine
	About       string            `json:"about"`
	Parameters  int               `json:"parameters"`
	Device      string            `json:"device"`
	FirstStepMS float64           `json:"first_step_ms"` // compiling included
	Versions    map[string]string `json:"versions"`
}

// pacedTimes answers a line of standard input.
type pacedTimes struct {
	MS []float64 `json:"ms"`
}

// pacedMemory answers its end.
type pacedMemory struct {
	PlannedBytes   uint64 `json:"planned_bytes"`
	AllocatedBytes uint64 `json:"allocated_bytes"`
}

// pace runs as many steps as each line of standard input says.
func (f *benchFlags) pace(cmd *cobra.Command, m *sparsenet.Model) error {
	out := json.NewEncoder(cmd.OutOrStdout())
	warm, err := stepTimes(cmd.Context(), m, f.warmup)
	if err != nil {
		return err
	}
	i := m.Device.Info()
	hello := pacedHello{
		Network: m.Graph.Config.Name(), Batch: m.Batch, Mode: string(m.Engine), About: m.Class.String() + " kernels",
		Parameters: m.Graph.Params.Count(), Device: i.Name, FirstStepMS: warm.MS[0],
		Versions: map[string]string{"driver": driverName(i), "go": runtime.Version()},
	}
	if err := out.Encode(hello); err != nil {
		return fmt.Errorf("bench: writing: %w", err)
	}
	if err := answer(cmd.Context(), m, cmd.InOrStdin(), out); err != nil {
		return err
	}
	return out.Encode(pacedMemory{m.Memory().Total, m.Device.Allocated()})
}

// answer reads numbers of steps and writes their times until in ends.
func answer(ctx context.Context, m *sparsenet.Model, in io.Reader, out *json.Encoder) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil || n < 1 {
			return usagef("paced: line %q of standard input: want a number of steps, at least 1", lines.Text())
		}
		times, err := stepTimes(ctx, m, n)
		if err != nil {
			return err
		}
		if err := out.Encode(times); err != nil {
			return fmt.Errorf("bench: writing: %w", err)
		}
	}
	return lines.Err()
}

// stepTimes runs n steps.
func stepTimes(ctx context.Context, m *sparsenet.Model, n int) (pacedTimes, error) {
	times := pacedTimes{MS: make([]float64, 0, n)}
	for t, err := range train.TimeSteps(ctx, m, n) {
		if err != nil {
			return times, fmt.Errorf("bench: step %d: %w", len(times.MS)+1, err)
		}
		times.MS = append(times.MS, float64(t)/float64(time.Millisecond))
	}
	return times, nil
}
