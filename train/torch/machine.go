package torch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
)

// The values that a pickle makes, beside Go's nil, bool, int64, float64 and string.
type (
	list  struct{ items []any }
	tuple []any
	dict  struct{ keys, values []any }
	// global is a class or function by name.
	global struct{ module, name string }
	// opaque is what a call of a class that this package does not know came to.
	opaque struct{ class global }
)

func (g global) String() string { return g.module + "." + g.name }

// get returns the value of a string key, the last one set.
func (d *dict) get(key string) (any, bool) {
	for i := len(d.keys) - 1; i >= 0; i-- {
		if d.keys[i] == key {
			return d.values[i], true
		}
	}
	return nil, false
}

// A machine runs one pickle. The first error sticks; what follows it does nothing.
type machine struct {
	data  []byte
	pos   int
	stack []any
	marks []int // heights of the stack
	memo  map[uint32]any
	err   error
	// persistent turns a persistent id into a value, and call a known global and its
	// arguments; ok is false for globals that it does not know.
	persistent func(id any) (any, error)
	call       func(f global, args tuple) (v any, ok bool, err error)
}

var errEnds = errors.New("the pickle ends too early")

// run executes the pickle at pos, and leaves pos behind it.
func (m *machine) run() (any, error) {
	m.stack, m.marks, m.memo = nil, nil, map[uint32]any{}
	for m.err == nil {
		at := m.pos
		code := m.bytes(1)
		if m.err != nil {
			break
		}
		if code[0] == '.' {
			if v := m.pop(); m.err == nil {
				return v, nil
			}
			break
		}
		do := operations[code[0]]
		if do == nil {
			m.fail(fmt.Errorf("operation 0x%02x at byte %d is not one that torch.save writes", code[0], at))
			break
		}
		do(m)
	}
	return nil, m.err
}

func (m *machine) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

// bytes returns the next n bytes of the pickle.
func (m *machine) bytes(n uint64) []byte {
	if m.err != nil || n > uint64(len(m.data)-m.pos) {
		m.fail(errEnds)
		return nil
	}
	b := m.data[m.pos : m.pos+int(n)]
	m.pos += int(n)
	return b
}

// unsigned reads a little-endian number of n bytes.
func (m *machine) unsigned(n uint64) uint64 {
	var b [8]byte
	copy(b[:], m.bytes(n))
	return binary.LittleEndian.Uint64(b[:])
}

// line reads up to a newline.
func (m *machine) line() string {
	for i, c := range m.data[m.pos:] {
		if c == '\n' {
			s := string(m.data[m.pos : m.pos+i])
			m.pos += i + 1
			return s
		}
	}
	m.fail(errEnds)
	return ""
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// floor is the height below which the operations of the innermost mark may not reach.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) pop() any {
	if m.err == nil && len(m.stack) <= m.floor() {
		m.fail(errors.New("the pickle takes more values than it makes"))
	}
	if m.err != nil {
		return nil
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v
}

// popMark returns the values above the innermost mark.
func (m *machine) popMark() []any {
	if len(m.marks) == 0 {
		m.fail(errors.New("the pickle closes a list that it did not open"))
		return nil
	}
	at := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	items := slices.Clone(m.stack[at:])
	m.stack = m.stack[:at]
	return items
}

func (m *machine) popN(n int) tuple {
	t := make(tuple, n)
	for i := n - 1; i >= 0; i-- {
		t[i] = m.pop()
	}
	return t
}

// top returns the last value and leaves it.
func (m *machine) top() any {
	v := m.pop()
	if m.err == nil {
		m.push(v)
	}
	return v
}

func (m *machine) load(key uint64) {
	v, ok := m.memo[uint32(key)]
	if !ok {
		m.fail(fmt.Errorf("the pickle reads entry %d of its memo, which it did not write", key))
	}
	m.push(v)
}

// long makes an integer of little-endian two's complement; one of more than 64 bits
// is taken as positive, as torch.save's magic number is.
func long(b []byte) any {
	if len(b) <= 8 {
		var full [8]byte
		if len(b) > 0 && b[len(b)-1] >= 0x80 {
			for i := range full {
				full[i] = 0xff
			}
		}
		copy(full[:], b)
		return int64(binary.LittleEndian.Uint64(full[:]))
	}
	high := slices.Clone(b)
	slices.Reverse(high)
	return new(big.Int).SetBytes(high)
}

func (m *machine) appendTo(target any, items []any) {
	switch t := target.(type) {
	case *list:
		t.items = append(t.items, items...)
	case opaque:
	default:
		m.fail(fmt.Errorf("the pickle appends to a %T", target))
	}
}

func (m *machine) setItems(target any, items []any) {
	if len(items)%2 != 0 {
		m.fail(errors.New("the pickle sets a key without a value"))
		return
	}
	switch t := target.(type) {
	case *dict:
		for i := 0; i < len(items); i += 2 {
			t.keys, t.values = append(t.keys, items[i]), append(t.values, items[i+1])
		}
	case opaque:
	default:
		m.fail(fmt.Errorf("the pickle sets keys of a %T", target))
	}
}

// reduce calls f.
func (m *machine) reduce(f, args any) {
	g, ok := f.(global)
	if !ok {
		m.push(opaque{})
		return
	}
	t, _ := args.(tuple)
	v, known, err := m.call(g, t)
	switch {
	case err != nil:
		m.fail(err)
	case known:
		m.push(v)
	default:
		m.push(opaque{g})
	}
}

// operations are those of pickle protocol 2 and up, by code, with STOP left to run.
// Values that only carry on what torch.save never stores in a state_dict (sets,
// bytes) become opaque.
var operations = [256]func(*machine){
	0x80: func(m *machine) { m.bytes(1) }, // PROTO
	0x95: func(m *machine) { m.bytes(8) }, // FRAME
	'(':  func(m *machine) { m.marks = append(m.marks, len(m.stack)) },
	'0':  func(m *machine) { m.pop() },
	'1':  func(m *machine) { m.popMark() },

	'N':  func(m *machine) { m.push(nil) },
	0x88: func(m *machine) { m.push(true) },
	0x89: func(m *machine) { m.push(false) },
	'K':  func(m *machine) { m.push(int64(m.unsigned(1))) },
	'M':  func(m *machine) { m.push(int64(m.unsigned(2))) },
	'J':  func(m *machine) { m.push(int64(int32(m.unsigned(4)))) },
	0x8a: func(m *machine) { m.push(long(m.bytes(m.unsigned(1)))) },
	0x8b: func(m *machine) { m.push(long(m.bytes(m.unsigned(4)))) },
	'G':  func(m *machine) { m.float() },

	'X':  func(m *machine) { m.push(string(m.bytes(m.unsigned(4)))) },
	0x8c: func(m *machine) { m.push(string(m.bytes(m.unsigned(1)))) },
	0x8d: func(m *machine) { m.push(string(m.bytes(m.unsigned(8)))) },
	'U':  func(m *machine) { m.push(string(m.bytes(m.unsigned(1)))) },
	'T':  func(m *machine) { m.push(string(m.bytes(m.unsigned(4)))) },
	'C':  func(m *machine) { m.bytes(m.unsigned(1)); m.push(opaque{}) },
	'B':  func(m *machine) { m.bytes(m.unsigned(4)); m.push(opaque{}) },
	0x8e: func(m *machine) { m.bytes(m.unsigned(8)); m.push(opaque{}) },

	')':  func(m *machine) { m.push(tuple{}) },
	0x85: func(m *machine) { m.push(m.popN(1)) },
	0x86: func(m *machine) { m.push(m.popN(2)) },
	0x87: func(m *machine) { m.push(m.popN(3)) },
	't':  func(m *machine) { m.push(tuple(m.popMark())) },
	']':  func(m *machine) { m.push(&list{}) },
	'l':  func(m *machine) { m.push(&list{m.popMark()}) },
	'a':  func(m *machine) { v := m.pop(); m.appendTo(m.top(), []any{v}) },
	'e':  func(m *machine) { v := m.popMark(); m.appendTo(m.top(), v) },
	'}':  func(m *machine) { m.push(&dict{}) },
	'd':  func(m *machine) { d := &dict{}; m.setItems(d, m.popMark()); m.push(d) },
	's':  func(m *machine) { v := m.popN(2); m.setItems(m.top(), v) },
	'u':  func(m *machine) { v := m.popMark(); m.setItems(m.top(), v) },
	0x8f: func(m *machine) { m.push(opaque{}) }, // EMPTY_SET
	0x90: func(m *machine) { m.popMark(); m.top() },
	0x91: func(m *machine) { m.popMark(); m.push(opaque{}) },

	'q':  func(m *machine) { m.memo[uint32(m.unsigned(1))] = m.top() },
	'r':  func(m *machine) { m.memo[uint32(m.unsigned(4))] = m.top() },
	0x94: func(m *machine) { m.memo[uint32(len(m.memo))] = m.top() },
	'h':  func(m *machine) { m.load(m.unsigned(1)) },
	'j':  func(m *machine) { m.load(m.unsigned(4)) },

	'c':  func(m *machine) { module := m.line(); m.push(global{module, m.line()}) },
	0x93: func(m *machine) { m.stackGlobal() },
	'R':  func(m *machine) { args := m.pop(); m.reduce(m.pop(), args) },
	0x81: func(m *machine) { args := m.pop(); m.reduce(m.pop(), args) },
	0x92: func(m *machine) { m.pop(); args := m.pop(); m.reduce(m.pop(), args) },
	'b':  func(m *machine) { m.pop(); m.top() }, // BUILD: attributes, such as a state_dict's _metadata
	'Q':  func(m *machine) { m.persist() },
}

func (m *machine) float() {
	if b := m.bytes(8); b != nil {
		m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
}

func (m *machine) stackGlobal() {
	v := m.popN(2)
	module, ok := v[0].(string)
	name, ok2 := v[1].(string)
	if !ok || !ok2 {
		m.fail(errors.New("the pickle names a class by something that is no string"))
	}
	m.push(global{module, name})
}

func (m *machine) persist() {
	v, err := m.persistent(m.pop())
	if err != nil {
		m.fail(err)
	}
	m.push(v)
}
