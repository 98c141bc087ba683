package dynamodb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// bindings are the placeholders of one node's expressions: they are collected
// once, when the node is made, and filled for each message.
type bindings struct {
	author author
	// names goes out as it is: "#n0" to the attribute's name.
	names   map[string]string
	aliases map[string]string
	values  []binding
	// fixed is complete when no message can change a value.
	fixed map[string]types.AttributeValue
}

// author is what the author binds for the texts of expressions.
type author struct {
	names  map[string]string
	values map[string]expr.Value[any]
	// sets names the values to send as sets.
	sets []string

	placeholders map[string]string
	usedNames    map[string]bool
}

// encoder gives a value in the form in which its place in an expression needs
// it.
type encoder func(any) (types.AttributeValue, error)

type binding struct {
	placeholder string
	// field is the config's key, for errors.
	field    string
	value    expr.Value[any]
	encode   encoder
	constant types.AttributeValue
}

// newBindings begins with what the author bound; all three may be nil. Names
// and values may be written with or without their # and :.
func newBindings(names map[string]string, values map[string]expr.Value[any], sets []string) *bindings {
	b := &bindings{author: author{names: map[string]string{}, values: map[string]expr.Value[any]{}, sets: sets,
		placeholders: map[string]string{}, usedNames: map[string]bool{}}}
	for k, v := range names {
		b.author.names[strings.TrimPrefix(k, "#")] = v
	}
	for k, v := range values {
		b.author.values[strings.TrimPrefix(k, ":")] = v
	}
	return b
}

// name gives the placeholder of an attribute's name.
func (b *bindings) name(attribute string) string {
	if p, ok := b.aliases[attribute]; ok {
		return p
	}
	if b.names == nil {
		b.names, b.aliases = map[string]string{}, map[string]string{}
	}
	p := "#n" + strconv.Itoa(len(b.names))
	b.names[p], b.aliases[attribute] = attribute, p
	return p
}

// bind gives the placeholder of a value.
func (b *bindings) bind(field string, v expr.Value[any], encode encoder) string {
	p := ":v" + strconv.Itoa(len(b.values))
	b.values = append(b.values, binding{placeholder: p, field: field, value: v, encode: encode})
	return p
}

// constant gives the placeholder of a value that is the same for all messages.
func (b *bindings) constant(v types.AttributeValue) string {
	p := ":v" + strconv.Itoa(len(b.values))
	b.values = append(b.values, binding{placeholder: p, constant: v})
	return p
}

// authorName gives the placeholder of what the author bound to #name.
func (b *bindings) authorName(name string) (string, error) {
	attribute, ok := b.author.names[name]
	if !ok {
		return "", unbound("#"+name, "names", value.Keys(b.author.names))
	}
	b.author.usedNames[name] = true
	return b.name(attribute), nil
}

// authorValue gives the placeholder of what the author bound to :name.
func (b *bindings) authorValue(name string) (string, error) {
	if p, ok := b.author.placeholders[name]; ok {
		return p, nil
	}
	v, ok := b.author.values[name]
	if !ok {
		return "", unbound(":"+name, "values", value.Keys(b.author.values))
	}
	encode := marshal
	if slices.Contains(b.author.sets, name) {
		encode = marshalSet
	}
	p := b.bind("values."+name, v, encode)
	b.author.placeholders[name] = p
	return p, nil
}

// hinted is an error with what to write instead.
type hinted struct{ message, hint string }

func (e *hinted) Error() string { return e.message }

func unbound(placeholder, key string, bound []string) error {
	hint := expr.Nearest(placeholder[1:], bound)
	if hint == "" {
		hint = fmt.Sprintf("add %s: {%s: …}", key, placeholder[1:])
	}
	return &hinted{fmt.Sprintf("%s is not bound", placeholder), hint}
}

// problem makes a finding of an error.
func problem(field string, err error) engine.Finding {
	f := engine.Finding{Field: field, Message: err.Error()}
	if h, ok := err.(*hinted); ok {
		f.Hint = h.hint
	}
	return f
}

// unused finds what the author bound and no expression reads: the service
// would refuse the request.
func (b *bindings) unused() []engine.Finding {
	var found []engine.Finding
	for _, name := range value.Keys(b.author.names) {
		if !b.author.usedNames[name] {
			found = append(found, engine.Finding{Field: "names." + name, Message: fmt.Sprintf("#%s stands in no expression of this node", name), Hint: "remove it, or use it"})
		}
	}
	for _, name := range value.Keys(b.author.values) {
		if _, used := b.author.placeholders[name]; !used {
			found = append(found, engine.Finding{Field: "values." + name, Message: fmt.Sprintf(":%s stands in no expression of this node", name), Hint: "remove it, or use it"})
		}
	}
	return found
}

// check finds what is wrong with what the author bound, once all expressions
// are read: constants that cannot be sent and, if all of them could be read,
// what stands in none.
func (b *bindings) check(readable bool) []engine.Finding {
	var found []engine.Finding
	if readable {
		found = b.unused()
	}
	for i := range b.values {
		v := &b.values[i]
		if !v.value.Given() {
			continue
		}
		c, ok := constantOf(v.value.Tree())
		if !ok {
			continue
		}
		if _, err := v.encode(c); err != nil {
			found = append(found, problem(v.field, err))
		}
	}
	return found
}

// ready settles the values that no message can change. It is called once, after
// the author's expressions are compiled and before get.
func (b *bindings) ready() error {
	open := 0
	for i := range b.values {
		v := &b.values[i]
		if v.constant != nil {
			continue
		}
		c, ok := v.value.Const()
		if !ok {
			open++
			continue
		}
		a, err := v.encode(c)
		if err != nil {
			return within(v.field, err)
		}
		v.constant = a
	}
	if open > 0 || len(b.values) == 0 {
		return nil
	}
	b.fixed = make(map[string]types.AttributeValue, len(b.values))
	for _, v := range b.values {
		b.fixed[v.placeholder] = v.constant
	}
	return nil
}

// get gives the values for one run; nil when there are none, which the service
// wants left out.
func (b *bindings) get(env *expr.Env) (map[string]types.AttributeValue, error) {
	if b.fixed != nil || len(b.values) == 0 {
		return b.fixed, nil
	}
	out := make(map[string]types.AttributeValue, len(b.values))
	for i := range b.values {
		v := &b.values[i]
		if v.constant != nil {
			out[v.placeholder] = v.constant
			continue
		}
		got, err := v.value.Get(env)
		if err != nil {
			return nil, err
		}
		a, err := v.encode(got)
		if err != nil {
			return nil, engine.Fail(engine.Permanent, "invalid_value", "", within(v.field, err))
		}
		out[v.placeholder] = a
	}
	return out, nil
}

// path gives a document path, as in a.b[0].c, with each name replaced. A step
// may be #name for a name that the author bound.
func (b *bindings) path(text string) (string, error) {
	var out strings.Builder
	rest := text
	for {
		name := rest
		if i := strings.IndexAny(rest, ".["); i >= 0 {
			name = rest[:i]
		}
		rest = rest[len(name):]
		p, err := b.step(text, name)
		if err != nil {
			return "", err
		}
		out.WriteString(p)
		if rest, err = indexes(text, rest, &out); err != nil {
			return "", err
		}
		if rest == "" {
			return out.String(), nil
		}
		out.WriteByte('.')
		rest = rest[1:]
	}
}

func (b *bindings) step(text, name string) (string, error) {
	if name == "" {
		return "", &hinted{fmt.Sprintf("%q is not a path: a name is missing", text), "write a path as in address.lines[0]"}
	}
	if strings.HasPrefix(name, ":") || strings.Contains(name, "]") {
		return "", &hinted{fmt.Sprintf("%q is not a path", text), "write a path as in address.lines[0]; bind any other name with names: {n: …} and write #n"}
	}
	if bound, ok := strings.CutPrefix(name, "#"); ok {
		return b.authorName(bound)
	}
	return b.name(name), nil
}

// indexes moves past the [n] at the start of rest.
func indexes(text, rest string, out *strings.Builder) (string, error) {
	for strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 2 || !isDigits(rest[1:end]) {
			return "", &hinted{fmt.Sprintf("%q is not a path: an index is a whole number in brackets", text), "write a path as in address.lines[0]"}
		}
		out.WriteString(rest[:end+1])
		rest = rest[end+1:]
	}
	if rest != "" && rest[0] != '.' {
		return "", &hinted{fmt.Sprintf("%q is not a path: a dot is missing behind an index", text), "write a path as in address.lines[0].name"}
	}
	return rest, nil
}

// paths gives several document paths with commas between.
func (b *bindings) paths(field string, texts []string) (string, []engine.Finding) {
	var out []string
	var found []engine.Finding
	for i, text := range texts {
		p, err := b.path(text)
		if err != nil {
			found = append(found, problem(fmt.Sprintf("%s[%d]", field, i), err))
			continue
		}
		if slices.Contains(out, p) {
			found = append(found, engine.Finding{Field: fmt.Sprintf("%s[%d]", field, i), Message: fmt.Sprintf("%q is there twice", text)})
			continue
		}
		out = append(out, p)
	}
	return strings.Join(out, ", "), found
}
