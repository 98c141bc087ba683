package flows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

type set map[string]bool

func (s set) copy() set {
	out := make(set, len(s))
	for k := range s {
		out[k] = true
	}
	return out
}

func (s set) addAll(o set) {
	for k := range o {
		s[k] = true
	}
}

func (s set) keep(o set) {
	for k := range s {
		if !o[k] {
			delete(s, k)
		}
	}
}

// analyse finds which nodes messages reach, and what has happened before each
// of them on every path and on some.
func (g *graph) analyse() {
	order := g.forward()
	anyOutput, anyVar := set{}, set{}
	var sources []*vertex
	for _, v := range g.nodes {
		if v.kind == nil {
			// Nobody knows what it gives or whether it is a source, so that
			// nothing behind it is called unreachable.
			v.reached = true
			continue
		}
		if v.kind.IsSource() {
			v.reached = true
			v.sources = []*vertex{v}
			sources = append(sources, v)
		}
	}
	for _, v := range order {
		g.visit(v, sources, anyOutput, anyVar)
		if v.reached {
			anyOutput[v.name] = true
			anyVar.addAll(v.writes())
		}
	}
	g.unreached(sources)
	g.answers()
	g.replies()
	g.losses()
}

// forward is the nodes in an order in which wires lead forward; those that only
// the flow's catch leads to come last.
func (g *graph) forward() []*vertex {
	var order []*vertex
	seen := map[*vertex]bool{}
	var visit func(v *vertex)
	visit = func(v *vertex) {
		if seen[v] {
			return
		}
		seen[v] = true
		for _, t := range v.outs() {
			if to := g.by[t.node.Value]; to != nil {
				visit(to)
			}
		}
		order = append(order, v)
	}
	// What is visited last comes first, so the flow's catch begins.
	for _, w := range g.catch {
		for _, t := range w.targets {
			if v := g.by[t.node.Value]; v != nil {
				visit(v)
			}
		}
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		visit(g.nodes[i])
	}
	slices.Reverse(order)
	return order
}

func (v *vertex) writes() set {
	out := set{}
	if v.kind != nil {
		for name := range v.kind.Vars(v.config) {
			out[name] = true
		}
	}
	return out
}

// visit derives what holds before v from what holds before the nodes that lead
// to it.
func (g *graph) visit(v *vertex, sources []*vertex, anyOutput, anyVar set) {
	v.possible, v.varsMay = set{}, set{}
	for _, e := range v.ins {
		if e.anyFailure {
			v.reached = v.reached || len(sources) > 0
			v.from(sources)
			v.possible.addAll(anyOutput)
			v.varsMay.addAll(anyVar)
			v.meet(set{}, set{})
			continue
		}
		if !e.from.reached {
			continue
		}
		v.reached = true
		v.from(e.from.sources)
		always, vars := e.from.always.copy(), e.from.varsIn.copy()
		v.possible.addAll(e.from.possible)
		v.varsMay.addAll(e.from.varsMay)
		if !e.failed {
			always[e.from.name], v.possible[e.from.name] = true, true
			writes := e.from.writes()
			vars.addAll(writes)
			v.varsMay.addAll(writes)
		}
		v.meet(always, vars)
	}
	if v.always == nil {
		v.always, v.varsIn = set{}, set{}
	}
}

// from adds sources that v has messages of.
func (v *vertex) from(sources []*vertex) {
	for _, s := range sources {
		if !slices.Contains(v.sources, s) {
			v.sources = append(v.sources, s)
		}
	}
}

func (v *vertex) meet(always, vars set) {
	if v.always == nil {
		v.always, v.varsIn = always.copy(), vars.copy()
		return
	}
	v.always.keep(always)
	v.varsIn.keep(vars)
}

func (g *graph) unreached(sources []*vertex) {
	unknown := slices.ContainsFunc(g.nodes, func(v *vertex) bool { return v.kind == nil })
	if len(sources) == 0 && !unknown {
		var types []string
		for _, t := range g.o.Registry.NodeTypes() {
			if g.o.Registry.Node(t).IsSource() {
				types = append(types, t)
			}
		}
		g.wrong(g.key, "no-source", fmt.Sprintf("no message comes into the flow %s", g.name), "give it a source: "+strings.Join(types, ", "))
		return
	}
	for _, v := range g.nodes {
		// What only an unreached node leads to follows from that one.
		if !v.reached && len(v.ins) == 0 && !g.torn {
			g.wrong(v.key, "unreachable", fmt.Sprintf("no message reaches %s", v.name), "wire another node to it, or remove it")
		}
	}
}

// losses reports nodes that may lose what their source acknowledges.
func (g *graph) losses() {
	for _, v := range g.nodes {
		if v.kind == nil || v.d == nil {
			continue
		}
		f := v.kind.MayLose(v.config)
		if f.Message == "" {
			continue
		}
		for _, s := range v.sources {
			if s.kind.Acknowledges {
				g.wrong(v.d.place(f.Field), "lossy", fmt.Sprintf("%s, and %s acknowledges its messages", f.Message, s.name), f.Hint)
				break
			}
		}
	}
}

// conflicts reports sources of all flows that exclude each other.
func (l *loader) conflicts(graphs []*graph) {
	var sources []*vertex
	for _, g := range graphs {
		for _, v := range g.nodes {
			if v.kind == nil || !v.kind.IsSource() {
				continue
			}
			for _, other := range sources {
				if other.kind != v.kind {
					continue
				}
				if why := v.kind.Conflict(other.config, v.config); why != "" {
					l.wrong(v.key, "conflict", why, fmt.Sprintf("the other is %q at %s; change or remove one", other.name, other.key.where()))
				}
			}
			sources = append(sources, v)
		}
	}
}

// compile compiles the expressions of all nodes, each against what holds where
// it stands.
func (g *graph) compile() {
	varSlots := map[string]int{}
	for _, v := range g.nodes {
		if v.kind == nil {
			continue
		}
		for _, name := range sortedKeys(v.kind.Vars(v.config)) {
			if _, ok := varSlots[name]; !ok {
				varSlots[name] = len(g.vars)
				g.vars = append(g.vars, name)
				if !nameRule.MatchString(name) && !holdsExpression(name) {
					g.wrong(v.d.place("vars."+name), "bad-name", fmt.Sprintf("%q cannot be a variable's name", name), "use a to z, A to Z, 0 to 9 and _, and no digit first")
				}
			}
		}
	}
	for _, v := range g.forward() {
		if v.kind == nil {
			continue
		}
		if v.reached {
			before := len(g.found)
			v.d.compile(g.scope(v, varSlots))
			if len(g.found) == before {
				v.d.report(v.kind.Verify(v.config))
			}
		}
		v.done = true
		v.output, _ = v.kind.Output(v.config)
		v.written = v.kind.Vars(v.config)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (g *graph) scope(v *vertex, varSlots map[string]int) *expr.Scope {
	if v.kind.IsSource() {
		return &expr.Scope{Env: g.env, OnlyEnv: true}
	}
	s := &expr.Scope{Nodes: map[string]expr.Slot{}, Vars: map[string]expr.Slot{}, Env: g.env, Run: engine.RunType, Failure: engine.FailureType, InCatch: g.inCatch(v)}
	for i, src := range v.sources {
		t := src.kind.Event(src.config)
		if i == 0 {
			s.Event = t
		} else {
			s.Event = expr.Join(s.Event, t)
		}
	}
	for _, o := range g.nodes {
		slot := expr.Slot{Index: o.slot, Type: o.output, Always: v.always[o.name], Never: !v.possible[o.name]}
		switch {
		case o == v:
			slot.Note = "it is this node itself; what it gives is read behind it"
		case o.kind == nil:
			slot.Always = true
		case o.kind.IsSource():
			slot.Note = "it is a source; what it brought is `event`"
		default:
			if _, gives := o.kind.Output(o.config); !gives {
				slot.Note = fmt.Sprintf("a %s gives nothing to read", o.kind.Type)
			}
		}
		s.Nodes[o.name] = slot
	}
	for name, i := range varSlots {
		s.Vars[name] = expr.Slot{Index: i, Type: g.varType(name, v), Always: v.varsIn[name], Never: !v.varsMay[name]}
	}
	return s
}

// varType is what is known of a variable before v: what all nodes that may
// have written it give.
func (g *graph) varType(name string, v *vertex) expr.Type {
	t, any := expr.Any, false
	for _, o := range g.nodes {
		w, writes := o.written[name]
		if !writes || !o.done || !v.possible[o.name] {
			continue
		}
		if !any {
			t, any = w, true
		} else {
			t = expr.Join(t, w)
		}
	}
	return t
}

// inCatch reports whether a failure led to v on every path.
func (g *graph) inCatch(v *vertex) bool {
	seen := map[*vertex]bool{}
	var only func(v *vertex) bool
	only = func(v *vertex) bool {
		if seen[v] {
			return true
		}
		seen[v] = true
		if len(v.ins) == 0 {
			return false
		}
		for _, e := range v.ins {
			if !e.failed && !e.anyFailure && !only(e.from) {
				return false
			}
		}
		return true
	}
	return only(v)
}
