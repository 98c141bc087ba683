package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/lambda/event"
)

// Call is what became of an event in the form in which AWS Lambda hands it to a
// function.
type Call struct {
	// Kind is what the event looks like.
	Kind event.Kind
	// Runs are the ways of the messages that the event brought, in the order in
	// which they ended.
	Runs []*Invocation
	// Reply is what Lambda would pass on, nil where Err is set.
	Reply []byte
	// Err is the failure that Lambda would be told.
	Err error
}

// Failed reports whether the call or a run of it failed.
func (c *Call) Failed() bool {
	for _, r := range c.Runs {
		if r.Err != nil {
			return true
		}
	}
	return c.Err != nil
}

// Raw reports whether a document is an event for Call rather than the `event`
// of Invoke: an event of a service, or any document at all where the source is
// one that is called directly.
func (h *Host) Raw(flow, source string, document []byte) (bool, error) {
	n, err := h.sourceNode(flow, source)
	if err != nil {
		return false, err
	}
	_, direct := n.Kind.Trigger(n.Config).(engine.DirectTrigger)
	return direct || event.Detect(document) != event.Direct, nil
}

// Call hands an event to a flow as AWS Lambda would, one message at a time. The
// source that it is for is the one of the given name, any of the flow where
// that is empty. An event that no source takes is an error, after which nothing
// has run. The Host must have been started with the Journal as its Recorder.
func (h *Host) Call(ctx context.Context, j *Journal, flow, source string, payload []byte) (*Call, error) {
	plan, err := h.callable(flow, source)
	if err != nil {
		return nil, err
	}
	call := &Call{Kind: event.Detect(payload)}
	var mu sync.Mutex
	var runs []*Invocation
	settled := func(source string, m *engine.Message, err error) {
		mu.Lock()
		defer mu.Unlock()
		runs = append(runs, &Invocation{Run: m.ID, Flow: flow, Source: source, Steps: j.Steps(m.ID), Err: err})
	}
	log := &heldLog{to: h.o.Log.Handler()}
	f, err := lambda.New(lambda.Options{Plan: plan, Flow: h.app.Flow(flow), Server: h.server, Log: slog.New(log), Settled: settled})
	if err != nil {
		return nil, err
	}
	call.Reply, call.Err = f.Invoke(ctx, payload)
	var refused *lambda.Error
	if errors.As(call.Err, &refused) && refused.Code == lambda.CodeUnexpectedEvent {
		return nil, errors.Join(call.Err, f.Close(ctx)) // which says all that the log would
	}
	err = errors.Join(log.release(ctx), f.Close(ctx))
	mu.Lock() // a run that was given up may still end
	defer mu.Unlock()
	call.Runs = runs
	return call, err
}

// callable is the plan of a flow for one message at a time, with the named
// source alone if there is a name.
func (h *Host) callable(flow, source string) (*engine.FlowPlan, error) {
	if _, err := h.sourceNode(flow, source); err != nil {
		return nil, err
	}
	for _, p := range h.plan.Flows {
		if p.Name != flow {
			continue
		}
		one := *p
		one.Concurrency, one.Nodes = 1, nil
		for _, n := range p.Nodes {
			if source == "" || n.Name == source || !n.Kind.IsSource() {
				one.Nodes = append(one.Nodes, n)
			}
		}
		return &one, nil
	}
	return nil, fmt.Errorf("the app has no flow %q", flow)
}

// heldLog keeps what is logged until it is released.
type heldLog struct {
	to slog.Handler

	mu   sync.Mutex
	open bool
	held []slog.Record
}

// Enabled implements slog.Handler.
func (l *heldLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.to.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (l *heldLog) Handle(ctx context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		return l.to.Handle(ctx, r)
	}
	l.held = append(l.held, r.Clone())
	return nil
}

// WithAttrs implements slog.Handler. What is logged with attributes of its own
// is not held.
func (l *heldLog) WithAttrs(attrs []slog.Attr) slog.Handler { return l.to.WithAttrs(attrs) }

// WithGroup implements slog.Handler, like WithAttrs.
func (l *heldLog) WithGroup(name string) slog.Handler { return l.to.WithGroup(name) }

// release logs what was held and holds no more.
func (l *heldLog) release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, r := range l.held {
		errs = append(errs, l.to.Handle(ctx, r))
	}
	l.open, l.held = true, nil
	return errors.Join(errs...)
}
