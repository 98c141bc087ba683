package pattern

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// test looks at one leaf of an event.
type test func(v any) bool

// operators are the names that an author may write, in the order of the
// documentation.
var operators = []string{"anything-but", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "exists"}

// operator reads {NAME: ARGUMENT}.
func (r *reader) operator(f *field, m map[string]any, at string) {
	if len(m) != 1 {
		r.wrong(at, "write one object for each, such as [{prefix: a}, {suffix: b}]; one of them must hold", "an operator stands alone in its object, here are %d", len(m))
		return
	}
	name := slices.Collect(maps.Keys(m))[0]
	where := join(at, name)
	var t test
	switch arg := m[name]; name {
	case "exists":
		there, ok := arg.(bool)
		if !ok {
			r.wrong(where, "write true or false", "exists takes true or false, this is %s", value.Kind(arg))
			return
		}
		if !there {
			f.absent = true
			return
		}
		t = func(any) bool { return true }
	case "anything-but":
		t = r.anythingBut(arg, where)
	case "numeric":
		t = r.numeric(arg, where)
	case "cidr":
		t = r.cidr(arg, where)
	default:
		var ok bool
		if t, ok = r.ofText(name, arg, where); !ok {
			r.wrong(at, nearest(name, operators, "there are "), "there is no operator %q", name)
		}
	}
	if t != nil {
		f.tests = append(f.tests, t)
	}
}

// ofText reads an operator on texts. known is false for a name that is none; the
// test is nil where the argument is wrong, which is then reported.
func (r *reader) ofText(name string, arg any, at string) (t test, known bool) {
	var compare func(s, with string) bool
	switch name {
	case "prefix", "suffix":
		if m, nested := arg.(map[string]any); nested {
			inner, ok := m["equals-ignore-case"]
			if len(m) != 1 || !ok {
				r.wrong(at, "write {"+name+": {equals-ignore-case: TEXT}}", "%s takes a text, or equals-ignore-case inside", name)
				return nil, true
			}
			arg, at = inner, join(at, "equals-ignore-case")
			compare = foldedAffix[name]
			break
		}
		compare = strings.HasPrefix
		if name == "suffix" {
			compare = strings.HasSuffix
		}
	case "equals-ignore-case":
		compare = strings.EqualFold
	case "wildcard":
		return r.wildcard(arg, at), true
	default:
		return nil, false
	}
	with, ok := arg.(string)
	if !ok {
		r.wrong(at, "put a text there, in quotes if it looks like something else", "%s takes a text, this is %s", name, value.Kind(arg))
		return nil, true
	}
	return func(v any) bool {
		s, isText := v.(string)
		return isText && compare(s, with)
	}, true
}

var foldedAffix = map[string]func(s, with string) bool{
	"prefix": func(s, with string) bool {
		return strings.HasPrefix(strings.ToLower(s), strings.ToLower(with))
	},
	"suffix": func(s, with string) bool {
		return strings.HasSuffix(strings.ToLower(s), strings.ToLower(with))
	},
}

func (r *reader) wildcard(arg any, at string) test {
	text, ok := arg.(string)
	if !ok {
		r.wrong(at, "", "wildcard takes a text, this is %s", value.Kind(arg))
		return nil
	}
	pieces, err := globs(text)
	if err != nil {
		r.wrong(at, "", "the wildcard %q: %v", text, err)
		return nil
	}
	return func(v any) bool {
		s, isText := v.(string)
		return isText && globMatch(pieces, s)
	}
}

// globs are the texts between the asterisks of a wildcard. \* and \\ stand for
// themselves.
func globs(text string) ([]string, error) {
	pieces := []string{""}
	last := &pieces[0]
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			if i++; i == len(text) || text[i] != '*' && text[i] != '\\' {
				return nil, fmt.Errorf(`a \ stands before * or \ only`)
			}
			*last += text[i : i+1]
		case text[i] == '*':
			if *last == "" && len(pieces) > 1 {
				return nil, fmt.Errorf("two asterisks in a row")
			}
			pieces = append(pieces, "")
			last = &pieces[len(pieces)-1]
		default:
			*last += text[i : i+1]
		}
	}
	return pieces, nil
}

func globMatch(pieces []string, s string) bool {
	rest, ok := strings.CutPrefix(s, pieces[0])
	if len(pieces) == 1 {
		return ok && rest == ""
	}
	for _, p := range pieces[1 : len(pieces)-1] {
		if !ok {
			break
		}
		_, rest, ok = strings.Cut(rest, p)
	}
	return ok && strings.HasSuffix(rest, pieces[len(pieces)-1])
}

// anythingBut takes a value, a list of values of one type, or an operator on
// texts with one or several of them.
func (r *reader) anythingBut(arg any, at string) test {
	var tests []test
	switch arg := arg.(type) {
	case map[string]any:
		tests = r.butOperator(arg, at)
	case []any:
		if len(arg) == 0 {
			r.wrong(at, "name at least one value", "anything-but an empty list fits everything")
		}
		for i, v := range arg {
			if !isText(v) && !isNumber(v) || isText(v) != isText(arg[0]) {
				r.wrong(index(at, i), "write texts only, or numbers only", "anything-but takes texts or numbers, this is %s", value.Kind(v))
				return nil
			}
			tests = append(tests, equals(v))
		}
	default:
		if !isText(arg) && !isNumber(arg) {
			r.wrong(at, "write a text, a number or a list of them", "anything-but takes texts or numbers, this is %s", value.Kind(arg))
			return nil
		}
		tests = []test{equals(arg)}
	}
	if tests == nil {
		return nil
	}
	return func(v any) bool { return !slices.ContainsFunc(tests, func(t test) bool { return t(v) }) }
}

func (r *reader) butOperator(m map[string]any, at string) []test {
	if len(m) != 1 {
		r.wrong(at, "write one operator, such as {anything-but: {prefix: a}}", "anything-but takes one operator, here are %d", len(m))
		return nil
	}
	name := slices.Collect(maps.Keys(m))[0]
	where := join(at, name)
	args, many := m[name].([]any)
	if !many {
		args = []any{m[name]}
	}
	var tests []test
	for i, arg := range args {
		place := where
		if many {
			place = index(where, i)
		}
		t, known := r.ofText(name, arg, place)
		if !known {
			r.wrong(where, "it takes prefix, suffix, equals-ignore-case, wildcard", "anything-but cannot take %q", name)
			return nil
		}
		if t != nil {
			tests = append(tests, t)
		}
	}
	if len(args) == 0 {
		r.wrong(where, "name at least one text", "anything-but an empty list fits everything")
	}
	return tests
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

func isNumber(v any) bool {
	_, ok := float(v)
	return ok
}

// equals compares numbers by value and all else as it is.
func equals(want any) test {
	n, numeric := float(want)
	return func(v any) bool {
		if numeric {
			f, ok := float(v)
			return ok && f == n
		}
		switch v.(type) {
		case nil, bool, string:
			return v == want
		}
		return false
	}
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case value.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	}
	return 0, false
}

// numericLimit is the largest number that numeric takes, and its negative the
// smallest.
const numericLimit = 5e9

// numeric takes a comparison, or two of which the first is > or >= and the
// second < or <=.
func (r *reader) numeric(arg any, at string) test {
	const hint = `write ["=", 5] or [">=", 0, "<", 10]`
	list, ok := arg.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		r.wrong(at, hint, "numeric takes an operator and a number, or two of each")
		return nil
	}
	low, high := math.Inf(-1), math.Inf(1)
	var lowOpen, highOpen bool
	for i := 0; i < len(list); i += 2 {
		op, _ := list[i].(string)
		n, isNumber := float(list[i+1])
		if !isNumber || math.Abs(n) > numericLimit {
			r.wrong(index(at, i+1), hint, "numeric compares with a number from -5e9 to 5e9, this is %s", text(list[i+1]))
			return nil
		}
		switch {
		case op == "=" && len(list) == 2:
			low, high = n, n
		case (op == ">" || op == ">=") && i == 0:
			low, lowOpen = n, op == ">"
		case (op == "<" || op == "<=") && i == len(list)-2:
			high, highOpen = n, op == "<"
		default:
			r.wrong(index(at, i), hint, "%s cannot stand here", text(list[i]))
			return nil
		}
	}
	if low > high || low == high && (lowOpen || highOpen) {
		r.wrong(at, "", "no number is in this range")
		return nil
	}
	return func(v any) bool {
		f, ok := float(v)
		return ok && (f > low || f == low && !lowOpen) && (f < high || f == high && !highOpen)
	}
}

func (r *reader) cidr(arg any, at string) test {
	text, _ := arg.(string)
	block, err := netip.ParsePrefix(text)
	if err != nil {
		r.wrong(at, "write for example 10.0.0.0/24", "cidr takes a block of addresses, this is %s", value.Kind(arg))
		return nil
	}
	block = block.Masked()
	return func(v any) bool {
		s, _ := v.(string)
		addr, err := netip.ParseAddr(s)
		return err == nil && block.Contains(addr)
	}
}
