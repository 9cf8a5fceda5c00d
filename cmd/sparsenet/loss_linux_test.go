package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A run whose device is lost at a random dispatch leaves what an undisturbed one
// leaves, bit for bit, and says what happened; with --on-device-loss stop it ends
// with an error, and --resume does the same.
func TestLostDeviceRestarts(t *testing.T) {
	needProgram(t)
	run := newTinyRun(t, t.TempDir())
	want, _ := run.measure(t)
	at := fmt.Sprintf("%d,%d", 2+rand.IntN(tinySteps), rand.IntN(60)) // of the submission, and of the dispatch

	r := run.in(t.TempDir())
	r.args = append(r.args[:len(r.args):len(r.args)], "--inject-device-loss", at)
	out := r.finish(t, false)
	assert.Regexp(t, `(?m)^sparsenet: the device was lost; going on from .*step-0000000000\d\d.safetensors: .*VK_ERROR_DEVICE_LOST`, out, "lost at %s", at)
	r.requireSame(t, want)

	r = run.in(t.TempDir())
	r.args = append(r.args[:len(r.args):len(r.args)], "--inject-device-loss", at, "--on-device-loss", "stop")
	code, out := r.start(t, false).end()
	require.Equal(t, exitFailure, code, out)
	assert.Regexp(t, `(?m)^sparsenet: train: .*VK_ERROR_DEVICE_LOST`, out)
	r.args = run.args
	r.finish(t, true)
	r.requireSame(t, want)
}
