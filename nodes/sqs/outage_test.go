package sqs

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

var (
	errDown   = engine.Fail(engine.Retryable, "down", "the broker is down", nil)
	errPoison = engine.Fail(engine.Permanent, "poison", "the message is bad", nil)
)

func testOutage() *outage {
	return newOutage(systemClock{time.Now()}, slog.New(slog.DiscardHandler))
}

func TestMessagesAreReceivedAsUsualWhileSomeGetThrough(t *testing.T) {
	o := testOutage()
	for range 100 {
		for range outageAfter - 1 {
			o.settled(errDown)
		}
		o.settled(nil)
		o.settled(errPoison)
	}
	for range 50 {
		o.settled(errPoison)
	}
	if n := o.admit(t.Context(), 10); n != 10 {
		t.Errorf("%d may be received, want 10", n)
	}
}

func TestInAnOutageOneMessageAtATimeIsReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOutage()
		for range outageAfter {
			o.settled(errDown)
		}
		start := time.Now()
		if n := o.admit(t.Context(), 10); n != 1 || time.Since(start) < probeBase/2 {
			t.Fatalf("%d may be received after %v, want 1 after a pause", n, time.Since(start))
		}
		admitted := make(chan int, 1)
		go func() { admitted <- o.admit(t.Context(), 10) }()
		o.settled(errDown) // the probe
		o.settled(errDown) // one that was received before the outage
		start = time.Now()
		if n := <-admitted; n != 1 || time.Since(start) < probeBase {
			t.Errorf("%d may be received %v after a probe has failed, want 1 after a longer pause", n, time.Since(start))
		}
		go func() { admitted <- o.admit(t.Context(), 10) }()
		synctest.Wait()
		o.idle() // the queue was empty: the next may probe at once
		start = time.Now()
		if n := <-admitted; n != 1 || time.Since(start) != 0 {
			t.Errorf("%d may be received %v after a probe without a message, want 1 at once", n, time.Since(start))
		}
		go func() { admitted <- o.admit(t.Context(), 10) }()
		synctest.Wait()
		o.settled(nil)
		if n := <-admitted; n != 10 {
			t.Errorf("%d may be received after a probe has got through, want 10", n)
		}
	})
}

func TestAStopEndsTheWaitOfAnOutage(t *testing.T) {
	o := testOutage()
	for range outageAfter {
		o.settled(errDown)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := o.admit(ctx, 10); n != 0 {
		t.Errorf("%d may be received after the stop", n)
	}
}
