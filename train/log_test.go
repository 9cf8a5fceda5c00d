package train

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLog(t *testing.T) {
	r, err := OpenRun(t.TempDir())
	require.NoError(t, err)
	defer r.Close()
	for _, text := range []string{"first", "second\nin two lines\n"} { // a run, and what goes on with it
		l, err := r.OpenLog()
		require.NoError(t, err)
		l.Printf("%s", text)
		require.NoError(t, l.Close())
		require.NoError(t, l.Close())
		l.Printf("too late")
	}
	b, err := os.ReadFile(filepath.Join(r.Dir, logName))
	require.NoError(t, err)
	when := `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S+  `
	assert.Regexp(t, regexp.MustCompile(`^`+when+`first\n`+when+`second\n    in two lines\n$`), string(b))

	var none *Log
	none.Printf("nowhere")
	require.NoError(t, none.Close())
}

// A log that cannot be written says so in the end, and does not stop a run.
func TestLogKeepsItsError(t *testing.T) {
	f, err := os.Open(os.DevNull) // not for writing
	require.NoError(t, err)
	l := &Log{f: f}
	l.Printf("x")
	assert.ErrorContains(t, l.Close(), "train: log: ")
}
