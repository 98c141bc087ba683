package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// Counts are what a source has seen since it was made.
type Counts struct {
	// Received counts the messages handed to the flow, once for each time.
	// Every one ends as one of the others.
	Received int64
	// Done were worked on, and acknowledged if their QoS is not 0.
	Done int64
	// Failed are those to be worked on again, and those of QoS 0 that are lost.
	Failed int64
	// DeadLettered failed for good and were published to the dead-letter topic.
	DeadLettered int64
	// Dropped failed for good and are gone.
	Dropped int64
}

type counters struct{ received, done, failed, deadLettered, dropped atomic.Int64 }

// source is a mqtt.in in a flow.
type source struct {
	*In
	filters    []string
	deadLetter string
	client     *client.Client
	publisher  *client.Client // for dead letters; nil without
	log        *slog.Logger
	counts     counters

	connections *Connections
	session     session
}

var (
	_ engine.Source = (*source)(nil)
	_ engine.Closer = (*source)(nil)
)

func newSource(c *In, d engine.Deps) (_ *source, err error) {
	s := &source{In: c, log: d.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("flow", d.Flow, "source", d.Node)
	if s.connections, err = engine.Service[*Connections](d); err != nil {
		return nil, err
	}
	if err := s.resolve(); err != nil {
		return nil, err
	}
	if s.deadLetter != "" {
		if s.publisher, err = publisher(d, c.Broker); err != nil {
			return nil, err
		}
	}
	cfg, err := configFor(d, c.Broker)
	if err != nil {
		return nil, err
	}
	cfg.SessionID, cfg.Will, cfg.Log = c.Session, nil, s.log
	cfg.Subscribed = func(filters []string) { s.log.Info("subscribed", "broker", c.Broker.Name, "topic", filters) }
	if s.client, err = client.New(cfg); err != nil {
		return nil, fmt.Errorf("the broker %q: %w", c.Broker.Name, err)
	}
	if c.Session != "" {
		s.session = session{cfg.URL, c.Session}
		if err := s.connections.claim(s.session, d.Flow+"."+d.Node); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// resolve evaluates what may read env.
func (s *source) resolve() (err error) {
	env := atStart()
	s.filters = make([]string, len(s.Topic))
	for i := range s.Topic {
		if s.filters[i], err = s.text(&s.Topic[i], env, client.ValidateFilter); err != nil {
			return err
		}
	}
	if !s.DeadLetter.Given() {
		return nil
	}
	if s.deadLetter, err = s.text(&s.DeadLetter, env, client.ValidateTopic); err != nil {
		return err
	}
	for _, filter := range s.filters {
		if matches(unshared(filter), s.deadLetter) {
			return errors.New(loop(filter, s.deadLetter))
		}
	}
	return nil
}

func (s *source) text(v *expr.Value[string], env *expr.Env, check func(string) error) (string, error) {
	text, err := v.Get(env)
	if err == nil {
		err = check(text)
	}
	return text, err
}

// Run receives until ctx ends. It comes back early only when the broker refuses
// the first connection or the subscription for good.
func (s *source) Run(ctx context.Context, deliver engine.Handler) error {
	work := engine.Work(ctx)
	return s.client.SubscribeAll(ctx, s.filters, byte(s.QoS), s.MaxInFlight, func(_ context.Context, m client.Message) error {
		return s.settle(work, deliver, m)
	})
}

// Close says goodbye and gives the session's name free; the broker keeps the
// session itself.
func (s *source) Close(ctx context.Context) error {
	if s.Session != "" {
		s.connections.release(s.session)
	}
	return s.client.Close(ctx)
}

// Counts are what the source has seen since it was made. It may be called at
// any time.
func (s *source) Counts() Counts {
	c := &s.counts
	return Counts{Received: c.received.Load(), Done: c.done.Load(), Failed: c.failed.Load(), DeadLettered: c.deadLettered.Load(), Dropped: c.dropped.Load()}
}

// settle runs the flow for a message. nil acknowledges it; after an error it
// stays with the client, which gives it again.
func (s *source) settle(ctx context.Context, deliver engine.Handler, arrived client.Message) error {
	s.counts.received.Add(1)
	m, err := s.message(arrived)
	if err == nil {
		err = deliver(ctx, m)
	}
	switch {
	case err == nil:
		s.counts.done.Add(1)
		return nil
	case engine.ClassOf(err) == engine.Permanent, s.exhausted(ctx, arrived):
		return s.giveUp(ctx, arrived, m, err)
	}
	s.counts.failed.Add(1)
	return err
}

// exhausted reports whether the message has had its attempts. One that was cut
// off as the app ends has not, and QoS 0 has no further ones in any case.
func (s *source) exhausted(ctx context.Context, arrived client.Message) bool {
	return s.MaxAttempts > 0 && arrived.Attempt >= s.MaxAttempts && arrived.QoS > 0 && ctx.Err() == nil
}

// giveUp is for a message that would fail again and again. m is nil for one that
// did not become a run.
func (s *source) giveUp(ctx context.Context, arrived client.Message, m *engine.Message, cause error) error {
	log := s.log
	if m != nil {
		log = log.With("run", m.ID, "correlation", m.Correlation)
	}
	log = log.With("topic", clipped(arrived.Topic), "bytes", len(arrived.Payload), "attempt", arrived.Attempt, "code", engine.CodeOf(cause), "error", cause.Error())
	if s.deadLetter == "" {
		log.ErrorContext(ctx, "a message failed for good and is dropped", "dropped", s.counts.dropped.Add(1))
		return nil
	}
	if err := s.publisher.Publish(ctx, s.deadLetter, 1, false, arrived.Payload); err != nil {
		s.counts.failed.Add(1)
		return fmt.Errorf("a message failed for good and could not be published to its dead-letter topic %q: %w", s.deadLetter, err)
	}
	log.ErrorContext(ctx, "a message failed for good and is a dead letter", "dead_letter", s.deadLetter, "dead_letters", s.counts.deadLettered.Add(1))
	return nil
}
