package dashboard

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train"
)

var update = flag.Bool("update", false, "write the golden files")

// made is a board in the middle of its third epoch, an hour after its beginning.
func made() (*Board, time.Time) {
	b := New(Header{
		Network: "sparse-40-12", Parameters: 189514, Engine: "arena", Batch: 64, Device: "llvmpipe (LLVM 15.0.6, 256 bits)",
		Driver: "llvmpipe Mesa 25.0.7", Epochs: 10, Folder: "runs/cifar",
	})
	const batches = 100
	for step := range 250 {
		loss := 0.3 + 2*math.Exp(-float64(step)/90) + 0.05*math.Sin(float64(step))
		b.Progress(train.Progress{Epoch: step / batches, Batch: step%batches + 1, Batches: batches, Step: uint64(step + 1)})
		m := train.Metric{
			Kind: train.KindStep, Epoch: uint64(step / batches), Step: uint64(step + 1), LR: train.Number(0.1 * (1 - float64(step)/1000)),
			Loss: train.Number(loss), Accuracy: train.Number(1 - loss/2.5), ImagesPerSecond: train.Number(60 + 5*math.Cos(float64(step)/9)),
			GradNorm: 1.25, DeviceBytes: 75 << 20,
		}
		b.Observe(m)
		if (step+1)%batches == 0 {
			m.Kind, m.Loss, m.Accuracy = train.KindValid, train.Number(loss+0.1), train.Number(1-loss/2)
			b.Observe(m)
			b.Note(fmt.Sprintf("epoch %d/10  step %d  loss %.4f", (step+1)/batches, step+1, loss))
		}
	}
	return b, b.begun.Add(time.Hour)
}

func TestRender(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 10}, {200, 60}, {110, 18}} {
		w, h := size[0], size[1]
		t.Run(fmt.Sprintf("%dx%d", w, h), func(t *testing.T) {
			b, now := made()
			got := ansi.Strip(b.Render(w, h, now)) + "\n"
			lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
			assert.Len(t, lines, h)
			for _, l := range lines {
				assert.LessOrEqual(t, ansi.StringWidth(l), w, l)
			}
			path := filepath.Join("testdata", fmt.Sprintf("%dx%d.txt", w, h))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got, "look at the difference; -update takes it over")
		})
	}
}

// No size and no moment of a run makes it panic or overflow.
func TestRenderAnywhere(t *testing.T) {
	full, now := made()
	one := New(full.head)
	one.Progress(train.Progress{Batch: 1, Batches: 1})
	one.Observe(train.Metric{Kind: train.KindStep, Loss: train.Number(math.NaN()), Accuracy: 0, LR: 0.1, ImagesPerSecond: train.Number(math.Inf(1))})
	flat := New(full.head)
	for range 3 {
		flat.Observe(train.Metric{Kind: train.KindStep, Loss: 1, LR: 0.1})
	}
	for name, b := range map[string]*Board{"full": full, "empty": New(full.head), "one step": one, "flat": flat, "nothing known": New(Header{})} {
		for w := 0; w <= 130; w += 13 {
			for h := range 40 {
				lines := strings.Split(b.Render(w, h, now), "\n")
				require.LessOrEqual(t, len(lines), max(h, 1), "%s %dx%d", name, w, h)
				for _, l := range lines {
					require.LessOrEqual(t, ansi.StringWidth(l), max(w, 1), "%s %dx%d", name, w, h)
				}
			}
		}
	}
}

func TestTimeLeft(t *testing.T) {
	b, now := made()
	left, ok := b.left(now)
	require.True(t, ok)
	assert.Equal(t, 3*time.Hour, left.Round(time.Second), "a quarter took an hour")
	b.head.MaxTime = 90 * time.Minute
	left, _ = b.left(now)
	assert.Equal(t, 30*time.Minute, left)

	b = New(Header{Epochs: 10})
	_, ok = b.left(b.begun.Add(time.Second))
	assert.False(t, ok)
	b.Progress(train.Progress{Epoch: 8, Batch: 1, Batches: 2}) // resumed after epoch 8: what was done before does not count
	left, ok = b.left(b.begun.Add(time.Minute))
	require.True(t, ok)
	assert.Equal(t, 3*time.Minute, left)
}

func TestCurveIsBounded(t *testing.T) {
	var c curve
	for i := range 100000 {
		v := float64(i)
		if i < 5000 {
			v = math.NaN()
		}
		c.add(v)
		require.Less(t, len(c.points), maxPoints)
	}
	assert.GreaterOrEqual(t, len(c.points), maxPoints/4)
	assert.True(t, math.IsNaN(c.points[0]), "a gap stays one")
	last := c.points[len(c.points)-1]
	assert.True(t, last > 99000 && last < 100000, "%g", last)
	for i := 1; i < len(c.points); i++ {
		assert.False(t, c.points[i] <= c.points[i-1], "means of what rises rise")
	}
}

func TestInterrupts(t *testing.T) {
	stops := 0
	b, _ := made()
	m := &model{board: b, stop: func() { stops++ }}
	_, _ = m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	assert.Contains(t, m.View().Content, "sparse-40-12")
	assert.True(t, m.View().AltScreen)
	_, cmd := m.Update(tick{})
	assert.NotNil(t, cmd)
	_, cmd = m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"})
	assert.Nil(t, cmd)
	assert.Zero(t, stops, "a key that is hit by chance does nothing")

	_, cmd = m.Update(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
	assert.Nil(t, cmd, "the screen stays until the step is done")
	assert.Equal(t, 1, stops)
	assert.Contains(t, m.View().Content, "once more stops at once")
	_, cmd = m.Update(interrupt{})
	require.NotNil(t, cmd)
	assert.IsType(t, tea.QuitMsg{}, cmd())
	assert.Equal(t, 1, stops)
}

func TestCheck(t *testing.T) {
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	assert.ErrorIs(t, Check(f, f), ErrNoTerminal)
	assert.ErrorIs(t, Check(nil, nil), ErrNoTerminal)
	b, _ := made()
	_, err = Open(b, f, f, nil, nil)
	assert.ErrorIs(t, err, ErrNoTerminal)
}

// BenchmarkObserve is what the training loop pays for a step.
func BenchmarkObserve(b *testing.B) {
	board, _ := made()
	for b.Loop() {
		board.Observe(train.Metric{Kind: train.KindStep, Loss: 1})
	}
}
