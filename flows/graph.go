package flows

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// flowHead is the form of a flow, its nodes apart.
type flowHead struct {
	Doc         string          `yaml:"doc" doc:"What the flow is for."`
	Concurrency int             `yaml:"concurrency" doc:"How many messages may be in the flow at once; without it the sources decide."`
	Timeout     engine.Duration `yaml:"timeout" doc:"How long a whole run may take."`
	Catch       engine.Wire     `yaml:"catch" doc:"Where a failure goes that no node caught."`
}

// nodeHead is what every node takes.
type nodeHead struct {
	Type    string          `yaml:"type,required" doc:"The type of the node, such as http.in."`
	Doc     string          `yaml:"doc" doc:"What the node is for."`
	Next    engine.Wire     `yaml:"next" doc:"The node, or list of nodes, that the message goes to."`
	Catch   engine.Wire     `yaml:"catch" doc:"Where the message goes when this node fails."`
	Retry   retry           `yaml:"retry" doc:"How often the node's own work is tried."`
	Timeout engine.Duration `yaml:"timeout" doc:"How long one try of the node's own work may take."`
}

type retry struct {
	Attempts   int             `yaml:"attempts,required" doc:"How many tries in all."`
	Backoff    engine.Duration `yaml:"backoff" doc:"The wait before the second try; it doubles with each further one."`
	MaxBackoff engine.Duration `yaml:"max_backoff" doc:"The longest wait."`
}

// graph is a flow while it is checked.
type graph struct {
	*loader
	name  string
	key   at
	keys  map[string]at
	head  flowHead
	catch []wire
	nodes []*vertex
	by    map[string]*vertex
	vars  []string
	plan  *engine.FlowPlan
	// torn says that nobody can guess where a wire leads, so that what is not
	// reached may be behind it.
	torn bool
}

// vertex is a node while it is checked.
type vertex struct {
	name   string
	key    at
	at     at
	head   nodeHead
	kind   *engine.Kind // nil when its type is not known
	config any
	d      *decoder
	slot   int
	// next, caught and ports are the wires that lead out.
	next, caught []at
	ports        []wire
	ins          []edge

	// What the analysis finds, see analyse.go.
	reached  bool
	sources  []*vertex
	possible set
	always   set
	varsIn   set
	varsMay  set
	done     bool
	output   expr.Type
	written  map[string]expr.Type
}

// edge leads into a vertex: from a node that did its work, or from one that
// failed.
type edge struct {
	from   *vertex
	failed bool
	// anyFailure is the flow's own catch, which any node leads to.
	anyFailure bool
}

func (l *loader) flow(e entry) *graph {
	g := &graph{loader: l, name: e.name, key: e.key, by: map[string]*vertex{}}
	if isEmpty(e.at.node) {
		l.wrong(e.key, "empty", fmt.Sprintf("%s has nothing in it", e.name), fmt.Sprintf("write `%s: {nodes: {…}}`, or remove it", e.name))
		return g
	}
	if e.at.node.Kind != yaml.MappingNode {
		l.wrong(e.at, "wrong-kind", fmt.Sprintf("a flow is a mapping, this is %s", kindOf(e.at.node)), "write {nodes: {…}}")
		return g
	}
	d := l.decoder("a flow")
	g.keys = d.keys
	loose := looseNodes(e.at)
	d.structure(valueOf(&g.head), e.at, "", append(loose, "nodes")...)
	if _, ok := d.keys["nodes"]; !ok {
		hint := "write `nodes:` and its nodes below"
		if len(loose) > 0 {
			hint = "write `nodes:` and indent " + strings.Join(loose, ", ") + " below it"
		}
		l.wrong(e.key, "missing-key", fmt.Sprintf("the flow %s has no nodes", e.name), hint)
		return g
	}
	if n, given := d.integer("concurrency"); given && n < 1 {
		l.wrong(d.values["concurrency"], "bad-value", "a flow cannot take less than one message", "write a positive number, or remove the key")
	}
	g.catch = d.wires
	nodes := l.section(e.at, "nodes")
	for _, n := range nodes {
		if g.by[n.name] == nil {
			g.add(n)
		}
	}
	if len(g.nodes) == 0 {
		return g
	}
	g.check()
	return g
}

// looseNodes are the keys of a flow without `nodes` that look like nodes.
func looseNodes(flow at) []string {
	var names []string
	for i := 0; i+1 < len(flow.node.Content); i += 2 {
		k, v := flow.node.Content[i].Value, flow.child(flow.node.Content[i+1])
		if k == "nodes" {
			return nil
		}
		if v.node.Kind == yaml.MappingNode && v.has("type") {
			names = append(names, k)
		}
	}
	return names
}

func (g *graph) add(e entry) {
	v := &vertex{name: e.name, key: e.key, at: e.at, slot: len(g.nodes)}
	g.nodes = append(g.nodes, v)
	g.by[e.name] = v
	typ, ok := g.typeOf(e, "node", g.o.Registry.NodeTypes())
	if !ok {
		g.lenient(v, e.at)
		return
	}
	v.kind = g.o.Registry.Node(typ)
	v.config = v.kind.NewConfig()
	engine.SetDefaults(v.config)
	v.d = g.decoder(typ)
	v.d.heads(&v.head, v.config, e.at)
	v.d.compileDefaults(v.config)
	g.torn = g.torn || v.d.torn
	if g.sound(e.at.node) {
		v.d.report(v.kind.Check(v.config))
	}
	v.d.refuseLiterals()
	g.sortWires(v)
}

// lenient reads what wires a node of unknown type has, so that the rest of the
// graph is judged as if it were right.
func (g *graph) lenient(v *vertex, a at) {
	if a.node.Kind != yaml.MappingNode {
		return
	}
	v.d = (&loader{o: g.o, order: g.order}).decoder("")
	var visit func(a at)
	visit = func(a at) {
		for i := 0; a.node.Kind == yaml.MappingNode && i+1 < len(a.node.Content); i += 2 {
			val := a.child(a.node.Content[i+1])
			if k := a.node.Content[i].Value; k != "type" && k != "doc" {
				visitTargets(v, val, k)
			}
			visit(val)
		}
		for _, c := range a.node.Content {
			if a.node.Kind == yaml.SequenceNode {
				visit(a.child(c))
			}
		}
	}
	visit(a)
}

func visitTargets(v *vertex, val at, key string) {
	switch val.node.Kind {
	case yaml.ScalarNode:
		v.ports = append(v.ports, wire{key: key, targets: []at{val}})
	case yaml.SequenceNode:
		for _, c := range val.node.Content {
			if c.Kind == yaml.ScalarNode {
				v.ports = append(v.ports, wire{key: key, targets: []at{val.child(c)}})
			}
		}
	}
}

func (g *graph) sortWires(v *vertex) {
	for _, w := range v.d.wires {
		switch w.wire {
		case &v.head.Next:
			v.next = w.targets
		case &v.head.Catch:
			v.caught = w.targets
		default:
			v.ports = append(v.ports, w)
		}
	}
}

// check judges the graph and compiles its expressions; it leaves a plan when
// nothing is wrong.
func (g *graph) check() {
	g.connect()
	g.rules()
	if g.loop() {
		return
	}
	g.analyse()
	if !g.partial {
		g.compile()
	}
	if len(g.found) == 0 {
		g.plan = g.finish()
	}
}

// connect resolves the wires' names.
func (g *graph) connect() {
	for _, v := range g.nodes {
		for _, t := range v.next {
			g.join(v, t, edge{from: v})
		}
		for _, w := range v.ports {
			for _, t := range w.targets {
				g.join(v, t, edge{from: v})
			}
		}
		for _, t := range v.caught {
			g.join(v, t, edge{from: v, failed: true})
		}
	}
	for _, w := range g.catch {
		for _, t := range w.targets {
			g.join(nil, t, edge{anyFailure: true})
		}
	}
}

func (g *graph) join(from *vertex, target at, e edge) {
	name := target.node.Value
	to := g.by[name]
	switch {
	case to == nil && from != nil && from.kind == nil: // a guess at the wires of an unknown type
	case to == nil:
		names := slices.Sorted(maps.Keys(g.by))
		hint := expr.Nearest(name, names)
		if other, ok := g.flowOf[name]; ok {
			hint = fmt.Sprintf("it is a node of the flow %s, and wires stay inside a flow; send to a queue that the other flow takes from", other)
		} else if hint == "" {
			hint = fmt.Sprintf("add a node of that name to the flow %s, or remove the wire", g.name)
		}
		g.wrong(target, "unknown-target", fmt.Sprintf("the flow %s has no node %q", g.name, name), hint)
		if to = g.by[expr.Closest(name, names)]; to == nil {
			g.torn = true
		} else if to.kind == nil || !to.kind.IsSource() {
			to.ins = append(to.ins, e)
		}
	case to.kind != nil && to.kind.IsSource():
		g.wrong(target, "unknown-target", fmt.Sprintf("%s is a source: messages come out of it and none goes in", name), "wire to a node behind it")
	default:
		to.ins = append(to.ins, e)
	}
}

// rules are what single nodes must keep to.
func (g *graph) rules() {
	for _, v := range g.nodes {
		if v.kind == nil {
			continue
		}
		if v.kind.Ends && len(v.next) > 0 {
			g.wrong(v.d.keys["next"], "config", fmt.Sprintf("nothing comes behind a %s", v.kind.Type), "remove `next`")
		}
		if v.kind.OnlyPorts && len(v.next) > 0 {
			g.wrong(v.d.keys["next"], "config", fmt.Sprintf("a %s has no `next` of its own", v.kind.Type), "name the targets in its ports")
		}
		if v.kind.IsSource() {
			for _, p := range []struct{ key, hint string }{{"catch", "give it to a node, or to the flow"}, {"retry", "give it to a node"}, {"timeout", "give it to a node, or to the flow"}} {
				if k, ok := v.d.keys[p.key]; ok {
					g.wrong(k, "config", fmt.Sprintf("a source takes no %s", p.key), p.hint)
				}
			}
			if len(v.next) == 0 && v.d.keys["next"].node == nil {
				g.wrong(v.key, "missing-key", fmt.Sprintf("the source %s leads nowhere", v.name), "give it a `next`")
			}
		}
		if n, given := v.d.integer("retry.attempts"); given && n < 1 {
			g.wrong(v.d.values["retry.attempts"], "bad-value", "there is at least one attempt", "write a positive number, or remove `retry`")
		}
	}
}

// forward are the wires by which messages leave when the node does its work.
func (v *vertex) forward() []at {
	out := slices.Clone(v.next)
	for _, w := range v.ports {
		out = append(out, w.targets...)
	}
	return out
}

// outs are all wires that lead out of a vertex.
func (v *vertex) outs() []at { return append(v.forward(), v.caught...) }

// loop reports wires that lead back.
func (g *graph) loop() bool {
	const visiting, visited = 1, 2
	state := map[*vertex]int{}
	found := false
	var way []string
	var visit func(v *vertex)
	visit = func(v *vertex) {
		state[v] = visiting
		way = append(way, v.name)
		for _, t := range v.outs() {
			to := g.by[t.node.Value]
			switch {
			case to == nil:
			case state[to] == visiting:
				start := slices.Index(way, to.name)
				g.wrong(t, "cycle", "the wires make a loop: "+strings.Join(append(slices.Clone(way[start:]), to.name), " > "), "a message goes forward only; repeat work with `retry`, or send to a queue")
				found = true
			case state[to] == 0:
				visit(to)
			}
		}
		way = way[:len(way)-1]
		state[v] = visited
	}
	for _, v := range g.nodes {
		if state[v] == 0 {
			visit(v)
		}
	}
	return found
}

// place keeps where the flow and its nodes stand, and which settings they read.
func (g *graph) place(p *places) {
	p.flows[g.name] = place{name: g.key, keys: g.keys}
	reads := set{}
	for _, v := range g.nodes {
		if v.d == nil || v.kind == nil {
			continue
		}
		p.nodes[[2]string{g.name, v.name}] = place{v.key, v.d.keys, v.d.values}
		settingsIn(v.at.node, g.env, reads)
		for _, r := range engine.References(v.config) {
			if used := g.resources[r.Target()]; used != nil {
				settingsIn(used.at.node, g.env, reads)
			}
		}
	}
	p.reads[g.name] = reads
}

func (g *graph) finish() *engine.FlowPlan {
	p := &engine.FlowPlan{Name: g.name, Doc: g.head.Doc, Concurrency: g.head.Concurrency, Timeout: g.head.Timeout.Std(), Catch: g.head.Catch.Targets, Vars: g.vars}
	for _, v := range g.nodes {
		n := &engine.NodePlan{Name: v.name, Slot: v.slot, Kind: v.kind, Config: v.config,
			Next: v.head.Next.Targets, Catch: v.head.Catch.Targets, Timeout: v.head.Timeout.Std(),
			Retry: engine.Retry{Attempts: v.head.Retry.Attempts, Backoff: time.Duration(v.head.Retry.Backoff), MaxBackoff: time.Duration(v.head.Retry.MaxBackoff)}}
		for _, w := range v.d.wires {
			if w.wire != &v.head.Next && w.wire != &v.head.Catch {
				n.Wires = append(n.Wires, engine.NamedWire{Key: w.key, Wire: w.wire})
			}
		}
		p.Nodes = append(p.Nodes, n)
	}
	return p
}
