package expr

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// closure compiles what nearly all expressions in flows are — paths,
// comparisons, arithmetic, texts — into Go closures, several times faster than
// the library's machine. It is nil for an expression with anything else in it;
// FuzzClosureAgreesWithMachine holds the two to the same answers.
func (r *resolver) closure(n ast.Node) evaluator {
	switch x := n.(type) {
	case *ast.NilNode:
		return constant(nil)
	case *ast.BoolNode:
		return constant(x.Value)
	case *ast.IntegerNode:
		return constant(x.Value)
	case *ast.FloatNode:
		return constant(x.Value)
	case *ast.StringNode:
		return constant(x.Value)
	case *ast.IdentifierNode:
		return r.variable(x)
	case *ast.ChainNode:
		return r.optionalPath(x)
	case *ast.MemberNode:
		return r.member(x)
	case *ast.UnaryNode:
		return r.unary(x)
	case *ast.BinaryNode:
		return r.operator(x)
	case *ast.ConditionalNode:
		return r.conditional(x)
	case *ast.CallNode:
		return r.function(x)
	case *ast.MapNode:
		return r.object(x)
	case *ast.ArrayNode:
		return r.list(x)
	}
	return nil
}

func constant(v any) evaluator { return func(*Env) (any, error) { return v, nil } }

func (r *resolver) variable(x *ast.IdentifierNode) evaluator {
	ref, ok := r.refs[x.Value]
	if !ok {
		return nil
	}
	switch ref.root {
	case rootEnv:
		return constant(ref.value)
	case rootVar:
		return func(e *Env) (any, error) { return e.Vars[ref.index], nil }
	case rootNode:
		return func(e *Env) (any, error) { return e.Nodes[ref.index], nil }
	case rootEventField:
		return func(e *Env) (any, error) { return e.Event.Field(ref.key) }
	}
	return ref.load
}

// absent travels from a `?.` that met null to the end of its chain.
type absent struct{}

func (absent) Error() string { return "absent" }

func (r *resolver) optionalPath(x *ast.ChainNode) evaluator {
	inner := r.closure(x.Node)
	if inner == nil {
		return nil
	}
	return func(e *Env) (any, error) {
		v, err := inner(e)
		if err == (absent{}) {
			return nil, nil
		}
		return v, err
	}
}

func (r *resolver) member(x *ast.MemberNode) evaluator {
	of := r.closure(x.Node)
	if of == nil || x.Method {
		return nil
	}
	label := x.Node.String()
	switch p := x.Property.(type) {
	case *ast.StringNode:
		return field(of, p.Value, x.Optional, label)
	case *ast.IntegerNode:
		return element(of, p.Value, x.Optional, label)
	}
	return nil
}

func field(of evaluator, name string, optional bool, label string) evaluator {
	return func(e *Env) (any, error) {
		v, err := of(e)
		if err != nil {
			return nil, err
		}
		if d, ok := v.(*value.Doc); ok {
			if v, err = d.Value(); err != nil {
				return nil, err
			}
		}
		switch v := v.(type) {
		case map[string]any:
			return v[name], nil
		case Record:
			return v.Field(name)
		case nil:
			if optional {
				return nil, absent{}
			}
			return nil, fmt.Errorf("%s is null and has no field %q", readable(label), name)
		}
		// groupBy and its kin give maps of types of their own.
		if m, err := toObject(v); err == nil {
			return m[name], nil
		}
		return nil, fmt.Errorf("%s is %s and has no field %q", readable(label), value.Kind(v), name)
	}
}

func element(of evaluator, index int, optional bool, label string) evaluator {
	return func(e *Env) (any, error) {
		v, err := of(e)
		if err == nil {
			v, err = open(v)
		}
		if err != nil {
			return nil, err
		}
		list, ok := v.([]any)
		if !ok {
			if v == nil && optional {
				return nil, absent{}
			}
			if v == nil {
				return nil, fmt.Errorf("%s is null and has no element %d", readable(label), index)
			}
			return fetch(v, index)
		}
		i := index
		if i < 0 {
			i += len(list)
		}
		if i < 0 || i >= len(list) {
			return nil, fmt.Errorf("%s has %d elements and none at %d", readable(label), len(list), index)
		}
		return list[i], nil
	}
}

func readable(label string) string { return strings.ReplaceAll(label, "?.", ".") }

func (r *resolver) unary(x *ast.UnaryNode) evaluator {
	of := r.closure(x.Node)
	if of == nil {
		return nil
	}
	switch x.Operator {
	case "!", "not":
		return func(e *Env) (any, error) {
			b, err := boolean(of, e, x.Operator)
			return !b, err
		}
	case "-":
		return func(e *Env) (any, error) {
			v, err := of(e)
			if err == nil {
				v, err = open(v)
			}
			if err != nil {
				return nil, err
			}
			return negate(v)
		}
	}
	return nil
}

func boolean(of evaluator, e *Env, op string) (bool, error) {
	v, err := of(e)
	if err == nil {
		v, err = open(v)
	}
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s needs a boolean, got %s", op, value.Kind(v))
	}
	return b, nil
}

func (r *resolver) operator(x *ast.BinaryNode) evaluator {
	if timely(x.Left) || timely(x.Right) {
		return nil
	}
	left, right := r.closure(x.Left), r.closure(x.Right)
	if left == nil || right == nil {
		return nil
	}
	switch x.Operator {
	case "&&", "and", "||", "or":
		return logic(x.Operator, left, right)
	case "??":
		return func(e *Env) (any, error) {
			v, err := left(e)
			if err != nil {
				return nil, err
			}
			// A document is opened to see whether it is null, and passes on as
			// it came if it is not.
			if inside, err := open(v); err != nil || inside != nil {
				return v, err
			}
			return right(e)
		}
	case "==", "!=":
		return equality(x, left, right)
	}
	if f := arithmetic(x.Operator); f != nil {
		return pair(left, right, f)
	}
	if f := ordering(x.Operator); f != nil {
		return pair(left, right, f)
	}
	return nil
}

func logic(op string, left, right evaluator) evaluator {
	stop := op == "||" || op == "or"
	return func(e *Env) (any, error) {
		b, err := boolean(left, e, op)
		if err != nil || b == stop {
			return b, err
		}
		b, err = boolean(right, e, op)
		return b, err
	}
}

// pair evaluates both sides, decoded, and applies f.
func pair(left, right evaluator, f func(a, b any) (any, error)) evaluator {
	return func(e *Env) (any, error) {
		a, err := left(e)
		if err != nil {
			return nil, err
		}
		b, err := right(e)
		if err != nil {
			return nil, err
		}
		if a, err = open(a); err != nil {
			return nil, err
		}
		if b, err = open(b); err != nil {
			return nil, err
		}
		return f(a, b)
	}
}

func equality(x *ast.BinaryNode, left, right evaluator) evaluator {
	want := x.Operator == "=="
	if s, ok := x.Right.(*ast.StringNode); ok {
		return func(e *Env) (any, error) {
			v, err := left(e)
			if err != nil {
				return nil, err
			}
			if t, ok := v.(string); ok {
				return (t == s.Value) == want, nil
			}
			v, err = open(v)
			return Equal(v, s.Value) == want, err
		}
	}
	return pair(left, right, func(a, b any) (any, error) { return Equal(a, b) == want, nil })
}

func ordering(op string) func(a, b any) (any, error) {
	var holds func(c int) bool
	switch op {
	case "<":
		holds = func(c int) bool { return c < 0 }
	case "<=":
		holds = func(c int) bool { return c <= 0 }
	case ">":
		holds = func(c int) bool { return c > 0 }
	case ">=":
		holds = func(c int) bool { return c >= 0 }
	default:
		return nil
	}
	return func(a, b any) (any, error) {
		c, err := compare(a, b)
		return err == nil && holds(c), err
	}
}

func (r *resolver) conditional(x *ast.ConditionalNode) evaluator {
	cond, yes, no := r.closure(x.Cond), r.closure(x.Exp1), r.closure(x.Exp2)
	if cond == nil || yes == nil || no == nil {
		return nil
	}
	return func(e *Env) (any, error) {
		b, err := boolean(cond, e, "?:")
		if err != nil {
			return nil, err
		}
		if b {
			return yes(e)
		}
		return no(e)
	}
}

func (r *resolver) function(x *ast.CallNode) evaluator {
	callee, ok := x.Callee.(*ast.IdentifierNode)
	if !ok {
		return nil
	}
	f, ok := r.config.Functions[callee.Value]
	if !ok {
		return nil
	}
	args := r.closures(x.Arguments)
	if args == nil {
		return nil
	}
	return func(e *Env) (any, error) {
		values, err := evaluated(args, e)
		if err != nil {
			return nil, err
		}
		for i := range values {
			if values[i], err = open(values[i]); err != nil {
				return nil, err
			}
		}
		return f.Func(values...)
	}
}

func (r *resolver) closures(nodes []ast.Node) []evaluator {
	out := make([]evaluator, len(nodes))
	for i, n := range nodes {
		if out[i] = r.closure(n); out[i] == nil {
			return nil
		}
	}
	return out
}

func evaluated(list []evaluator, e *Env) ([]any, error) {
	out := make([]any, len(list))
	for i, f := range list {
		v, err := f(e)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (r *resolver) list(x *ast.ArrayNode) evaluator {
	items := r.closures(x.Nodes)
	if items == nil {
		return nil
	}
	return func(e *Env) (any, error) {
		out, err := evaluated(items, e)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

func (r *resolver) object(x *ast.MapNode) evaluator {
	keys := make([]string, len(x.Pairs))
	values := make([]ast.Node, len(x.Pairs))
	for i, p := range x.Pairs {
		pair, ok := p.(*ast.PairNode)
		if !ok {
			return nil
		}
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return nil
		}
		keys[i], values[i] = key.Value, pair.Value
	}
	items := r.closures(values)
	if items == nil {
		return nil
	}
	return func(e *Env) (any, error) {
		m := make(map[string]any, len(items))
		for i, f := range items {
			v, err := f(e)
			if err != nil {
				return nil, err
			}
			m[keys[i]] = v
		}
		return m, nil
	}
}
