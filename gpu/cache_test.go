package gpu

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"sparsevk/gpu/vk"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func cacheProps() *vk.Properties {
	return &vk.Properties{VendorID: 0x1002, DeviceID: 0x73bf, CacheUUID: [16]byte{1, 2, 3, 15: 16}}
}

// cacheData is what a driver would return for the properties.
func cacheData(p *vk.Properties, payload string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 32)
	for _, v := range []uint32{1, p.VendorID, p.DeviceID} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(append(b, p.CacheUUID[:]...), payload...)
}

func TestCacheFile(t *testing.T) {
	p := cacheProps()
	f := newCacheFile(t.TempDir(), p)
	assert.Nil(t, f.load(), "no file")
	data := cacheData(p, "pipelines")
	good := f.encode(data)
	require.NoError(t, replace(f.path, good))
	assert.Equal(t, data, f.load())
	entries, err := os.ReadDir(filepath.Dir(f.path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left aside")

	for n := range good { // truncated anywhere
		_, ok := f.decode(good[:n])
		require.False(t, ok, "%d bytes", n)
	}
	for i := range good { // damaged anywhere
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		_, ok := f.decode(bad)
		require.False(t, ok, "byte %d", i)
	}
	_, ok := f.decode(append(bytes.Clone(good), 0))
	assert.False(t, ok, "longer")

	// Sound, but not of this device, or of no version that we know.
	for i, change := range []func(*vk.Properties){
		func(p *vk.Properties) { p.VendorID++ }, func(p *vk.Properties) { p.DeviceID++ }, func(p *vk.Properties) { p.CacheUUID[15]++ },
	} {
		q := cacheProps()
		change(q)
		_, ok = f.decode(f.encode(cacheData(q, "pipelines")))
		assert.False(t, ok, "foreign %d", i)
		assert.NotEqual(t, f.path, newCacheFile(filepath.Dir(f.path), q).path)
	}
	old := cacheData(p, "")
	old[4] = 2
	_, ok = f.decode(f.encode(old))
	assert.False(t, ok, "header version 2")
}

// saves skips on a driver that gives less than the header of its data, so that we
// save nothing: lavapipe of Mesa 26.2 gives 20 of 32 bytes.
func saves(t *testing.T, d *Device) *Device {
	data, r := d.dev.PipelineCacheData(d.cache)
	require.Equal(t, vk.Success, r)
	if len(data) < 32 {
		t.Skipf("the driver gives %d bytes of its pipeline cache, less than the header", len(data))
	}
	return d
}

// A device opens whatever lies in the file, and leaves a sound one.
func TestCacheOfDevice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	use := func() string {
		d := saves(t, openTest(t, Options{CacheDir: dir}))
		newPipeline(t, d, axpy(64), 64, 0)
		require.NoError(t, d.Close())
		return d.cacheFile.path
	}
	path := use()
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, bad := range [][]byte{nil, first[:len(first)/2], []byte("junk"), bytes.Repeat([]byte{0xff}, 1000)} {
		require.NoError(t, os.WriteFile(path, bad, 0o666))
		use()
		d := openTest(t, Options{CacheDir: dir})
		assert.NotNil(t, d.cacheFile.load(), "sound again")
		require.NoError(t, d.Close())
	}
	saved, err := os.ReadFile(path)
	require.NoError(t, err)
	before, err := os.Stat(path)
	require.NoError(t, err)
	use()
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	after, err := os.Stat(path)
	require.NoError(t, err)
	// SwiftShader's data differ from time to time.
	assert.Equal(t, bytes.Equal(saved, again), before.ModTime().Equal(after.ModTime()), "unchanged data are not written")
}

func TestCacheDirErrors(t *testing.T) {
	saves(t, openTest(t, Options{})).Close()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err := Open(Options{CacheDir: file})
	assert.ErrorContains(t, err, "gpu: pipeline cache: mkdir "+file)

	dir := filepath.Join(t.TempDir(), "gone")
	d, err := Open(Options{CacheDir: dir})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	assert.ErrorContains(t, d.Close(), "gpu: pipeline cache: ")
	assert.NoError(t, d.Close())
}
