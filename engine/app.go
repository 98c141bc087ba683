package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what an app is built and run with.
type Options struct {
	// Log takes one line per run at level info, with its way through the flow;
	// failures at warn and error. Nil discards.
	Log      *slog.Logger
	Services *Services
	// Recorder may be nil.
	Recorder Recorder
	// Grace is how long Run lets work under way go on after its context ended;
	// 0 is no time at all.
	Grace time.Duration
}

// App is a compiled app.
type App struct {
	name  string
	flows []*Flow
	o     Options
}

// ErrGrace reports work that was cut off because it did not end within the
// grace period. Its messages were not acknowledged.
var ErrGrace = errors.New("some work did not end within the grace period and was cut off; its messages are not acknowledged and will come again")

// Build makes the nodes and joins them up. Nothing runs yet.
func Build(p *Plan, o Options) (*App, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &App{name: p.Name, o: o}
	for _, fp := range p.Flows {
		f, err := compileFlow(fp, o, p)
		if err != nil {
			return nil, errors.Join(err, a.Close(context.Background()))
		}
		a.flows = append(a.flows, f)
	}
	return a, nil
}

// Flows are the app's flows, in the order of the file.
func (a *App) Flows() []*Flow { return a.flows }

// Flow finds a flow by name, nil if there is none.
func (a *App) Flow(name string) *Flow {
	for _, f := range a.flows {
		if f.name == name {
			return f
		}
	}
	return nil
}

// Run runs all sources until ctx ends or one fails. Work under way then has
// the grace period to end; what is cut off is reported as ErrGrace. A second
// call is a mistake.
func (a *App) Run(ctx context.Context) error {
	taking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var wg sync.WaitGroup
	var underWay atomic.Int64
	for _, f := range a.flows {
		for _, s := range f.sources {
			wg.Go(func() {
				err := runSource(WithWork(taking, work), s, counted(f.handler(s), &underWay))
				if err == nil {
					return
				}
				// Only the first failure is the answer of Run.
				if taking.Err() != nil && !errors.Is(err, taking.Err()) {
					a.o.Log.Error("a source failed while the app was stopping", "flow", f.name, "source", s.name, "error", err.Error())
				}
				stop(fmt.Errorf("flow %s, source %s: %w", f.name, s.name, err))
			})
		}
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-taking.Done():
	case <-ended: // every source came to an end of its own
	}
	grace := time.NewTimer(a.o.Grace)
	defer grace.Stop()
	var late error
	select {
	case <-ended:
	case <-grace.C:
		idle := underWay.Load() == 0
		cut(ErrGrace)
		late = awaitCut(ended, idle)
	}
	if ctx.Err() == nil && taking.Err() != nil {
		return errors.Join(context.Cause(taking), late)
	}
	return late
}

// farewell is how long sources without a message under way may take to end once
// the grace period is over, which is at once where there is none, before that
// counts as work that was cut off.
const farewell = 500 * time.Millisecond

// awaitCut waits for the sources to end after the work was cut off.
func awaitCut(ended <-chan struct{}, idle bool) error {
	if idle {
		t := time.NewTimer(farewell)
		defer t.Stop()
		select {
		case <-ended:
			return nil
		case <-t.C:
		}
	}
	<-ended
	return ErrGrace
}

// counted counts the messages that h has in hand.
func counted(h Handler, n *atomic.Int64) Handler {
	return func(ctx context.Context, m *Message) error {
		n.Add(1)
		defer n.Add(-1)
		return h(ctx, m)
	}
}

func runSource(ctx context.Context, s *step, deliver Handler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the source panicked: %v", r)
		}
	}()
	return s.source.Run(ctx, deliver)
}

// Close releases what nodes and sources hold. Call it after Run returned.
func (a *App) Close(ctx context.Context) error {
	var errs []error
	for _, f := range a.flows {
		errs = append(errs, f.close(ctx))
	}
	return errors.Join(errs...)
}
