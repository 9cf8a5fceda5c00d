package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// execute runs a command line and returns what a shell would see.
func execute(t *testing.T, line string) (out, errOut string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), strings.Fields(line), &o, &e)
	return o.String(), e.String(), code
}

// decode runs a command line that must succeed and print JSON, into v.
func decode(t *testing.T, line string, v any) {
	t.Helper()
	out, errOut, code := execute(t, line)
	require.Equal(t, exitSuccess, code, errOut)
	require.Empty(t, errOut)
	require.NoError(t, json.Unmarshal([]byte(out), v))
}

// Every golden network, as a user asks for it.
func TestSummaryOfGoldenNetworks(t *testing.T) {
	data, err := os.ReadFile("../../sparsenet/testdata/networks.json")
	require.NoError(t, err)
	var nets map[string]map[string]any
	require.NoError(t, json.Unmarshal(data, &nets))
	class := regexp.MustCompile(`^(.*)-c(\d+)$`)
	for name, want := range nets {
		line := "summary --json --preset " + name
		if m := class.FindStringSubmatch(name); m != nil {
			line = "summary --json --preset " + m[1] + " --classes " + m[2]
		}
		var got map[string]any
		decode(t, line, &got)
		for ours, theirs := range map[string]string{
			"parameters": "params", "multiply_accumulates": "macs", "links": "links", "layer_widths": "layer_widths",
			"distinct_floats": "distinct_floats", "concatenated_floats": "cat_floats",
		} {
			assert.Equal(t, want[theirs], got[ours], "%s: %s", name, ours)
		}
	}
}

// Different ways to ask for one network.
func TestNetFlags(t *testing.T) {
	for line, want := range map[string]string{
		"":                       "sparse-40-12",
		"--depth 40 --growth 24": "sparse-40-24",
		"--depth 100 --growth 16,32,64 --bottleneck":                      "sparse-bc-100-16x32x64",
		"--depth 100 --growth 16,32,64 --bottleneck --compression 1":      "sparse-bc-100-16x32x64+",
		"--depth 40 --wiring dense":                                       "dense-40-12",
		"--depth 100 --growth 24 --wiring powers:3":                       "powers3-100-24",
		"--blocks 12,12,12 --growth 24":                                   "sparse-40-24",
		"--stem imagenet":                                                 "imagenet-sparse-121-32-init2k",
		"--stem imagenet --depth 201 --growth 48 --init-channels 48":      "imagenet-sparse-201-48-init1k",
		"--stem imagenet --blocks 6,12,32,32 --wiring dense":              "imagenet-dense-169-32",
		"--preset dense-bc-100-12 --wiring powers":                        "sparse-bc-100-12",
		"--preset sparse-40-24 --depth 100 --classes 7":                   "sparse-100-24",
		"--preset imagenet-sparse-121-32-paper --growth 48":               "imagenet-sparse-121-48-paper",
		"--preset sparse-40-12 --bottleneck=true":                         "sparse-bc-40-12",
		"--preset sparse-40-12 --init-channels 16 --input 28x28x1":        "sparse-40-12+",
		"--preset sparse-40-12 --input 28x28x1 --dropout 0.2 --classes 3": "sparse-40-12",
	} {
		var got struct{ Name string }
		decode(t, "summary --json "+line, &got)
		assert.Equal(t, want, got.Name, line)
	}
	var got struct {
		Config struct {
			Input   string
			Classes int
			Dropout float64
		}
	}
	decode(t, "summary --json --preset sparse-40-12 --input 28x30x1 --dropout 0.2 --classes 3", &got)
	assert.Equal(t, "28x30x1", got.Config.Input)
	assert.Equal(t, 3, got.Config.Classes)
	assert.Equal(t, 0.2, got.Config.Dropout)
}

func TestWrongUsage(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "no command; see 'sparsenet --help'",
		"sumary":                             `unknown command "sumary", did you mean summary?; see 'sparsenet --help'`,
		"frobnicate":                         `unknown command "frobnicate"; see`,
		"--frobnicate":                       "unknown flag: --frobnicate; see 'sparsenet --help'",
		"summary sparse-40-24":               `summary takes flags only, not "sparse-40-24"; see 'sparsenet summary --help'`,
		"models x":                           "models takes flags only",
		"summary --foo":                      "unknown flag: --foo; see 'sparsenet summary --help'",
		"summary --depth":                    "flag needs an argument",
		"summary --depth x":                  `depth "x": want a whole number; see`,
		"summary --dropout x":                `dropout "x": want a number; see`,
		"summary --bottleneck=x":             `bottleneck "x": want true or false; see`,
		"summary --depth 41":                 "nearest are 40 and 43",
		"summary --growth 1,2":               "2 numbers for 3 stages; give one number, or 3",
		"summary --growth 1,x":               `growth "1,x": want whole numbers, as in 24 or 16,32,64`,
		"summary --growth=":                  "want whole numbers",
		"summary --blocks 3,":                "want whole numbers, as in 6,12,24,16",
		"summary --blocks 3,3,3 --depth 40":  "give one of --depth and --blocks",
		"summary --wiring tree":              "use powers, powers:3",
		"summary --input 32":                 "as in 32x32x3",
		"summary --classes 0":                "use at least 1",
		"summary --classes -1":               "out of range",
		"summary --compression 0":            "more than 0",
		"summary --stem mnist":               "use cifar or imagenet",
		"summary --stem imagenet --depth 40": "121, 161, 169, 201 or 264",
		"summary --preset sparce-40-24":      "did you mean sparse-40-24",
		"summary --preset=":                  "preset is empty",
	} {
		out, errOut, code := execute(t, line)
		assert.Equal(t, exitUsage, code, line)
		assert.Empty(t, out, line)
		assert.Contains(t, errOut, want, line)
		assert.True(t, strings.HasPrefix(errOut, "sparsenet: ") && strings.Count(errOut, "\n") == 1, "one line: %q", errOut)
		assert.False(t, strings.HasPrefix(errOut, "sparsenet: sparsenet:"), errOut)
	}
}

func TestModels(t *testing.T) {
	var models []model
	decode(t, "models --json", &models)
	require.Greater(t, len(models), 30)
	equal, off := 0, 0
	for _, m := range models {
		if p := m.Published; p != nil && p.Equal {
			equal++
		} else if p != nil {
			off++
			assert.NotEmpty(t, p.Explained, m.Name)
		}
	}
	assert.Equal(t, [2]int{18, 2}, [2]int{equal, off})

	out, _, code := execute(t, "models")
	assert.Equal(t, exitSuccess, code)
	assert.Regexp(t, `sparse-40-24 +10 +748,522 +312.1 +123 +[0-9.]+ +0.76M \(100 classes\) +757,252 +equal +24.65 +5.47\n`, out)
	assert.Regexp(t, `sparse-bc-100-32x64x128 .* 17,339,780 +off `, out)
	assert.Contains(t, out, "sparse-bc-100-32x64x128: nothing natural")
}

func TestSummaryText(t *testing.T) {
	out, _, code := execute(t, "summary --preset dense-40-12")
	assert.Equal(t, exitSuccess, code)
	assert.Regexp(t, `stage0/layer12 +0-11 +156 +12x32x32 `, out)
	assert.Regexp(t, `parameters +1,059,298 `, out)
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"--help", "help", "summary --help", "models -h"} {
		out, errOut, code := execute(t, line)
		assert.Equal(t, exitSuccess, code, line)
		assert.Contains(t, out, "Usage:", line)
		assert.Empty(t, errOut, line)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrClosed }

// A result that cannot be written is a failure, not a success.
func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, line := range []string{"summary", "summary --json", "models", "models --json"} {
		var errOut bytes.Buffer
		assert.Equal(t, exitFailure, run(context.Background(), strings.Fields(line), fullDisk{}, &errOut), line)
		assert.Contains(t, errOut.String(), "file already closed")
	}
}
