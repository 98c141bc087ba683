package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	nethttp "net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/internal/lambda/event"
	"github.com/flowctl-dev/flowctl/nodes/events"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// Options are what a Function is made of. Log may be nil, which discards.
type Options struct {
	// Plan is the flow as it was loaded, Flow the same flow as it was built.
	Plan *engine.FlowPlan
	Flow *engine.Flow
	// Server serves the flow's routes; nil where it has none.
	Server *http.Server
	// Addresses are where the resources are, by name, as awsclient.Addresses
	// has them. A source takes no event of a queue, topic or bucket other than
	// its own as far as its address is known.
	Addresses map[string]string
	Log       *slog.Logger
	// Settled, if it is set, is told of each run that ended and of its source,
	// by any goroutine: before the reply is made of those that are in time.
	Settled func(source string, m *engine.Message, err error)
}

// Function is a flow that AWS Lambda can call. It is safe for concurrent use.
type Function struct {
	flow     string
	sources  []*source
	server   nethttp.Handler
	parallel int
	log      *slog.Logger
	ends     []func()
}

// source is a source of the flow that can be called.
type source struct {
	name    string
	trigger engine.Trigger
	// queue is set for sqs.in, invoked for what takes its events itself, and
	// neither for http.in.
	queue   *sqs.In
	invoked engine.Invoked
	deliver engine.Handler
	// address is where the trigger's resource is, "" where that is not known.
	address string
}

// New makes a function of a flow and opens its sources. The error says that
// none of them can be called by Lambda.
func New(o Options) (*Function, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Function{flow: o.Plan.Name, parallel: o.Plan.Concurrency, log: o.Log}
	var mute []string
	for _, n := range o.Plan.Nodes {
		if !n.Kind.IsSource() {
			continue
		}
		s, err := f.source(n, o)
		if err != nil {
			return nil, errors.Join(err, f.Close(context.Background()))
		}
		if s == nil {
			mute = append(mute, fmt.Sprintf("%s (%s)", n.Name, n.Kind.Type))
			continue
		}
		f.sources = append(f.sources, s)
	}
	if len(f.sources) == 0 {
		return nil, fmt.Errorf("AWS Lambda cannot call the flow %s: its sources, %s, take messages only while a program runs all the time; run it with `flowctl run`", f.flow, strings.Join(mute, ", "))
	}
	if o.Server != nil {
		o.Server.SetReady(true) // for GET /readyz, which a load balancer's health check may be
	}
	if len(mute) > 0 {
		o.Log.Warn("AWS Lambda brings nothing to some sources of the flow", "flow", f.flow, "sources", mute)
	}
	return f, nil
}

// source makes the source of a node, nil if Lambda cannot call it.
func (f *Function) source(n *engine.NodePlan, o Options) (*source, error) {
	s := &source{name: n.Name, trigger: n.Kind.Trigger(n.Config)}
	if s.trigger == nil {
		return nil, nil
	}
	handler, err := o.Flow.Handler(n.Name)
	if err != nil {
		return nil, err
	}
	s.deliver = f.guarded(handler)
	if o.Settled != nil {
		s.deliver = told(n.Name, s.deliver, o.Settled)
	}
	if s.address, err = addressOf(n.Config, o.Addresses[resourceOf(s.trigger)]); err != nil {
		return nil, fmt.Errorf("flow %s, source %s: %w", f.flow, n.Name, err)
	}
	switch in := o.Flow.Source(n.Name).(type) {
	case *http.Source:
		if o.Server == nil {
			return nil, fmt.Errorf("flow %s, source %s: there is no server for its route", f.flow, n.Name)
		}
		f.server = o.Server
		f.ends = append(f.ends, in.Open(s.deliver, (*nethttp.Request).Context))
	case engine.Invoked:
		s.invoked = in
	default:
		queue, ok := n.Config.(*sqs.In)
		if !ok {
			return nil, fmt.Errorf("flow %s, source %s: this program cannot hand events to a source of the type %s", f.flow, n.Name, n.Kind.Type)
		}
		s.queue = queue
	}
	return s, nil
}

// addressOf is where a source's resource is: what the file says goes before
// what the process was given.
func addressOf(config any, given string) (string, error) {
	var resource interface{ Outside() (string, error) }
	switch c := config.(type) {
	case *sqs.In:
		resource = c.Queue.Resource
	case *events.SNSIn:
		resource = c.Topic.Resource
	case *events.S3In:
		resource = c.Bucket.Resource
	default:
		return given, nil
	}
	outside, err := resource.Outside()
	if outside == "" {
		outside = given
	}
	return outside, err
}

// resourceOf names the resource that a trigger is about, "" if there is none.
func resourceOf(t engine.Trigger) string {
	switch t := t.(type) {
	case engine.QueueTrigger:
		return t.Resource
	case engine.TopicTrigger:
		return t.Resource
	case engine.BucketTrigger:
		return t.Resource
	}
	return ""
}

// guarded delivers and makes an error of a panic that comes through: one run
// must not end the others in the process.
func (f *Function) guarded(deliver engine.Handler) engine.Handler {
	return func(ctx context.Context, m *engine.Message) (err error) {
		defer func() {
			if r := recover(); r != nil {
				f.log.ErrorContext(ctx, "a run panicked; it fails, the function goes on", append(m.LogAttrs(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))...)
				err = engine.Fail(engine.Permanent, "panic", "the run panicked", nil)
			}
		}()
		meet(ctx, m)
		return deliver(ctx, m)
	}
}

func told(source string, deliver engine.Handler, settled func(string, *engine.Message, error)) engine.Handler {
	return func(ctx context.Context, m *engine.Message) error {
		err := deliver(ctx, m)
		settled(source, m, err)
		return err
	}
}

// Invoke hands an event to the source that it is for and returns the reply when
// all runs are done, or gives up those that are not in time for the deadline of
// ctx: what it then says of them is that they failed. It keeps no byte of the
// payload. The error is an *Error.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	reply, err := f.invoke(ctx, payload)
	if err == nil && len(reply) > event.MaxReply {
		err = fail(CodeReplyTooLarge, "the reply of the flow %s has %d bytes, and AWS Lambda passes on %d", f.flow, len(reply), event.MaxReply)
	}
	if err != nil {
		e := failureOf(err)
		f.log.ErrorContext(ctx, "the invocation failed", "flow", f.flow, "code", e.Code, "error", e.Message)
		return nil, e
	}
	return reply, nil
}

func (f *Function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	l := limitsOf(ctx)
	work, cancel := l.context(ctx)
	defer cancel()
	kind := event.Detect(payload)
	switch {
	case kind.HTTP() && f.server != nil:
		return f.serve(work, l, kind, payload)
	case kind == event.SQS && f.has(isQueue):
		return f.takeBatch(work, l, payload)
	}
	return f.takeEvent(work, l, kind, payload)
}

// Close refuses further requests and waits for those under way until ctx ends,
// which is the error then.
func (f *Function) Close(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var wg sync.WaitGroup
		for _, end := range f.ends {
			wg.Go(end)
		}
		wg.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("some requests of the flow %s did not end: %w", f.flow, context.Cause(ctx))
	}
}
