package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// handler is the flow as a function of one message, as the source s brings it.
func (f *Flow) handler(s *step) Handler {
	return func(ctx context.Context, m *Message) error {
		if f.places != nil {
			select {
			case f.places <- struct{}{}:
				defer func() { <-f.places }()
			case <-ctx.Done():
				return Fail(Retryable, "busy", fmt.Sprintf("flow %s has no free place for another message", f.name), context.Cause(ctx))
			}
		}
		if f.timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, f.timeout)
			defer cancel()
		}
		f.prepare(ctx, m, s)
		if !m.tracing {
			return f.follow(ctx, m, s.wires[Next])
		}
		start := time.Now()
		err := f.follow(ctx, m, s.wires[Next])
		f.logRun(ctx, m, s, time.Since(start), err)
		return err
	}
}

func (f *Flow) prepare(ctx context.Context, m *Message, s *step) {
	m.flow, m.at = f, s
	places := make([]any, f.slots+f.vars)
	m.Env.Nodes, m.Env.Vars = places[:f.slots:f.slots], places[f.slots:]
	m.Env.Run = run{m}
	m.tracing = f.log.Enabled(ctx, slog.LevelInfo)
}

func (f *Flow) logRun(ctx context.Context, m *Message, s *step, took time.Duration, err error) {
	attrs := []any{"flow", f.name, "source", s.name, "run", m.ID, "correlation", m.Correlation, "ms", float64(took.Microseconds()) / 1000}
	if m.Attempt > 1 {
		attrs = append(attrs, "attempt", m.Attempt)
	}
	if err == nil {
		f.log.InfoContext(ctx, "run done", append(attrs, "way", m.Way())...)
		return
	}
	level := slog.LevelWarn
	if ClassOf(err) == Permanent {
		level = slog.LevelError
	}
	f.log.Log(ctx, level, "run failed", append(attrs, "class", ClassOf(err).String(), "code", CodeOf(err), "error", err.Error())...)
}

// follow takes the message to all targets of a port: to one as it is, to
// several as branches of their own that must all settle.
func (f *Flow) follow(ctx context.Context, m *Message, to []*step) error {
	switch len(to) {
	case 0:
		return nil
	case 1:
		return f.walk(ctx, m, to[0])
	}
	errs := make([]error, len(to))
	branches := make([]*Message, len(to))
	var wg sync.WaitGroup
	for i, s := range to {
		branches[i] = m.branch()
		branches[i].Env.Run = run{branches[i]}
		wg.Go(func() { errs[i] = f.walk(ctx, branches[i], s) })
	}
	wg.Wait()
	before := len(m.way)
	for _, b := range branches {
		m.way = append(m.way, b.way[before:]...)
	}
	return joined(errs)
}

// joined is one error for a fan-out: retryable if any branch is.
func joined(errs []error) error {
	var first error
	class, failed := Permanent, 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		failed++
		if first == nil {
			first = err
		}
		if ClassOf(err) == Retryable {
			class = Retryable
		}
	}
	if failed < 2 {
		return first
	}
	var e *Error
	errors.As(first, &e)
	return &Error{Class: class, Code: e.Code, Flow: e.Flow, Node: e.Node,
		Message: fmt.Sprintf("%d of %d branches failed", failed, len(errs)), Err: errors.Join(errs...)}
}

// walk takes the message through s and all that is behind it, failures
// included.
func (f *Flow) walk(ctx context.Context, m *Message, s *step) error {
	for {
		fan, err := f.stretch(ctx, m, s)
		if err == nil {
			if fan == nil {
				return nil
			}
			return f.follow(ctx, m, fan)
		}
		e := at(err, m.at, f.name)
		if ctx.Err() != nil {
			// What is left of the flow's time is not enough for a catch chain,
			// and the message may come again.
			code := "stopped"
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				code = CodeDeadline
			}
			return &Error{Class: Retryable, Code: code, Flow: e.Flow, Node: e.Node, Message: "the run was cut short", Err: err, Caught: m.failure}
		}
		catch := m.at.catch
		if len(catch) == 0 && !m.caught {
			catch, m.caught = f.catch, true
		}
		if m.failure != nil {
			second := *e
			second.Caught = m.failure
			e = &second
		}
		if len(catch) == 0 {
			return e
		}
		m.failure, m.Env.Failure = e, failure(e)
		if len(catch) > 1 {
			return f.follow(ctx, m, catch)
		}
		s = catch[0]
	}
}

// stretch takes the message from s to the end of the line: a node with nothing
// behind it, a fan-out, which it returns, or a failure, which m.at is at.
func (f *Flow) stretch(ctx context.Context, m *Message, s *step) (fan []*step, err error) {
	defer func() {
		if r := recover(); r != nil {
			f.log.ErrorContext(ctx, "a node panicked; the message fails, the process goes on", append(m.LogAttrs(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))...)
			fan, err = nil, Fail(Permanent, "panic", fmt.Sprintf("the node panicked: %v", r), nil)
		}
	}()
	for {
		m.at = s
		var port Port
		if s.policy == nil && f.recorder == nil {
			port, err = s.node.Do(ctx, m)
		} else {
			port, err = f.attempt(ctx, m, s)
		}
		if m.tracing {
			m.way = append(m.way, s)
		}
		if err != nil {
			return nil, err
		}
		to := s.behind(m, port)
		switch len(to) {
		case 0:
			return nil, nil
		case 1:
			s = to[0]
		default:
			return to, nil
		}
	}
}

// attempt does a node's work under its policy and tells the recorder.
func (f *Flow) attempt(ctx context.Context, m *Message, s *step) (Port, error) {
	if f.recorder == nil {
		port, _, err := s.policy.do(ctx, m, s.node)
		return port, err
	}
	start := time.Now()
	tries := 1
	var port Port
	var err error
	done := false
	record := func(failure error) {
		st := Step{Message: m, Flow: f.name, Node: s.name, Type: s.kind, Attempts: tries, Start: start, Duration: time.Since(start), Err: failure}
		if failure == nil {
			st.Port, st.Output = s.portName(m, port), m.Env.Nodes[s.slot]
		}
		f.recorder.Record(st)
	}
	defer func() {
		if !done {
			record(Fail(Permanent, "panic", "the node panicked", nil))
		}
	}()
	if s.policy == nil {
		port, err = s.node.Do(ctx, m)
	} else {
		port, tries, err = s.policy.do(ctx, m, s.node)
	}
	done = true
	record(err)
	return port, err
}
