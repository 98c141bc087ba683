package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/http"
)

// Invocation is one message's way through a flow.
type Invocation struct {
	Run, Flow, Source string
	Steps             []engine.Step
	// Response is what an http.response node answered.
	Response *http.Response
	Err      error
}

// Journal is a Recorder that keeps the steps of a run, to show them.
type Journal struct {
	mu    sync.Mutex
	steps map[string][]engine.Step // by run
}

// Record keeps a step.
func (j *Journal) Record(s engine.Step) {
	j.mu.Lock()
	defer j.mu.Unlock()
	run := s.Message.ID
	s.Message = nil // it is only valid during the call
	if j.steps == nil {
		j.steps = map[string][]engine.Step{}
	}
	j.steps[run] = append(j.steps[run], s)
}

// Steps are the steps of a run so far, in the order in which they ended.
func (j *Journal) Steps(run string) []engine.Step {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.steps[run])
}

// Invoke sends one event through a flow as if the source had brought it; an
// empty source is the flow's first. The event is what expressions read as
// `event`. The Host must have been started with the Journal as its Recorder.
func (h *Host) Invoke(ctx context.Context, j *Journal, flow, source string, event map[string]any) (*Invocation, error) {
	n, err := h.sourceNode(flow, source)
	if err != nil {
		return nil, err
	}
	if err := fits(n, event); err != nil {
		return nil, err
	}
	if event, err = completed(n, event); err != nil {
		return nil, err
	}
	deliver, err := h.app.Flow(flow).Handler(n.Name)
	if err != nil {
		return nil, err
	}
	answer := &http.Answer{}
	m := engine.NewMessage(expr.Fields(event), "")
	m.Origin = answer
	inv := &Invocation{Run: m.ID, Flow: flow, Source: n.Name}
	inv.Err = deliver(ctx, m)
	inv.Steps = j.Steps(m.ID)
	if r, ok := answer.Response(); ok {
		inv.Response = &r
	}
	return inv, nil
}

func (h *Host) sourceNode(flow, source string) (*engine.NodePlan, error) {
	for _, f := range h.plan.Flows {
		if f.Name != flow {
			continue
		}
		var names []string
		for _, n := range f.Nodes {
			if n.Kind.IsSource() {
				if source == "" || n.Name == source {
					return n, nil
				}
				names = append(names, n.Name)
			}
		}
		return nil, fmt.Errorf("the flow %s has no source %q; it has %s", flow, source, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("the app has no flow %q; it has %s", flow, strings.Join(h.Flows(), ", "))
}

// fits checks an event against what the source would bring.
func fits(n *engine.NodePlan, event map[string]any) error {
	t := n.Kind.Event(n.Config)
	for name := range event {
		if _, ok := t.Field(name); !ok {
			return fmt.Errorf("an event of %s has no field %q; it has %s. What was sent goes under `body`", n.Kind.Type, name, strings.Join(t.FieldNames(), ", "))
		}
	}
	return fitsSchema(n, event)
}

func fitsSchema(n *engine.NodePlan, event map[string]any) error {
	schema := engine.FieldOf[engine.Schema](n.Config)
	if schema == nil || schema.Validate == nil {
		return nil
	}
	if err := schema.Validate(event["body"]); err != nil {
		return fmt.Errorf("the body breaks the schema %s, so that the source would refuse it:\n%w", schema.Name, err)
	}
	return nil
}

// completed is an event as the source would bring it: with its times as times,
// which JSON has as texts, and with those objects that were left out, which are
// empty but never null there, such as the headers of a request.
func completed(n *engine.NodePlan, event map[string]any) (map[string]any, error) {
	t := n.Kind.Event(n.Config)
	out := make(map[string]any, len(event))
	for _, name := range t.FieldNames() {
		if field, _ := t.Field(name); field.IsObject() && name != "body" {
			out[name] = map[string]any{}
		}
	}
	for name, v := range event {
		out[name] = v
		field, _ := t.Field(name)
		text, isText := v.(string)
		if !isText || field.String() != expr.Time.String() {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("the field %q of the event is %q; a time is written like 2026-03-01T12:00:00Z", name, text)
		}
		out[name] = at
	}
	return out, nil
}
