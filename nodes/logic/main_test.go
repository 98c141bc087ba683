package logic

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kind finds one of the family's node types.
func kind(t testing.TB, name string) *engine.Kind {
	t.Helper()
	for _, k := range Kinds() {
		if k.Type == name {
			return k
		}
	}
	t.Fatalf("there is no node type %s", name)
	return nil
}

// tree is a field's value as the loader gives it.
func tree(v any) *expr.Tree {
	switch v := v.(type) {
	case string:
		return expr.Text(v)
	case []any:
		t := &expr.Tree{Kind: expr.KindList}
		for _, e := range v {
			t.Items = append(t.Items, tree(e))
		}
		return t
	case map[string]any:
		t := &expr.Tree{Kind: expr.KindObject}
		for k, e := range v {
			t.Keys, t.Items = append(t.Keys, k), append(t.Items, tree(e))
		}
		return t
	}
	return &expr.Tree{Const: v}
}

func field[T any](t testing.TB, v any, scope *expr.Scope) expr.Value[T] {
	t.Helper()
	var f expr.Value[T]
	f.Set(tree(v))
	compile(t, &f, scope)
	return f
}

func compile(t testing.TB, f expr.Field, scope *expr.Scope) {
	t.Helper()
	if scope == nil {
		scope = &expr.Scope{Run: engine.RunType}
	}
	for _, p := range f.Compile(scope) {
		t.Fatalf("%v: %v", p.Tree.Text, p.Error)
	}
}

// findings are the fields and texts of what Check says.
func findings(k *engine.Kind, config any) []string {
	var out []string
	for _, f := range k.Check(config) {
		out = append(out, f.Field+": "+f.Message)
	}
	return out
}
