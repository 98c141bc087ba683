package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
)

// resolver replaces every name of the scope in an expression — `event.body`,
// `nodes.driver`, `vars.n` — by a variable of the program, and checks the path
// behind it against the scope's types.
type resolver struct {
	source     string
	scope      *Scope
	config     *conf.Config
	locals     []string // names bound by let
	refs       map[string]ref
	refTypes   map[string]Type
	chainTypes map[ast.Node]Type
}

// environment types the variables for the checker.
func (r *resolver) environment() types.Map {
	m := types.Map{guardName: types.Any}
	for name, t := range r.refTypes {
		m[name] = t.checked()
	}
	return m
}

var roots = []string{"env", "error", "event", "nodes", "run", "vars"}

func (r *resolver) resolve(n *ast.Node) *Error {
	switch x := (*n).(type) {
	case *ast.IdentifierNode:
		return r.chain(n, false)
	case *ast.MemberNode:
		if base(x) != nil {
			return r.chain(n, false)
		}
		if err := r.resolve(&x.Node); err != nil {
			return err
		}
		return r.resolve(&x.Property)
	case *ast.ChainNode:
		if base(x.Node) != nil {
			return r.chain(&x.Node, false)
		}
		return r.resolve(&x.Node)
	case *ast.BinaryNode:
		return r.binary(x)
	case *ast.CallNode:
		return r.call(x)
	case *ast.VariableDeclaratorNode:
		return r.let(x)
	}
	for _, child := range children(*n) {
		if err := r.resolve(child); err != nil {
			return err
		}
	}
	return nil
}

// binary lets the left side of ?? and a comparison with nil read what may not
// be there.
func (r *resolver) binary(x *ast.BinaryNode) *Error {
	_, leftNil := x.Left.(*ast.NilNode)
	_, rightNil := x.Right.(*ast.NilNode)
	compared := x.Operator == "==" || x.Operator == "!="
	for _, side := range []struct {
		node     *ast.Node
		optional bool
	}{{&x.Left, x.Operator == "??" || compared && rightNil}, {&x.Right, compared && leftNil}} {
		inner := side.node
		if c, ok := (*inner).(*ast.ChainNode); ok {
			inner = &c.Node
		}
		var err *Error
		if side.optional && base(*inner) != nil {
			err = r.optionalChain(side.node)
		} else {
			err = r.resolve(side.node)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// optionalChain makes `a.b.c ?? d` mean `a?.b?.c ?? d`.
func (r *resolver) optionalChain(n *ast.Node) *Error {
	if c, ok := (*n).(*ast.ChainNode); ok {
		return r.chain(&c.Node, true)
	}
	if _, isMember := (*n).(*ast.MemberNode); isMember {
		c := &ast.ChainNode{Node: *n}
		c.SetLocation((*n).Location())
		*n = c
		return r.chain(&c.Node, true)
	}
	return r.chain(n, true)
}

func (r *resolver) call(x *ast.CallNode) *Error {
	if callee, ok := x.Callee.(*ast.IdentifierNode); ok {
		if _, known := r.config.Functions[callee.Value]; !known {
			return r.fail(callee, fmt.Sprintf("there is no function %q", callee.Value), Nearest(callee.Value, FunctionNames()))
		}
	} else if err := r.method(x.Callee); err != nil {
		return err
	} else if err := r.resolve(&x.Callee); err != nil {
		return err
	}
	for i := range x.Arguments {
		if err := r.resolve(&x.Arguments[i]); err != nil {
			return err
		}
	}
	return nil
}

// method refuses a function that is called as if values had it: a.trim().
func (r *resolver) method(callee ast.Node) *Error {
	m, ok := callee.(*ast.MemberNode)
	if !ok {
		return nil
	}
	name, ok := m.Property.(*ast.StringNode)
	if !ok || !slices.Contains(FunctionNames(), name.Value) {
		return nil
	}
	if id := base(m); id != nil && !slices.Contains(roots, id.Value) && !slices.Contains(r.locals, id.Value) {
		return nil // an unknown name, which is the worse mistake
	}
	return r.fail(name, fmt.Sprintf("%s is a function and no method", name.Value), fmt.Sprintf("write %s(…) around the value", name.Value))
}

func (r *resolver) let(x *ast.VariableDeclaratorNode) *Error {
	if slices.Contains(roots, x.Name) {
		return r.fail(x, fmt.Sprintf("`let %s` would hide %s", x.Name, x.Name), "choose another name")
	}
	if err := r.resolve(&x.Value); err != nil {
		return err
	}
	r.locals = append(r.locals, x.Name)
	err := r.resolve(&x.Expr)
	r.locals = r.locals[:len(r.locals)-1]
	return err
}

// base is the identifier a path such as a.b["c"] begins with, nil when it
// begins with something else.
func base(n ast.Node) *ast.IdentifierNode {
	for {
		switch x := n.(type) {
		case *ast.IdentifierNode:
			return x
		case *ast.MemberNode:
			n = x.Node
		default:
			return nil
		}
	}
}

// path lists the members of a chain, innermost first.
func path(n *ast.Node) []*ast.Node {
	var members []*ast.Node
	for {
		m, ok := (*n).(*ast.MemberNode)
		if !ok {
			break
		}
		members = append(members, n)
		n = &m.Node
	}
	slices.Reverse(members)
	return members
}

func (r *resolver) chain(n *ast.Node, optional bool) *Error {
	id := base(*n)
	if _, replaced := r.refs[id.Value]; replaced && strings.Contains(id.Value, ".") {
		return nil // the parser has put one path into two places: 1 < a.b < 9, a.b ?: c
	}
	members := path(n)
	for _, m := range members {
		member := (*m).(*ast.MemberNode)
		if _, isName := member.Property.(*ast.StringNode); !isName {
			if err := r.resolve(&member.Property); err != nil {
				return err
			}
		}
	}
	if slices.Contains(r.locals, id.Value) {
		return nil
	}
	if !slices.Contains(roots, id.Value) {
		return r.unknownName(id)
	}
	if optional {
		for _, m := range members {
			(*m).(*ast.MemberNode).Optional = true
		}
	}
	return r.replace(n, id, members, optional)
}

func (r *resolver) unknownName(id *ast.IdentifierNode) *Error {
	msg := fmt.Sprintf("unknown name %q", id.Value)
	switch {
	case hasKey(r.scope.Nodes, id.Value):
		return r.fail(id, msg, fmt.Sprintf("the output of that node is nodes.%s", id.Value))
	case hasKey(r.scope.Vars, id.Value):
		return r.fail(id, msg, fmt.Sprintf("the variable is vars.%s", id.Value))
	case hasKey(r.scope.Env, id.Value):
		return r.fail(id, msg, fmt.Sprintf("the setting is env.%s", id.Value))
	case hasKey(r.scope.Event.fields, id.Value):
		return r.fail(id, msg, fmt.Sprintf("it is a field of the event: event.%s", id.Value))
	case id.Value == "null" || id.Value == "None":
		return r.fail(id, msg, "write nil")
	case id.Value == "JSON":
		return r.fail(id, msg, "write toJSON(…) or fromJSON(…)")
	case id.Value == "Date":
		return r.fail(id, msg, "write now() or date(…)")
	case id.Value == "yes" || id.Value == "on":
		return r.fail(id, msg, "write true")
	case id.Value == "no" || id.Value == "off":
		return r.fail(id, msg, "write false")
	case id.Value == "msg" || id.Value == "payload":
		return r.fail(id, msg, "what the source brought is event, its body event.body")
	}
	if slices.Contains(FunctionNames(), id.Value) {
		return r.fail(id, msg, fmt.Sprintf("it is a function: write %s(…)", id.Value))
	}
	if near := Nearest(id.Value, roots); near != "" {
		return r.fail(id, msg, near)
	}
	return r.fail(id, msg, fmt.Sprintf("an expression reads event, nodes, vars, env and run; for a text write %q", id.Value))
}

func hasKey[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

// replace puts a variable in the place of the scope's name and checks the rest
// of the path.
func (r *resolver) replace(n *ast.Node, id *ast.IdentifierNode, members []*ast.Node, optional bool) *Error {
	first, firstName := "", (*ast.MemberNode)(nil)
	if len(members) > 0 {
		m := (*members[0]).(*ast.MemberNode)
		if name, ok := m.Property.(*ast.StringNode); ok {
			first, firstName = name.Value, m
		}
	}
	last := 1 // the member that reads inside the name
	if id.Value == "error" {
		last = 0
	}
	guarded := optional || len(members) > last && (*members[last]).(*ast.MemberNode).Optional
	ref, typ, used, err := r.lookup(id, first, firstName, guarded)
	if err != nil {
		return err
	}
	name := id.Value
	target := n
	if len(members) > 0 {
		target = &(*members[0]).(*ast.MemberNode).Node
	}
	if used {
		name += "." + first
		target = members[0]
		members = members[1:]
	}
	r.refs[name], r.refTypes[name] = ref, typ
	v := &ast.IdentifierNode{Value: name}
	v.SetLocation((*target).Location())
	*target = v
	return r.walk(name, typ, members)
}

// walk follows the members through the types; the first one that cannot be
// there is an error.
func (r *resolver) walk(at string, t Type, members []*ast.Node) *Error {
	if r.chainTypes == nil {
		r.chainTypes = map[ast.Node]Type{}
	}
	for _, m := range members {
		member := (*m).(*ast.MemberNode)
		switch p := member.Property.(type) {
		case *ast.StringNode:
			if t.kind == kindTime {
				return nil // a method of a time: the checker knows it
			}
			f, ok := t.Field(p.Value)
			if !ok {
				return r.noField(p, at, t, p.Value)
			}
			t, at = f, at+"."+p.Value
		default:
			t, at = t.Elem(), at+"[…]"
		}
		r.chainTypes[member] = t
	}
	return nil
}

func (r *resolver) noField(at ast.Node, of string, t Type, name string) *Error {
	if !t.IsObject() {
		hint := ""
		if t.kind == kindList {
			hint = "take an element first, as in [0], or use map(…)"
		}
		return r.fail(at, fmt.Sprintf("%s is %s and has no fields", of, t.Article()), hint)
	}
	if len(t.fields) == 0 {
		return r.fail(at, fmt.Sprintf("%s has no fields", of), t.hint)
	}
	hint := t.hint
	if name != t.lacks || hint == "" {
		hint = Nearest(name, t.FieldNames())
	}
	if hint == "" {
		hint = "it is an " + t.String()
	}
	return r.fail(at, fmt.Sprintf("%s has no field %q", of, name), hint)
}

// Article names the type with its article: a string, an integer.
func (t Type) Article() string {
	switch t.kind {
	case kindInt, kindObject:
		return "an " + t.String()
	case kindBytes, kindNull:
		return t.String()
	}
	return "a " + t.String()
}

// lookup finds what root.first means; used says that first belongs to it.
func (r *resolver) lookup(id *ast.IdentifierNode, first string, member *ast.MemberNode, guarded bool) (ref, Type, bool, *Error) {
	if r.scope.OnlyEnv && id.Value != "env" {
		return ref{}, Any, false, r.fail(id, fmt.Sprintf("%s cannot be read here: this is settled before any message comes", id.Value), "only env is there")
	}
	switch id.Value {
	case "event":
		return r.lookupRecord(id, first, member, r.scope.Event, rootEvent, rootEventField)
	case "run":
		return r.lookupRecord(id, first, member, r.scope.Run, rootRun, rootRunField)
	case "error":
		if !r.scope.InCatch && !guarded {
			return ref{}, Any, false, r.fail(id, "error is only there in a catch chain", "read it in a node that only `catch` leads to, or as error?.message")
		}
		return ref{root: rootFailure}, r.scope.Failure, false, nil
	case "nodes":
		return r.lookupSlot(id, member, first, "node", r.scope.Nodes, rootNode, guarded)
	case "vars":
		return r.lookupSlot(id, member, first, "variable", r.scope.Vars, rootVar, guarded)
	}
	return r.lookupEnv(id, first, member)
}

func (r *resolver) lookupRecord(id *ast.IdentifierNode, first string, member *ast.MemberNode, t Type, whole, field root) (ref, Type, bool, *Error) {
	if member == nil {
		return ref{root: whole}, t, false, nil
	}
	f, ok := t.Field(first)
	if !ok {
		return ref{}, Any, false, r.noField(member.Property, id.Value, t, first)
	}
	return ref{root: field, key: first}, f, true, nil
}

func (r *resolver) lookupEnv(id *ast.IdentifierNode, first string, member *ast.MemberNode) (ref, Type, bool, *Error) {
	if member == nil {
		return ref{}, Any, false, r.fail(id, "env is read one setting at a time", "write env.NAME")
	}
	v, ok := r.scope.Env[first]
	if !ok {
		names := slices.Sorted(maps.Keys(r.scope.Env))
		hint := Nearest(first, names)
		if hint == "" {
			hint = fmt.Sprintf("declare it at the top of the file: `env: {%s: {doc: …}}`", first)
		}
		return ref{}, Any, false, r.fail(member.Property, fmt.Sprintf("there is no setting %q", first), hint)
	}
	return ref{root: rootEnv, value: v}, String, true, nil
}

func (r *resolver) lookupSlot(id *ast.IdentifierNode, member *ast.MemberNode, name, what string, slots map[string]Slot, kind root, guarded bool) (ref, Type, bool, *Error) {
	if member == nil {
		return ref{}, Any, false, r.fail(id, fmt.Sprintf("%s is not a value of its own", id.Value), fmt.Sprintf("name the %s: %s.NAME", what, id.Value))
	}
	slot, ok := slots[name]
	qualified := id.Value + "." + name
	switch {
	case !ok:
		hint := Nearest(name, slices.Sorted(maps.Keys(slots)))
		if hint == "" && kind == rootVar {
			hint = "write it first with a `set` node"
		}
		return ref{}, Any, false, r.fail(member.Property, fmt.Sprintf("there is no %s %q", what, name), hint)
	case slot.Note != "":
		return ref{}, Any, false, r.fail(member.Property, fmt.Sprintf("%s has no value", qualified), slot.Note)
	case slot.Never:
		hint := "no path leads from that node here; wire it in front, or read another"
		if kind == rootVar {
			hint = "no node that sets it leads here; put a `set` node in front"
		}
		return ref{}, Any, false, r.fail(member.Property, fmt.Sprintf("%s never comes before this place", qualified), hint)
	case !slot.Always && !guarded:
		return ref{}, Any, false, r.fail(member.Property, fmt.Sprintf("%s is not on every path to this place", qualified), fmt.Sprintf("write %s?.… or %s ?? … and say what to do without it", qualified, qualified))
	}
	return ref{root: kind, index: slot.Index}, slot.Type, true, nil
}

func (r *resolver) fail(n ast.Node, message, hint string) *Error {
	loc := n.Location()
	return &Error{Source: r.source, Offset: loc.From, Length: length(loc), Message: message, Hint: hint}
}

func length(loc file.Location) int { return max(1, loc.To-loc.From) }

// children are the parts of a node that have no rule of their own here.
func children(n ast.Node) []*ast.Node {
	switch x := n.(type) {
	case *ast.UnaryNode:
		return []*ast.Node{&x.Node}
	case *ast.SliceNode:
		out := []*ast.Node{&x.Node}
		if x.From != nil {
			out = append(out, &x.From)
		}
		if x.To != nil {
			out = append(out, &x.To)
		}
		return out
	case *ast.BuiltinNode:
		return pointers(x.Arguments)
	case *ast.PredicateNode:
		return []*ast.Node{&x.Node}
	case *ast.SequenceNode:
		return pointers(x.Nodes)
	case *ast.ConditionalNode:
		return []*ast.Node{&x.Cond, &x.Exp1, &x.Exp2}
	case *ast.ArrayNode:
		return pointers(x.Nodes)
	case *ast.MapNode:
		return pointers(x.Pairs)
	case *ast.PairNode:
		return []*ast.Node{&x.Key, &x.Value}
	}
	return nil
}

func pointers(nodes []ast.Node) []*ast.Node {
	out := make([]*ast.Node, len(nodes))
	for i := range nodes {
		out[i] = &nodes[i]
	}
	return out
}
