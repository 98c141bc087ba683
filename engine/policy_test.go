package engine_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

func TestAPermanentErrorStaysOneThoughTheTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		app, _ := build(t, engine.Options{}, engine.FlowPlan{}, node{name: "a", timeout: time.Second, retry: engine.Retry{Attempts: 3},
			do: func(ctx context.Context, _ *engine.Message) (engine.Port, error) {
				tries++
				<-ctx.Done()
				return 0, errBroken
			}})
		_, err := handle(t, app, t.Context())
		if tries != 1 || engine.ClassOf(err) != engine.Permanent || engine.CodeOf(err) != "broken" {
			t.Errorf("%d tries, %s %s, %v; want the permanent error at once", tries, engine.ClassOf(err), engine.CodeOf(err), err)
		}
		var e *engine.Error
		if !errors.As(err, &e) || e.Node != "a" {
			t.Errorf("the error does not say where: %v", err)
		}
	})
}

func TestBackoffIsBetweenHalfAndAllOfADoublingPause(t *testing.T) {
	const base, most = 100 * time.Millisecond, 10 * time.Second
	for _, tt := range []struct {
		n    int
		want time.Duration
	}{
		{math.MinInt, base}, {-1, base}, {0, base}, {1, base}, {2, 2 * base}, {7, 64 * base}, {8, most}, {33, most}, {math.MaxInt, most},
	} {
		for range 100 {
			if d := engine.Backoff(tt.n, base, most); d < tt.want/2 || d > tt.want {
				t.Errorf("Backoff(%d) = %s; want between %s and %s", tt.n, d, tt.want/2, tt.want)
			}
		}
	}
	for _, d := range []time.Duration{0, 1} {
		if got := engine.Backoff(3, d, d); got != d {
			t.Errorf("Backoff(3, %d, %d) = %d", d, d, got)
		}
	}
}
