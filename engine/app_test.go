package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
)

type sourceFunc func(ctx context.Context) error

func (f sourceFunc) Run(ctx context.Context, _ engine.Handler) error { return f(ctx) }

func appOf(t *testing.T, o engine.Options, sources ...sourceFunc) *engine.App {
	t.Helper()
	p := &engine.Plan{}
	for i, s := range sources {
		kind := engine.Define(engine.Spec[struct{}]{Type: "test", Source: func(*struct{}, engine.Deps) (engine.Source, error) { return s, nil }})
		p.Flows = append(p.Flows, &engine.FlowPlan{Name: fmt.Sprintf("f%d", i), Nodes: []*engine.NodePlan{{Name: "s", Kind: kind, Config: &struct{}{}}}})
	}
	app, err := engine.Build(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func TestNoGraceIsNotAFailureWhenAllSourcesHaveEnded(t *testing.T) {
	for range 200 {
		app := appOf(t, engine.Options{}, func(context.Context) error { return nil })
		if err := app.Run(t.Context()); err != nil {
			t.Fatalf("Run = %v; want nil, nothing was cut off", err)
		}
	}
}

func TestASourceThatFailsWhileStoppingIsLogged(t *testing.T) {
	var log strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	app := appOf(t, engine.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Grace: 1 << 40},
		func(ctx context.Context) error { <-ctx.Done(); return errDown },
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		func(context.Context) error { cancel(); return nil })
	if err := app.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `flow=f0 source=s error="it is down"`) {
		t.Errorf("the log says %q; want the failure of f0 only", text)
	}
}

// A node that says more about a failure than the client below it must be heard.
func TestWhatIsWrappedAroundAnErrorIsKept(t *testing.T) {
	wrapped := fmt.Errorf("item 3 of the batch: %w", errBroken)
	v := &visits{}
	app, _ := build(t, engine.Options{}, engine.FlowPlan{}, node{name: "a", do: v.fail("a", wrapped)})
	_, err := handle(t, app, t.Context())
	var e *engine.Error
	if !errors.As(err, &e) || e.Node != "a" || e.Code != "broken" || e.Class != engine.Permanent {
		t.Fatalf("the run failed with %#v; want the node, code and class of the failure", err)
	}
	if !strings.Contains(err.Error(), "item 3 of the batch") || !strings.Contains(err.Error(), "it is broken") {
		t.Errorf("the run failed with %q; want both texts", err)
	}
}
