package lambda

import (
	"context"
	"sync"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/internal/lambda/event"
)

// mostAtOnce bounds the runs of one event where the flow does not.
const mostAtOnce = 32

// takeEvent runs the messages of an event and gives the source's reply. One
// that fails fails the event: whoever brings it brings it whole again.
func (f *Function) takeEvent(ctx context.Context, l limits, kind event.Kind, payload []byte) ([]byte, error) {
	s, messages, err := f.messages(kind, payload)
	if err != nil {
		return nil, err
	}
	e := &effort{source: s, messages: messages, errs: make([]error, len(messages))}
	if !l.within(func() { e.run(ctx, f.parallel) }) {
		return nil, fail(engine.CodeDeadline, "%d of %d messages of the event were not done before the deadline", e.open(), len(messages))
	}
	switch failed := e.failed(); {
	case len(failed) == 1 && len(messages) == 1:
		return nil, failed[0]
	case len(failed) > 0:
		return nil, fail(engine.CodeOf(failed[0]), "%d of %d messages of the event failed; the first: %v", len(failed), len(messages), failed[0])
	}
	reply, err := s.invoked.Reply(messages)
	if err == nil && len(reply) == 0 {
		reply = []byte("null")
	}
	return reply, err
}

// effort is the work on the messages of an event.
type effort struct {
	*source
	messages []*engine.Message

	mu    sync.Mutex
	ended int
	errs  []error // by message
}

func (e *effort) run(ctx context.Context, parallel int) {
	if parallel <= 0 {
		parallel = mostAtOnce
	}
	places := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, m := range e.messages {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			err := e.begin(ctx, m)
			e.mu.Lock()
			defer e.mu.Unlock()
			e.errs[i] = err
			e.ended++
		})
	}
	wg.Wait()
}

// begin runs a message if there is time left for it.
func (e *effort) begin(ctx context.Context, m *engine.Message) error {
	if ctx.Err() != nil {
		return engine.Fail(engine.Retryable, engine.CodeDeadline, "the message was not begun before the deadline", context.Cause(ctx))
	}
	return e.deliver(ctx, m)
}

// open is how many messages are not done yet.
func (e *effort) open() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.messages) - e.ended
}

func (e *effort) failed() []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []error
	for _, err := range e.errs {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}
