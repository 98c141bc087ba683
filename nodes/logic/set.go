package logic

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Set is the config of a `set` node.
type Set struct {
	Vars map[string]expr.Value[any] `yaml:"vars,required" doc:"The variables to write, by name, each with its new value. All values are computed before the first is written, so that they see the variables as they were before this node."`
}

var setSpec = engine.Spec[Set]{
	Type: "set",
	Doc: "Gives variables their values. Nodes behind it read them as `vars.NAME`; a branch of a fan-out has variables of its own, " +
		"so what one branch sets, another does not see.",
	New:   newSet,
	Vars:  setTypes,
	Check: checkSet,
	Examples: []engine.Example{
		{Doc: "A number computed once and read by many nodes.", YAML: `
type: set
vars:
  total: "${{ event.body.price * event.body.count }}"
next: done
`},
		{Doc: "Several at once, one of them an object.", YAML: `
type: set
vars:
  currency: EUR
  customer: {id: "${{ event.body.customer_id }}", active: true}
next: done
`},
	},
}

func setTypes(c *Set) map[string]expr.Type {
	types := make(map[string]expr.Type, len(c.Vars))
	for name, v := range c.Vars {
		types[name] = v.Type()
	}
	return types
}

func checkSet(c *Set) []engine.Finding {
	if len(c.Vars) > 0 {
		return nil
	}
	return []engine.Finding{{Field: "vars", Message: "no variable is set", Hint: "write NAME: VALUE under vars, or remove the node"}}
}

type assignment struct {
	slot int
	to   expr.Value[any]
}

type setNode struct{ assignments []assignment }

func newSet(c *Set, d engine.Deps) (engine.Node, error) {
	n := &setNode{}
	for _, name := range value.Keys(c.Vars) {
		a := assignment{slot: d.Var(name), to: c.Vars[name]}
		// A constant is settled once.
		if v, fixed := a.to.Const(); fixed {
			v, _, err := settle(v, 0)
			if err != nil {
				return nil, err
			}
			a.to = expr.Of(v)
		}
		n.assignments = append(n.assignments, a)
	}
	return n, nil
}

// Do implements engine.Node.
func (n *setNode) Do(_ context.Context, m *engine.Message) (engine.Port, error) {
	if len(n.assignments) == 1 {
		a := &n.assignments[0]
		v, err := a.get(&m.Env)
		if err != nil {
			return 0, err
		}
		m.SetVar(a.slot, v)
		return engine.Next, nil
	}
	var few [8]any
	values := few[:0]
	for i := range n.assignments {
		v, err := n.assignments[i].get(&m.Env)
		if err != nil {
			return 0, err
		}
		values = append(values, v)
	}
	for i, v := range values {
		m.SetVar(n.assignments[i].slot, v)
	}
	return engine.Next, nil
}

func (a *assignment) get(env *expr.Env) (any, error) {
	v, err := a.to.Get(env)
	if err != nil {
		return nil, err
	}
	switch v.(type) {
	case map[string]any, []any:
		if _, fixed := a.to.Const(); !fixed {
			if v, _, err = settle(v, 0); err != nil {
				return nil, a.to.Failed(err)
			}
		}
	}
	return v, nil
}

// literalDepth is how deep settle looks into an object that an author wrote out:
// what lies deeper came from a message and is decoded already.
const literalDepth = 8

// settle opens the documents and records inside the objects and lists of v, so
// that every expression can look into them; one at the top stays, since
// expressions open those themselves. v is not edited: changed says that out is
// a copy.
func settle(v any, depth int) (out any, changed bool, err error) {
	switch v := v.(type) {
	case map[string]any:
		if depth < literalDepth {
			return settleObject(v, depth)
		}
	case []any:
		if depth < literalDepth {
			return settleList(v, depth)
		}
	case *value.Doc, expr.Record:
		if depth > 0 {
			out, err = open(v)
			return out, true, err
		}
	}
	return v, false, nil
}

func settleObject(from map[string]any, depth int) (any, bool, error) {
	out, copied := from, false
	for key, was := range from {
		is, changed, err := settle(was, depth+1)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", key, err)
		}
		if !changed {
			continue
		}
		if !copied {
			out, copied = maps.Clone(from), true
		}
		out[key] = is
	}
	return out, copied, nil
}

func settleList(from []any, depth int) (any, bool, error) {
	out, copied := from, false
	for i, was := range from {
		is, changed, err := settle(was, depth+1)
		if err != nil {
			return nil, false, fmt.Errorf("element %d: %w", i, err)
		}
		if !changed {
			continue
		}
		if !copied {
			out, copied = slices.Clone(from), true
		}
		out[i] = is
	}
	return out, copied, nil
}
