// Package keys encodes key attributes as bytes that sort as DynamoDB sorts the attributes: strings and binaries by
// their bytes, numbers by their exact value. No encoding is a prefix of another one of the same kind, so encodings can
// be joined: what sorts by the first part, then by the second.
package keys

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// A zero byte inside a string is escaped, so that the terminator sorts before every continuation.
const (
	escape     = 0x00
	escaped    = 0xFF
	terminator = 0x01
)

// The first byte of a number orders its sign.
const (
	negative = 0x01
	zero     = 0x02
	positive = 0x03
)

// exponentBias maps the exponents of the number type, -129 … 126 in 0.DIGITS form, onto one byte.
const exponentBias = 129

// Append appends the encoding of a key attribute, a value of kind S, N or B. Any other kind is a programming error.
func Append(dst []byte, v item.Value) []byte {
	switch v.Kind {
	case item.S, item.B:
		return append(AppendPrefix(dst, v.Str), escape, terminator)
	case item.N:
		return appendNumber(dst, v.Num)
	}
	panic(fmt.Sprintf("keys: %s is no kind of a key attribute", v.Kind))
}

// AppendPrefix appends the encoding of a string or binary without its end: exactly the encodings of the strings that
// begin with s begin with these bytes.
func AppendPrefix(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == escape {
			dst = append(dst, escaped)
		}
	}
	return dst
}

// appendNumber writes sign, exponent and the digits in pairs; for a negative number the bytes behind the sign are
// complemented, so that the larger magnitude sorts first.
func appendNumber(dst []byte, n item.Number) []byte {
	neg, digits, exp := n.Parts()
	if digits == "" {
		return append(dst, zero)
	}
	start := len(dst) + 1
	if neg {
		dst = append(dst, negative)
	} else {
		dst = append(dst, positive)
	}
	dst = append(dst, byte(exp+exponentBias))
	for i := 0; i < len(digits); i += 2 {
		pair := (digits[i] - '0') * 10
		if i+1 < len(digits) {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0)
	if neg {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// Partition is the place of an encoded partition key in the hash space that a parallel Scan divides.
func Partition(encoded []byte) uint32 {
	sum := md5.Sum(encoded)
	return binary.BigEndian.Uint32(sum[:])
}

// AppendPartition appends the partition of the key attributes and the attributes themselves: the start of every stored
// key of their item collection.
func AppendPartition(dst []byte, partition ...item.Value) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, v := range partition {
		dst = Append(dst, v)
	}
	binary.BigEndian.PutUint32(dst[start:], Partition(dst[start+4:]))
	return dst
}

// After is the smallest key that sorts behind every key with this prefix, nil when there is none.
func After(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// SegmentStart is the first key of a segment, counted from 0, when the hash space is divided into total segments.
func SegmentStart(segment, total uint64) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32((segment<<32+total-1)/total))
}
