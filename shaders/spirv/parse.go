package spirv

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Numbers of the instructions, decorations and storage classes that are read.
const (
	opName, opMemberName                                 = 5, 6
	opEntryPoint, opExecutionMode, opExecutionModeID     = 15, 16, 331
	opCapability                                         = 17
	opTypeBool, opTypeInt, opTypeFloat                   = 20, 21, 22
	opTypeVector, opTypeMatrix                           = 23, 24
	opTypeImage, opTypeSampledImage                      = 25, 27
	opTypeArray, opTypeRuntimeArray, opTypeStruct        = 28, 29, 30
	opTypePointer                                        = 32
	opConstantTrue, opConstantFalse, opConstant          = 41, 42, 43
	opConstantComposite                                  = 44
	opSpecConstantTrue, opSpecConstantFalse              = 48, 49
	opSpecConstant, opSpecConstantComposite, opSpecConst = 50, 51, 52 // the last is OpSpecConstantOp
	opVariable                                           = 59
	opDecorate, opMemberDecorate                         = 71, 72

	decSpecID, decBlock, decBuiltIn           = 1, 2, 11
	decNonWritable, decNonReadable            = 24, 25
	decBinding, decDescriptorSet, decOffset   = 33, 34, 35
	builtInWorkgroupSize                      = 25
	modeLocalSize, modeLocalSizeID            = 17, 38
	modelGLCompute                            = 5
	classUniformConstant, classUniform        = 0, 2
	classWorkgroup, classPush                 = 4, 9
	classStorage                              = 12
	dimBuffer                                 = 5
	capGroupNonUniform, capGroupNonUniformEnd = 61, 68
	capStorageBuffer16BitAccess               = 4433
	capCooperativeMatrix                      = 6022
)

const magic = 0x07230203

var errShort = errors.New("spirv: truncated module")

// inst is an instruction: its number and its operands, result included.
type inst struct {
	op uint32
	a  []uint32
}

type memberID struct{ strct, index uint32 }

// module is the part of a module that reflection needs, by result id.
type module struct {
	defs        map[uint32]inst // types, constants, global variables
	order       []uint32        // ids of the variables, in order
	names       map[uint32]string
	memberNames map[memberID]string
	decor       map[uint32]map[uint32]uint32 // id, decoration → first literal (0 if none)
	memberDecor map[memberID]map[uint32]uint32
	entries     int
	main        bool // there is a compute entry point called main
	local       [3]uint32
	localIDs    []uint32
	subgroup    bool
	storage16   bool
	matrix      bool

	sizes  map[uint32]layout // memo of sizeof; zero while in progress
	values map[uint32]uint32 // memo of eval
}

// minArgs is the least number of operands of an instruction that is kept.
var minArgs = map[uint32]int{
	opName: 2, opMemberName: 3, opEntryPoint: 3, opExecutionMode: 2, opExecutionModeID: 2, opCapability: 1,
	opTypeBool: 1, opTypeInt: 3, opTypeFloat: 2, opTypeVector: 3, opTypeMatrix: 3, opTypeImage: 8, opTypeSampledImage: 2,
	opTypeArray: 3, opTypeRuntimeArray: 2, opTypeStruct: 1, opTypePointer: 3,
	opConstantTrue: 2, opConstantFalse: 2, opConstant: 3, opConstantComposite: 2,
	opSpecConstantTrue: 2, opSpecConstantFalse: 2, opSpecConstant: 3, opSpecConstantComposite: 2, opSpecConst: 3,
	opVariable: 3, opDecorate: 2, opMemberDecorate: 3,
}

func parse(code []byte) (*module, error) {
	if len(code)%4 != 0 || len(code) < 20 {
		return nil, errShort
	}
	w := make([]uint32, len(code)/4)
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	if w[0] != magic {
		return nil, fmt.Errorf("spirv: magic number is %#x, want %#x", w[0], magic)
	}
	m := &module{
		defs: map[uint32]inst{}, names: map[uint32]string{}, memberNames: map[memberID]string{},
		decor: map[uint32]map[uint32]uint32{}, memberDecor: map[memberID]map[uint32]uint32{},
		local: [3]uint32{1, 1, 1}, sizes: map[uint32]layout{}, values: map[uint32]uint32{},
	}
	for i := 5; i < len(w); {
		n := int(w[i] >> 16)
		if n == 0 || i+n > len(w) {
			return nil, errShort
		}
		in := inst{w[i] & 0xffff, w[i+1 : i+n]}
		if len(in.a) < minArgs[in.op] {
			return nil, errShort
		}
		m.visit(in)
		i += n
	}
	return m, nil
}

func (m *module) visit(in inst) {
	a := in.a
	switch in.op {
	case opCapability:
		m.subgroup = m.subgroup || a[0] >= capGroupNonUniform && a[0] <= capGroupNonUniformEnd
		m.storage16 = m.storage16 || a[0] == capStorageBuffer16BitAccess
		m.matrix = m.matrix || a[0] == capCooperativeMatrix
	case opEntryPoint:
		m.entries++
		m.main = m.main || a[0] == modelGLCompute && str(a[2:]) == "main"
	case opName:
		m.names[a[0]] = str(a[1:])
	case opMemberName:
		m.memberNames[memberID{a[0], a[1]}] = str(a[2:])
	case opExecutionMode, opExecutionModeID:
		switch {
		case a[1] == modeLocalSize && len(a) == 5:
			m.local = [3]uint32(a[2:5])
		case a[1] == modeLocalSizeID && len(a) == 5:
			m.localIDs = a[2:5]
		}
	case opDecorate:
		decorate(m.decor, a[0], a[1:])
	case opMemberDecorate:
		decorate(m.memberDecor, memberID{a[0], a[1]}, a[2:])
	case opTypeBool, opTypeInt, opTypeFloat, opTypeVector, opTypeMatrix, opTypeImage, opTypeSampledImage,
		opTypeArray, opTypeRuntimeArray, opTypeStruct, opTypePointer:
		m.defs[a[0]] = in
	case opConstantTrue, opConstantFalse, opConstant, opConstantComposite,
		opSpecConstantTrue, opSpecConstantFalse, opSpecConstant, opSpecConstantComposite, opSpecConst:
		m.defs[a[1]] = in
	case opVariable:
		m.defs[a[1]] = in
		m.order = append(m.order, a[1])
	}
}

func decorate[K comparable](dst map[K]map[uint32]uint32, k K, a []uint32) {
	if dst[k] == nil {
		dst[k] = map[uint32]uint32{}
	}
	v := uint32(0)
	if len(a) > 1 {
		v = a[1]
	}
	dst[k][a[0]] = v
}

// has reports whether id carries decoration d.
func (m *module) has(id, d uint32) bool { _, ok := m.decor[id][d]; return ok }

// str reads a string operand: UTF-8, little-endian, ended by a zero byte.
func str(w []uint32) string {
	var b []byte
	for _, x := range w {
		for range 4 {
			if byte(x) == 0 {
				return string(b)
			}
			b = append(b, byte(x))
			x >>= 8
		}
	}
	return string(b)
}
