package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// SPIR-V capabilities that need nothing: matrices, shaders, texel buffers,
// image queries.
var freeCapabilities = []uint32{0, 1, 46, 47, 50}

// subgroupCapabilities maps SPIR-V capabilities to operations of
// Features.Subgroup.
var subgroupCapabilities = map[uint32]string{61: "basic", 62: "vote", 63: "arithmetic", 64: "ballot",
	65: "shuffle", 66: "shuffle-relative", 67: "clustered", 68: "quad"}

// storage16Capability is StorageBuffer16BitAccess.
const storage16Capability = 4433

// int64Capability is Int64.
const int64Capability = 11

// addressCapability is PhysicalStorageBufferAddresses.
const addressCapability = 5347

// float16Capability is Float16.
const float16Capability = 9

// matrixCapabilities are VulkanMemoryModel and CooperativeMatrixKHR.
var matrixCapabilities = []uint32{5345, 6022}

// checkCode looks at a module's header and at the capabilities that it asks
// for: those that the device is not opened with are an error here, since
// drivers do not say so.
func checkCode(code []byte, f Features) error {
	const magic, opCapability = 0x07230203, 17
	if len(code) < 20 || len(code)%4 != 0 || binary.LittleEndian.Uint32(code) != magic {
		return fmt.Errorf("%d bytes that are not SPIR-V", len(code))
	}
	for p := 20; p+8 <= len(code); {
		w := binary.LittleEndian.Uint32(code[p:])
		if w&0xffff != opCapability {
			break // capabilities come first
		}
		c := binary.LittleEndian.Uint32(code[p+4:])
		if op, ok := subgroupCapabilities[c]; ok {
			if !slices.Contains(f.Subgroup, op) {
				return fmt.Errorf("needs subgroup operations (%s), of which the device has %v", op, f.Subgroup)
			}
		} else if c == storage16Capability {
			if !f.Storage16 {
				return ErrNoStorage16
			}
		} else if c == int64Capability {
			if !f.Int64 {
				return errors.New("needs 64-bit integers, which the device does not have")
			}
		} else if c == addressCapability {
			if !f.Address {
				return errors.New("needs the addresses of buffers, which the device does not give")
			}
		} else if c == float16Capability {
			if !f.Float16 {
				return errors.New("needs float16 arithmetic, which the device does not have")
			}
		} else if slices.Contains(matrixCapabilities, c) {
			if !f.CooperativeMatrix {
				return ErrNoMatrix
			}
		} else if !slices.Contains(freeCapabilities, c) {
			return fmt.Errorf("needs SPIR-V capability %d, which devices are not opened with", c)
		}
		p += 8
	}
	return nil
}
