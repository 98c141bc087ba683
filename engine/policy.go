package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// policy is the retry and timeout of a node's own work.
type policy struct {
	retry   Retry
	timeout time.Duration
}

const (
	defaultBackoff    = 200 * time.Millisecond
	defaultMaxBackoff = 20 * time.Second
)

func newPolicy(r Retry, timeout time.Duration) *policy {
	if r.Attempts <= 1 && timeout <= 0 {
		return nil
	}
	if r.Backoff <= 0 {
		r.Backoff = defaultBackoff
	}
	if r.MaxBackoff <= 0 {
		r.MaxBackoff = max(defaultMaxBackoff, r.Backoff)
	}
	return &policy{retry: r, timeout: timeout}
}

// do works until the node succeeds, fails for good or has used its attempts.
func (p *policy) do(ctx context.Context, m *Message, n Node) (port Port, tries int, err error) {
	for tries = 1; ; tries++ {
		port, err = p.once(ctx, m, n)
		if err == nil || tries >= p.retry.Attempts || ClassOf(err) == Permanent || ctx.Err() != nil {
			return port, tries, err
		}
		if !Pause(ctx, p.wait(tries)) {
			return port, tries, err
		}
	}
}

func (p *policy) once(ctx context.Context, m *Message, n Node) (Port, error) {
	if p.timeout <= 0 {
		return n.Do(ctx, m)
	}
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	port, err := n.Do(limited, m)
	// An error that is permanent of itself says more than that time was short.
	if err != nil && ClassOf(err) != Permanent && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return port, Fail(Retryable, "timeout", fmt.Sprintf("not done within %s", p.timeout), err)
	}
	return port, err
}

// wait is how long to pause after the given try.
func (p *policy) wait(tries int) time.Duration {
	return Backoff(tries, p.retry.Backoff, p.retry.MaxBackoff)
}

// Backoff is the pause after try number n of something, counted from 1: base,
// doubled for each further try up to most, of which between half and all is
// taken by chance. A count that nobody knows, 0, is the first.
func Backoff(n int, base, most time.Duration) time.Duration {
	n = max(n, 1)
	d := most
	if n < 32 && base < most>>(n-1) {
		d = base << (n - 1)
	}
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2+1)
}

// Pause waits for d, and reports whether it did so to the end: false means that ctx
// ended before.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
