package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Flow is a compiled flow. It is safe for concurrent use.
type Flow struct {
	name     string
	steps    []*step
	sources  []*step
	catch    []*step
	slots    int
	vars     int
	timeout  time.Duration
	places   chan struct{} // nil for no bound
	log      *slog.Logger
	recorder Recorder
}

// step is a node in its place.
type step struct {
	name   string
	node   Node
	source Source
	slot   int
	// wires are the nodes behind each port.
	wires  [][]*step
	ports  []string
	catch  []*step
	policy *policy
	kind   string
}

// Name is the flow's name.
func (f *Flow) Name() string { return f.name }

// Sources are the names of the flow's sources, in the order of the file.
func (f *Flow) Sources() []string {
	names := make([]string, len(f.sources))
	for i, s := range f.sources {
		names[i] = s.name
	}
	return names
}

// Source is the Source of that name, nil if there is none.
func (f *Flow) Source(name string) Source {
	for _, s := range f.sources {
		if s.name == name {
			return s.source
		}
	}
	return nil
}

// Handler takes messages as the named source of the flow delivers them.
func (f *Flow) Handler(source string) (Handler, error) {
	for _, s := range f.sources {
		if s.name == source {
			return f.handler(s), nil
		}
	}
	return nil, fmt.Errorf("flow %s has no source %q", f.name, source)
}

func compileFlow(p *FlowPlan, o Options, app *Plan) (*Flow, error) {
	f := &Flow{name: p.Name, timeout: p.Timeout, vars: len(p.Vars), log: o.Log, recorder: o.Recorder}
	if p.Concurrency > 0 {
		f.places = make(chan struct{}, p.Concurrency)
	}
	varSlots := map[string]int{}
	for i, name := range p.Vars {
		varSlots[name] = i
	}
	byName := map[string]*step{}
	for _, n := range p.Nodes {
		s := &step{name: n.Name, slot: n.Slot, kind: n.Kind.Type, policy: newPolicy(n.Retry, n.Timeout)}
		f.slots = max(f.slots, n.Slot+1)
		f.steps = append(f.steps, s)
		byName[n.Name] = s
		for i, w := range n.Wires {
			w.Wire.Number(Port(i + 1))
		}
	}
	for i, n := range p.Nodes {
		s := f.steps[i]
		d := Deps{Log: o.Log, App: app.Name, Dir: app.Dir, Flow: p.Name, Node: n.Name, Services: o.Services, Var: func(name string) int { return varSlots[name] }}
		if err := s.make(n, d); err != nil {
			return nil, errors.Join(fmt.Errorf("flow %s, node %s: %w", p.Name, n.Name, err), f.close(context.Background()))
		}
		if s.source != nil {
			f.sources = append(f.sources, s)
		}
		s.wire(n, byName)
	}
	f.catch = targets(p.Catch, byName)
	return f, nil
}

func (s *step) make(n *NodePlan, d Deps) (err error) {
	if n.Kind.IsSource() {
		s.source, err = n.Kind.newSource(n.Config, d)
		return err
	}
	s.node, err = n.Kind.newNode(n.Config, d)
	return err
}

func (s *step) wire(n *NodePlan, byName map[string]*step) {
	s.wires = append(s.wires, targets(n.Next, byName))
	s.ports = append(s.ports, "next")
	for _, w := range n.Wires {
		s.wires = append(s.wires, targets(w.Wire.Targets, byName))
		s.ports = append(s.ports, w.Key)
	}
	s.catch = targets(n.Catch, byName)
}

func targets(names []string, byName map[string]*step) []*step {
	var out []*step
	for _, name := range names {
		out = append(out, byName[name])
	}
	return out
}

func (f *Flow) close(ctx context.Context) error {
	var errs []error
	for _, s := range f.steps {
		for _, v := range []any{s.node, s.source} {
			if c, ok := v.(Closer); ok {
				errs = append(errs, c.Close(ctx))
			}
		}
	}
	return errors.Join(errs...)
}

// behind are the nodes that the message goes to by the port. A node that
// several ports of a fork lead to gets the message once.
func (s *step) behind(m *Message, port Port) []*step {
	if port != forked {
		return s.wires[port]
	}
	var to []*step
	for _, p := range m.forks {
		for _, t := range s.wires[p] {
			if !slices.Contains(to, t) {
				to = append(to, t)
			}
		}
	}
	return to
}

func (s *step) portName(m *Message, port Port) string {
	if port != forked {
		return s.ports[port]
	}
	names := make([]string, len(m.forks))
	for i, p := range m.forks {
		names[i] = s.ports[p]
	}
	return strings.Join(names, ", ")
}
