// Package item holds DynamoDB's attribute values: their exact numbers, comparison, size, JSON form and stored form.
package item

import (
	"maps"
	"slices"
	"strings"
)

// Kind is the data type of a value.
type Kind uint8

// The ten data types. The zero Kind is no value at all.
const (
	S Kind = iota + 1
	N
	B
	Bool
	Null
	SS
	NS
	BS
	L
	M
)

var kindNames = [...]string{S: "S", N: "N", B: "B", Bool: "BOOL", Null: "NULL", SS: "SS", NS: "NS", BS: "BS", L: "L", M: "M"}

// String is the type descriptor of the wire protocol: "S", "N", "BOOL" …
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return ""
	}
	return kindNames[k]
}

// Member is the kind of a set's members; 0 when k is no set.
func (k Kind) Member() Kind {
	switch k {
	case SS:
		return S
	case NS:
		return N
	case BS:
		return B
	}
	return 0
}

// ParseKind is the Kind with this type descriptor, 0 when there is none.
func ParseKind(name string) Kind {
	for k := S; k <= M; k++ {
		if kindNames[k] == name {
			return k
		}
	}
	return 0
}

// Value is one attribute value. Values are immutable: whoever changes one copies the list or map first.
type Value struct {
	Kind Kind
	Bool bool
	Str  string           // the text of an S, the bytes of a B
	Num  Number           // the value of an N
	List []Value          // the elements of an L; the members of a set, each of kind Kind.Member()
	Map  map[string]Value // the members of an M
}

// Item is a set of named attributes.
type Item map[string]Value

// String makes a value of kind S.
func String(s string) Value { return Value{Kind: S, Str: s} }

// Num makes a value of kind N.
func Num(n Number) Value { return Value{Kind: N, Num: n} }

// Clone copies the item's own map; the values, being immutable, are shared.
func (i Item) Clone() Item {
	if i == nil {
		return Item{}
	}
	return maps.Clone(i)
}

// Equal says whether two items have the same attributes with equal values.
func (i Item) Equal(o Item) bool { return equalMaps(i, o) }

// Equal says whether two values are of one kind and value: numbers by value, sets whatever the order of members.
func Equal(a, b Value) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case S, B:
		return a.Str == b.Str
	case N:
		return a.Num == b.Num
	case Bool:
		return a.Bool == b.Bool
	case Null:
		return true
	case SS, NS, BS:
		return equalSets(a, b)
	case L:
		return equalLists(a.List, b.List)
	case M:
		return equalMaps(a.Map, b.Map)
	}
	return true
}

func equalLists(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalMaps(a, b map[string]Value) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}

// scalar is a comparable form of a set's member.
type scalar struct {
	str string
	num Number
}

func memberIndex(v Value) map[scalar]struct{} {
	in := make(map[scalar]struct{}, len(v.List))
	for _, m := range v.List {
		in[scalar{m.Str, m.Num}] = struct{}{}
	}
	return in
}

func equalSets(a, b Value) bool {
	if len(a.List) != len(b.List) {
		return false
	}
	in := memberIndex(b)
	for _, m := range a.List {
		if _, ok := in[scalar{m.Str, m.Num}]; !ok {
			return false
		}
	}
	return true
}

// sort puts the members of a set in the service's order: as Compare has them.
func (v Value) sort() {
	order := func(a, b Value) int { c, _ := Compare(a, b); return c }
	if !slices.IsSortedFunc(v.List, order) {
		slices.SortFunc(v.List, order)
	}
}

// Union is the set a with the members of b that it has not; both are sets of one kind.
func Union(a, b Value) Value {
	in := memberIndex(a)
	out := Value{Kind: a.Kind, List: append(make([]Value, 0, len(a.List)+len(b.List)), a.List...)}
	for _, m := range b.List {
		if _, ok := in[scalar{m.Str, m.Num}]; !ok {
			out.List = append(out.List, m)
		}
	}
	out.sort()
	return out
}

// Difference is the set a without the members of b; both are sets of one kind. It may come out empty, which no
// stored set may be.
func Difference(a, b Value) Value {
	drop := memberIndex(b)
	out := Value{Kind: a.Kind}
	for _, m := range a.List {
		if _, ok := drop[scalar{m.Str, m.Num}]; !ok {
			out.List = append(out.List, m)
		}
	}
	return out
}

// Has says whether the set has the member.
func Has(set, member Value) bool {
	if set.Kind.Member() != member.Kind || member.Kind == 0 {
		return false
	}
	for _, m := range set.List {
		if Equal(m, member) {
			return true
		}
	}
	return false
}

// Compare orders two values of one kind: strings and binaries by their bytes, numbers by value. ok is false for
// values of different kinds and for kinds without an order.
func Compare(a, b Value) (c int, ok bool) {
	if a.Kind != b.Kind {
		return 0, false
	}
	switch a.Kind {
	case S, B:
		return strings.Compare(a.Str, b.Str), true
	case N:
		return a.Num.Cmp(b.Num), true
	}
	return 0, false
}

// Size is the item's size in bytes as the service counts it (Developer Guide, "DynamoDB item sizes and formats").
func (i Item) Size() int {
	n := 0
	for name, v := range i {
		n += len(name) + v.Size()
	}
	return n
}

// CheckNesting gives the error of an attribute in which more than MaxNesting lists and maps stand one inside the other, as
// updates inside of documents can make it.
func (i Item) CheckNesting() error {
	for _, v := range i {
		if !v.nests(MaxNesting) {
			return ErrNesting
		}
	}
	return nil
}

// nests says whether at most n lists and maps stand one inside the other.
func (v Value) nests(n int) bool {
	if v.Kind == L || v.Kind == M {
		if n == 0 {
			return false
		}
		for _, e := range v.List {
			if !e.nests(n - 1) {
				return false
			}
		}
		for _, e := range v.Map {
			if !e.nests(n - 1) {
				return false
			}
		}
	}
	return true
}

// Size is the value's size in bytes as the service counts it, without its name.
func (v Value) Size() int {
	switch v.Kind {
	case S, B:
		return len(v.Str)
	case N:
		return v.Num.size()
	case SS, NS, BS:
		n := 0
		for _, m := range v.List {
			n += m.Size()
		}
		return n
	case L:
		n := 3
		for _, e := range v.List {
			n += e.Size() + 1
		}
		return n
	case M:
		n := 3
		for name, e := range v.Map {
			n += len(name) + e.Size() + 1
		}
		return n
	}
	return 1
}
