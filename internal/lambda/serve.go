package lambda

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/internal/lambda/event"
)

// serve answers a request by the flow's routes, as the local server would. What
// does not answer in time is answered for.
func (f *Function) serve(ctx context.Context, l limits, kind event.Kind, payload []byte) ([]byte, error) {
	x, err := event.Open(kind, payload)
	if err != nil {
		return nil, fail(CodeMalformedEvent, "%v", err)
	}
	v := &visit{}
	r := x.Request(context.WithValue(ctx, visitKey{}, v))
	panicked := false
	inTime := l.within(func() {
		defer func() {
			if p := recover(); p != nil {
				panicked = true
				f.log.ErrorContext(ctx, "answering a request panicked; it fails, the function goes on", "flow", f.flow, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
		}()
		f.server.ServeHTTP(x, r)
	})
	switch {
	case !inTime:
		f.log.ErrorContext(ctx, "a request was not answered before the function's deadline", "flow", f.flow, "run", v.id())
		return f.answerFor(kind, payload, v, http.StatusGatewayTimeout, "the request was not done in time")
	case panicked:
		return f.answerFor(kind, payload, v, http.StatusInternalServerError, "the request failed")
	}
	reply, err := x.Reply()
	if err != nil {
		f.log.ErrorContext(ctx, "the answer to a request cannot be passed on", "flow", f.flow, "run", v.id(), "error", err.Error())
		return f.answerFor(kind, payload, v, http.StatusInternalServerError, "the request failed")
	}
	if lost := x.Omitted(); len(lost) > 0 {
		// The run itself is done, and nothing else tells of what the caller misses.
		f.log.ErrorContext(ctx, "the answer to a request was not passed on whole", "flow", f.flow, "run", v.id(), "omitted", lost)
	}
	return reply, nil
}

// answerFor is the reply for a run that has not given one. The exchange of the
// run may still be in its hands, so this is another one of the same event.
func (f *Function) answerFor(kind event.Kind, payload []byte, v *visit, status int, text string) ([]byte, error) {
	x, err := event.Open(kind, payload)
	if err != nil {
		return nil, fail(CodeMalformedEvent, "%v", err)
	}
	answer := map[string]any{"error": text}
	if run := v.id(); run != "" {
		answer["run"] = run
		x.Header().Set("X-Correlation-Id", v.correlation())
	}
	body, err := value.Append(nil, answer)
	if err != nil {
		return nil, err
	}
	x.Header().Set("Content-Type", "application/json")
	x.Header().Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(status)
	if _, err := x.Write(body); err != nil {
		return nil, err
	}
	return x.Reply()
}

// visit is what a request led to, as far as an answer for it needs to know.
type visit struct {
	mu  sync.Mutex
	run *engine.Message
}

type visitKey struct{}

// meet notes the run of the request that ctx is of, if it is of one.
func meet(ctx context.Context, m *engine.Message) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.run = m
	}
}

// id is the run's id, "" where it has not come to a run. The ids of a message
// do not change, so that they may be read while it is on its way.
func (v *visit) id() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.run == nil {
		return ""
	}
	return v.run.ID
}

func (v *visit) correlation() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.run == nil {
		return ""
	}
	return v.run.Correlation
}
