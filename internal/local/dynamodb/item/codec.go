package item

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The stored form of an item: a version byte, then the attributes of a map. Lengths and counts are uvarints; a value
// is its kind and then its content. The form is private to the data folder and never leaves it.
const codecVersion = 1

// maxDepth bounds the recursion of the decoder; items nest 32 levels at most, so a deeper one is damage.
const maxDepth = 64

var errTruncated = errors.New("stored item is cut short")

// Append appends the stored form of the item.
func Append(dst []byte, i Item) []byte {
	return appendMap(append(dst, codecVersion), i)
}

func appendMap(dst []byte, m map[string]Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m)))
	for name, v := range m {
		dst = appendString(dst, name)
		dst = appendValue(dst, v)
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendValue(dst []byte, v Value) []byte {
	return appendContent(append(dst, byte(v.Kind)), v)
}

func appendContent(dst []byte, v Value) []byte {
	switch v.Kind {
	case S, B:
		return appendString(dst, v.Str)
	case N:
		return appendNumber(dst, v.Num)
	case Bool:
		if v.Bool {
			return append(dst, 1)
		}
		return append(dst, 0)
	case SS, NS, BS:
		dst = binary.AppendUvarint(dst, uint64(len(v.List)))
		for _, m := range v.List {
			dst = appendContent(dst, m)
		}
	case L:
		dst = binary.AppendUvarint(dst, uint64(len(v.List)))
		for _, e := range v.List {
			dst = appendValue(dst, e)
		}
	case M:
		dst = appendMap(dst, v.Map)
	}
	return dst
}

func appendNumber(dst []byte, n Number) []byte {
	head := uint64(len(n.digits)) << 1
	if n.neg {
		head |= 1
	}
	dst = binary.AppendUvarint(dst, head)
	dst = binary.AppendVarint(dst, int64(n.exp))
	return append(dst, n.digits...)
}

// Decode reads what Append wrote. The item does not keep data. Anything else than the stored form of one item is an
// error: damage is reported, never read as something near.
func Decode(data []byte) (Item, error) {
	d := decoder{rest: string(data)}
	version, err := d.byte()
	if err != nil {
		return nil, err
	}
	if version != codecVersion {
		return nil, fmt.Errorf("stored item has format %d, this version reads %d", version, codecVersion)
	}
	m, err := d.mapping(0)
	if err != nil {
		return nil, err
	}
	if d.rest != "" {
		return nil, errors.New("stored item has bytes behind its end")
	}
	return m, nil
}

type decoder struct{ rest string }

func (d *decoder) byte() (byte, error) {
	if d.rest == "" {
		return 0, errTruncated
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c, nil
}

func (d *decoder) uvarint() (uint64, error) {
	var x uint64
	for shift := uint(0); shift < 64; shift += 7 {
		c, err := d.byte()
		if err != nil {
			return 0, err
		}
		x |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return x, nil
		}
	}
	return 0, errors.New("stored item has an overlong length")
}

// count reads a length that cannot be more than the bytes left, so that damage cannot ask for much memory.
func (d *decoder) count() (int, error) {
	n, err := d.uvarint()
	if err != nil {
		return 0, err
	}
	if n > uint64(len(d.rest)) {
		return 0, errTruncated
	}
	return int(n), nil
}

func (d *decoder) string() (string, error) {
	n, err := d.count()
	if err != nil {
		return "", err
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s, nil
}

func (d *decoder) mapping(depth int) (map[string]Value, error) {
	if depth > maxDepth {
		return nil, errors.New("stored item is nested too deep")
	}
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	m := make(map[string]Value, n)
	for range n {
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if m[name], err = d.value(depth); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (d *decoder) value(depth int) (Value, error) {
	k, err := d.byte()
	if err != nil {
		return Value{}, err
	}
	return d.content(Kind(k), depth)
}

func (d *decoder) content(kind Kind, depth int) (v Value, err error) {
	v.Kind = kind
	switch kind {
	case S, B:
		v.Str, err = d.string()
	case N:
		v.Num, err = d.number()
	case Bool:
		var c byte
		c, err = d.byte()
		v.Bool = c != 0
	case Null:
	case SS, NS, BS:
		v.List, err = d.list(depth, func() (Value, error) { return d.content(kind.Member(), depth) })
	case L:
		v.List, err = d.list(depth, func() (Value, error) { return d.value(depth + 1) })
	case M:
		v.Map, err = d.mapping(depth + 1)
	default:
		err = fmt.Errorf("stored item has a value of unknown kind %d", kind)
	}
	return v, err
}

func (d *decoder) list(depth int, element func() (Value, error)) ([]Value, error) {
	if depth > maxDepth {
		return nil, errors.New("stored item is nested too deep")
	}
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	list := make([]Value, 0, min(n, 1024))
	for range n {
		v, err := element()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (d *decoder) number() (Number, error) {
	head, err := d.uvarint()
	if err != nil {
		return Number{}, err
	}
	zigzag, err := d.uvarint()
	if err != nil {
		return Number{}, err
	}
	exp := int64(zigzag>>1) ^ -int64(zigzag&1)
	n := head >> 1
	if n > maxDigits || n > uint64(len(d.rest)) {
		return Number{}, errTruncated
	}
	digits := d.rest[:n]
	d.rest = d.rest[n:]
	if n == 0 {
		return Number{}, nil
	}
	if !isInteger(digits) || digits[0] == '0' || digits[n-1] == '0' || exp-1 > maxMagnitude || exp-1 < minMagnitude {
		return Number{}, errors.New("stored item has a damaged number")
	}
	return Number{digits: digits, exp: int16(exp), neg: head&1 == 1}, nil
}
