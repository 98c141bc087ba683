package flows

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"gopkg.in/yaml.v3"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

const schemaBase = "flow:///"

// schemaSet is the app's schemas: compiled for messages, and as types for
// expressions.
type schemaSet struct {
	nodes    map[string]at
	plain    map[string]any // as encoding/json would give them
	compiled map[string]*jsonschema.Schema
}

// schemas compiles what stands under `schemas`. One schema may refer to another
// of the app as `$ref: Name`.
func (l *loader) schemas(nodes map[string]at, names []string) *schemaSet {
	s := &schemaSet{nodes: nodes, plain: map[string]any{}, compiled: map[string]*jsonschema.Schema{}}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	for _, name := range names {
		s.plain[name] = schemaValue(nodes[name].node, nodes)
		if err := c.AddResource(schemaBase+name, s.plain[name]); err != nil {
			l.wrong(nodes[name].anchor(), "schema", fmt.Sprintf("the schema %s cannot be read: %v", name, err), "")
		}
	}
	for _, name := range names {
		compiled, err := c.Compile(schemaBase + name)
		if err != nil {
			l.schemaError(name, nodes[name], err)
			continue
		}
		s.compiled[name] = compiled
	}
	return s
}

// schemaValue gives a schema in the types that the validator wants, numbers as
// float64 or json-like ints, with `$ref: Name` made a full reference.
func schemaValue(n *yaml.Node, names map[string]at) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, v := n.Content[i].Value, n.Content[i+1]
			m[key] = schemaValue(v, names)
			if ref, isText := m[key].(string); key == "$ref" && isText {
				if _, ok := names[ref]; ok {
					m[key] = schemaBase + ref
				}
			}
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, schemaValue(c, names))
		}
		return list
	}
	return forValidator(constant(n))
}

func (l *loader) schemaError(name string, a at, err error) {
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		var ve *jsonschema.ValidationError
		if errors.As(invalid.Err, &ve) {
			l.schemaViolations(name, a, ve)
			return
		}
	}
	var missing *jsonschema.LoadURLError
	if errors.As(err, &missing) {
		ref := strings.TrimPrefix(missing.URL, schemaBase)
		hint := "declare it under `schemas`"
		if strings.Contains(ref, "://") {
			hint = "nothing is fetched from elsewhere; copy it under `schemas`, and refer to it by its name there"
		}
		l.wrong(a.find("$ref", ref), "unknown-schema", fmt.Sprintf("the schema %s refers to %q, which is not declared", name, ref), hint)
		return
	}
	var nowhere *jsonschema.JSONPointerNotFoundError
	if errors.As(err, &nowhere) {
		_, pointer, _ := strings.Cut(nowhere.URL, "#")
		l.wrong(a.find("$ref", "#"+pointer), "unknown-schema", fmt.Sprintf("the schema %s refers to %q, which is not in it", name, "#"+pointer), "write the path of a part of this schema, or the name of a schema of the app")
		return
	}
	l.wrong(a.anchor(), "schema", fmt.Sprintf("the schema %s cannot be compiled: %v", name, err), "")
}

// schemaViolations reports where a schema breaks the rules of JSON Schema, each
// place once.
func (l *loader) schemaViolations(name string, a at, e *jsonschema.ValidationError) {
	for _, c := range e.Causes {
		l.schemaViolations(name, a, c)
	}
	place := a.follow(e.InstanceLocation)
	if len(e.Causes) == 0 && !l.bad[place.node] {
		l.wrong(place, "schema", fmt.Sprintf("the schema %s is not valid JSON Schema here: %s", name, reason(e.ErrorKind)), "")
	}
}

// follow walks down a path of keys and indexes as far as it goes.
func (a at) follow(path []string) at {
	for _, p := range path {
		next := a.node
		switch a.node.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(a.node.Content); i += 2 {
				if a.node.Content[i].Value == p {
					next = a.node.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			var i int
			if _, err := fmt.Sscan(p, &i); err == nil && i < len(a.node.Content) {
				next = a.node.Content[i]
			}
		}
		a = a.child(next)
	}
	return a
}

// find is the value of the first key: value pair below a, or a.
func (a at) find(key, val string) at {
	if a.node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(a.node.Content); i += 2 {
			if a.node.Content[i].Value == key && a.node.Content[i+1].Value == val {
				return a.child(a.node.Content[i+1])
			}
		}
	}
	for _, c := range a.node.Content {
		if f := a.child(c).find(key, val); f.node != c {
			return f
		}
	}
	return a
}

var printer = message.NewPrinter(language.English)

// field makes a config field of the named schema.
func (s *schemaSet) field(name string) engine.Schema {
	out := engine.Schema{Name: name, Type: s.typeOf(name)}
	if c := s.compiled[name]; c != nil {
		out.Validate = func(v any) error {
			if !hasNumber(v) {
				return violation(c.Validate(v))
			}
			if err := unwieldy(v); err != nil {
				return err
			}
			return violation(c.Validate(converted(v)))
		}
	}
	return out
}

// violation says what is wrong with a value: one line per field.
func violation(err error) error {
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return err
	}
	var lines []string
	var visit func(e *jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		for _, c := range e.Causes {
			visit(c)
		}
		if len(e.Causes) > 0 {
			return
		}
		place := strings.Join(e.InstanceLocation, ".")
		if place == "" {
			place = "the body"
		}
		if r, ok := e.ErrorKind.(*kind.Required); ok {
			for _, m := range r.Missing {
				lines = append(lines, strings.TrimPrefix(strings.Join(append(e.InstanceLocation, m), "."), ".")+": is missing")
			}
			return
		}
		lines = append(lines, place+": "+reason(e.ErrorKind))
	}
	visit(ve)
	// The validator walks objects in no order of its own.
	slices.Sort(lines)
	if more := len(lines) - maxViolations; more > 0 {
		lines = append(lines[:maxViolations], fmt.Sprintf("and %d more", more))
	}
	for i, line := range lines {
		lines[i] = cutLine(line)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// reason says what a keyword of a schema found, with exact numbers; the
// validator's own words round them.
func reason(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return fmt.Sprintf("minimum: got %s, want %s", decimal(k.Got), decimal(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("maximum: got %s, want %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("exclusiveMinimum: got %s, want more than %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("exclusiveMaximum: got %s, want less than %s", decimal(k.Got), decimal(k.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("multipleOf: got %s, want a multiple of %s", decimal(k.Got), decimal(k.Want))
	}
	return k.LocalizedString(printer)
}

// decimal is a number that JSON could hold, in digits.
func decimal(r *big.Rat) string {
	digits, _ := r.FloatPrec()
	return r.FloatString(digits)
}

// A violation goes into an answer and a log line, so that its length must not
// be up to who sent the message.
const (
	maxViolations = 20
	maxViolation  = 300 // characters
)

func cutLine(line string) string {
	if utf8.RuneCountInString(line) <= maxViolation {
		return line
	}
	return string([]rune(line)[:maxViolation]) + "…"
}

// forValidator gives a value in the types that the validator knows: the value
// itself, unless an exact number is in it.
func forValidator(v any) any {
	if !hasNumber(v) {
		return v
	}
	return converted(v)
}

func converted(v any) any {
	switch v := v.(type) {
	case value.Number:
		return json.Number(v)
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = converted(e)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = converted(e)
		}
		return list
	}
	return v
}

// Bounds of a number that is checked against a schema. The validator computes
// with rationals, for which 1e999999 takes tens of milliseconds and a million
// digits take seconds.
const (
	maxNumberLength   = 400
	maxExponentDigits = 3
)

// unwieldy is an error if v holds a number that the validator would take long
// to compute with.
func unwieldy(v any) error {
	switch v := v.(type) {
	case value.Number:
		_, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
		if len(v) > maxNumberLength || len(strings.TrimLeft(exponent, "+-0")) > maxExponentDigits {
			return fmt.Errorf("the number %.20s… is too long: a number has at most %d characters and an exponent of %d digits", v, maxNumberLength, maxExponentDigits)
		}
	case map[string]any:
		for _, e := range v {
			if err := unwieldy(e); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := unwieldy(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func hasNumber(v any) bool {
	switch v := v.(type) {
	case value.Number:
		return true
	case map[string]any:
		for _, e := range v {
			if hasNumber(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hasNumber)
	}
	return false
}

// schemaField resolves a config field that names a schema.
func (d *decoder) schemaField(p *engine.Schema, a at) {
	name, ok := d.scalar(a, "the name of a schema")
	if !ok {
		return
	}
	text := fmt.Sprint(name)
	if _, declared := d.schemaSet.nodes[text]; !declared {
		if d.partial {
			return
		}
		hint := expr.Nearest(text, value.Keys(d.schemaSet.nodes))
		if hint == "" {
			hint = fmt.Sprintf("declare it: `schemas: {%s: {type: object, …}}`", text)
		}
		d.wrong(a, "unknown-schema", fmt.Sprintf("there is no schema %q", text), hint)
		return
	}
	*p = d.schemaSet.field(text)
}
