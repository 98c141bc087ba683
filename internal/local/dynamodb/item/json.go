package item

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// MaxNesting is how many lists and maps may stand one inside the other in an attribute value. With what the innermost
// holds they are the 32 levels of the service's limit.
const MaxNesting = 31

// maxName is how many bytes the name of an attribute may have (Developer Guide, "Service, account, and table quotas", says
// 64 KB; the service takes one byte less).
const maxName = 65535

var (
	errNameTooLarge = errors.New("Attribute name is too large, must be less than 65536 bytes")
	errNoName       = errors.New("Empty attribute name")
)

// CheckName gives the error of a name that no attribute can have.
func CheckName(name string) error {
	if name == "" {
		return errNoName
	}
	return checkNameSize(name)
}

func checkNameSize(name string) error {
	if len(name) > maxName {
		return errNameTooLarge
	}
	return nil
}

// ErrNesting is the refusal of what stands deeper in lists and maps than a value may.
var ErrNesting = errors.New("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")

// FromJSON reads an attribute value from its decoded JSON form, an object with one type descriptor as its member. The
// JSON types inside have been checked before (strings are strings, base64 is base64); FromJSON checks what the
// service answers with a ValidationException, in the service's order and words.
func FromJSON(object map[string]any) (Value, error) { return fromJSON(object, 1) }

func fromJSON(object map[string]any, depth int) (Value, error) {
	if len(object) == 1 { // as all but wrong ones are
		for name, content := range object {
			if k := ParseKind(name); k != 0 && content != nil {
				return contentFromJSON(k, content, depth)
			}
		}
	}
	var v Value
	count := 0
	for k := S; k <= M; k++ {
		content, ok := object[k.String()]
		if !ok || content == nil {
			continue
		}
		count++
		var err error
		if v, err = contentFromJSON(k, content, depth); err != nil {
			return Value{}, err
		}
	}
	switch {
	case count == 0:
		return Value{}, errNoType
	case count > 1:
		return Value{}, errManyTypes
	}
	return v, nil
}

// The errors of what is no attribute value at all.
var (
	errNoType    = errors.New("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	errManyTypes = errors.New("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
)

// ItemFromJSON reads a whole map of attributes; the error is of the first bad attribute in the order of names.
func ItemFromJSON(object map[string]any) (Item, error) {
	if _, ok := object[""]; ok {
		return nil, errNoName
	}
	m, err := mapFromJSON(object, 1)
	return m, err
}

func mapFromJSON(object map[string]any, depth int) (map[string]Value, error) {
	m := make(map[string]Value, len(object))
	var bad string
	var failure error
	for name, content := range object {
		inner, _ := content.(map[string]any)
		v, err := fromJSON(inner, depth)
		if err == nil {
			err = checkNameSize(name)
		}
		if err != nil && (failure == nil || name < bad) {
			bad, failure = name, err
		}
		m[name] = v
	}
	return m, failure
}

func contentFromJSON(k Kind, content any, depth int) (Value, error) {
	switch k {
	case S:
		s, _ := content.(string)
		return Value{Kind: S, Str: s}, nil
	case N:
		s, _ := content.(string)
		n, err := ParseNumber(s)
		return Value{Kind: N, Num: n}, err
	case B:
		return binaryFromJSON(content)
	case Bool:
		b, _ := content.(bool)
		return Value{Kind: Bool, Bool: b}, nil
	case Null:
		if b, _ := content.(bool); !b {
			return Value{}, errors.New("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return Value{Kind: Null}, nil
	case SS, NS, BS:
		list, _ := content.([]any)
		return setFromJSON(k, list)
	}
	if depth > MaxNesting {
		return Value{}, ErrNesting
	}
	if k == L {
		return listFromJSON(content, depth)
	}
	inner, _ := content.(map[string]any)
	m, err := mapFromJSON(inner, depth+1)
	return Value{Kind: M, Map: m}, err
}

func binaryFromJSON(content any) (Value, error) {
	s, _ := content.(string)
	b, err := base64.StdEncoding.DecodeString(s)
	return Value{Kind: B, Str: string(b)}, err
}

func listFromJSON(content any, depth int) (Value, error) {
	list, _ := content.([]any)
	v := Value{Kind: L, List: make([]Value, len(list))}
	for i, e := range list {
		inner, _ := e.(map[string]any)
		var err error
		if v.List[i], err = fromJSON(inner, depth+1); err != nil {
			return Value{}, err
		}
	}
	return v, nil
}

func setFromJSON(k Kind, list []any) (Value, error) {
	if len(list) == 0 {
		return Value{}, emptySet(k)
	}
	v := Value{Kind: k, List: make([]Value, 0, len(list))}
	seen := make(map[scalar]struct{}, len(list))
	for _, e := range list {
		if e == nil {
			return Value{}, nullMember(k)
		}
		m, err := contentFromJSON(k.Member(), e, 0)
		if err != nil {
			return Value{}, err
		}
		v.List = append(v.List, m)
		seen[scalar{m.Str, m.Num}] = struct{}{}
	}
	if len(seen) != len(list) {
		return Value{}, duplicates(k, list)
	}
	v.sort()
	return v, nil
}

// nullMember is the error about a JSON null in a set.
func nullMember(k Kind) error {
	if k == SS {
		return errors.New("One or more parameter values were invalid: An string set may not have a null string as a member")
	}
	return errNoType
}

func emptySet(k Kind) error {
	const invalid = "One or more parameter values were invalid: "
	switch k {
	case SS:
		return errors.New(invalid + "An string set  may not be empty")
	case NS:
		return errors.New(invalid + "An number set  may not be empty")
	}
	return errors.New(invalid + "Binary sets should not be empty")
}

// duplicates is the error about a set that has a member twice, which shows the set as it was given.
func duplicates(k Kind, list []any) error {
	if k == NS {
		return errors.New("Input collection contains duplicates")
	}
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i], _ = e.(string)
	}
	suffix := " contains duplicates."
	if k == BS {
		suffix = "of type BS contains duplicates."
	}
	return fmt.Errorf("One or more parameter values were invalid: Input collection [%s]%s", strings.Join(texts, ", "), suffix)
}

// AppendJSON appends the wire form of the value: {"S":"text"}.
func (v Value) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{', '"')
	dst = append(dst, v.Kind.String()...)
	dst = append(dst, '"', ':')
	return append(v.appendContentJSON(dst), '}')
}

func (v Value) appendContentJSON(dst []byte) []byte {
	switch v.Kind {
	case S:
		return AppendQuoted(dst, v.Str)
	case N:
		return append(v.Num.append(append(dst, '"')), '"')
	case B:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.Str))
		return append(dst, '"')
	case Bool:
		if v.Bool {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case Null:
		return append(dst, "true"...)
	case SS, NS, BS:
		return appendArray(dst, v.List, Value.appendContentJSON)
	case L:
		return appendArray(dst, v.List, Value.AppendJSON)
	}
	return Item(v.Map).AppendJSON(dst)
}

func appendArray(dst []byte, list []Value, element func(Value, []byte) []byte) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(e, dst)
	}
	return append(dst, ']')
}

// AppendJSON appends the wire form of the item, its attributes in the order of their names.
func (i Item) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	var names [16]string
	sorted := slices.Grow(names[:0], len(i))
	for name := range i {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	for n, name := range sorted {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendQuoted(dst, name), ':')
		dst = i[name].AppendJSON(dst)
	}
	return append(dst, '}')
}

// MarshalJSON is the wire form.
func (i Item) MarshalJSON() ([]byte, error) { return i.AppendJSON(nil), nil }

// MarshalJSON is the wire form.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = appendEscape(append(dst, s[start:i]...), c)
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
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
