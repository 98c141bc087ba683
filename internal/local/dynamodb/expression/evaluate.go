package expression

import (
	"strings"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// Holds says whether the condition is true of the item. An absent item is an item without attributes. An operand that
// is missing or of a kind that the operator does not take makes the comparison false, as in the service.
func (c *Condition) Holds(i item.Item) bool { return holds(c.root, i) }

func holds(n *node, i item.Item) bool {
	switch n.op {
	case opAnd:
		return holds(n.args[0], i) && holds(n.args[1], i)
	case opOr:
		return holds(n.args[0], i) || holds(n.args[1], i)
	case opNot:
		return !holds(n.args[0], i)
	case opCompare:
		return compare(n.text, n.args[0], n.args[1], i)
	case opBetween:
		return compare(">=", n.args[0], n.args[1], i) && compare("<=", n.args[0], n.args[2], i)
	case opIn:
		for _, candidate := range n.args[1:] {
			if compare("=", n.args[0], candidate, i) {
				return true
			}
		}
		return false
	}
	return holdsCall(n, i)
}

func compare(comparator string, left, right *node, i item.Item) bool {
	a, aok := operandValue(left, i)
	b, bok := operandValue(right, i)
	switch comparator {
	case "=":
		return aok && bok && item.Equal(a, b)
	case "<>":
		return !aok || !bok || !item.Equal(a, b)
	}
	if !aok || !bok {
		return false
	}
	c, ok := item.Compare(a, b)
	if !ok {
		return false
	}
	switch comparator {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func holdsCall(n *node, i item.Item) bool {
	first, ok := operandValue(n.args[0], i)
	switch n.text {
	case "attribute_exists":
		return ok
	case "attribute_not_exists":
		return !ok
	}
	second, secondOK := operandValue(n.args[1], i)
	if !ok || !secondOK {
		return false
	}
	switch n.text {
	case "attribute_type":
		return first.Kind.String() == second.Str
	case "begins_with":
		return first.Kind == second.Kind && (first.Kind == item.S || first.Kind == item.B) && strings.HasPrefix(first.Str, second.Str)
	}
	return contains(first, second)
}

// contains: a substring of a string or binary, a member of a set, an element of a list.
func contains(in, what item.Value) bool {
	switch in.Kind {
	case item.S, item.B:
		return in.Kind == what.Kind && strings.Contains(in.Str, what.Str)
	case item.L:
		for _, e := range in.List {
			if item.Equal(e, what) {
				return true
			}
		}
		return false
	}
	return item.Has(in, what)
}

// operandValue evaluates an operand of a condition; ok is false when it has no value.
func operandValue(n *node, i item.Item) (item.Value, bool) {
	switch n.op {
	case opValue:
		return n.value, true
	case opPath:
		return Lookup(i, n.path)
	}
	v, ok := operandValue(n.args[0], i)
	if !ok {
		return item.Value{}, false
	}
	length, ok := size(v)
	return item.Num(item.NumberFromInt(int64(length))), ok
}

// size is the function size: characters of a string, bytes of a binary, members of anything that has members.
func size(v item.Value) (int, bool) {
	switch v.Kind {
	case item.S:
		return utf8.RuneCountInString(v.Str), true
	case item.B:
		return len(v.Str), true
	case item.M:
		return len(v.Map), true
	case item.L, item.SS, item.NS, item.BS:
		return len(v.List), true
	}
	return 0, false
}

// Lookup follows a path into the item; ok is false when there is nothing at its end.
func Lookup(i item.Item, path Path) (v item.Value, ok bool) {
	v = item.Value{Kind: item.M, Map: i}
	for _, s := range path {
		if s.isIndex() {
			if v.Kind != item.L || s.Index >= len(v.List) {
				return item.Value{}, false
			}
			v = v.List[s.Index]
			continue
		}
		if v.Kind != item.M {
			return item.Value{}, false
		}
		if v, ok = v.Map[s.Name]; !ok {
			return item.Value{}, false
		}
	}
	return v, true
}

// Paths are the paths that the condition reads.
func (c *Condition) Paths() []Path {
	var paths []Path
	collect(c.root, &paths)
	return paths
}

func collect(n *node, paths *[]Path) {
	if n.op == opPath {
		*paths = append(*paths, n.path)
	}
	for _, a := range n.args {
		collect(a, paths)
	}
}
