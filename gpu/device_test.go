package gpu

import (
	"os"
	"path/filepath"
	"testing"

	"sparsevk/gpu/vk"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListAndOpenAgree(t *testing.T) {
	d := openTest(t, Options{})
	require.NoError(t, d.Close())
	list, err := List(Options{})
	require.NoError(t, err)
	i := d.Info()
	assert.Equal(t, list[i.Index].UUID, i.UUID)
	for _, want := range []string{i.UUID, i.Name, i.Name[1 : len(i.Name)-1]} {
		e, err := Open(Options{Device: want})
		require.NoError(t, err)
		assert.Equal(t, i.UUID, e.Info().UUID)
		require.NoError(t, e.Close())
	}
}

func TestChoose(t *testing.T) {
	t.Setenv("SPARSEVK_DEVICE", "")
	list := []found{
		{info: Info{Index: 0, Name: "llvmpipe", Type: "cpu", UUID: "aaaa-01"}},
		{info: Info{Index: 1, Name: "Intel UHD 630", Type: "integrated", UUID: "aaaa-02"}},
		{info: Info{Index: 2, Name: "NVIDIA H200", Type: "discrete", UUID: "aaaa-03"}},
		{info: Info{Index: 3, Name: "NVIDIA H200", Type: "discrete", UUID: "AAAA-04"}},
	}
	for want, index := range map[string]int{"": 2, "0": 0, "3": 3, "nvidia": 2, "LLVM": 0, "uhd": 1, "630": 1, "AAAA04": 3, "aaaa-02": 1} {
		f, err := choose(list, want)
		require.NoError(t, err, want)
		assert.Equal(t, index, f.info.Index, want)
	}
	for _, want := range []string{"4", "-1", "radeon", "aaaa"} {
		_, err := choose(list, want)
		assert.ErrorIs(t, err, ErrNoDevice, want)
		assert.ErrorContains(t, err, `3 "NVIDIA H200"`)
	}
	t.Setenv("SPARSEVK_DEVICE", "Intel")
	f, err := choose(list, "")
	require.NoError(t, err)
	assert.Equal(t, 1, f.info.Index)
}

func TestFamily(t *testing.T) {
	graphics := vk.QueueFamily{Compute: true, Graphics: true, TimestampBits: 36}
	compute := vk.QueueFamily{Compute: true, TimestampBits: 36}
	blind := vk.QueueFamily{Compute: true}
	transfer := vk.QueueFamily{TimestampBits: 36}
	for _, c := range []struct {
		list []vk.QueueFamily
		want int
	}{
		{nil, -1}, {[]vk.QueueFamily{transfer}, -1}, {[]vk.QueueFamily{graphics, transfer, compute}, 2},
		{[]vk.QueueFamily{blind, graphics}, 1}, {[]vk.QueueFamily{transfer, blind}, 1}, {[]vk.QueueFamily{compute, compute}, 0},
	} {
		assert.Equal(t, c.want, family(c.list), "%v", c.list)
	}
}

func TestUnknownDevice(t *testing.T) {
	openTest(t, Options{}).Close()
	_, err := Open(Options{Device: "Voodoo 2"})
	assert.ErrorIs(t, err, ErrNoDevice)
	assert.ErrorContains(t, err, `none is called "Voodoo 2"; there are: 0`)
}

func TestNoLoader(t *testing.T) {
	_, err := Open(Options{Loader: filepath.Join(t.TempDir(), "none.so")})
	assert.ErrorIs(t, err, ErrNoLoader)
	assert.ErrorContains(t, err, "libvulkan1")
	text := filepath.Join(t.TempDir(), "text.so")
	require.NoError(t, os.WriteFile(text, []byte("not a library"), 0o666))
	_, err = List(Options{Loader: text})
	assert.ErrorIs(t, err, ErrNoLoader)
	t.Setenv("SPARSEVK_LOADER", text)
	_, err = Open(Options{})
	assert.ErrorIs(t, err, ErrNoLoader)
	assert.ErrorContains(t, err, "SPARSEVK_LOADER")
}

func TestNoDriver(t *testing.T) {
	openTest(t, Options{}).Close()
	t.Setenv("VK_ICD_FILENAMES", "/nowhere.json")
	t.Setenv("VK_DRIVER_FILES", "/nowhere.json")
	_, err := Open(Options{})
	assert.ErrorIs(t, err, ErrNoDevice)
	assert.ErrorContains(t, err, "mesa-vulkan-drivers")
	_, err = List(Options{})
	assert.ErrorIs(t, err, ErrNoDevice)
}

func TestNoLayer(t *testing.T) {
	openTest(t, Options{}).Close()
	t.Setenv("VK_LAYER_PATH", t.TempDir())
	_, err := Open(Options{Validate: Core})
	assert.ErrorIs(t, err, ErrNoLayer)
	assert.ErrorContains(t, err, "vulkan-validationlayers")
}

func TestOneModePerProcess(t *testing.T) {
	openTest(t, Options{}).Close()
	a, err := Open(Options{})
	require.NoError(t, err)
	defer a.Close()
	_, err = Open(Options{Validate: Core})
	assert.ErrorContains(t, err, "a device is open with validation off")
	b, err := Open(Options{Clamp: true})
	require.NoError(t, err)
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	assert.NoError(t, b.Upload(newBuffer(t, b, 64, DeviceLocal), 0, make([]byte, 64)), "b survives a")
	require.NoError(t, b.Close())
}

func TestClosedDevice(t *testing.T) {
	d := openTest(t, Options{})
	b := newBuffer(t, d, 64, DeviceLocal)
	c := newBuffer(t, d, 64, HostVisible)
	cmd := add(t, d, b, c, 1, 0)
	r := newRecording(t, d, RecordOptions{}, cmd)
	require.NoError(t, r.Submit()) // and never waited for
	require.NoError(t, d.Close())
	_, err := d.NewBuffer(64, DeviceLocal, "late")
	assert.ErrorIs(t, err, ErrClosed)
	_, err = d.Pipeline(axpy(64), []uint32{64})
	assert.ErrorIs(t, err, ErrClosed)
	_, err = d.Record([]Dispatch{cmd}, RecordOptions{})
	assert.ErrorIs(t, err, ErrClosed)
	assert.ErrorIs(t, d.Upload(b, 0, make([]byte, 4)), ErrClosed)
	assert.ErrorIs(t, r.Run(), ErrClosed)
	assert.NoError(t, b.Close())
	assert.NoError(t, r.Close())
	assert.Nil(t, c.Mapped())
}

// A loss in the middle of a run is found by waiting, and what came before it ran.
func TestLossInTheMiddle(t *testing.T) {
	for at, ran := range map[int]int{1: 8, 7: 8, 8: 16, 29: 30, 1000: 30} {
		d := openTest(t, Options{})
		cmds, b := chain(t, d, 30) // in pieces of 8
		r := newRecording(t, d, RecordOptions{}, cmds...)
		d.InjectLoss(1, at)
		err := r.Run()
		require.ErrorIs(t, err, ErrLost, "at dispatch %d", at)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "vkWaitForFences", e.Call)
		if d.Limits().TimestampBits > 0 { // else the first run is submitted piece by piece
			assert.Equal(t, fibonacci(ran, 1), floats(b.Mapped())[0], "at dispatch %d", at)
		}
	}
}

func TestLoss(t *testing.T) {
	d := openTest(t, Options{})
	x, y := newBuffer(t, d, 256, HostVisible), newBuffer(t, d, 256, HostVisible)
	r := newRecording(t, d, RecordOptions{}, add(t, d, x, y, 1, 1))
	d.InjectLoss(2, 0)
	require.NoError(t, r.Run())
	require.NoError(t, d.Lost())
	err := r.Run()
	require.ErrorIs(t, err, ErrLost)
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "vkQueueSubmit", e.Call)
	assert.Equal(t, "VK_ERROR_DEVICE_LOST", e.Result)
	assert.Equal(t, -4, e.Code)
	assert.ErrorContains(t, err, d.Info().Name)

	// From now on every call says so.
	assert.Equal(t, err, d.Lost())
	assert.ErrorIs(t, r.Submit(), ErrLost)
	assert.ErrorIs(t, r.Wait(), ErrLost)
	assert.ErrorIs(t, d.Upload(x, 0, make([]byte, 4)), ErrLost)
	assert.ErrorIs(t, d.Download(x, 0, make([]byte, 4)), ErrLost)
	_, err = d.NewBuffer(4, DeviceLocal, "late")
	assert.ErrorIs(t, err, ErrLost)
	_, err = d.Pipeline(axpy(64), []uint32{64})
	assert.ErrorIs(t, err, ErrLost)
	_, err = d.Record(nil, RecordOptions{})
	assert.ErrorIs(t, err, ErrLost)
	assert.NotErrorIs(t, err, ErrOutOfMemory)
}
