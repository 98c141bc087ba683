package flows

import (
	"reflect"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

func valueOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

func (l *loader) decoder(owner string) *decoder {
	return &decoder{loader: l, keys: map[string]at{}, values: map[string]at{}, misspelt: map[*yaml.Node]string{}, owner: owner}
}

// heads decodes one mapping into two structs: the keys that all things of its
// kind take, and those of its type. A key must be known to one of them.
func (d *decoder) heads(head, config any, a at) {
	h, c := valueOf(head), valueOf(config)
	d.structure(h, a, "", keysOf(c.Type())...)
	d.structure(c, a, "", keysOf(h.Type())...)
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if k, _ := engine.Key(t.Field(i)); k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// report turns a Spec's findings into diagnostics at the keys they name.
func (d *decoder) report(findings []engine.Finding) {
	for _, f := range findings {
		d.wrong(d.place(f.Field), "config", f.Message, f.Hint)
	}
}

// place is where a key stands; of a key that is not there, the nearest one
// around it.
func (d *decoder) place(path string) at { return place{name: d.keys["type"], keys: d.keys}.at(path) }

// around is the path of what a key stands in, "" at the top.
func around(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// compile compiles the config's expressions against a scope.
func (d *decoder) compile(scope *expr.Scope) {
	for _, f := range d.fields {
		if k, ok := d.keys[f.path]; ok && d.bad[k.node] {
			continue // the field means nothing as it stands
		}
		for _, p := range f.Compile(scope) {
			d.problem(p)
		}
		if f.store != nil {
			f.store()
		}
	}
}

// compileDefaults compiles the fields that hold their default: no author wrote
// them, so nothing can be wrong.
func (d *decoder) compileDefaults(config any) {
	given := map[expr.Field]bool{}
	for _, f := range d.fields {
		given[f.Field] = true
	}
	v := valueOf(config)
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if f, ok := v.Field(i).Addr().Interface().(expr.Field); ok && !given[f] {
			if problems := f.Compile(&expr.Scope{}); len(problems) > 0 {
				panic("default of " + v.Type().String() + "." + v.Type().Field(i).Name + ": " + problems[0].Error.Error())
			}
		}
	}
}

func (d *decoder) problem(p expr.Problem) {
	a, ok := p.Tree.Origin.(at)
	if !ok {
		panic("a problem with a value that no author wrote: " + p.Error.Error())
	}
	if d.odd[a.node] {
		return // one report is enough, see plain
	}
	if a.node.Kind != yaml.ScalarNode {
		d.wrong(a.anchor(), "expression", p.Message, p.Hint)
		return
	}
	line, column := a.locate(p.Offset)
	length := p.Length
	if endLine, endColumn := a.locate(p.Offset + p.Length); endLine == line && endColumn > column {
		length = endColumn - column
	}
	if p.Length == 0 {
		length = max(1, a.length())
	}
	hint := p.Hint
	if cut := a.cutBy(); cut != "" && (unclosed(a.node.Value) || hint == "" && p.Offset+p.Length >= utf8.RuneCountInString(a.node.Value)) {
		hint = cut
	}
	d.add(a.file, line, column, length, "expression", p.Message, hint)
}

// unclosed reports an expression that ends nowhere in its text.
func unclosed(text string) bool {
	return strings.LastIndex(text, "${{") > strings.LastIndex(text, "}}")
}

// cutBy says what ends a text without quotes in the middle of its line, to YAML
// and hardly to its author; "" if nothing does.
func (a at) cutBy() string {
	if a.node.Kind != yaml.ScalarNode || a.node.Style != 0 {
		return ""
	}
	line, column := a.locate(utf8.RuneCountInString(a.node.Value))
	if line > len(a.file.lines) {
		return ""
	}
	runes := []rune(a.file.lines[line-1])
	switch rest := strings.TrimSpace(string(runes[min(column-1, len(runes)):])); {
	case strings.HasPrefix(rest, "#"):
		return "# begins a comment; put the expression in quotes"
	case strings.HasPrefix(rest, ","):
		return "between { } and [ ] a comma ends the text; put the expression in quotes"
	}
	return ""
}
