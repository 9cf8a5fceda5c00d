package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
