package main

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// madeUpCIFAR writes CIFAR-10 files of 20 images each, two of every class, whose
// pixels are all 51 or, in the second ten, 102.
func madeUpCIFAR(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var content []byte
	for i := range 20 {
		content = append(content, byte(i%10))
		content = append(content, []byte(strings.Repeat(string(rune(51*(1+i/10))), 3072))...)
	}
	for _, name := range strings.Fields("data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 test_batch") {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".bin"), content, 0o644))
	}
	return dir
}

func TestDataInfo(t *testing.T) {
	dir := madeUpCIFAR(t)
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	var info dataInfo
	decode(t, "data info cifar10 --json --foreign --columns 3 --data "+dir+" --sheet "+sheet, &info)
	assert.Equal(t, []int{32, 32, 3, 10}, []int{info.Height, info.Width, info.Channels, info.Classes})
	require.Len(t, info.Splits, 2)
	assert.Equal(t, 100, info.Splits[0].Images)
	assert.Equal(t, []int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, info.Splits[1].Counts)
	assert.Equal(t, []float32{0.3, 0.3, 0.3}, info.Splits[1].Mean)
	assert.Equal(t, []float32{0.1, 0.1, 0.1}, info.Splits[1].Std)
	assert.Len(t, info.Splits[0].Files, 5)
	assert.False(t, info.Splits[0].Files[0].Published)

	f, err := os.Open(sheet)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	assert.Equal(t, 3*33-1, img.Bounds().Dx())
	assert.Equal(t, 10*33-1, img.Bounds().Dy())

	out, _, code := execute(t, "data info cifar10 --foreign --data "+dir)
	assert.Equal(t, exitSuccess, code)
	for _, want := range []string{"32x32x3, 10 classes", "airplane", "test_batch.bin", "not known to be", "0.3000"} {
		assert.Contains(t, out, want)
	}
}

func TestDataErrors(t *testing.T) {
	dir := madeUpCIFAR(t)
	empty := t.TempDir()
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"data":                    {exitUsage, "no subcommand"},
		"data inof cifar10":       {exitUsage, `unknown command "inof", did you mean info?`},
		"data info":               {exitUsage, "sparsenet data info takes the name of one data set: cifar10"},
		"data info cifar11":       {exitUsage, `unknown data set "cifar11"`},
		"data info mnist --x":     {exitUsage, "--x"},
		"data info cifar10 mnist": {exitUsage, "takes the name of one data set"},
		"data import mnist":       {exitUsage, "--data DIR is needed"},
		"data fetch":              {exitUsage, "takes the name of one data set"},
		"data fetch mnist":        {exitUsage, "--data DIR is needed"},
		"data fetch mnist --mirror ftp:/x --data " + empty:                {exitUsage, "want an address such as https://"},
		"data fetch mnist --mirror http://127.0.0.1:1/x --data " + empty:  {exitFailure, "'sparsenet data import mnist --from FILE"},
		"data import mnist --from /no/such --data " + empty:               {exitFailure, "/no/such"},
		"data import cifar10 --from " + dir + " --data " + empty:          {exitFailure, "has 61460 bytes, 10000 records of 3073"},
		"data info cifar10 --data " + dir:                                 {exitFailure, "has 61460 bytes, 10000 records of 3073 make 30730000"},
		"data info cifar10 --data " + empty:                               {exitFailure, "no data_batch_1.bin, gzipped or not, in " + empty},
		"data info cifar10 --foreign --columns 0 --sheet x --data " + dir: {exitUsage, "0 columns"},
		"data info cifar10 --foreign --sheet /no/such/x --data " + dir:    {exitFailure, "contact sheet: "},
	} {
		out, errOut, code := execute(t, line)
		assert.Equal(t, want.code, code, line)
		assert.Contains(t, errOut, want.text, line)
		assert.Empty(t, out, line)
	}
}
