package gpu

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sparsevk/gpu/vk"
)

// cacheMagic opens a file of saved pipelines; SHA-256 of the data follows, then
// the data. Drivers do not survive damaged data, so it is checked before.
const cacheMagic = "sparsevk pipelines 1\n"

// cacheFile is where a device's pipelines are kept.
type cacheFile struct {
	path    string
	header  [24]byte // vendor, device, UUID as every driver's data has them from byte 8 on
	written [sha256.Size]byte
}

// openCache creates the pipeline cache, from the file in dir if that is sound
// and this device's; a file that is neither is replaced at Close.
func (d *Device) openCache(dir string, p *vk.Properties) error {
	var data []byte
	if dir != "" {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("gpu: pipeline cache: %w", err)
		}
		d.cacheFile = newCacheFile(dir, p)
		data = d.cacheFile.load()
	}
	c, r := d.dev.NewPipelineCache(data)
	if r != vk.Success && data != nil {
		c, r = d.dev.NewPipelineCache(nil)
	}
	d.cache = c
	return d.check("vkCreatePipelineCache", r, fmt.Sprintf("%d bytes saved", len(data)))
}

func newCacheFile(dir string, p *vk.Properties) *cacheFile {
	f := &cacheFile{}
	binary.LittleEndian.PutUint32(f.header[0:], p.VendorID)
	binary.LittleEndian.PutUint32(f.header[4:], p.DeviceID)
	copy(f.header[8:], p.CacheUUID[:])
	f.path = filepath.Join(dir, hex.EncodeToString(f.header[:])+".pipelines")
	return f
}

// load returns the saved data, or nil.
func (f *cacheFile) load() []byte {
	file, err := os.ReadFile(f.path)
	if err != nil {
		return nil
	}
	data, ok := f.decode(file)
	if !ok {
		return nil
	}
	f.written = sha256.Sum256(data)
	return data
}

func (f *cacheFile) encode(data []byte) []byte {
	sum := sha256.Sum256(data)
	return append(append([]byte(cacheMagic), sum[:]...), data...)
}

// decode checks our header, our hash and the driver's header: its length, its
// version (1), vendor, device, UUID.
func (f *cacheFile) decode(file []byte) ([]byte, bool) {
	rest, ok := bytes.CutPrefix(file, []byte(cacheMagic))
	if !ok || len(rest) < sha256.Size+32 {
		return nil, false
	}
	data := rest[sha256.Size:]
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, false
	}
	if n := binary.LittleEndian.Uint32(data); n < 32 || binary.LittleEndian.Uint32(data[4:]) != 1 {
		return nil, false
	}
	return data, bytes.Equal(data[8:32], f.header[:])
}

// saveCache writes the cache if it has changed.
func (d *Device) saveCache() error {
	if d.cacheFile == nil || d.Lost() != nil {
		return nil
	}
	data, r := d.dev.PipelineCacheData(d.cache)
	if err := d.check("vkGetPipelineCacheData", r, d.cacheFile.path); err != nil {
		return err
	}
	if len(data) < 32 || sha256.Sum256(data) == d.cacheFile.written {
		return nil
	}
	if err := replace(d.cacheFile.path, d.cacheFile.encode(data)); err != nil {
		return fmt.Errorf("gpu: pipeline cache: %w", err)
	}
	return nil
}

// replace writes a file aside and renames it, so that a reader sees the old one
// or the new one, whole.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
