package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/ops/optest"
	"sparsevk/sparsenet"
	"sparsevk/train/safetensors"
)

// The traces of three networks, recorded with PyTorch on CIFAR-10, and those that
// tools/traces/make_traces.py makes. The bounds of the first are the sharpest.
var traces = []string{
	"safetensors/testdata/sparse-19-k4.safetensors",
	"testdata/dense-19-k4.safetensors",
	"testdata/sparse-bc-34-k4.safetensors",
	"testdata/sparse-16-k3.safetensors",
	"testdata/dense-13-k3.safetensors",
	"testdata/bottleneck-22-k345.safetensors",
	"testdata/powers3-19-k3.safetensors",
	"testdata/imagenet-k3.safetensors",
	"testdata/sum-22-k456.safetensors",
	"testdata/sum-resnet-k345.safetensors",
	"testdata/sum-bottleneck-k8.safetensors",
}

// verify replays the trace at path on the device of the tests.
func verify(t *testing.T, path string, o sparsenet.Options) (*Replay, error) {
	t.Helper()
	dev := optest.Device(t)
	trace, err := OpenTrace(path)
	if err != nil {
		return nil, err
	}
	defer trace.Close()
	return Verify(dev, trace, o)
}

// Both engines, in every kernel form, keep within the bounds of every trace.
func TestTraces(t *testing.T) {
	for _, path := range traces {
		for _, engine := range engines {
			for _, class := range classes(optest.Device(t)) {
				name := strings.TrimSuffix(filepath.Base(path), ".safetensors")
				t.Run(fmt.Sprintf("%s_%s_%s", name, engine, class), func(t *testing.T) {
					r, err := verify(t, path, sparsenet.Options{Engine: engine, Class: class})
					require.NoError(t, err)
					require.Len(t, r.Groups, len(Groups))
					for _, g := range r.Groups {
						t.Logf("%-8s median %.1e of %.1e, largest %.1e of %.1e (%s)", g.Group, g.Median, g.MedianBound, g.Largest, g.Bound, g.Tensor)
						assert.True(t, g.Passed(), g.Group)
						assert.Positive(t, g.Tensors)
					}
					assert.True(t, r.Passed())
				})
			}
		}
	}
}

// A copied trace is a trace in memory, to be altered.
type copied struct {
	meta    map[string]string
	tensors []safetensors.Tensor
}

func copyTrace(t *testing.T, path string) *copied {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	c := &copied{meta: f.Metadata()}
	for _, i := range f.Tensors() {
		data := make([]byte, i.Bytes)
		require.NoError(t, f.Read(i.Name, data))
		c.tensors = append(c.tensors, safetensors.Tensor{Name: i.Name, DType: i.DType, Shape: i.Shape, Data: data})
	}
	return c
}

func (c *copied) find(name string) *safetensors.Tensor {
	i := slices.IndexFunc(c.tensors, func(t safetensors.Tensor) bool { return t.Name == name })
	if i < 0 {
		panic("no tensor " + name)
	}
	return &c.tensors[i]
}

func (c *copied) remove(name string) {
	c.tensors = slices.DeleteFunc(c.tensors, func(t safetensors.Tensor) bool { return t.Name == name })
}

// values returns a tensor's elements.
func (c *copied) values(name string) []float64 {
	t := c.find(name)
	v := make([]float64, len(t.Data)/t.DType.Bytes())
	for i := range v {
		if t.DType == safetensors.F32 {
			v[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:])))
		} else {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:]))
		}
	}
	return v
}

// add changes one element of a tensor by delta.
func (c *copied) add(name string, element int, delta float64) {
	t, v := c.find(name), c.values(name)[element]+delta
	if t.DType == safetensors.F32 {
		binary.LittleEndian.PutUint32(t.Data[4*element:], math.Float32bits(float32(v)))
	} else {
		binary.LittleEndian.PutUint64(t.Data[8*element:], math.Float64bits(v))
	}
}

func (c *copied) bytes(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, c.meta, c.tensors))
	return b.Bytes()
}

func (c *copied) write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "altered.safetensors")
	require.NoError(t, os.WriteFile(path, c.bytes(t), 0o666))
	return path
}

// scale returns what deviations of a tensor are measured in: its norm, or 1e-3 of
// the largest of its group. Of final tensors it is the norm of the change.
func (c *copied) scale(name string) float64 {
	prefix := name
	if i := strings.Index(name, "."); i > 0 {
		prefix = name[:i+1]
	}
	norm := func(name string) float64 {
		if rest, ok := strings.CutPrefix(name, "final."); ok {
			return distance(c.values(name), c.values("init."+rest))
		}
		return distance(c.values(name), nil)
	}
	largest := 0.0
	for _, t := range c.tensors {
		if t.Name == name || strings.HasPrefix(t.Name, prefix) {
			largest = max(largest, norm(t.Name))
		}
	}
	return max(norm(name), 1e-3*largest)
}

// bound returns how far a tensor of a group may stray.
func (c *copied) bound(t *testing.T, group string) float64 {
	t.Helper()
	var b map[string][2]float64
	require.NoError(t, json.Unmarshal([]byte(c.meta["bounds"]), &b))
	require.Contains(t, b, group)
	return b[group][1]
}

// A trace that says what is not so fails: a tensor changed by twenty times its
// bound, one label, one pixel, the optimizer. TestEveryTensorIsCompared changes
// the tensors that are only compared.
func TestAlteredTraceFails(t *testing.T) {
	const conv, bn = "features.dense-stage-1.block-2.conv1.weight", "features.dense-stage-2.block-1.bn1"
	for name, alter := range map[string]func(c *copied){
		"nothing":   func(*copied) {},
		"gradient":  func(c *copied) { c.add("grad0."+conv, 5, 20*c.bound(t, "grad0")*c.scale("grad0."+conv)) },
		"parameter": func(c *copied) { c.add("init."+conv, 7, 20*c.bound(t, "grad0")*c.scale("init."+conv)) },
		"running mean at first": func(c *copied) {
			c.add("init."+bn+".running_mean", 3, 20*c.bound(t, "final")*c.scale("final."+bn+".running_mean"))
		},
		"last label":   func(c *copied) { l := c.find("label"); l.Data[8*31] = (l.Data[8*31] + 1) % 10 },
		"pixel":        func(c *copied) { c.add("input", 0, 0.1) },
		"momentum":     func(c *copied) { c.meta["optimizer"] = strings.Replace(c.meta["optimizer"], "0.9", "0.89", 1) },
		"weight decay": func(c *copied) { c.meta["optimizer"] = strings.Replace(c.meta["optimizer"], "1e-4", "0.1", 1) },
		"not a number": func(c *copied) { c.add("grad0."+conv, 5, math.NaN()) },
	} {
		for _, engine := range engines {
			if engine == sparsenet.Layered && name != "parameter" && name != "last label" {
				continue // the comparison does not know the engine
			}
			c := copyTrace(t, traces[0])
			alter(c)
			r, err := verify(t, c.write(t), sparsenet.Options{Engine: engine, Class: classes(optest.Device(t))[0]})
			require.NoError(t, err, name)
			assert.Equal(t, name == "nothing", r.Passed(), "%s, %s: %+v", name, engine, r.Groups)
			_, err = json.Marshal(r)
			assert.NoError(t, err, name)
		}
	}
}

// Every tensor that is compared counts, in either direction: one at a time is
// moved by twice its bound, and by half of it. The replay itself runs once.
func TestEveryTensorIsCompared(t *testing.T) {
	dev := optest.Device(t)
	c := copyTrace(t, traces[0])
	trace, err := OpenTrace(traces[0])
	require.NoError(t, err)
	defer trace.Close()
	r := replayOf(t, trace, sparsenet.Options{Class: classes(dev)[0]})
	passes := func(group string) bool {
		f, err := safetensors.NewFile(bytes.NewReader(c.bytes(t)), int64(len(c.bytes(t))))
		require.NoError(t, err)
		r.file = f
		d, err := r.deviation(group)
		require.NoError(t, err)
		return d.Passed()
	}
	compared := 0
	for _, group := range Groups {
		for name := range r.got[group] {
			key := name
			if group == "grad0" || group == "final" {
				key = group + "." + name
			}
			unit := c.bound(t, group) * c.scale(key)
			last := len(c.values(key)) - 1
			for _, by := range []float64{2, -2, 0.5} {
				c.add(key, last, by*unit)
				assert.Equal(t, by == 0.5, passes(group), "%s moved by %g of its bound", key, by)
				c.add(key, last, -by*unit)
			}
			compared++
		}
	}
	assert.Equal(t, 1+56+1+92+1, compared)
	assert.True(t, passes("final"), "everything was put back")
}

// replayOf runs a trace and keeps what came of it.
func replayOf(t *testing.T, trace *Trace, o sparsenet.Options) *replayer {
	t.Helper()
	g, err := sparsenet.Build(trace.Config)
	require.NoError(t, err)
	o.Batch, o.Floats = trace.Batch, true
	n, err := sparsenet.NewNetwork(g, o)
	require.NoError(t, err)
	m, err := n.Open(optest.Device(t), 0)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	r := &replayer{Trace: trace, model: m, got: map[string]tensors{}}
	require.NoError(t, r.run())
	return r
}

// A replay that gives NaN anywhere fails, wherever the tensor stands in the order.
func TestNaNFailsEverywhere(t *testing.T) {
	trace, err := OpenTrace(traces[0])
	require.NoError(t, err)
	defer trace.Close()
	r := replayOf(t, trace, sparsenet.Options{Class: classes(optest.Device(t))[0]})
	for name, v := range r.got["grad0"] {
		kept := v[0]
		v[0] = math.NaN()
		d, err := r.deviation("grad0")
		require.NoError(t, err)
		assert.False(t, d.Passed(), name)
		assert.Equal(t, name, d.Tensor)
		v[0] = kept
	}
	d, err := r.deviation("grad0")
	require.NoError(t, err)
	assert.True(t, d.Passed())
}

// The bound of the median catches what strays a little everywhere, and no tensor
// by more than the largest may.
func TestMedianIsBounded(t *testing.T) {
	c := copyTrace(t, traces[0])
	for _, x := range c.tensors {
		if strings.HasPrefix(x.Name, "grad0.") {
			c.add(x.Name, 0, 0.5*c.bound(t, "grad0")*c.scale(x.Name))
		}
	}
	r, err := verify(t, c.write(t), sparsenet.Options{Class: classes(optest.Device(t))[0]})
	require.NoError(t, err)
	for _, g := range r.Groups {
		assert.Equal(t, g.Group != "grad0", g.Passed(), "%+v", g)
		assert.LessOrEqual(t, float64(g.Largest), g.Bound)
	}
}

// What is no trace, or not a whole one, is an error that names what is wrong and
// the file.
func TestTraceErrors(t *testing.T) {
	for want, alter := range map[string]func(c *copied){
		`header field depth is "", not a whole number of at least 1`: func(c *copied) { delete(c.meta, "depth") },
		`header field depth is "x", not a whole number`:              func(c *copied) { c.meta["depth"] = "x" },
		`header field growth is "four", not a list of whole numbers`: func(c *copied) { c.meta["growth"] = "four" },
		`header field compression is "", not a number`:               func(c *copied) { delete(c.meta, "compression") },
		`header field bounds`:                 func(c *copied) { c.meta["bounds"] = "{" },
		`bounds have no group eval`:           func(c *copied) { c.meta["bounds"] = strings.Replace(c.meta["bounds"], "eval", "evil", 1) },
		`unknown wiring "tree"`:               func(c *copied) { c.meta["wiring"] = "tree" },
		`optimizer "adam" cannot be replayed`: func(c *copied) { c.meta["optimizer"] = "adam" },
		`tensor input has shape [32 3 32 32], want [40,channels,height,width] f`: func(c *copied) { c.meta["steps"] = "5" },
		`tensor label has shape [], want [32]`:                                   func(c *copied) { c.remove("label") },
		`header field batch is "0"`:                                              func(c *copied) { c.meta["batch"] = "0" },
		`header field steps is "-1"`:                                             func(c *copied) { c.meta["steps"] = "-1" },
		`depth 20: `:                                                             func(c *copied) { c.meta["depth"] = "20" },
		`init.features.conv0.weight is missing`:                                  func(c *copied) { c.remove("init.features.conv0.weight") },
		`grad0.classifier.linear.bias is missing`:                                func(c *copied) { c.remove("grad0.classifier.linear.bias") },
		`final.features.norm_last.running_var is missing`:                        func(c *copied) { c.remove("final.features.norm_last.running_var") },
		`tensor loss is missing`:                                                 func(c *copied) { c.remove("loss") },
		`8002 parameters, the trace says 8003`:                                   func(c *copied) { c.meta["parameters"] = "8003" },
		`parameters, the trace says 8002`:                                        func(c *copied) { c.meta["growth"] = "[8, 4, 4]" },
		`label 10 of image 9 is no class of 10`:                                  func(c *copied) { c.find("label").Data[8*9] = 10 },
	} {
		c := copyTrace(t, traces[0])
		alter(c)
		path := c.write(t)
		_, err := verify(t, path, sparsenet.Options{Class: classes(optest.Device(t))[0]})
		assert.ErrorContains(t, err, want)
	}
	whole, err := os.ReadFile(traces[0])
	require.NoError(t, err)
	for _, n := range []int{0, 7, 100, len(whole) / 2, len(whole) - 1} {
		path := filepath.Join(t.TempDir(), "short.safetensors")
		require.NoError(t, os.WriteFile(path, whole[:n], 0o666))
		_, err := OpenTrace(path)
		assert.ErrorContains(t, err, path)
	}
}
