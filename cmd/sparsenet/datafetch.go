package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"sparsevk/train/data"
)

func newDataFetchCommand() *cobra.Command {
	var dir, mirror string
	cmd := &cobra.Command{
		Use:   "fetch NAME --data DIR [--mirror URL]",
		Short: "Download a data set from its home, and verify it",
		Long: `Downloads a data set into a folder of DIR. A download that was interrupted goes on
where it stopped when the command is given again. Archives and files are compared
with the published hashes; the set is there whole or not at all. One that is there
already is checked and left alone. Where its home cannot be reached, see
'sparsenet data import'.`,
		Example: `  sparsenet data fetch cifar10 --data data
  sparsenet data fetch mnist --data data --mirror https://example.org/mnist`,
		Args: oneDataSet,
	}
	cmd.Flags().StringVar(&dir, "data", "", "folder of the data sets (required)")
	cmd.Flags().StringVar(&mirror, "mirror", "", "address of a folder with the set's archives, to ask instead of its home")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if dir == "" {
			return usagef("data fetch: --data DIR is needed, the folder to make the files in")
		}
		if u, err := url.Parse(mirror); mirror != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return usagef("--mirror %q: want an address such as https://example.org/sets", mirror)
		}
		show := &fetchProgress{cmd: cmd, line: newProgress(cmd), last: time.Now()}
		files, err := data.Fetch(cmd.Context(), args[0], dir, data.FetchOptions{Mirror: mirror, Progress: show.tell})
		show.line.clear()
		if err != nil {
			return err
		}
		if wantsJSON(cmd) {
			return printJSON(cmd, describeFiles(files))
		}
		return writeFiles(cmd.OutOrStdout(), describeFiles(files))
	}
	return cmd
}

// fetchProgress tells how a download goes: in a line that is replaced on a
// terminal, in a line now and then elsewhere, on standard error.
type fetchProgress struct {
	cmd   *cobra.Command
	line  *progress
	name  string    // of the archive
	begun time.Time // when its first byte was told of
	first int64     // bytes that were there then
	last  time.Time // of the last line that stays
}

func (p *fetchProgress) tell(name string, done, total int64) {
	if name != p.name || done < p.first { // another archive, or from the start again
		p.name, p.begun, p.first = name, time.Now(), done
	}
	text := fmt.Sprintf("%s  %.1f MB", name, float64(done)/1e6)
	if total > 0 {
		text += fmt.Sprintf(" of %.1f  %d%%", float64(total)/1e6, 100*done/total)
	}
	if passed := time.Since(p.begun); passed > time.Second {
		rate := float64(done-p.first) / passed.Seconds()
		text += fmt.Sprintf("  %.1f MB/s", rate/1e6)
		if total > 0 && rate > 0 {
			left := time.Duration(float64(total-done) / rate * float64(time.Second))
			text += fmt.Sprintf("  %v left", left.Round(time.Second))
		}
	}
	p.line.show("%s", text)
	if p.line.w == nil && !wantsJSON(p.cmd) && time.Since(p.last) >= plainEvery {
		p.last = time.Now()
		fmt.Fprintln(p.cmd.ErrOrStderr(), text)
	}
}
