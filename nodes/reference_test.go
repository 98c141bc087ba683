package nodes_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes"
)

var update = flag.Bool("update", false, "write the generated documentation")

// TestTheReferenceIsUpToDate holds docs/nodes.md to what the Specs say.
func TestTheReferenceIsUpToDate(t *testing.T) {
	r := nodes.All()
	var b strings.Builder
	b.WriteString("# Node reference\n\nWritten by the tests from what the node types say of themselves: `go test ./nodes -update`.\n\n")
	b.WriteString("Keys in **bold** must be given. Every node also takes `doc`, `next`, `catch`, `retry` and `timeout`, see [the format](format.md).\nA *value* may be a constant or hold expressions; an *expression* is written bare.\n")
	for _, section := range []struct {
		title string
		types []string
		find  func(string) *engine.Kind
	}{{"Nodes", r.NodeTypes(), r.Node}, {"Resources", r.ResourceTypes(), r.Resource}} {
		fmt.Fprintf(&b, "\n## %s\n", section.title)
		for _, name := range section.types {
			reference(&b, section.find(name))
		}
	}
	compareFile(t, "../docs/nodes.md", b.String())
}

func reference(b *strings.Builder, k *engine.Kind) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", k.Type, strings.TrimSpace(k.Doc))
	if rows := keyRows(k.Config, ""); len(rows) > 0 {
		b.WriteString("| key | takes | |\n|---|---|---|\n")
		b.WriteString(strings.Join(rows, ""))
	}
	for _, e := range k.Examples {
		fmt.Fprintf(b, "\n%s\n\n```yaml\n%s\n```\n", e.Doc, strings.TrimSpace(e.YAML))
	}
}

func keyRows(t reflect.Type, path string) []string {
	var rows []string
	for i := range t.NumField() {
		f := t.Field(i)
		key, required := engine.Key(f)
		if key == "" {
			continue
		}
		name := "`" + path + key + "`"
		if required {
			name = "**" + name + "**"
		}
		doc := strings.ReplaceAll(f.Tag.Get("doc"), "|", "\\|")
		if d, ok := f.Tag.Lookup("default"); ok && d != "" {
			doc += fmt.Sprintf(" Default: `%s`.", d)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |\n", name, takes(f), doc))
		if inner, list := structOf(f.Type); inner != nil {
			rows = append(rows, keyRows(inner, path+key+list+".")...)
		}
	}
	return rows
}

// structOf is the config struct inside a field, with [] where it is a list.
func structOf(t reflect.Type) (inner reflect.Type, list string) {
	if t.Kind() == reflect.Slice {
		t, list = t.Elem(), "[]"
	}
	if t.Kind() != reflect.Struct || special(t) != "" {
		return nil, ""
	}
	return t, list
}

func special(t reflect.Type) string {
	switch p := reflect.New(t).Interface().(type) {
	case expr.Field:
		if p.Bare() {
			return p.Wants()
		}
		return "value: " + p.Wants()
	case *engine.Wire:
		return "wire"
	case *engine.Schema:
		return "schema"
	case engine.Reference:
		return "resource"
	case *engine.Duration:
		return "duration"
	case *engine.Size:
		return "size"
	case interface{ SetEntry(k, v string) error }:
		return "object"
	}
	return ""
}

func takes(f reflect.StructField) string {
	if enum, ok := f.Tag.Lookup("enum"); ok {
		return "`" + strings.ReplaceAll(enum, ",", "`, `") + "`"
	}
	return typeText(f.Type)
}

func typeText(t reflect.Type) string {
	if s := special(t); s != "" {
		return s
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + typeText(t.Elem())
	case reflect.Map:
		return "object of " + typeText(t.Elem())
	}
	return "object"
}

// TestTheFunctionsAreDocumented holds the table in docs/expressions.md to the
// functions that there are; their examples are run by the tests of expr.
func TestTheFunctionsAreDocumented(t *testing.T) {
	const path, begin, end = "../docs/expressions.md", "<!-- functions: written by the tests -->\n", "<!-- end -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the functions", path)
	}
	var b strings.Builder
	b.WriteString("| function | gives | example |\n|---|---|---|\n")
	for _, f := range expr.Functions() {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` is `%s` |\n", f.Signature, f.Doc, f.Example, f.Result)
	}
	compareFile(t, path, head+begin+b.String()+end+tail)
}

func compareFile(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the code says (%v): run go test ./nodes -update and read the difference", path, err)
	}
}
