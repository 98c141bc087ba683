package expr

import (
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// The library's machine cannot be cancelled and counts only the elements it
// creates, so a loop within a loop over a large message would run for minutes.
// Every turn of a loop therefore passes through a guard that counts turns and
// looks at the clock: each time where turns are slow, since one may sort a list of
// the message. Together with the caps on what a single built-in makes
// (functions.go, arith.go, regex.go) this ends any expression within a second.
const (
	maxTurns   = 2_000_000
	maxLooping = 500 * time.Millisecond
	maxMade    = 64 << 20 // bytes of text that turns give
	clockEvery = 4        // quick turns between looks at the clock
	quickTurns = 100 * time.Microsecond
)

var (
	errTurns = errors.New("the expression loops more than 2 million times over this message; filter before looping, or do it in steps")
	errMade  = errors.New("the expression makes more than 64 MiB of text in a loop over this message; filter before looping, or do it in steps")
	errSlow  = errors.New("the expression took longer than half a second on this message; filter before looping, or do it in steps")
)

// guardName is the variable that holds the guard of one evaluation; it cannot
// be written in an expression.
const guardName = "\x00guard"

type guard struct {
	turns  int
	made   int           // bytes of text that turns gave
	start  time.Time     // of the first turn
	looked time.Duration // since start, when the clock was last read
	next   int           // turn at which it is read again

	env    *Env
	refs   []ref
	loaded []any
	have   []bool
}

// load gives what a name of the scope stands for. It is looked up where the
// evaluation comes to it, and once: a body that is not JSON fails the
// expressions that look into it and no other.
func (g *guard) load(i int) (any, error) {
	if g.have[i] {
		return g.loaded[i], nil
	}
	v, err := g.refs[i].load(g.env)
	if err == nil {
		v, err = open(v)
	}
	if err != nil {
		return nil, err
	}
	if r := g.refs[i].root; r == rootEvent || r == rootRun {
		v = unfolded(v)
	}
	g.loaded[i], g.have[i] = v, true
	return v, nil
}

// unfolded is a whole record with the documents in it decoded, as the machine
// cannot look into them. One that is not JSON stays and fails whoever does.
func unfolded(v any) any {
	fields, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make(map[string]any, len(fields))
	for name, field := range fields {
		if inside, err := open(field); err == nil {
			field = inside
		}
		out[name] = field
	}
	return out
}

// turn counts a turn that gave v.
func (g *guard) turn(v any) error {
	g.turns++
	if g.turns > maxTurns {
		return errTurns
	}
	if text, ok := v.(string); ok {
		if g.made += len(text); g.made > maxMade {
			return errMade
		}
	}
	if g.turns < g.next {
		return nil
	}
	if g.start.IsZero() {
		g.start = time.Now()
		return nil
	}
	now := time.Since(g.start)
	if now > maxLooping {
		return errSlow
	}
	g.next = g.turns + 1
	if now-g.looked < quickTurns {
		g.next = g.turns + clockEvery
	}
	g.looked = now
	return nil
}

// machine compiles the tree for the library's virtual machine, for what
// closure does not take.
func (r *resolver) machine(tree *parser.Tree) (evaluator, error) {
	m := &machine{}
	places := make(map[string]int, len(r.refs))
	for name, ref := range r.refs {
		places[name] = len(m.refs)
		m.refs = append(m.refs, ref)
	}
	ast.Walk(&tree.Node, guarding{places})
	var err error
	if m.program, err = compiler.Compile(tree, r.config); err != nil {
		return nil, err
	}
	m.states.New = func() any {
		return &state{vars: map[string]any{}, guard: guard{loaded: make([]any, len(m.refs)), have: make([]bool, len(m.refs))}}
	}
	return m.eval, nil
}

type machine struct {
	program *vm.Program
	refs    []ref
	states  sync.Pool
}

type state struct {
	vm    vm.VM
	vars  map[string]any
	guard guard
}

func (m *machine) eval(env *Env) (any, error) {
	s := m.states.Get().(*state)
	loaded, have := s.guard.loaded, s.guard.have
	s.guard = guard{env: env, refs: m.refs, loaded: loaded, have: have}
	s.vars[guardName] = &s.guard
	v, err := s.vm.Run(m.program, s.vars)
	clear(loaded)
	clear(have)
	s.guard.env = nil
	clear(s.vars)
	clear(s.vm.Stack)
	clear(s.vm.Variables)
	m.states.Put(s)
	if err != nil {
		return nil, plainError(err)
	}
	return v, nil
}

// guarding puts the guard into each loop, and this package's arithmetic, loads
// and parts in the place of the library's. places are those of the names in
// guard.refs.
type guarding struct{ places map[string]int }

func (g guarding) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		if i, ok := g.places[x.Value]; ok {
			*n = replacement(x, loadFunction, &ast.IdentifierNode{Value: guardName}, &ast.IntegerNode{Value: i})
		}
	case *ast.SliceNode:
		*n = replacement(x, sliceFunction, x.Node, bound(x.From, &ast.IntegerNode{}), bound(x.To, &ast.NilNode{}))
	case *ast.MemberNode:
		if _, named := x.Property.(*ast.StringNode); !named && !x.Optional && x.Node.Type().Kind() == reflect.Interface {
			*n = replacement(x, fetchFunction, x.Node, x.Property)
		}
	case *ast.PredicateNode:
		x.Node = replacement(x.Node, turnFunction, x.Node, &ast.IdentifierNode{Value: guardName})
	case *ast.UnaryNode:
		if x.Operator == "-" && !timely(x.Node) {
			*n = replacement(x, negateFunction, x.Node)
		}
	case *ast.BinaryNode:
		if name := safeOperator(x); name != "" {
			*n = replacement(x, name, x.Left, x.Right)
		}
	case *ast.BuiltinNode:
		if x.Name == "sum" {
			*n = replacement(x, sumFunction, summands(x))
		}
	}
}

// summands is the list that a sum adds up: its first argument, or what its
// second one gives for each element.
func summands(x *ast.BuiltinNode) ast.Node {
	if len(x.Arguments) == 1 {
		return x.Arguments[0]
	}
	list := &ast.BuiltinNode{Name: "map", Arguments: x.Arguments}
	list.SetLocation(x.Location())
	return list
}

// bound is one end of a part of a list or text, instead where it is left out.
func bound(n, instead ast.Node) ast.Node {
	if n == nil {
		return instead
	}
	return n
}

func replacement(old ast.Node, function string, args ...ast.Node) ast.Node {
	callee := &ast.IdentifierNode{Value: function}
	callee.SetType(reflect.TypeOf(functionTable[function].Func))
	call := &ast.CallNode{Callee: callee, Arguments: args}
	call.SetLocation(old.Location())
	call.SetNature(*old.Nature())
	return call
}

// safeOperator names the function that does a binary operator's work, or "" for
// one that is as safe as it stands.
func safeOperator(x *ast.BinaryNode) string {
	if timely(x.Left) || timely(x.Right) {
		return ""
	}
	switch x.Operator {
	case "+", "-", "*", "/", "%", "**", "^":
		return operatorFunction(x.Operator)
	case "==", "!=", "<", "<=", ">", ">=":
		return operatorFunction(x.Operator)
	case "matches":
		if _, constant := x.Right.(*ast.StringNode); !constant {
			return matchFunction
		}
	}
	return ""
}

func timely(n ast.Node) bool {
	t := n.Type()
	return t == reflect.TypeOf(timeZero) || t == reflect.TypeOf(time.Duration(0))
}
