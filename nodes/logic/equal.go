package logic

import "github.com/flowctl-dev/flowctl/engine/expr"

// comparison is the language's own ==, so that `is` and `when` never disagree
// on what is equal.
var comparison = func() *expr.Program {
	p, err := expr.Compile("vars.a == vars.b", &expr.Scope{Vars: map[string]expr.Slot{
		"a": {Index: 0, Always: true},
		"b": {Index: 1, Always: true},
	}}, "")
	if err != nil {
		panic(err)
	}
	return p
}()

// equal compares two opened values as == in an expression does. The types that
// cases mostly have are compared here, for the cost of an Env.
func equal(a, b any) (bool, error) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return a == b, nil
		}
	case int:
		if b, ok := b.(int); ok {
			return a == b, nil
		}
	case bool:
		b, ok := b.(bool)
		return ok && a == b, nil
	case nil:
		return b == nil, nil
	}
	v, err := comparison.Eval(&expr.Env{Vars: []any{a, b}})
	same, _ := v.(bool)
	return same, err
}
