package convert

import (
	"encoding/binary"
	"errors"
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
	"sparsevk/train/onnx/onnxtest"
	"sparsevk/train/safetensors"
)

func TestMain(m *testing.M) { optest.Main(m) }

// The networks of testdata, which tools/traces/make_checkpoints.py writes.
var (
	vision = sparsenet.Config{
		Blocks: []int{2, 2, 2, 2}, Growth: []int{4}, Wiring: sparsenet.Dense(), Bottleneck: true, InitChannels: 8, Classes: 5,
		Stem: sparsenet.ImageNet, Input: sparsenet.Input{H: 32, W: 32, C: 3},
	}
	sparse = sparsenet.Config{Blocks: []int{3, 3, 3}, Growth: []int{3}, Input: sparsenet.Input{H: 32, W: 32, C: 1}}
)

func build(t testing.TB, c sparsenet.Config) *sparsenet.Graph {
	t.Helper()
	g, err := sparsenet.Build(c)
	require.NoError(t, err)
	return g
}

func importFile(t testing.TB, g *sparsenet.Graph, path string) (map[string][]float32, Scheme) {
	t.Helper()
	src, err := Open(path)
	require.NoError(t, err)
	defer src.Close()
	values, scheme, err := Import(g, src)
	require.NoError(t, err)
	return values, scheme
}

// expected returns the images of the test data and PyTorch's logits.
func expected(t testing.TB, path, name string) (images, logits []float32) {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	images, err = f.Float32(name + ".images")
	require.NoError(t, err)
	logits, err = f.Float32(name + ".logits")
	require.NoError(t, err)
	return images, logits
}

// Checkpoints of PyTorch, in every form, give PyTorch's logits.
func TestImportGivesPyTorchsLogits(t *testing.T) {
	for _, c := range []struct {
		file, logits string
		config       sparsenet.Config
		scheme       Scheme
	}{
		{"torchvision.pth", "torchvision", vision, Torchvision},
		{"torchvision-legacy.pth", "torchvision", vision, Torchvision},
		{"sparse.pt", "sparse", sparse, Official},
	} {
		t.Run(c.file, func(t *testing.T) {
			g := build(t, c.config)
			values, scheme := importFile(t, g, "testdata/"+c.file)
			assert.Equal(t, c.scheme, scheme)
			images, want := expected(t, "testdata/expected.safetensors", c.logits)
			d := onnxtest.Apart(onnxtest.Classify(t, optest.Device(t), g, values, images), want)
			t.Logf("deviates by %.2g", d)
			assert.True(t, d <= 1e-5, d)

			// a fault: the statistics of one reader are those of another
			for _, p := range g.Params.Running {
				if v := values[p.Name]; p.Kind == sparsenet.RunningMean && len(v) > 1 {
					v[0], v[1] = v[1], v[0]
					break
				}
			}
			assert.False(t, onnxtest.Apart(onnxtest.Classify(t, optest.Device(t), g, values, images), want) <= 1e-4)
		})
	}
}

// torchvision's densenet121 itself, from the files of
// tools/traces/make_checkpoints.py --densenet121 DIR.
func TestImportDensenet121(t *testing.T) {
	dir := os.Getenv("SPARSEVK_DENSENET121")
	if os.Getenv("SPARSEVK_SLOW") == "" || dir == "" {
		t.Skip("takes minutes: SPARSEVK_SLOW=1 SPARSEVK_DENSENET121=DIR")
	}
	c, err := sparsenet.Preset("imagenet-dense-121-32")
	require.NoError(t, err)
	g := build(t, c)
	values, _ := importFile(t, g, filepath.Join(dir, "densenet121.pth"))
	images, want := expected(t, filepath.Join(dir, "expected.safetensors"), "torchvision")
	d, largest := onnxtest.Apart(onnxtest.Classify(t, optest.Device(t), g, values, images), want), 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	t.Logf("logits up to %.3g deviate by %.2g", largest, d)
	assert.True(t, d <= 1e-4, d)
}

// memory is a Source.
type memory map[string]safetensors.Tensor

func (m memory) Tensors() (list []safetensors.Info) {
	for _, v := range m {
		list = append(list, safetensors.Info{Name: v.Name, DType: v.DType, Shape: v.Shape, Bytes: uint64(len(v.Data))})
	}
	return list
}

func (m memory) Read(name string, dst []byte) error {
	if copy(dst, m[name].Data) != len(dst) {
		return errors.New("no such tensor, or another size")
	}
	return nil
}

func (m memory) Close() error { return nil }

// full has every tensor of g, under the names of the scheme.
func full(t testing.TB, g *sparsenet.Graph, s Scheme, prefix string) memory {
	t.Helper()
	names, err := s.Names(g)
	require.NoError(t, err)
	m := memory{}
	for i, p := range g.Params.All {
		v := make([]float32, p.Elems())
		for j := range v {
			v[j] = float32(i) + float32(j)/1000
		}
		name := prefix + names[p.Name]
		m[name] = safetensors.Float32(name, p.Shape, v)
	}
	return m
}

// Every tensor that is not as it should be is named, in one error.
func TestMismatch(t *testing.T) {
	g := build(t, vision)
	m := full(t, g, Torchvision, "module.")
	put := func(name string, shape ...int) {
		m[name] = safetensors.Float32(name, shape, make([]float32, safetensors.Info{Bytes: uint64(4 * product(shape)), DType: "F32"}.Elems()))
	}
	put("module.classifier.weight", 7, 20)
	put("module.features.extra", 2, 3)
	put("module.features.norm0.num_batches_tracked")
	delete(m, "module.features.norm5.bias")
	delete(m, "module.features.denseblock2.denselayer1.conv1.weight")
	m["module.features.norm0.weight"] = safetensors.Int64("module.features.norm0.weight", []int{8}, make([]int64, 8))
	values, _, err := Import(g, m)
	assert.Nil(t, values)
	var bad *Mismatch
	require.ErrorAs(t, err, &bad)
	for _, s := range []string{
		"2 missing, 1 unexpected, 2 of the wrong kind", "torchvision names",
		"missing: features.norm5.bias [16]", "missing: features.denseblock2.denselayer1.conv1.weight [16 8 1 1]",
		"unexpected: module.features.extra [2 3]", "wrong: module.classifier.weight has shape [7 20], the network's is [5 16]",
		"wrong: module.features.norm0.weight has elements of I64",
	} {
		assert.Contains(t, err.Error(), s)
	}
	bad.Missing = slices.Repeat([]string{"a [1]"}, 11)
	assert.Equal(t, mismatchLines, strings.Count(bad.Error(), "missing: a [1]\n"))
	assert.Contains(t, bad.Error(), "11 missing")
	assert.Contains(t, bad.Error(), "missing: 3 more\n")
	assert.NotContains(t, bad.Error(), "wrong: 0 more")
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Names of both schemes go to the same parameters, whatever stands before them, in
// any element type that holds the numbers.
func TestSchemesAndTypes(t *testing.T) {
	g := build(t, vision)
	want, _, err := Import(g, full(t, g, Official, ""))
	require.NoError(t, err)
	for _, s := range Schemes {
		for _, prefix := range []string{"", "module.", "module._orig_mod."} {
			got, scheme, err := Import(g, full(t, g, s, prefix))
			require.NoError(t, err)
			assert.Equal(t, s, scheme)
			assert.Equal(t, want, got)
		}
	}
	for _, w := range []struct {
		dtype safetensors.DType
		two   []byte // 2 and -0.5
	}{
		{"F16", []byte{0, 0x40, 0, 0xb8}}, {"BF16", []byte{0, 0x40, 0, 0xbf}},
		{"F64", binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, math.Float64bits(2)), math.Float64bits(-0.5))},
	} {
		m := memory{"x": {Name: "x", DType: w.dtype, Shape: []int{2}, Data: w.two}}
		v, err := read(m, m.Tensors()[0], sparsenet.Beta)
		require.NoError(t, err)
		assert.Equal(t, []float32{2, -0.5}, v, w.dtype)
		_, err = read(m, m.Tensors()[0], sparsenet.RunningVar)
		assert.ErrorContains(t, err, "x: element 1 is -0.5, no running variance")
	}
	m := memory{"x": safetensors.Float32("x", []int{1}, []float32{float32(math.NaN())})}
	_, err = read(m, m.Tensors()[0], sparsenet.Beta)
	assert.ErrorContains(t, err, "element 0 is NaN")
}

// half agrees with the definition of binary16 at its edges.
func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0: 0, 0x8000: math.Copysign(0, -1), 1: 0x1p-24, 0x3ff: 0x3ffp-24, 0x400: 0x1p-14, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504,
		0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0x3555: 0.333251953125,
	} {
		assert.Equal(t, math.Float32bits(float32(want)), math.Float32bits(half(bits)), "%#x", bits)
	}
	assert.True(t, math.IsNaN(float64(half(0x7e00))))
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ content, want string }{
		"empty": {"", "neither a safetensors file nor a checkpoint of PyTorch"},
		"text":  {"some text that is no model", "neither"},
		"zip":   {"PK\x03\x04 but no more", "zip archive"},
		"short": {"\x80\x02", "ends too early"},
		"st":    {"\xff\x00\x00\x00\x00\x00\x00\x00{", "truncated"},
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o666))
		_, err := Open(path)
		assert.ErrorContains(t, err, c.want, name)
		assert.ErrorContains(t, err, path)
	}
	_, err := Open(filepath.Join(dir, "nothing"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	assert.ErrorContains(t, err, dir)
}

// A node of a kind that torchvision does not have is refused by name.
func TestNamesRefuse(t *testing.T) {
	_, _, err := torchvision(sparsenet.Node{Kind: 99, Name: "stage0/sum1"})
	assert.ErrorContains(t, err, "stage0/sum1: torchvision's DenseNet has no layer like this")
	g, err := sparsenet.Build(sparsenet.Config{Depth: 8, Growth: []int{4}, Form: sparsenet.Sum})
	require.NoError(t, err)
	_, err = Torchvision.Names(g)
	assert.ErrorContains(t, err, "sparse-sum-8-4 is of the sum form, torchvision's DenseNet is not; use the official names")
	_, err = Official.Names(g)
	assert.NoError(t, err)
	_, err = ParseScheme("keras")
	assert.ErrorContains(t, err, `unknown names "keras": use official or torchvision`)
	assert.Equal(t, "features.norm5.bias", Torchvision.canonical("features.norm_final.bias"))
}
