package value

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// MaxEncoded bounds, in bytes, what Append writes for one value: shared parts of
// a value are written each time they occur, so a small one can print huge.
const MaxEncoded = 64 << 20

// Append appends v as compact JSON. Object keys are sorted, bytes become
// base64, times RFC 3339, and a *Doc goes in as it came. NaN, infinities and
// values nested deeper than MaxDepth are errors, as is a type JSON does not
// have.
func Append(dst []byte, v any) ([]byte, error) { return appendValue(dst, v, 0) }

func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return dst, fmt.Errorf("the value is nested deeper than %d levels", MaxDepth)
	}
	if len(dst) > MaxEncoded {
		return dst, fmt.Errorf("the value takes more than %d MiB as JSON", MaxEncoded>>20)
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendString(dst, v), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v)
	case Number:
		return append(dst, v...), nil
	case map[string]any:
		return appendObject(dst, v, depth)
	case []any:
		return appendList(dst, v, depth)
	case *Doc:
		if !json.Valid(v.raw) {
			_, err := v.Value()
			return dst, err
		}
		return append(dst, v.raw...), nil
	case []byte:
		return appendBase64(dst, v), nil
	case time.Time:
		return appendString(dst, v.Format(time.RFC3339Nano)), nil
	case time.Duration:
		return appendString(dst, v.String()), nil
	case record:
		m, err := v.Fields()
		if err != nil {
			return dst, err
		}
		return appendValue(dst, m, depth)
	}
	return appendReflected(dst, v, depth)
}

// record is an object that builds its fields on demand, such as an expr.Record.
type record interface {
	Fields() (map[string]any, error)
}

func appendObject(dst []byte, m map[string]any, depth int) ([]byte, error) {
	var few [16]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	var err error
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, k), ':')
		if dst, err = appendValue(dst, m[k], depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendList(dst []byte, list []any, depth int) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, e, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendReflected takes the typed slices, maps and integers that expression
// built-ins give (a []string from split, a map of a groupBy).
func appendReflected(dst []byte, v any, depth int) ([]byte, error) {
	p, err := normal(v)
	if err != nil {
		return dst, err
	}
	return appendValue(dst, p, depth)
}

// Normal gives v in the types this package names, or an error for one that has
// no JSON form, such as a function.
func Normal(v any) (any, error) {
	switch v.(type) {
	case nil, bool, int, float64, Number, string, []byte, time.Time, []any, map[string]any, *Doc, time.Duration:
		return v, nil
	}
	return normal(v)
}

func normal(v any) (any, error) {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := r.Uint(); u > math.MaxInt64 {
			return Number(strconv.FormatUint(u, 10)), nil
		}
		return int(r.Uint()), nil
	case reflect.Float32:
		return r.Float(), nil
	case reflect.String:
		return r.String(), nil
	case reflect.Slice, reflect.Array:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = r.Index(i).Interface()
		}
		return list, nil
	case reflect.Map:
		m := make(map[string]any, r.Len())
		for it := r.MapRange(); it.Next(); {
			k, err := Text(it.Key().Interface())
			if err != nil {
				return nil, fmt.Errorf("an object's key: %w", err)
			}
			m[k] = it.Value().Interface()
		}
		return m, nil
	}
	return nil, fmt.Errorf("%s has no JSON form", Kind(v))
}

func appendFloat(dst []byte, f float64) ([]byte, error) {
	if err := finite(f); err != nil {
		return dst, err
	}
	if f == 0 && math.Signbit(f) {
		return append(dst, "-0.0"...), nil
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64), nil
}

const hexDigits = "0123456789abcdef"

// appendString quotes s as JSON. Bytes that are not UTF-8 become U+FFFD, as
// encoding/json does.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			i++
			start = i
			continue
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// Keys are an object's keys in order.
func Keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
