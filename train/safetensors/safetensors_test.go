package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// file puts a header in front of data, with its length.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func open(b []byte) (*File, error) { return NewFile(bytes.NewReader(b), int64(len(b))) }

// entry is a tensor of a header.
func entry(name, dtype, shape, offsets string) string {
	return fmt.Sprintf(`"%s":{"dtype":"%s","shape":%s,"data_offsets":%s}`, name, dtype, shape, offsets)
}

func TestReaderRefuses(t *testing.T) {
	a := entry("a", "F32", "[2]", "[0,8]")
	huge := binary.LittleEndian.AppendUint64(nil, MaxHeader+1)
	beyond := binary.LittleEndian.AppendUint64(nil, 1<<63+8)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":                  {nil, "0 bytes are too few"},
		"seven bytes":            {make([]byte, 7), "7 bytes are too few"},
		"empty header":           {file("", 0), "does not start with '{'"},
		"giant header":           {append(huge, make([]byte, 100)...), "header of 100000001 bytes, at most 100000000"},
		"header of 2^63":         {append(beyond, make([]byte, 100)...), "at most 100000000"},
		"header past the end":    {file("{}", 0)[:9], "header of 2 bytes in a file of 9"},
		"space first":            {file(" {}", 0), "does not start with '{'"},
		"array":                  {file("[]", 0), "does not start with '{'"},
		"not closed":             {file("{", 0), "EOF"},
		"text after":             {file("{}{}", 0), "goes on"},
		"zeros after":            {file("{}\x00\x00", 0), "goes on"},
		"bad UTF-8":              {file("{\"\xff\":{}}", 0), "UTF-8"},
		"duplicate tensor":       {file("{"+a+","+entry("a", "F32", "[1]", "[8,12]")+"}", 12), `duplicate key "a"`},
		"duplicate by escape":    {file("{"+a+","+entry(`\u0061`, "F32", "[1]", "[8,12]")+"}", 12), `duplicate key "a"`},
		"duplicate metadata":     {file(`{"__metadata__":{},"__metadata__":{}}`, 0), "duplicate key"},
		"duplicate in metadata":  {file(`{"__metadata__":{"k":"1","k":"2"}}`, 0), `duplicate key "k"`},
		"duplicate field":        {file(`{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1), `duplicate key "dtype"`},
		"metadata not strings":   {file(`{"__metadata__":{"k":1}}`, 0), `metadata "k"`},
		"unknown field":          {file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":0}}`, 1), `unknown field "x"`},
		"no shape":               {file(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), "are needed"},
		"tensor is a number":     {file(`{"a":5}`, 0), "5 stands where { belongs"},
		"unknown dtype":          {file("{"+entry("a", "F31", "[2]", "[0,8]")+"}", 8), `unknown dtype "F31"`},
		"wrong dtype size":       {file("{"+entry("a", "F64", "[2]", "[0,8]")+"}", 8), "has 16 bytes, its offsets [0 8] span 8"},
		"negative dimension":     {file("{"+entry("a", "F32", "[-2]", "[0,8]")+"}", 8), "-2 is not an integer"},
		"fraction":               {file("{"+entry("a", "F32", "[2.0]", "[0,8]")+"}", 8), "2.0 is not an integer"},
		"exponent":               {file("{"+entry("a", "F32", "[2e0]", "[0,8]")+"}", 8), "2e0 is not an integer"},
		"null dimension":         {file("{"+entry("a", "F32", "[null]", "[0,8]")+"}", 8), "stands where an integer belongs"},
		"dimension of 2^63":      {file("{"+entry("a", "F32", "[9223372036854775808]", "[0,8]")+"}", 8), "is not an integer from 0"},
		"dimension of 2^64":      {file("{"+entry("a", "F32", "[18446744073709551617]", "[0,8]")+"}", 8), "is not an integer from 0"},
		"product wraps to 8":     {file("{"+entry("a", "F32", "[4611686018427387905,2]", "[0,8]")+"}", 8), "larger than 2^63"},
		"product wraps, zero":    {file("{"+entry("a", "F32", "[4611686018427387904,4,0]", "[0,0]")+"}", 0), "larger than 2^63"},
		"offsets of 2^63":        {file("{"+entry("a", "U8", "[9223372036854775807]", "[0,9223372036854775807]")+"}", 8), "ends at byte 9223372036854775807 of 8"},
		"offsets add past 2^63":  {file("{"+entry("a", "U8", "[4]", "[9223372036854775803,9223372036854775807]")+"}", 8), "of 8"},
		"three offsets":          {file("{"+entry("a", "F32", "[2]", "[0,8,8]")+"}", 8), "are not [begin, end]"},
		"offsets reversed":       {file("{"+entry("a", "F32", "[2]", "[8,0]")+"}", 8), "are not [begin, end]"},
		"truncated data":         {file("{"+a+"}", 7), "ends at byte 8 of 7"},
		"trailing byte":          {file("{"+a+"}", 9), `1 bytes follow tensor "a"`},
		"data without tensors":   {file("{}", 4), "4 bytes follow the header"},
		"hole":                   {file("{"+a+","+entry("b", "F32", "[1]", "[12,16]")+"}", 16), `hole of 4 bytes between tensor "a" and tensor "b"`},
		"hole at the start":      {file("{"+entry("b", "F32", "[1]", "[4,8]")+"}", 8), `hole of 4 bytes between the header`},
		"overlap":                {file("{"+a+","+entry("b", "F32", "[2]", "[4,12]")+"}", 12), `tensor "b" starts at byte 4, inside tensor "a"`},
		"same place":             {file("{"+a+","+entry("b", "F32", "[2]", "[0,8]")+"}", 8), "inside tensor"},
		"empty tensor in a hole": {file("{"+a+","+entry("b", "F32", "[0]", "[4,4]")+"}", 8), `tensor "b" starts at byte 4, inside`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(c.file)
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
			assert.True(t, strings.HasPrefix(err.Error(), "safetensors: "), err)
		})
	}
}

func TestReaderAccepts(t *testing.T) {
	for name, c := range map[string][]byte{
		"nothing":       file("{}", 0),
		"padding":       file("{}      ", 0),
		"scalar":        file("{"+entry("a", "F32", "[]", "[0,4]")+"}", 4),
		"empty tensors": file("{"+entry("a", "F32", "[0]", "[0,0]")+","+entry("b", "F32", "[3,0]", "[0,0]")+"}", 0),
		"other order":   file("{"+entry("a", "F32", "[1]", "[4,8]")+","+entry("b", "I32", "[1]", "[0,4]")+"}", 8),
		"half floats":   file("{"+entry("a", "BF16", "[3]", "[0,6]")+"}", 6),
		"metadata last": file("{"+entry("a", "U8", "[1]", "[0,1]")+`,"__metadata__":{"k":"v"}}`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(c)
			assert.NoError(t, err)
		})
	}
}

// The trace was written by the reference implementation from PyTorch tensors.
func TestReadsPyTorchTrace(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "sparse-19-k4.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, "8002", f.Metadata()["parameters"])
	assert.Equal(t, "powers", f.Metadata()["wiring"])
	info, ok := f.Info("input")
	require.True(t, ok)
	assert.Equal(t, Info{Name: "input", DType: F32, Shape: []int{32, 3, 32, 32}, Off: 0, Bytes: 393216}, info)
	assert.Equal(t, 32*3*32*32, info.Elems())

	labels, err := f.Int64("label")
	require.NoError(t, err)
	require.Len(t, labels, 32)
	for _, l := range labels {
		assert.True(t, l >= 0 && l < 10, "label %d", l)
	}
	loss, err := f.Float64("loss")
	require.NoError(t, err)
	require.Len(t, loss, 4)
	for _, l := range loss {
		assert.True(t, l > 1 && l < 5, "loss %g", l)
	}
	narrow, err := f.Float32("init.features.conv0.weight")
	require.NoError(t, err)
	wide, err := f.Float64("init.features.conv0.weight")
	require.NoError(t, err)
	require.Len(t, wide, 8*3*3*3)
	for i := range wide {
		assert.Equal(t, wide[i], float64(narrow[i]))
	}
	_, err = f.Float32("loss")
	assert.ErrorContains(t, err, `tensor "loss" is F64, wanted one of [F32]`)
	_, err = f.Float32("lost")
	assert.ErrorContains(t, err, `no tensor "lost"`)
	assert.ErrorContains(t, f.Read("label", make([]byte, 255)), "has 256 bytes, the buffer 255")
}

func TestTruncationAtEveryByteIsAnError(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Write(&b, map[string]string{"k": "v"}, []Tensor{
		Float32("a", []int{3}, []float32{1, 2, 3}), Int64("b", []int{2}, []int64{4, 5}),
	}))
	whole := b.Bytes()
	_, err := open(whole)
	require.NoError(t, err)
	for n := range len(whole) {
		_, err := open(whole[:n])
		assert.Error(t, err, "%d of %d bytes", n, len(whole))
	}
	// A file that shrinks after its header was read.
	f, err := NewFile(bytes.NewReader(whole[:len(whole)-1]), int64(len(whole)))
	require.NoError(t, err)
	_, err = f.Float32("a")
	assert.ErrorContains(t, err, "unexpected EOF")
}

func TestWriteReadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.String().Filter(func(s string) bool { return s != metadataKey }),
			0, 8, rapid.ID).Draw(t, "names")
		meta := rapid.MapOfN(rapid.String(), rapid.String(), 0, 4).Draw(t, "meta")
		var tensors []Tensor
		for _, name := range names {
			shape := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 3).Draw(t, "shape")
			d := rapid.SampledFrom([]DType{F64, F32, I64, I32, U32, U8, "BF16"}).Draw(t, "dtype")
			size, err := sizeOf(d, shape)
			require.NoError(t, err)
			data := rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, "data")
			tensors = append(tensors, Tensor{name, d, shape, data})
		}
		var first, second bytes.Buffer
		require.NoError(t, Write(&first, meta, tensors))
		require.NoError(t, Write(&second, meta, rapid.Permutation(tensors).Draw(t, "order")))
		require.Equal(t, first.Bytes(), second.Bytes())

		f, err := open(first.Bytes())
		require.NoError(t, err)
		require.Len(t, f.Tensors(), len(tensors))
		require.Equal(t, meta, f.Metadata())
		for _, want := range tensors {
			info, ok := f.Info(want.Name)
			require.True(t, ok)
			require.Equal(t, want.DType, info.DType)
			require.Equal(t, want.Shape, info.Shape)
			require.Zero(t, info.Off%uint64(info.DType.Bytes()), "alignment")
			got := make([]byte, info.Bytes)
			require.NoError(t, f.Read(want.Name, got))
			require.Equal(t, want.Data, got)
		}
	})
}

func TestConversionsKeepBits(t *testing.T) {
	nan := math.Float32frombits(0x7fc01234)
	var b bytes.Buffer
	require.NoError(t, Write(&b, nil, []Tensor{
		Float32("f", []int{2}, []float32{nan, float32(math.Copysign(0, -1))}),
		Float64("d", []int{1}, []float64{math.Pi}),
		Uint32("u", []int{1}, []uint32{math.MaxUint32}),
		Int64("i", []int{1}, []int64{math.MinInt64}),
		{"s", I32, []int{1}, []byte{0xff, 0xff, 0xff, 0xff}},
		{"c", U8, []int{1}, []byte{200}},
	}))
	f, err := open(b.Bytes())
	require.NoError(t, err)
	floats, err := f.Float32("f")
	require.NoError(t, err)
	assert.Equal(t, uint32(0x7fc01234), math.Float32bits(floats[0]))
	assert.Equal(t, uint32(1<<31), math.Float32bits(floats[1]))
	d, err := f.Float64("d")
	require.NoError(t, err)
	assert.Equal(t, []float64{math.Pi}, d)
	u, err := f.Uint32("u")
	require.NoError(t, err)
	assert.Equal(t, []uint32{math.MaxUint32}, u)
	for name, want := range map[string]int64{"i": math.MinInt64, "u": math.MaxUint32, "s": -1, "c": 200} {
		v, err := f.Int64(name)
		require.NoError(t, err)
		assert.Equal(t, []int64{want}, v, name)
	}
}

func TestWriteRefuses(t *testing.T) {
	one := Float32("a", []int{1}, []float32{1})
	for want, tensors := range map[string][]Tensor{
		"two tensors have this name":          {one, one},
		"the name is reserved":                {Float32(metadataKey, nil, []float32{1})},
		"the name is not valid UTF-8":         {Float32("\xff", nil, []float32{1})},
		"has 8 bytes, the data 4":             {Float32("a", []int{2}, []float32{1})},
		`unknown dtype "F33"`:                 {{"a", "F33", nil, nil}},
		"negative dimension":                  {{"a", F32, []int{-1}, nil}},
		"shape [1073741824 1073741824 8] of ": {{"a", F32, []int{1 << 30, 1 << 30, 8}, nil}},
	} {
		var b bytes.Buffer
		assert.ErrorContains(t, Write(&b, nil, tensors), want)
		assert.Zero(t, b.Len(), "nothing is written")
	}
	assert.ErrorContains(t, Write(&bytes.Buffer{}, map[string]string{"k": "\xff"}, nil), "UTF-8")
}

// fullDisk takes n bytes and no more.
type fullDisk struct{ n int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.n {
		return d.n, errFull
	}
	d.n -= len(b)
	return len(b), nil
}

func TestWriteReportsAFullDisk(t *testing.T) {
	tensors := []Tensor{Float32("a", []int{2}, []float32{1, 2}), Float32("b", []int{1}, []float32{3})}
	var b bytes.Buffer
	require.NoError(t, Write(&b, nil, tensors))
	for n := range b.Len() {
		assert.ErrorIs(t, Write(&fullDisk{n}, nil, tensors), errFull, "full after %d bytes", n)
	}
	assert.NoError(t, Write(&fullDisk{b.Len()}, nil, tensors))
}

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.safetensors")
	_, err := Open(path)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	assert.ErrorContains(t, err, dir+": not a regular file")
	require.NoError(t, os.WriteFile(path, []byte("hello"), 0o644))
	_, err = Open(path)
	assert.ErrorContains(t, err, path+": 5 bytes are too few")
	require.NoError(t, os.WriteFile(path, file("{}", 0), 0o644))
	f, err := Open(path)
	require.NoError(t, err)
	assert.NoError(t, f.Close())
	assert.NoError(t, f.Close(), "twice")
}

// FuzzReader: whatever the bytes, the reader neither panics nor accepts a file
// whose tensors do not tile the data; and what it accepts, the writer can write
// so that it reads the same again.
func FuzzReader(f *testing.F) {
	var b bytes.Buffer
	err := Write(&b, map[string]string{"step": "1"}, []Tensor{
		Float32("a", []int{2, 2}, []float32{1, 2, 3, 4}), Uint32("b", nil, []uint32{7}),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(file("{}", 0))
	f.Add(file("{"+entry("a", "F32", "[0]", "[0,0]")+"}", 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := open(b)
		if err != nil {
			return
		}
		var tensors []Tensor
		end := uint64(0)
		for _, info := range in.Tensors() {
			if info.Off != end {
				t.Fatalf("tensor %q at %d, the last ended at %d", info.Name, info.Off, end)
			}
			end += info.Bytes
			data := make([]byte, info.Bytes)
			if err := in.Read(info.Name, data); err != nil {
				t.Fatal(err)
			}
			tensors = append(tensors, Tensor{info.Name, info.DType, info.Shape, data})
		}
		var out bytes.Buffer
		if err := Write(&out, in.Metadata(), tensors); err != nil {
			t.Fatal(err)
		}
		again, err := open(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tensors {
			got := make([]byte, len(want.Data))
			if err := again.Read(want.Name, got); err != nil || !bytes.Equal(got, want.Data) {
				t.Fatalf("tensor %q: %v", want.Name, err)
			}
		}
	})
}
