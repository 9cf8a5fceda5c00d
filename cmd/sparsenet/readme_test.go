package main

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/sparsenet"
)

// shown is a command line of the program in a document: at a prompt, or between
// backquotes.
var shown = regexp.MustCompile("(?m)(?:^\\$ bin/|`)sparsenet ([^`|\n]+)")

// wrongCommands lists the command lines in text that the program would not take.
func wrongCommands(text string) (faults []string, count int) {
	for _, m := range shown.FindAllStringSubmatch(text, -1) {
		count++
		args := strings.Fields(m[1])
		cmd, rest, err := newRoot(func() {}).Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil && !cmd.HasParent() {
			err = fmt.Errorf("no command")
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("sparsenet %s: %v", strings.Join(args, " "), err))
		}
	}
	return faults, count
}

func TestReadmeCommands(t *testing.T) {
	for _, name := range []string{"README.md", "ARCHITECTURE.md"} {
		text, err := os.ReadFile("../../" + name)
		require.NoError(t, err)
		faults, count := wrongCommands(string(text))
		assert.Empty(t, faults, name)
		assert.Positive(t, count, name)
	}
}

func TestReadmeCommandsCatches(t *testing.T) {
	faults, count := wrongCommands("$ bin/sparsenet train --epoch 3\n`sparsenet bench --steps 3` `sparsenet trian`\n$ bin/sparsenet memory --fit 4GiB | tail\n")
	assert.Equal(t, 4, count)
	assert.Equal(t, []string{"sparsenet train --epoch 3: unknown flag: --epoch", "sparsenet trian: no command"}, faults)
}

// memoryRow is a line of the table of memory: the network, feature memory and
// all of the arena, all of layered, and what frameworks keep, in MiB.
var memoryRow = regexp.MustCompile(`(?m)^\| (\S+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \\\| ([\d,]+) \|$`)

// staleMemory lists the numbers of the table that are more than 2 % from the
// plan, which is more than rounding and less than what a reader cares for.
func staleMemory(t *testing.T, text string) (faults []string, rows int) {
	for _, m := range memoryRow.FindAllStringSubmatch(text, -1) {
		rows++
		var arena, layered sparsenet.MemoryReport
		preset := strings.ToLower(strings.Replace(m[1], "Net", "", 1))
		decode(t, "memory --json --preset "+preset, &arena)
		decode(t, "memory --json --engine layered --preset "+preset, &layered)
		for i, plan := range []uint64{arena.Features(), arena.Total, layered.Total, arena.Framework.Naive, arena.Framework.Efficient} {
			shown, err := strconv.ParseFloat(strings.ReplaceAll(m[2+i], ",", ""), 64)
			require.NoError(t, err)
			if is := sparsenet.MiB(plan); !(math.Abs(is-shown) <= max(0.02*is, 0.5)) {
				faults = append(faults, fmt.Sprintf("%s, column %d: %s, the plan is %.1f MiB", m[1], 1+i, m[2+i], is))
			}
		}
	}
	return faults, rows
}

func TestReadmeMemory(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	faults, rows := staleMemory(t, string(text))
	assert.Empty(t, faults)
	assert.Positive(t, rows)
}

func TestReadmeMemoryCatches(t *testing.T) {
	faults, rows := staleMemory(t, "| SparseNet-40-12 | 64 | 75 | 381 | 441 \\| 72 |\n| SparseNet-40-12 | 68 | 75 | 381 | 441 \\| 72 |\n")
	assert.Equal(t, 2, rows)
	require.Len(t, faults, 1)
	assert.Contains(t, faults[0], "SparseNet-40-12, column 1: 68, the plan is 6")
}
