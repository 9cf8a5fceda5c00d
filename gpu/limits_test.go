package gpu

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"sparsevk/gpu/vk"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClamp(t *testing.T) {
	free := openTest(t, Options{})
	l := free.Limits()
	info := free.Info()
	require.NoError(t, free.Close())
	d := openTest(t, Options{Clamp: true})
	c := d.Limits()
	assert.EqualValues(t, 128<<20, c.StorageRange)
	assert.EqualValues(t, 128, c.Invocations)
	assert.Equal(t, [3]uint32{128, 128, 64}, c.GroupSize)
	assert.EqualValues(t, 16<<10, c.SharedBytes)
	assert.EqualValues(t, 128, c.PushBytes)
	assert.EqualValues(t, 8, c.StorageBuffers)
	assert.GreaterOrEqual(t, c.MaxAllocation, uint64(1<<30), "not clamped; lavapipe 25 says 1 or 2 GiB from one start to the next")
	assert.Equal(t, l.TexelElements, c.TexelElements)
	assert.Equal(t, info.Features.Subgroup, d.Info().Features.Subgroup)
	_, err := d.Pipeline(axpy(256), []uint32{256, 0})
	assert.ErrorContains(t, err, "wants 256 invocations in a workgroup, the device allows 128")
}

func TestTimestampPeriod(t *testing.T) {
	for _, period := range []float32{float32(math.Inf(1)), float32(math.NaN()), 0, -1} {
		p := vk.Properties{}
		p.Limits.TimestampPeriod = period
		l := newLimits(&p, 64)
		assert.Zero(t, l.TimestampBits, "%v", period)
		assert.Zero(t, l.TimestampPeriod, "%v", period)
		assert.EqualValues(t, 1<<30, l.MaxAllocation, "guaranteed where not said")
	}
	d := &Device{limits: Limits{TimestampBits: 36, TimestampPeriod: 10}}
	assert.EqualValues(t, 50, d.ticks(1<<36-2, 3), "wraps")
	d.limits.TimestampBits = 64
	assert.EqualValues(t, 50, d.ticks(math.MaxUint64, 4), "wraps")
}

func TestShaderLimits(t *testing.T) {
	d := openTest(t, Options{Clamp: true})
	for what, change := range map[string]func(*Shader){
		"wants 8256 invocations in a workgroup, the device allows 128": func(s *Shader) { s.Local = [3]uint32{64, 129, 1} },
		"wants 65 invocations along z, the device allows 64":           func(s *Shader) { s.Local = [3]uint32{1, 1, 65} },
		"workgroup size [0 1 1]":                                       func(s *Shader) { s.Local[0] = 0 },
		"wants 16388 bytes of shared memory, the device allows 16384":  func(s *Shader) { s.SharedBytes = 16388 },
		"wants 132 bytes of push constants, the device allows 128":     func(s *Shader) { s.PushBytes = 132 },
		"or 6 bytes of push constants":                                 func(s *Shader) { s.PushBytes = 6 },
		"wants 9 storage buffers, the device allows 8":                 func(s *Shader) { s.Bindings = make([]BindingType, 9) },
		"texel buffers, the device allows":                             func(s *Shader) { s.Bindings = slices.Repeat([]BindingType{Texel}, 2000000) },
		"1224 bytes that are not SPIR-V":                               func(s *Shader) { s.Code = axpyCode[4:] },
		"0 bytes that are not SPIR-V":                                  func(s *Shader) { s.Code = nil },
		"1226 bytes that are not SPIR-V":                               func(s *Shader) { s.Code = axpyCode[:1226] },
		"needs SPIR-V capability 8, which devices are not opened with": func(s *Shader) { s.Code = capability(8) },
	} {
		s := axpy(64)
		change(&s)
		_, err := d.Pipeline(s, []uint32{64, 0})
		assert.ErrorContains(t, err, what)
		assert.ErrorContains(t, err, "gpu: shader axpy [64 0]: ")
	}
	_, err := d.Pipeline(axpy(64), make([]uint32, 65))
	assert.ErrorContains(t, err, "wants 65 specialisation constants, the device allows 64")
	s := Shader{Name: "ballot", Code: ballotCode, Bindings: make([]BindingType, 2), Local: [3]uint32{64, 1, 1}, Subgroup: true}
	d.info.Features.Subgroup = []string{"basic", "vote"}
	_, err = d.Pipeline(s, nil)
	assert.ErrorContains(t, err, "needs subgroup operations (ballot), of which the device has [basic vote]")
	d.info.Features.Subgroup = nil
	_, err = d.Pipeline(s, nil)
	assert.ErrorContains(t, err, "uses subgroup operations, which the device has none of")
	assert.Empty(t, d.modules, "refused before the driver was asked")
}

// 64-bit integers are for devices that have them.
func TestInt64Capability(t *testing.T) {
	assert.NoError(t, checkCode(capability(int64Capability), Features{Int64: true}))
	assert.ErrorContains(t, checkCode(capability(int64Capability), Features{}), "needs 64-bit integers")
}

// Cooperative matrices are for devices that multiply them. A subgroup size is demanded
// only where it can vary, and must be one that the device allows.
func TestMatrixLimits(t *testing.T) {
	for _, c := range matrixCapabilities {
		assert.NoError(t, checkCode(capability(c), Features{CooperativeMatrix: true}))
		assert.ErrorIs(t, checkCode(capability(c), Features{Float16: true}), ErrNoMatrix)
	}
	assert.NoError(t, checkCode(capability(float16Capability), Features{Float16: true}))
	assert.ErrorContains(t, checkCode(capability(float16Capability), Features{}), "needs float16 arithmetic")
	d := openTest(t, Options{})
	s := axpy(64)
	d.info.SubgroupSize, d.info.SubgroupMin, d.info.SubgroupMax, d.info.Features.SubgroupControl = 64, 32, 64, true
	for _, lanes := range []uint32{0, 32, 64} {
		s.Lanes = lanes
		assert.NoError(t, d.checkShader(&s, nil))
		assert.Equal(t, lanes, d.demanded(lanes))
	}
	s.Lanes = 16
	assert.ErrorContains(t, d.checkShader(&s, nil), "wants subgroups of 16 lanes, the device has 64 and allows 32 to 64")
	s.Lanes, s.Local[0] = 32, 48
	assert.ErrorContains(t, d.checkShader(&s, nil), "48 invocations along x are no whole subgroups of 32")
	d.info.Features.SubgroupControl = false
	assert.ErrorContains(t, d.checkShader(&s, nil), "wants subgroups of 32 lanes")
	assert.Zero(t, d.demanded(64))
}

// Addresses of buffers are for devices that give them, and lie whole in the push
// constants, one for each binding of that type.
func TestAddressLimits(t *testing.T) {
	assert.NoError(t, checkCode(capability(addressCapability), Features{Address: true}))
	assert.ErrorContains(t, checkCode(capability(addressCapability), Features{}), "needs the addresses of buffers, which the device does not give")
	d := openTest(t, Options{})
	for name, change := range map[string]func(s *Shader){
		"beyond":    func(s *Shader) { s.Addresses = []uint32{4} },
		"unaligned": func(s *Shader) { s.Addresses = []uint32{2} },
		"none":      func(s *Shader) { s.Addresses = nil },
		"too many":  func(s *Shader) { s.Addresses = []uint32{0, 0} },
		"not last":  func(s *Shader) { s.Bindings = []BindingType{Address, Storage} },
	} {
		s := Shader{Name: "address", Code: axpyCode, Bindings: []BindingType{Storage, Address}, PushBytes: 8, Addresses: []uint32{0}, Local: [3]uint32{64, 1, 1}}
		require.NoError(t, d.checkShader(&s, nil))
		change(&s)
		assert.ErrorContains(t, d.checkShader(&s, nil), "of push constants, of bindings", name)
	}
	b := newBuffer(t, d, 4096, DeviceLocal)
	assert.NoError(t, d.checkRange(Range{b, 16, 4}, Address))
	assert.ErrorContains(t, d.checkRange(Range{b, 4, 4}, Address), "the device wants a multiple of 16")
}

// capability is the test shader with another first capability.
func capability(c uint32) []byte {
	code := slices.Clone(axpyCode)
	binary.LittleEndian.PutUint32(code[24:], c)
	return code
}

func TestDispatchLimits(t *testing.T) {
	d := openTest(t, Options{Clamp: true})
	d.limits.StorageRange = 1 << 20
	x, y := newBuffer(t, d, 2<<20, DeviceLocal), newBuffer(t, d, 1<<20, DeviceLocal)
	good := Dispatch{Label: "layer7", Pipeline: newPipeline(t, d, axpy(64), 64, 0), Args: []Range{{x, 0, 1 << 20}, whole(y)},
		Push: axpyPush(1, 1), Groups: [3]uint32{1, 1, 1}}
	other := newBuffer(t, d, 64, DeviceLocal)
	require.NoError(t, other.Close())
	for what, change := range map[string]func(*Dispatch){
		"binding 0 of axpy: range of 1048580 bytes": func(c *Dispatch) { c.Args[0].Bytes += 4 },
		"the device allows 1048576":                 func(c *Dispatch) { c.Args[0].Bytes += 4 },
		"must be a multiple of 4":                   func(c *Dispatch) { c.Args[0].Bytes = 6 },
		"range of 0 bytes":                          func(c *Dispatch) { c.Args[1].Bytes = 0 },
		"range at byte 4 of":                        func(c *Dispatch) { c.Args[0] = Range{x, 4, 64} },
		"bytes [1048320,1048832) of 1048576":        func(c *Dispatch) { c.Args[1] = Range{y, 1<<20 - 256, 512} },
		"no buffer, or one of another device":       func(c *Dispatch) { c.Args[1].Buffer = nil },
		"closed":                                    func(c *Dispatch) { c.Args[1] = whole(other) },
		"no pipeline":                               func(c *Dispatch) { c.Pipeline = nil },
		"1 arguments and 8 bytes of push constants for axpy, which takes 2 and 8": func(c *Dispatch) { c.Args = c.Args[:1] },
		"2 arguments and 4 bytes of push constants for axpy, which takes 2 and 8": func(c *Dispatch) { c.Push = c.Push[:4] },
		"[1 65536 1] groups of axpy, the device allows 1 to [65535 65535 65535]":  func(c *Dispatch) { c.Groups[1] = 65536 },
		"[1 1 0] groups": func(c *Dispatch) { c.Groups[2] = 0 },
	} {
		c := good
		c.Args = slices.Clone(c.Args)
		change(&c)
		_, err := d.Record([]Dispatch{good, c}, RecordOptions{})
		assert.ErrorContains(t, err, what)
		assert.ErrorContains(t, err, "gpu: dispatch 1, layer7: ")
	}
	_, err := d.Record(nil, RecordOptions{})
	assert.ErrorContains(t, err, "no dispatches")
	_, err = d.Record([]Dispatch{good}, RecordOptions{})
	assert.NoError(t, err)
}

func TestTexelLimits(t *testing.T) {
	d := openTest(t, Options{})
	d.limits.TexelElements, d.limits.TexelAlign = 64, 256
	for _, c := range []struct {
		off, bytes uint64
		err        string
	}{
		{0, 1024, ""}, {256, 16, ""}, {0, 1040, "range of 1040 bytes"}, {16, 64, "range at byte 16"}, {0, 24, "multiple of 16"},
	} {
		err := d.checkRange(Range{newBuffer(t, d, 4096, DeviceLocal), c.off, c.bytes}, Texel)
		if c.err == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, c.err)
		}
	}
}
