package expr

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// Problem is an Error at a place of a Tree.
type Problem struct {
	Tree *Tree
	*Error
}

// Field is a part of a node's config that is compiled against a scope. The
// loader sets its tree while it decodes the config, and compiles it once the
// scope is known; after that it is read-only and safe for concurrent use.
type Field interface {
	Set(tree *Tree)
	Compile(scope *Scope) []Problem
	// Bare says that a text is an expression as it stands, without ${{ }}.
	Bare() bool
	// Wants names the type of value the field takes, for documentation.
	Wants() string
}

// Value is a config field that an author gives as a constant or with
// expressions, and that yields a T for each message. T is one of any, string,
// []byte, bool, int, float64, time.Duration, map[string]any, []any,
// map[string]string and []string. The zero Value is one that was not given.
type Value[T any] struct {
	tree     *Tree
	eval     evaluator
	convert  func(any) (T, error)
	constant T
	fixed    bool
	typ      Type
}

// Of is a Value that is always v.
func Of[T any](v T) Value[T] { return Value[T]{constant: v, fixed: true, tree: &Tree{Const: v}} }

// Given reports whether the author gave the field.
func (v *Value[T]) Given() bool { return v.tree != nil }

// Set gives the field what the author wrote.
func (v *Value[T]) Set(tree *Tree) { v.tree = tree }

// Bare is false: a Value's text needs ${{ }} around an expression.
func (v *Value[T]) Bare() bool { return false }

// Wants names T in an author's words.
func (v *Value[T]) Wants() string { return wants[T]() }

// Type is what is known of the value. A Value that was not given is null.
func (v *Value[T]) Type() Type {
	if v.tree == nil {
		return Null
	}
	return v.typ
}

// Const is the value when no message can change it.
func (v *Value[T]) Const() (T, bool) { return v.constant, v.fixed }

// Tree is what the author wrote.
func (v *Value[T]) Tree() *Tree { return v.tree }

// Get is the value for one run. The error is an *EvalError or says which type
// was needed. A Value that was not given is T's zero value.
func (v *Value[T]) Get(env *Env) (T, error) {
	if v.eval == nil {
		return v.constant, nil
	}
	got, err := v.eval(env)
	if err != nil {
		var zero T
		return zero, err
	}
	out, err := v.convert(got)
	if err != nil {
		return out, v.Failed(err)
	}
	return out, nil
}

// Failed is err as an *EvalError of this field, for a node that finds only
// later that a value will not do.
func (v *Value[T]) Failed(err error) error {
	source := v.tree.Text
	if v.tree.Kind != KindText {
		source = "…"
	}
	return &EvalError{Source: source, Where: v.tree.Where, Err: err}
}

// Compile makes the field ready for Get.
func (v *Value[T]) Compile(scope *Scope) []Problem {
	if v.tree == nil || v.fixed {
		return nil
	}
	b := builder{scope: scope}
	eval, typ, constant := b.build(v.tree)
	if len(b.problems) > 0 {
		return b.problems
	}
	v.typ, v.convert = typ, converter[T]()
	if p := v.check(typ); p != nil {
		return []Problem{*p}
	}
	if !constant {
		v.eval = eval
		return nil
	}
	got, err := eval(nil)
	if err == nil {
		v.constant, err = v.convert(got)
	}
	if err != nil {
		return []Problem{{v.tree, &Error{Source: v.tree.Text, Message: err.Error()}}}
	}
	v.fixed = true
	return nil
}

func (v *Value[T]) check(typ Type) *Problem {
	if accepts[T](typ) {
		return nil
	}
	verb := "is"
	if strings.Contains(v.tree.Text, opening) {
		verb = "gives"
	}
	e := &Error{Source: v.tree.Text, Message: fmt.Sprintf("this %s %s, but %s is needed here", verb, typ.Article(), v.Wants())}
	if typ.kind == kindString {
		e.Hint = ofText[T](v.tree.Text, verb == "gives")
	}
	if parts, err := split(v.tree.Text); err == nil && len(parts) == 1 && parts[0].isExpression {
		e.Offset, e.Length = extent(parts[0].text, parts[0].offset)
	}
	return &Problem{v.tree, e}
}

// ofText says how a text becomes a T.
func ofText[T any](text string, computed bool) string {
	var zero T
	hint, plain := "", error(nil)
	switch any(zero).(type) {
	case int:
		hint = "write int(…) around it"
		_, plain = strconv.Atoi(text)
	case float64:
		hint = "write float(…) around it"
		_, plain = strconv.ParseFloat(text, 64)
	case bool:
		hint = `compare it, for example with == "true"`
		_, plain = strconv.ParseBool(text)
	}
	switch {
	case hint == "" || !computed && plain != nil:
		return ""
	case !computed:
		return "remove the quotes"
	}
	return hint
}

// extent is where an expression at offset of its text stands, the white space
// around it left out.
func extent(source string, offset int) (from, length int) {
	before := utf8.RuneCountInString(source) - utf8.RuneCountInString(strings.TrimLeftFunc(source, unicode.IsSpace))
	return offset + before, utf8.RuneCountInString(strings.TrimSpace(source))
}

// builder compiles a tree.
type builder struct {
	scope    *Scope
	problems []Problem
}

func (b *builder) build(t *Tree) (eval evaluator, typ Type, isConst bool) {
	switch t.Kind {
	case KindText:
		return b.text(t)
	case KindObject:
		return b.object(t)
	case KindList:
		return b.list(t)
	}
	return constant(t.Const), typeOf(t.Const), true
}

func typeOf(v any) Type {
	switch v.(type) {
	case nil:
		return Null
	case bool:
		return Bool
	case int:
		return Int
	case float64, value.Number:
		return Number
	case string:
		return String
	case time.Time:
		return Time
	}
	return Any
}

func (b *builder) text(t *Tree) (evaluator, Type, bool) {
	parts, err := split(t.Text)
	if err != nil {
		b.problems = append(b.problems, Problem{t, err})
		return nil, Any, false
	}
	if len(parts) == 1 && !parts[0].isExpression {
		return constant(parts[0].text), String, true
	}
	if len(parts) == 1 {
		p := b.expression(t, parts[0])
		if p == nil {
			return nil, Any, false
		}
		return p.Eval, p.typ, false
	}
	pieces := make([]piece, len(parts))
	before := len(b.problems)
	for i, part := range parts {
		if !part.isExpression {
			pieces[i].literal = part.text
		} else {
			pieces[i].program = b.expression(t, part)
		}
	}
	if len(b.problems) > before {
		return nil, Any, false
	}
	return interpolate(pieces), String, false
}

func (b *builder) expression(t *Tree, p part) *Program {
	prog, err := Compile(p.text, b.scope, t.Where)
	if err != nil {
		err.Offset += p.offset
		err.Source = t.Text
		b.problems = append(b.problems, Problem{t, err})
		return nil
	}
	return prog
}

type piece struct {
	literal string
	program *Program
}

func interpolate(pieces []piece) evaluator {
	return func(e *Env) (any, error) {
		var out strings.Builder
		for _, p := range pieces {
			if p.program == nil {
				out.WriteString(p.literal)
				continue
			}
			v, err := p.program.Eval(e)
			if err != nil {
				return nil, err
			}
			s, ok := v.(string)
			if !ok {
				if s, err = value.Text(v); err != nil {
					return nil, &EvalError{Source: strings.TrimSpace(p.program.source), Where: p.program.where, Err: err}
				}
			}
			if out.Len()+len(s) > maxText {
				return nil, &EvalError{Source: strings.TrimSpace(p.program.source), Where: p.program.where, Err: errTextTooLong}
			}
			out.WriteString(s)
		}
		return out.String(), nil
	}
}

func (b *builder) object(t *Tree) (evaluator, Type, bool) {
	evals := make([]evaluator, len(t.Items))
	fields := make(map[string]Type, len(t.Items))
	isConst := true
	for i, item := range t.Items {
		var c bool
		evals[i], fields[t.Keys[i]], c = b.build(item)
		isConst = isConst && c
	}
	keys := t.Keys
	return func(e *Env) (any, error) {
		m := make(map[string]any, len(evals))
		for i, eval := range evals {
			v, err := eval(e)
			if err != nil {
				return nil, err
			}
			m[keys[i]] = v
		}
		return m, nil
	}, Object(fields), isConst
}

func (b *builder) list(t *Tree) (evaluator, Type, bool) {
	evals := make([]evaluator, len(t.Items))
	elem, isConst := Any, true
	for i, item := range t.Items {
		eval, typ, c := b.build(item)
		evals[i], isConst = eval, isConst && c
		if i == 0 {
			elem = typ
		} else {
			elem = Join(elem, typ)
		}
	}
	return func(e *Env) (any, error) {
		out, err := evaluated(evals, e)
		if err != nil {
			return nil, err
		}
		return out, nil
	}, List(elem), isConst
}

// Bare is a config field that is always an expression, written without ${{ }}:
// a switch's `value`.
type Bare struct {
	tree    *Tree
	program *Program
}

// Given reports whether the author gave the field.
func (b *Bare) Given() bool { return b.tree != nil }

// Set gives the field what the author wrote.
func (b *Bare) Set(tree *Tree) { b.tree = tree }

// Bare is true.
func (b *Bare) Bare() bool { return true }

// Wants says that any value will do.
func (b *Bare) Wants() string { return "an expression" }

// Type is what is known of the result.
func (b *Bare) Type() Type {
	if b.program == nil {
		return Any
	}
	return b.program.typ
}

// Get is the expression's value for one run, documents decoded and records as
// objects.
func (b *Bare) Get(env *Env) (any, error) {
	v, err := b.program.Eval(env)
	if err != nil {
		return nil, err
	}
	if v, err = open(v); err != nil {
		return nil, &EvalError{Source: b.program.source, Where: b.program.where, Err: err}
	}
	return v, nil
}

// Compile makes the field ready for Get. An expression inside ${{ }} is taken
// too.
func (b *Bare) Compile(scope *Scope) []Problem {
	_, p := b.compile(scope)
	if p != nil {
		return []Problem{*p}
	}
	return nil
}

func (b *Bare) compile(scope *Scope) (offset int, p *Problem) {
	if b.tree == nil {
		return 0, nil
	}
	source := ""
	switch b.tree.Kind {
	case KindText:
		source = b.tree.Text
	case KindConst:
		s, err := value.Text(b.tree.Const)
		if err != nil {
			s = "nil"
		}
		source = s
	default:
		return 0, &Problem{b.tree, &Error{Message: "an expression is needed here", Hint: `write it as one text, for example event.body.size > 3`}}
	}
	parts, err := split(source)
	if err == nil && len(parts) > 1 {
		i := strings.Index(source, opening)
		return 0, &Problem{b.tree, &Error{Source: source, Offset: utf8.RuneCountInString(source[:i]), Length: len(opening),
			Message: "this whole text is an expression", Hint: "leave ${{ and }} out"}}
	}
	if err == nil && parts[0].isExpression {
		source, offset = parts[0].text, parts[0].offset
	}
	prog, bad := Compile(source, scope, b.tree.Where)
	if bad != nil {
		bad.Offset += offset
		return offset, &Problem{b.tree, bad}
	}
	b.program = prog
	return offset, nil
}

// Condition is a config field that is a bare expression giving true or false.
type Condition struct{ bare Bare }

// Given reports whether the author gave the field.
func (c *Condition) Given() bool { return c.bare.Given() }

// Set gives the field what the author wrote.
func (c *Condition) Set(tree *Tree) { c.bare.Set(tree) }

// Bare is true.
func (c *Condition) Bare() bool { return true }

// Wants says what the expression must give.
func (c *Condition) Wants() string { return "an expression that gives true or false" }

// Compile makes the field ready for Holds.
func (c *Condition) Compile(scope *Scope) []Problem {
	offset, p := c.bare.compile(scope)
	if p != nil {
		return []Problem{*p}
	}
	if c.bare.program == nil {
		return nil
	}
	if t := c.bare.program.typ; t.kind != kindBool && t.kind != kindAny {
		source := c.bare.program.source
		from, length := extent(source, offset)
		return []Problem{{c.bare.tree, &Error{Source: source, Offset: from, Length: length,
			Message: fmt.Sprintf("this gives %s, but a condition gives true or false", t.Article()), Hint: "compare it, for example with == or !="}}}
	}
	return nil
}

// Holds evaluates the condition for one run. Anything but true or false is an
// error.
func (c *Condition) Holds(env *Env) (bool, error) {
	p := c.bare.program
	v, err := p.Eval(env)
	if err != nil {
		return false, err
	}
	if v, err = open(v); err == nil {
		if b, ok := v.(bool); ok {
			return b, nil
		}
		err = fmt.Errorf("a condition must give true or false, this gave %s", value.Kind(v))
	}
	return false, &EvalError{Source: p.source, Where: p.where, Err: err}
}
