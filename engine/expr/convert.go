package expr

import (
	"fmt"
	"math"
	"time"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// converter is how an evaluated value becomes a T.
func converter[T any]() func(any) (T, error) {
	var zero T
	var f any
	switch any(&zero).(type) {
	case *any:
		f = func(v any) (any, error) { return v, nil }
	case *string:
		f = toString
	case *[]byte:
		f = toBytes
	case *bool:
		f = toBool
	case *int:
		f = toInt
	case *float64:
		f = toFloat
	case *time.Duration:
		f = toDuration
	case *map[string]any:
		f = toObject
	case *[]any:
		f = toList
	case *map[string]string:
		f = toStrings
	case *[]string:
		f = toStringList
	default:
		panic(fmt.Sprintf("expr.Value[%T] has no converter", zero))
	}
	return f.(func(any) (T, error))
}

// wants names T in an author's words.
func wants[T any]() string {
	var zero T
	switch any(&zero).(type) {
	case *string:
		return "a text"
	case *bool:
		return "true or false"
	case *int:
		return "an integer"
	case *float64:
		return "a number"
	case *time.Duration:
		return "a duration such as 30s"
	case *map[string]any:
		return "an object"
	case *[]any:
		return "a list"
	case *map[string]string:
		return "an object of texts"
	case *[]string:
		return "a list of texts"
	}
	return "a value"
}

// accepts reports whether a value of type t can become a T, as far as is known
// at load.
func accepts[T any](t Type) bool {
	if t.kind == kindAny {
		return true
	}
	var zero T
	switch any(&zero).(type) {
	case *string:
		switch t.kind {
		case kindString, kindInt, kindNumber, kindBool, kindBytes, kindTime:
			return true
		}
		return false
	case *bool:
		return t.kind == kindBool
	case *int, *float64:
		return t.kind == kindInt || t.kind == kindNumber
	case *time.Duration:
		return t.kind == kindString
	case *map[string]any, *map[string]string:
		return t.kind == kindObject
	case *[]any, *[]string:
		return t.kind == kindList
	}
	return true
}

func need(what string, v any) error {
	return fmt.Errorf("%s is needed here, got %s", what, value.Kind(v))
}

func toString(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil, map[string]any, []any:
		return "", need("a text", v)
	}
	v, err := open(v)
	if err != nil {
		return "", err
	}
	switch v.(type) {
	case nil, map[string]any, []any:
		return "", need("a text", v)
	}
	return value.Text(v)
}

func toBytes(v any) ([]byte, error) {
	if r, ok := v.(Record); ok {
		m, err := r.Fields()
		if err != nil {
			return nil, err
		}
		v = m
	}
	return value.Bytes(v)
}

func toBool(v any) (bool, error) {
	v, err := open(v)
	if b, ok := v.(bool); ok && err == nil {
		return b, nil
	}
	return false, need("true or false", v)
}

func toInt(v any) (int, error) {
	v, err := open(v)
	if err != nil {
		return 0, err
	}
	narrow(&v)
	switch n := v.(type) {
	case int:
		return n, nil
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int(n), nil
		}
	}
	return 0, need("an integer", v)
}

func toFloat(v any) (float64, error) {
	v, err := open(v)
	if err != nil {
		return 0, err
	}
	narrow(&v)
	if f, ok := float(v); ok {
		return f, nil
	}
	return 0, need("a number", v)
}

func toDuration(v any) (time.Duration, error) {
	switch v := v.(type) {
	case time.Duration:
		return v, nil
	case string:
		d, err := time.ParseDuration(v)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration; write for example 500ms, 30s or 5m", v)
		}
		return d, nil
	}
	return 0, need("a duration such as 30s", v)
}

func toObject(v any) (map[string]any, error) {
	v, err := open(v)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(map[string]any); ok {
		return m, nil
	}
	n, err := value.Normal(v)
	if m, ok := n.(map[string]any); ok && err == nil {
		return m, nil
	}
	return nil, need("an object", v)
}

func toList(v any) ([]any, error) {
	v, err := open(v)
	if err != nil {
		return nil, err
	}
	if list, ok := v.([]any); ok {
		return list, nil
	}
	n, err := value.Normal(v)
	if list, ok := n.([]any); ok && err == nil {
		return list, nil
	}
	return nil, need("a list", v)
}

func toStrings(v any) (map[string]string, error) {
	m, err := toObject(v)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(m))
	for k, e := range m {
		if out[k], err = toString(e); err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
	}
	return out, nil
}

func toStringList(v any) ([]string, error) {
	list, err := toList(v)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], err = toString(e); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return out, nil
}
