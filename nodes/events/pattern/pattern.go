// Package pattern reads and applies the event patterns of Amazon EventBridge, of
// which the filter policies of Amazon SNS are the flat kind.
//
// The rules are those of the page "Comparison operators for use in event
// patterns" of the EventBridge user guide. Numbers are compared by their value
// as float64 has it, which is exact in the range that the service takes.
package pattern

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Pattern is a pattern that was found well formed. It is safe for concurrent
// use.
type Pattern struct{ root *object }

// Problem is something wrong with a pattern.
type Problem struct {
	// Field is where, with dots and indexes: "detail.state[0].prefix"; "" for
	// the whole pattern.
	Field, Message, Hint string
}

// Policy says which patterns are taken.
type Policy struct {
	// Keys are the only keys that the outermost object may have; nil for any.
	Keys []string
	// Flat refuses objects inside: attributes have none.
	Flat bool
	// Subject names what the pattern is matched against, in messages: "an event".
	Subject string
}

// or is the key whose value is a list of alternatives.
const or = "$or"

// maxDepth bounds how deep objects in a pattern nest.
const maxDepth = 100

// object asks something of each of several fields.
type object struct {
	fields       []field
	alternatives [][]*object // of each $or
}

// field asks something of one field: either of the object in it, or that one of
// the tests holds for its value.
type field struct {
	name  string
	path  []string
	inner *object
	tests []test
	// absent is an alternative to the tests: there is no such field.
	absent bool
}

// Parse reads a pattern; its values are those of package value. It returns all
// that is wrong with it.
func Parse(m map[string]any, p Policy) (*Pattern, []Problem) {
	r := &reader{policy: p}
	root := r.object(m, "", nil)
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return &Pattern{root}, nil
}

type reader struct {
	policy   Policy
	problems []Problem
}

func (r *reader) wrong(field, hint, format string, args ...any) {
	r.problems = append(r.problems, Problem{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *reader) object(m map[string]any, at string, path []string) *object {
	o := &object{}
	if len(m) == 0 {
		r.wrong(at, "name at least one field", "an empty pattern is refused by the service")
	}
	if len(path) > maxDepth {
		r.wrong(at, "", "the pattern nests deeper than %d objects", maxDepth)
		return o
	}
	for _, name := range value.Keys(m) {
		where := join(at, name)
		if name == or {
			o.alternatives = append(o.alternatives, r.alternatives(m[name], where, path))
			continue
		}
		if len(path) == 0 && r.policy.Keys != nil && !slices.Contains(r.policy.Keys, name) {
			r.wrong(where, nearest(name, r.policy.Keys, "it has "), "%s has no field %q", r.policy.Subject, name)
			continue
		}
		f := field{name: name, path: append(slices.Clip(path), name)}
		switch v := m[name].(type) {
		case map[string]any:
			if r.policy.Flat {
				r.wrong(where, "write a list of values or of operators, such as [{prefix: a}]", "%s has no objects inside", r.policy.Subject)
				continue
			}
			f.inner = r.object(v, where, f.path)
		case []any:
			r.tests(&f, v, where)
		default:
			r.wrong(where, fmt.Sprintf("write [%s]", text(v)), "a pattern has lists of values, this is %s", value.Kind(v))
		}
		o.fields = append(o.fields, f)
	}
	return o
}

func (r *reader) alternatives(v any, at string, path []string) []*object {
	list, ok := v.([]any)
	if !ok || len(list) < 2 {
		r.wrong(at, "write $or: [{…}, {…}]", "$or takes a list of two patterns or more")
		return nil
	}
	var out []*object
	for i, each := range list {
		where := index(at, i)
		if m, ok := each.(map[string]any); ok {
			out = append(out, r.object(m, where, path))
		} else {
			r.wrong(where, "write an object such as {source: [orders]}", "$or takes patterns, this is %s", value.Kind(each))
		}
	}
	return out
}

func (r *reader) tests(f *field, list []any, at string) {
	if len(list) == 0 {
		r.wrong(at, "name at least one value", "an empty list fits nothing")
	}
	for i, v := range list {
		where := index(at, i)
		switch v := v.(type) {
		case map[string]any:
			r.operator(f, v, where)
		case []any:
			r.wrong(where, "", "a list in a list is not possible in a pattern")
		default:
			f.tests = append(f.tests, equals(v))
		}
	}
}

// nearest names the word that was most likely meant, or all of them.
func nearest(name string, words []string, all string) string {
	if hint := expr.Nearest(name, words); hint != "" {
		return hint
	}
	return all + strings.Join(words, ", ")
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func index(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }

func text(v any) string {
	b, err := value.Append(nil, v)
	if err != nil {
		return "…"
	}
	return string(b)
}

// Match reports whether an event fits; its values are those of package value.
func (p *Pattern) Match(event map[string]any) bool { return p.root.match(event, event) }

// match looks at one object; root is the whole event.
func (o *object) match(m, root map[string]any) bool {
	for i := range o.fields {
		if !o.fields[i].match(m, root) {
			return false
		}
	}
	for _, list := range o.alternatives {
		if !slices.ContainsFunc(list, func(a *object) bool { return a.match(m, root) }) {
			return false
		}
	}
	return true
}

func (f *field) match(m, root map[string]any) bool {
	v, there := m[f.name]
	if f.inner != nil {
		return f.inside(v, root)
	}
	if f.absent && !hasLeaf(root, f.path) {
		return true
	}
	return there && f.fits(v)
}

// inside looks for an object that fits, v itself or an element of it. A field
// that is not there is like an empty object: a pattern that asks for nothing but
// absence fits it.
func (f *field) inside(v any, root map[string]any) bool {
	switch v := v.(type) {
	case map[string]any:
		return f.inner.match(v, root)
	case []any:
		if len(v) > 0 {
			return slices.ContainsFunc(v, func(each any) bool { return f.inside(each, root) })
		}
	}
	return f.inner.match(nil, root)
}

// fits reports whether a test holds for a value, or for an element of a list.
func (f *field) fits(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return false // operators look at leaves
	case []any:
		return slices.ContainsFunc(v, f.fits)
	default:
		return slices.ContainsFunc(f.tests, func(t test) bool { return t(v) })
	}
}

// hasLeaf reports whether there is a value that is neither object nor list at
// the end of a path, which leads through the elements of lists.
func hasLeaf(v any, path []string) bool {
	switch v := v.(type) {
	case map[string]any:
		if len(path) == 0 {
			return false
		}
		inner, there := v[path[0]]
		return there && hasLeaf(inner, path[1:])
	case []any:
		return slices.ContainsFunc(v, func(each any) bool { return hasLeaf(each, path) })
	}
	return len(path) == 0
}
