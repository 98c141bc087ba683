package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/lambda/secret"
	"github.com/flowctl-dev/flowctl/internal/redact"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const (
	// refetchPause is the least time between two fetches of the secrets for
	// the sake of a failure.
	refetchPause = 10 * time.Second
	refetchLimit = 5 * time.Second
	// leaveLimit is what the process gets between SIGTERM and SIGKILL, 500 ms,
	// less some time to be scheduled in. Runs get the first part of it.
	leaveLimit = 350 * time.Millisecond
	leaveRuns  = 200 * time.Millisecond
	// retireLimit bounds the goodbye of a generation that was replaced.
	retireLimit = 500 * time.Millisecond
)

// options are what a process is started with.
type options struct {
	environ []string // KEY=VALUE
	log     *slog.Logger
	secrets *redact.Secrets
	// clients are the process's own if nil, now is time.Now.
	clients *awsclient.Clients
	now     func() time.Time
}

// process is the flow in this process, as Lambda calls it. It is a Handler of
// aws-lambda-go and safe for concurrent use.
type process struct {
	settings *environment
	store    *secret.Store
	clients  *awsclient.Clients
	log      *slog.Logger
	secrets  *redact.Secrets
	now      func() time.Time
	warm     atomic.Bool
	// suspect says that a secret may have been replaced since it was fetched.
	suspect atomic.Bool
	// fetching is held, as its one place is taken, while secrets are fetched
	// again; fetched is when that was last done, values what was found.
	fetching chan struct{}
	fetched  time.Time
	values   map[string]string

	mu      sync.Mutex
	current *generation
}

// start fetches the secrets, loads the app and builds the flow. An error of the
// files is flows.Diagnostics.
func start(ctx context.Context, o options) (*process, error) {
	p := &process{settings: newEnvironment(o.environ), clients: o.clients, log: o.log, secrets: o.secrets, now: o.now, fetching: make(chan struct{}, 1)}
	if p.clients == nil {
		p.clients = awsclient.New(awsclient.Options{LoadConfig: lambda.Account(p.settings.get)})
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.store = secret.New(p.clients, p.settings.get)
	values, err := p.store.Fetch(ctx, p.settings.references)
	if err != nil {
		return nil, err
	}
	p.values = values
	p.hide(values)
	if p.current, err = p.build(values); err != nil {
		return nil, err
	}
	p.log.Info("the function is ready", "flow", p.current.flow, "function", p.settings.get("AWS_LAMBDA_FUNCTION_NAME"),
		"version", p.settings.get("AWS_LAMBDA_FUNCTION_VERSION"))
	return p, nil
}

func (p *process) hide(values map[string]string) {
	for _, v := range values {
		p.secrets.Hide(v)
	}
}

// Invoke runs the flow on an event.
func (p *process) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if !p.warm.Swap(true) {
		ctx = lambda.ColdStart(ctx)
	}
	if p.suspect.Load() {
		p.renew(ctx)
	}
	g := p.enter()
	defer p.exit(g)
	reply, err := g.function.Invoke(ctx, payload)
	if err == nil {
		return reply, nil
	}
	told := messages.InvokeResponse_Error{Type: "error", Message: p.secrets.Text(err.Error())}
	var e *lambda.Error
	if errors.As(err, &e) {
		told.Type = e.Code
	}
	return nil, told
}

// Record notes that a node was refused, which a secret that was replaced
// explains: also where the flow catches the failure, and where the other
// messages of a batch do not fail.
func (p *process) Record(s engine.Step) {
	if s.Err != nil && refusedCredentials(engine.CodeOf(s.Err)) {
		p.suspect.Store(true)
	}
}

// refusedCredentials reports whether a code is that of a service that does not
// accept who asks: "refused" of MQTT brokers, "access_denied" of AWS.
func refusedCredentials(code string) bool { return code == "refused" || code == "access_denied" }

// renew fetches the secrets again and, if one has changed, replaces the
// function by one that knows it. Invocations that come meanwhile wait for it.
// What does not work leaves all as it was.
func (p *process) renew(ctx context.Context) {
	select {
	case p.fetching <- struct{}{}:
		defer func() { <-p.fetching }()
	case <-ctx.Done():
		return
	}
	now := p.now().Round(0)
	if !p.suspect.Load() || !p.fetched.IsZero() && now.Sub(p.fetched) < refetchPause {
		return
	}
	p.fetched = now
	limit := refetchLimit
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/3)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	values, err := p.store.Fetch(limited, p.settings.references)
	if err != nil {
		p.log.WarnContext(ctx, "a service refused the function's credentials, and the secrets could not be fetched again; going on with those at hand", "error", err.Error())
		return
	}
	// Only now or when the new function is in place: who comes before waits.
	defer p.suspect.Store(false)
	if maps.Equal(values, p.values) {
		return
	}
	p.hide(values)
	next, err := p.build(values)
	if err != nil {
		p.log.ErrorContext(ctx, "the function cannot be built with the secrets as they are now; going on with those before", "error", err.Error())
		return
	}
	p.log.InfoContext(ctx, "secrets were replaced; the function goes on with the new ones", "settings", changed(p.values, values))
	p.values = values
	p.replace(next)
}

// changed names the settings that differ, sorted.
func changed(before, after map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(after)), func(name string) bool { return before[name] == after[name] })
}

// leave says goodbye to brokers, after runs under way had a moment to end.
func (p *process) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveLimit)
	defer cancel()
	p.mu.Lock()
	g := p.current
	idle := g.retire()
	p.mu.Unlock()
	wait := time.NewTimer(leaveRuns)
	defer wait.Stop()
	select {
	case <-idle:
	case <-wait.C:
	}
	if err := g.brokers.Close(ctx); err != nil {
		p.log.Warn("a connection was not closed in order", "error", err.Error())
	}
}

// connects reports whether the flow holds connections that end with a goodbye.
func (p *process) connects() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.connects
}
