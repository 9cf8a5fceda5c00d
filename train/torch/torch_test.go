package torch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The parts of pickles, written by hand.
func str(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}
func num(n int) string { return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
func nums(n ...int) string {
	s := "("
	for _, v := range n {
		s += num(v)
	}
	return s + "t"
}
func class(module, name string) string { return "c" + module + "\n" + name + "\n" }

// stored is a persistent id.
func stored(class_, key string, elems int) string {
	return "(" + str("storage") + class("torch", class_) + str(key) + str("cpu") + num(elems) + "tQ"
}

// view is a call of _rebuild_tensor_v2.
func view(storage string, offset int, shape, stride string) string {
	return class("torch._utils", "_rebuild_tensor_v2") + "(" + storage + num(offset) + shape + stride + "\x89}tR"
}

// state is a pickle of a dict of one tensor.
func state(tensor string) string { return "\x80\x02}" + str("w") + tensor + "s." }

type entry struct {
	name, content string
	method        uint16
}

// zipOf is an archive of a pickle and entries in folder m.
func zipOf(t testing.TB, pickle string, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range append([]entry{{name: "m/data.pkl", content: pickle}}, entries...) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		require.NoError(t, err)
		_, err = f.Write([]byte(e.content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func open(b []byte) (*File, error) { return NewFile(bytes.NewReader(b), int64(len(b))) }

const six = "\x01\x02\x03\x04\x05\x06" // a storage of six bytes

// Tensors are read in the order of their elements, whatever the strides.
func TestViews(t *testing.T) {
	for name, c := range map[string]struct {
		tensor string
		want   []byte
	}{
		"contiguous":    {view(stored("ByteStorage", "0", 6), 0, nums(2, 3), nums(3, 1)), []byte{1, 2, 3, 4, 5, 6}},
		"transposed":    {view(stored("ByteStorage", "0", 6), 0, nums(3, 2), nums(1, 3)), []byte{1, 4, 2, 5, 3, 6}},
		"a row":         {view(stored("ByteStorage", "0", 6), 3, nums(3), nums(1)), []byte{4, 5, 6}},
		"a column":      {view(stored("ByteStorage", "0", 6), 1, nums(2, 1), nums(3, 9)), []byte{2, 5}},
		"scalar":        {view(stored("ByteStorage", "0", 6), 5, ")", ")"), []byte{6}},
		"empty":         {view(stored("ByteStorage", "0", 6), 0, nums(0, 3), nums(3, 1)), []byte{}},
		"two byte":      {view(stored("ShortStorage", "0", 3), 0, nums(2), nums(2)), []byte{1, 2, 5, 6}},
		"a parameter":   {class("torch._utils", "_rebuild_parameter") + "(" + view(stored("ByteStorage", "0", 6), 0, nums(1), nums(1)) + "\x88}tR", []byte{1}},
		"prefix stored": {view(stored("ByteStorage", "0", 4), 0, nums(4), nums(1)), []byte{1, 2, 3, 4}},
	} {
		f, err := open(zipOf(t, state(c.tensor), entry{name: "m/data/0", content: six}))
		require.NoError(t, err, name)
		got := make([]byte, len(c.want))
		require.NoError(t, f.Read("w", got), name)
		assert.Equal(t, c.want, got, name)
		assert.ErrorContains(t, f.Read("w", make([]byte, 7)), "the buffer 7")
		assert.ErrorContains(t, f.Read("v", nil), `no tensor "v" among 1`)
	}
}

// What cannot be is an error before anything is read.
func TestRefuses(t *testing.T) {
	bytesOf := func(n int) string { return stored("ByteStorage", "0", n) }
	good := state(view(bytesOf(6), 0, nums(6), nums(1)))
	data := entry{name: "m/data/0", content: six}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"no data.pkl":       {zipOf(t, good, entry{name: "x/data.pkl"}), "two pickles"},
		"compressed":        {zipOf(t, good, entry{"m/data/0", six, zip.Deflate}), "is compressed"},
		"missing storage":   {zipOf(t, good), `storage "0" is not in the archive`},
		"short storage":     {zipOf(t, good, entry{name: "m/data/0", content: six[:5]}), "too few for 6 elements"},
		"big-endian":        {zipOf(t, good, data, entry{name: "m/byteorder", content: "big"}), "only little-endian"},
		"twice":             {zipOf(t, good, data, data), "is there twice"},
		"beyond":            {zipOf(t, state(view(bytesOf(6), 1, nums(6), nums(1))), data), "outside of its storage"},
		"beyond by strides": {zipOf(t, state(view(bytesOf(6), 0, nums(2, 2), nums(5, 1))), data), "outside of its storage"},
		"negative offset":   {zipOf(t, state(view(bytesOf(6), -1, nums(2), nums(1))), data), "outside of its storage"},
		"negative size":     {zipOf(t, state(view(bytesOf(6), 0, nums(-2), nums(1))), data), "shape or strides"},
		"expanded":          {zipOf(t, state(view(bytesOf(6), 0, nums(1<<20, 6), nums(0, 1))), data), "overlaps with itself"},
		"overlapping":       {zipOf(t, state(view(bytesOf(6), 0, nums(3, 3), nums(1, 1))), data), "overlaps with itself"},
		"huge":              {zipOf(t, state(view(bytesOf(6), 0, nums(1<<30, 1<<30), nums(1<<30, 1))), data), "more than 2^31 elements"},
		"huge stride":       {zipOf(t, state(view(bytesOf(6), 0, nums(3, 3), nums(1<<30, 1<<29))), data), "outside of its storage"},
		"unknown type":      {zipOf(t, state(view(stored("QInt8Storage", "0", 6), 0, nums(6), nums(1))), data), "have a type that is not read"},
		"code":              {zipOf(t, "\x80\x02"+class("os", "system")+"("+str("touch /tmp/pwned")+"tR.", data), "class os.system, which is code"},
		"nested code":       {zipOf(t, "\x80\x02}"+str("model")+class("my", "Net")+")\x81}bs.", data), "class my.Net, which is code: in PyTorch, save model.state_dict()"},
		"no tensors":        {zipOf(t, "\x80\x02}.", data), "no dict of tensors"},
		"a list":            {zipOf(t, "\x80\x02].", data), "no dict of tensors"},
		"same name":         {zipOf(t, "\x80\x02}("+str("w")+view(bytesOf(6), 0, nums(6), nums(1))+str("w")+view(bytesOf(6), 0, nums(6), nums(1))+"u.", data), "two tensors"},
		"protocol 0":        {zipOf(t, "(lp0\n.", data), "operation 0x70 at byte 2"},
		"cut short":         {zipOf(t, good[:20], data), "ends too early"},
		"stack underflow":   {zipOf(t, "\x80\x02s.", data), "takes more values"},
		"past the mark":     {zipOf(t, "\x80\x02}K\x01(K\x02s.", data), "takes more values"},
		"no mark":           {zipOf(t, "\x80\x02t.", data), "did not open"},
		"memo":              {zipOf(t, "\x80\x02h\x05.", data), "entry 5 of its memo"},
		"odd items":         {zipOf(t, "\x80\x02}(K\x01u.", data), "a key without a value"},
		"append to a dict":  {zipOf(t, "\x80\x02}K\x01a.", data), "appends to a *torch.dict"},
		"keys of a list":    {zipOf(t, "\x80\x02](K\x01K\x02u.", data), "sets keys of a *torch.list"},
		"long string":       {zipOf(t, "\x80\x02X\xff\xff\xff\xff.", data), "ends too early"},
		"view of a storage": {zipOf(t, state("("+str("storage")+class("torch", "ByteStorage")+str("0")+str("cpu")+num(6)+nums(1)+"tQ"), data), "view of another"},
		"trailing zip":      {zipOf(t, good, data)[:60], "zip archive"},
		"neither":           {[]byte("hello"), "neither a zip archive nor a pickle"},
		"empty":             {nil, "neither a zip archive nor a pickle"},
	} {
		f, err := open(c.file)
		assert.Nil(t, f, name)
		assert.ErrorContains(t, err, c.want, name)
	}
	_, err := open(zipOf(t, good, data))
	assert.NoError(t, err)
}

// A flipped bit of a storage is found by the archive's checksum.
func TestChecksum(t *testing.T) {
	b := zipOf(t, state(view(stored("ByteStorage", "0", 6), 0, nums(6), nums(1))), entry{name: "m/data/0", content: six})
	b[bytes.Index(b, []byte(six))] ^= 1
	f, err := open(b)
	require.NoError(t, err)
	assert.ErrorContains(t, f.Read("w", make([]byte, 6)), "checksum")
}

// Two entries of one archive must not share bytes: that is how a small file becomes
// a large one.
func TestOverlappingEntries(t *testing.T) {
	b := zipOf(t, state(view(stored("ByteStorage", "0", 6), 0, nums(6), nums(1))), entry{name: "m/data/0", content: six}, entry{name: "m/data/1", content: six})
	end := bytes.LastIndex(b, []byte("PK\x01\x02")) // the directory's entry of data/1
	first := bytes.Index(b, []byte("PK\x01\x02"))
	second := first + 4 + bytes.Index(b[first+4:], []byte("PK\x01\x02"))
	copy(b[end+42:end+46], b[second+42:second+46]) // its place is now that of data/0
	_, err := open(b)
	assert.ErrorContains(t, err, `zip entries "m/data/0" and "m/data/1" overlap`)
}

// legacyFile is what torch.save wrote before PyTorch 1.6.
func legacyFile(pickle, keys, storages string) []byte {
	magic := legacyMagic.Bytes()
	slices.Reverse(magic)
	return []byte("\x80\x02\x8a\x0a" + string(magic) + ".\x80\x02M\xe9\x03.\x80\x02}" + str("little_endian") + "\x88s." + pickle + "\x80\x02" + keys + "." + storages)
}

func TestLegacy(t *testing.T) {
	tensor := state(view(stored("ByteStorage", "0", 6), 2, nums(2, 2), nums(1, 2)))
	const count = "\x06\x00\x00\x00\x00\x00\x00\x00"
	keys := "]" + str("0") + "a"
	f, err := open(legacyFile(tensor, keys, count+six))
	require.NoError(t, err)
	got := make([]byte, 4)
	require.NoError(t, f.Read("w", got))
	assert.Equal(t, []byte{3, 5, 4, 6}, got)
	require.NoError(t, f.Close())

	for want, b := range map[string][]byte{
		"too few for 6 elements":      legacyFile(tensor, keys, "\x05\x00\x00\x00\x00\x00\x00\x00"+six[:5]),
		"the file is truncated":       legacyFile(tensor, keys, count+six[:5]),
		"truncated: EOF":              legacyFile(tensor, keys, count[:5]),
		"bytes follow the last":       legacyFile(tensor, keys, count+six+"x"),
		"is not in the file":          legacyFile(tensor, "]", ""),
		"is there twice":              legacyFile(tensor, keys+str("0")+"a", count+six+count+six),
		"listed, but of no known":     legacyFile(tensor, "]"+str("1")+"a", count+six),
		"torch.save did not write":    []byte("\x80\x02K\x01."),
		"no list of storages":         legacyFile(tensor, "K\x01", ""),
		"only little-endian":          bytes.Replace(legacyFile(tensor, keys, count+six), []byte("\x88s."), []byte("\x89s."), 1),
		"pickle 5 of the file: the p": legacyFile(tensor, "]", "")[:len(legacyFile(tensor, "]", ""))-1],
	} {
		_, err := open(b)
		assert.ErrorContains(t, err, want)
	}
}

func TestLong(t *testing.T) {
	for s, want := range map[string]any{"": int64(0), "\x05": int64(5), "\xff": int64(-1), "\x00\x80": int64(-32768), "\xff\xff\xff\xff\xff\xff\xff\x7f": int64(1<<63 - 1)} {
		assert.Equal(t, want, long([]byte(s)))
	}
	assert.Equal(t, new(big.Int).Lsh(big.NewInt(1), 64), long([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x01")))
}

func TestOpenNames(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "nothing.pth"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	assert.ErrorContains(t, err, dir+": not a regular file")
	path := filepath.Join(dir, "x.pth")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o666))
	_, err = Open(path)
	assert.ErrorContains(t, err, "torch: "+path)
}

// seeds are small files of both forms.
func seeds(t testing.TB) [][]byte {
	pickle := state(view(stored("FloatStorage", "0", 1), 0, nums(1), nums(1)))
	return [][]byte{
		zipOf(t, pickle, entry{name: "m/data/0", content: six[:4]}),
		zipOf(t, "\x80\x02}"+str("model")+"}"+str("w")+view(stored("HalfStorage", "0", 2), 0, nums(2, 1), nums(1, 1))+"ss.", entry{name: "m/data/0", content: six[:4]}),
		legacyFile(pickle, "]"+str("0")+"a", "\x01\x00\x00\x00\x00\x00\x00\x00"+six[:4]),
	}
}

// FuzzOpen: no file makes the reader panic or read what is not there.
func FuzzOpen(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := open(b)
		if err != nil {
			return
		}
		for _, i := range file.Tensors() {
			if i.Bytes > uint64(len(b)) {
				t.Fatalf("tensor %q of %d bytes in a file of %d", i.Name, i.Bytes, len(b))
			}
			_ = file.Read(i.Name, make([]byte, i.Bytes)) // a checksum may be wrong
		}
	})
}

// FuzzPickle: nor does any pickle, in an archive that is right.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(state(view(stored("ByteStorage", "0", 6), 0, nums(2, 3), nums(3, 1)))))
	f.Add([]byte("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01wK\x01\x8c\x01v\x8c\x02os\x8c\x06system\x93\x85R\x94]\x94(h\x00h\x01eu."))
	f.Add([]byte("\x80\x02" + class("collections", "OrderedDict") + ")Rq\x00" + str("w") + view(stored("ByteStorage", "0", 6), 0, nums(6), nums(1)) + "s}" + str("_metadata") + "h\x00sb."))
	f.Fuzz(func(t *testing.T, pickle []byte) {
		file, err := open(zipOf(t, string(pickle), entry{name: "m/data/0", content: six}))
		if err != nil {
			return
		}
		for _, i := range file.Tensors() {
			b := make([]byte, i.Bytes)
			if err := file.Read(i.Name, b); err != nil {
				t.Fatal(fmt.Errorf("%v: %w", i, err))
			}
		}
	})
}
