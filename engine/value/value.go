// Package value is how flowctl holds the data of a message: JSON values whose
// numbers stay exact from wire to wire.
//
// A value is one of nil, bool, int, float64, Number, string, []byte,
// time.Time, []any, map[string]any or *Doc. An integer that fits int64 is an
// int and a decimal that float64 holds exactly to its last written digit is a
// float64; every other number is a Number, which keeps its digits as text.
// Values are shared between the branches of a run and must not be edited in
// place.
package value

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// Number is a JSON number that neither int nor float64 holds exactly, such as
// 9223372036854775808 or a decimal of 38 digits. Its text is a valid JSON
// number.
type Number string

// Limits of Decode. MaxDepth bounds nested arrays and objects.
const MaxDepth = 500

// ErrNotFinite reports NaN or an infinity, which JSON cannot carry.
var ErrNotFinite = errors.New("the number is not finite (NaN or infinity) and JSON cannot carry it")

// Doc is a JSON document that is decoded only when somebody looks inside, and
// that travels on byte for byte when nobody does. It is safe for concurrent
// use. The bytes must not change after NewDoc.
type Doc struct {
	raw     []byte
	once    sync.Once
	decoded any
	err     error
}

// NewDoc wraps raw JSON text. It does not check it: Value does.
func NewDoc(raw []byte) *Doc { return &Doc{raw: raw} }

// Raw is the document as it came. The caller must not edit it.
func (d *Doc) Raw() []byte { return d.raw }

// Value decodes the document, once; later calls give the same answer.
func (d *Doc) Value() (any, error) {
	d.once.Do(func() { d.decoded, d.err = Decode(d.raw) })
	return d.decoded, d.err
}

// Plain is v with a *Doc decoded and everything else as it is.
func Plain(v any) (any, error) {
	if d, ok := v.(*Doc); ok {
		return d.Value()
	}
	return v, nil
}

// Bytes is the form in which v leaves through a queue, a topic or an HTTP
// body: a string or []byte as it is, a *Doc byte for byte, all else as JSON.
func Bytes(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	case *Doc:
		return v.raw, nil
	}
	return Append(nil, v)
}

// Text is v inside a text: strings as they are, numbers and booleans in their
// JSON form, times as RFC 3339, durations as 1m30s, objects and arrays as JSON.
// A *Doc is what is in it. Null has no text and is an error.
func Text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil:
		return "", errors.New("the value is null and cannot stand inside a text; give a default with `?? \"…\"`")
	case []byte:
		return string(v), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case time.Duration:
		return v.String(), nil
	case *Doc:
		p, err := v.Value()
		switch p.(type) {
		case nil, string:
			if err == nil {
				return Text(p)
			}
		}
	}
	b, err := Append(nil, v)
	return string(b), err
}

// Kind names the type of v in the words of JSON, for messages to people.
func Kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case int, int64:
		return "an integer"
	case float64, Number:
		return "a number"
	case string:
		return "a string"
	case []byte:
		return "bytes"
	case time.Time:
		return "a time"
	case time.Duration:
		return "a duration"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case *Doc:
		if p, err := v.Value(); err == nil {
			return Kind(p)
		}
		return "a document that is not valid JSON"
	}
	return fmt.Sprintf("a %T", v)
}

func finite(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ErrNotFinite
	}
	return nil
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}
