package expr

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/types"
)

// Type is what is known of a value before the first message: it types the
// names that expressions read. The zero Type is Any.
type Type struct {
	kind   kind
	fields map[string]Type
	open   bool  // an object may have fields beyond those named
	elem   *Type // of a list, or of an open object's other fields
	// lacks is a field that the type does not have and what to write so that it
	// has it.
	lacks, hint string
}

type kind uint8

const (
	kindAny kind = iota
	kindNull
	kindBool
	kindInt
	kindNumber
	kindString
	kindBytes
	kindTime
	kindObject
	kindList
)

// The types without parts. Any is a value of which nothing is known: reading
// inside it is checked only when a message comes.
var (
	Any    = Type{}
	Null   = Type{kind: kindNull}
	Bool   = Type{kind: kindBool}
	Int    = Type{kind: kindInt}
	Number = Type{kind: kindNumber}
	String = Type{kind: kindString}
	Bytes  = Type{kind: kindBytes}
	Time   = Type{kind: kindTime}
)

// Object is an object with exactly these fields: reading another one is an
// error at load.
func Object(fields map[string]Type) Type { return Type{kind: kindObject, fields: fields} }

// OpenObject is an object that may have further fields, each of type extra.
func OpenObject(fields map[string]Type, extra Type) Type {
	return Type{kind: kindObject, fields: fields, open: true, elem: &extra}
}

// List is an array whose elements are of one type.
func List(elem Type) Type { return Type{kind: kindList, elem: &elem} }

// Lacking is the type with a hint for authors who read the field name, which is
// there only on demand: what to write so that it is. Where the type has no
// fields at all, they see it for every name.
func (t Type) Lacking(name, hint string) Type {
	t.lacks, t.hint = name, hint
	return t
}

// IsAny reports that nothing is known of the value.
func (t Type) IsAny() bool { return t.kind == kindAny }

// IsObject reports that the value is an object.
func (t Type) IsObject() bool { return t.kind == kindObject }

// Field is the type of the object's field name; ok is false when there can be
// no such field. A field of Any is Any.
func (t Type) Field(name string) (field Type, ok bool) {
	if t.kind == kindAny {
		return Any, true
	}
	if f, ok := t.fields[name]; ok {
		return f, true
	}
	if t.kind == kindObject && t.open {
		return *t.elem, true
	}
	return Any, false
}

// FieldNames are the fields known by name, sorted.
func (t Type) FieldNames() []string { return slices.Sorted(maps.Keys(t.fields)) }

// Elem is the type of a list's elements, Any when it is not known.
func (t Type) Elem() Type {
	if t.kind == kindList {
		return *t.elem
	}
	return Any
}

// Join is the type of a value that may be an a or a b.
func Join(a, b Type) Type {
	switch {
	case a.kind == kindAny || b.kind == kindAny:
		return Any
	case a.kind == kindInt && b.kind == kindNumber, a.kind == kindNumber && b.kind == kindInt:
		return Number
	case a.kind != b.kind:
		return Any
	case a.kind == kindList:
		return List(Join(*a.elem, *b.elem))
	case a.kind == kindObject:
		return joinObjects(a, b)
	}
	return a
}

func joinObjects(a, b Type) Type {
	fields := map[string]Type{}
	for _, side := range []struct{ from, other Type }{{a, b}, {b, a}} {
		for name, t := range side.from.fields {
			o, ok := side.other.fields[name]
			switch {
			case ok:
				fields[name] = Join(t, o)
			case side.other.open:
				fields[name] = Join(t, *side.other.elem)
			default:
				fields[name] = t
			}
		}
	}
	switch {
	case a.open && b.open:
		return OpenObject(fields, Join(*a.elem, *b.elem))
	case a.open:
		return OpenObject(fields, *a.elem)
	case b.open:
		return OpenObject(fields, *b.elem)
	}
	return Object(fields)
}

// String names the type as messages to authors do.
func (t Type) String() string {
	switch t.kind {
	case kindNull:
		return "null"
	case kindBool:
		return "boolean"
	case kindInt:
		return "integer"
	case kindNumber:
		return "number"
	case kindString:
		return "string"
	case kindBytes:
		return "bytes"
	case kindTime:
		return "time"
	case kindList:
		if t.elem.IsAny() {
			return "list"
		}
		return "list of " + t.elem.String()
	case kindObject:
		if len(t.fields) == 0 {
			return "object"
		}
		names := t.FieldNames()
		if len(names) > 6 {
			names = append(names[:6], "…")
		}
		return "object with " + strings.Join(names, ", ")
	}
	return "any"
}

// checked gives t in the terms of the expression checker.
func (t Type) checked() types.Type {
	switch t.kind {
	case kindBool:
		return types.Bool
	case kindInt:
		return types.Int
	case kindNumber:
		return types.Float64
	case kindString:
		return types.String
	case kindBytes:
		return types.TypeOf([]byte(nil))
	case kindTime:
		return types.TypeOf(timeZero)
	case kindList:
		return types.Array(t.elem.checked())
	case kindObject:
		m := types.Map{}
		for name, f := range t.fields {
			m[name] = f.checked()
		}
		if t.open {
			m[types.Extra] = t.elem.checked()
		}
		return m
	}
	return types.Any
}
