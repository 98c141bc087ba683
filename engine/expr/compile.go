// Package expr is flowctl's expressions: typed, compiled once, evaluated over
// the data of a run. It is the only place that knows the expression library.
//
// An expression reads `event`, `nodes`, `vars`, `env`, `run` and, in a catch
// chain, `error`. Compile checks it against a Scope, so that a misspelt field
// is an error before the first message.
package expr

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
)

var timeZero time.Time

// Bounds on what an author may write in one expression.
const (
	maxSource  = 16 << 10 // bytes
	maxNesting = 100      // brackets within brackets
)

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	source, where string
	eval          evaluator
	typ           Type
}

// evaluator gives the value of a part of an expression.
type evaluator func(*Env) (any, error)

// Type is what is known of the result.
func (p *Program) Type() Type { return p.typ }

// Eval gives the expression's value for one run, or an *EvalError. It ends
// within a second whatever the data, see the limits in guard.go.
func (p *Program) Eval(env *Env) (any, error) {
	v, err := p.run(env)
	if err == nil {
		if f, ok := v.(float64); ok {
			_, err = finite(f)
		}
	}
	if err != nil {
		return nil, &EvalError{Source: strings.TrimSpace(p.source), Where: p.where, Err: err}
	}
	return v, nil
}

func (p *Program) run(env *Env) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, plainError(r)
		}
	}()
	return p.eval(env)
}

// Compile checks a bare expression against the scope and makes it ready to
// run. where is file:line:column for errors at run time; it may be empty.
func Compile(source string, scope *Scope, where string) (*Program, *Error) {
	r, tree, bad := analyse(source, scope)
	if bad != nil {
		return nil, bad
	}
	p := &Program{source: source, where: where, typ: r.resultType(tree.Node)}
	if p.eval = r.closure(tree.Node); p.eval == nil {
		var err error
		if p.eval, err = r.machine(tree); err != nil {
			return nil, languageError(source, err)
		}
	}
	return p, nil
}

// analyse parses, resolves and type-checks an expression.
func analyse(source string, scope *Scope) (*resolver, *parser.Tree, *Error) {
	if err := bounded(source); err != nil {
		return nil, nil, err
	}
	config := newConfig()
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, nil, languageError(source, err)
	}
	r := &resolver{source: source, scope: scope, config: config, refs: map[string]ref{}, refTypes: map[string]Type{}}
	if err := r.resolve(&tree.Node); err != nil {
		return nil, nil, err
	}
	config.WithEnv(r.environment())
	config.Strict = true
	if _, err := checker.Check(tree, config); err != nil {
		return nil, nil, r.typeError(tree.Node, err)
	}
	return r, tree, nil
}

func newConfig() *conf.Config {
	c := conf.CreateNew()
	c.Optimize = false
	c.MaxNodes = 2000
	for name, f := range functionTable {
		c.Functions[name] = f
	}
	return c
}

func bounded(source string) *Error {
	if strings.TrimSpace(source) == "" {
		return &Error{Source: source, Message: "the expression is empty", Hint: "write what it should give, for example event.body"}
	}
	if len(source) > maxSource {
		return &Error{Source: source, Message: fmt.Sprintf("the expression is longer than %d KiB", maxSource>>10), Hint: "split it over several `set` nodes"}
	}
	depth := 0
	for i := 0; i < len(source); i++ {
		switch c := source[i]; c {
		case '"', '\'', '`':
			if n := quotedEnd(source[i:], c); n > 0 {
				i += n
			}
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				return &Error{Source: source, Offset: utf8.RuneCountInString(source[:i]), Length: 1,
					Message: fmt.Sprintf("brackets are nested deeper than %d levels", maxNesting), Hint: "split it over several `set` nodes"}
			}
		case ')', ']', '}':
			depth--
		}
	}
	return nil
}

func (r *resolver) resultType(n ast.Node) Type {
	if t, ok := r.chainTypes[n]; ok {
		return t
	}
	switch n := n.(type) {
	case *ast.ChainNode:
		return r.resultType(n.Node)
	case *ast.IdentifierNode:
		return r.refTypes[n.Value]
	case *ast.NilNode:
		return Null
	case *ast.ConditionalNode:
		return Join(r.resultType(n.Exp1), r.resultType(n.Exp2))
	case *ast.MapNode:
		return r.mapType(n)
	case *ast.BinaryNode:
		if n.Operator == "??" {
			return Join(r.resultType(n.Left), r.resultType(n.Right))
		}
	}
	return fromReflect(n)
}

func (r *resolver) mapType(n *ast.MapNode) Type {
	fields := map[string]Type{}
	for _, p := range n.Pairs {
		pair, ok := p.(*ast.PairNode)
		if !ok {
			return OpenObject(nil, Any)
		}
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return OpenObject(nil, Any)
		}
		fields[key.Value] = r.resultType(pair.Value)
	}
	return Object(fields)
}

// fromReflect reads the type that the checker gave a node. Arithmetic on
// integers stays an integer only for + - * and %.
func fromReflect(n ast.Node) Type {
	t := n.Type()
	switch {
	case t == reflect.TypeOf(timeZero):
		return Time
	case t == reflect.TypeOf([]byte(nil)):
		return Bytes
	}
	switch t.Kind() {
	case reflect.Bool:
		return Bool
	case reflect.Int:
		return Int
	case reflect.Float64:
		return Number
	case reflect.String:
		return String
	case reflect.Slice:
		return List(Any)
	case reflect.Map:
		return OpenObject(nil, Any)
	}
	return Any
}
