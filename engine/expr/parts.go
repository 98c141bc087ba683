package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm/runtime"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// Parts of texts, lists and objects. The library counts the bytes of a text,
// while its len counts characters: event.body.name[:10] would cut an ö in two.

// slice is v[from:to]; to is nil where the part goes on to the end.
func slice(a ...any) (any, error) {
	v, from, to := a[0], a[1], a[2]
	switch v := v.(type) {
	case nil:
		return nil, fmt.Errorf("null has no part [ : ]")
	case string:
		return textPart(v, from, to)
	case map[string]any:
		return nil, fmt.Errorf("an object has no part [ : ]")
	}
	if to == nil {
		to = runtime.Len(v)
	}
	return runtime.Slice(v, from, to), nil
}

func textPart(s string, from, to any) (any, error) {
	length := utf8.RuneCountInString(s)
	end := length
	if to != nil {
		end = place(runtime.ToInt(to), length)
	}
	begin := min(place(runtime.ToInt(from), length), end)
	if length == len(s) {
		return s[begin:end], nil
	}
	return s[byteAt(s, begin):byteAt(s, end)], nil
}

// place is an index into something of the length; a negative one counts from
// the end.
func place(index, length int) int {
	if index < 0 {
		index += length
	}
	return max(0, min(index, length))
}

// byteAt is where the character begins.
func byteAt(s string, character int) int {
	for i := range s {
		if character == 0 {
			return i
		}
		character--
	}
	return len(s)
}

// fetch is v[key] for a key that is not written out, or of a value of which
// nothing is known.
func fetch(a ...any) (any, error) {
	v, key := a[0], a[1]
	switch v := v.(type) {
	case nil:
		return nil, fmt.Errorf("null has no element %v", key)
	case string:
		return nil, fmt.Errorf("a text has no element %v; a character of it is a part, such as [0:1]", key)
	case map[string]any:
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("a field of an object is named by a text, got %s", value.Kind(key))
		}
		return v[name], nil
	}
	return runtime.Fetch(v, key), nil
}

// indexOf is the place of a text in another one, in characters, -1 if it is not
// there.
func indexOf(find func(s, part string) int) func(a ...any) (any, error) {
	return func(a ...any) (any, error) {
		s := a[0].(string)
		i := find(s, a[1].(string))
		if i < 0 {
			return i, nil
		}
		return utf8.RuneCountInString(s[:i]), nil
	}
}

var partFunctions = []definition{
	{Function{"indexOf", "indexOf(text, part) integer", "How many characters stand in the text before the part's first occurrence, -1 if it does not occur.", `indexOf("größer", "e")`, `4`},
		indexOf(strings.Index), []any{new(func(string, string) int)}},
	{Function{"lastIndexOf", "lastIndexOf(text, part) integer", "How many characters stand in the text before the part's last occurrence, -1 if it does not occur.", `lastIndexOf("a/b/c", "/")`, `3`},
		indexOf(strings.LastIndex), []any{new(func(string, string) int)}},
}
