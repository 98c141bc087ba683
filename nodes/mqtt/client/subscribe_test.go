package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// push sends a message to the subscriber.
func (c *brokerConn) push(id uint16, qos byte, dup bool, payload string) {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Dup, p.Payload = "a/b", qos, id, dup, []byte(payload)
	c.write(p)
}

// subscribed plays CONNECT and SUBSCRIBE.
func (c *brokerConn) subscribed() *packets.ConnectPacket {
	connect := c.accept(packets.Accepted)
	sub, ok := c.read().(*packets.SubscribePacket)
	if !ok {
		return connect
	}
	ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	ack.MessageID, ack.ReturnCodes = sub.MessageID, sub.Qoss
	c.write(ack)
	return connect
}

// awaitPuback reads until a PUBACK comes; 0 means that the connection ended first.
func (c *brokerConn) awaitPuback() uint16 {
	for {
		switch p := c.read().(type) {
		case nil:
			return 0
		case *packets.PubackPacket:
			return p.MessageID
		}
	}
}

// subscribe runs Subscribe until the test ends and gives its result.
func subscribe(t *testing.T, c *Client, qos byte, maxInFlight int, handle Handler) (stop context.CancelFunc, result <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		done <- c.Subscribe(ctx, "a/#", qos, maxInFlight, handle)
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, "end of Subscribe", returned)
	})
	return cancel, done
}

func TestMessageIsAcknowledgedOnlyAfterItsHandlerSucceeded(t *testing.T) {
	handled := make(chan struct{})
	acked := make(chan bool, 1)
	var finished atomic.Bool
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		c.push(7, 1, false, "x")
		acked <- c.awaitPuback() == 7 && finished.Load()
		c.serve(nil)
	})
	got := make(chan Message, 1)
	subscribe(t, newClient(t, b.url), 1, 1, func(_ context.Context, m Message) error {
		got <- m
		<-handled
		finished.Store(true)
		return nil
	})
	m := receive(t, "message", got)
	if m.Topic != "a/b" || string(m.Payload) != "x" || m.QoS != 1 {
		t.Errorf("got %+v", m)
	}
	close(handled)
	if !receive(t, "PUBACK", acked) {
		t.Error("no PUBACK, or before the handler had returned")
	}
}

func TestFailedMessageIsGivenToItsHandlerAgainAndThenAcknowledged(t *testing.T) {
	acked := make(chan uint16, 1)
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		c.push(7, 1, false, "x")
		acked <- c.awaitPuback()
		c.serve(nil)
	})
	var calls atomic.Int32
	subscribe(t, newClient(t, b.url), 1, 1, func(context.Context, Message) error {
		if calls.Add(1) == 1 {
			return errors.New("not now")
		}
		return nil
	})
	if id := receive(t, "PUBACK", acked); id != 7 || calls.Load() != 2 {
		t.Errorf("PUBACK %d after %d calls, want 7 after 2", id, calls.Load())
	}
	if n := b.connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestMessageSentAgainWhileItIsHandledIsNotHandledTwice(t *testing.T) {
	release := make(chan struct{})
	acks := make(chan uint16, 2)
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		c.push(1, 1, false, "first")
		c.push(1, 1, true, "first")
		c.push(2, 1, false, "second")
		acks <- c.awaitPuback()
		acks <- c.awaitPuback()
		c.serve(nil)
	})
	got := make(chan string, 10)
	subscribe(t, newClient(t, b.url), 1, 2, func(_ context.Context, m Message) error {
		got <- string(m.Payload)
		<-release
		return nil
	})
	// The first handler holds its message until the second message shows that the repetition was read.
	seen := map[string]bool{receive(t, "message", got): true, receive(t, "message", got): true}
	close(release)
	if !seen["first"] || !seen["second"] {
		t.Errorf("handled %v", seen)
	}
	if a, b := receive(t, "PUBACK", acks), receive(t, "PUBACK", acks); a+b != 3 || a == b {
		t.Errorf("acknowledged %d and %d, want 1 and 2", a, b)
	}
}

func TestNoMoreThanTheAllowedMessagesAreHandledAtOnce(t *testing.T) {
	const most, messages = 3, 30
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		for i := range messages {
			c.push(uint16(i+1), 1, false, "x")
		}
		c.serve(nil)
	})
	var running, peak, total atomic.Int32
	done := make(chan struct{})
	subscribe(t, newClient(t, b.url), 1, most, func(context.Context, Message) error {
		n := running.Add(1)
		defer running.Add(-1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		if total.Add(1) == messages {
			close(done)
		}
		return nil
	})
	receive(t, "end", done)
	if p := peak.Load(); p > most {
		t.Errorf("%d at once, want at most %d", p, most)
	}
}

func TestOneInFlightKeepsTheOrder(t *testing.T) {
	const messages = 100
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		for i := range messages {
			c.push(uint16(i+1), 1, false, fmt.Sprint(i))
		}
		c.serve(nil)
	})
	got := make(chan string, messages)
	subscribe(t, newClient(t, b.url), 1, 1, func(_ context.Context, m Message) error {
		got <- string(m.Payload)
		return nil
	})
	for i := range messages {
		if m := receive(t, "message", got); m != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m)
		}
	}
}

func TestPersistentSessionComesBackUnderItsNameAndIsNotSubscribedTwice(t *testing.T) {
	second := make(chan packets.ControlPacket, 1)
	connects := make(chan *packets.ConnectPacket, 2)
	b := script(t, func(c *brokerConn) {
		if c.number == 0 {
			connects <- c.subscribed()
			c.push(1, 1, false, "x")
			c.awaitPuback()
			return
		}
		connect, ok := c.read().(*packets.ConnectPacket)
		if !ok {
			return
		}
		connects <- connect
		ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
		ack.SessionPresent = true
		c.write(ack)
		c.push(1, 1, true, "again")
		second <- c.read()
		c.serve(nil)
	})
	got := make(chan Message, 2)
	c := newClient(t, b.url, func(cfg *Config) { cfg.SessionID = "worker-1" })
	subscribe(t, c, 1, 1, func(_ context.Context, m Message) error { got <- m; return nil })
	receive(t, "message", got)
	for range 2 {
		if p := receive(t, "CONNECT", connects); p.ClientIdentifier != "worker-1" || p.CleanSession {
			t.Errorf("CONNECT %v", p)
		}
	}
	if m := receive(t, "message", got); string(m.Payload) != "again" || !m.Duplicate {
		t.Errorf("got %+v", m)
	}
	if p, ok := receive(t, "packet", second).(*packets.PubackPacket); !ok {
		t.Errorf("got %v after the session was resumed, want PUBACK", p)
	}
}

// TestSessionLeftWithoutASubscriptionIsSubscribed loses the broker's sessions, and the connection again before the new
// one has its subscription: the next connection finds a session there, with nothing in it.
func TestSessionLeftWithoutASubscriptionIsSubscribed(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		switch c.number {
		case 0: // all is well, then the broker goes
			c.subscribed()
			c.push(1, 1, false, "before")
			c.awaitPuback()
		case 1: // it is back, has forgotten the session, and goes before it reads the subscription
			c.accept(packets.Accepted)
		default: // it has the session of the connection before
			if _, ok := c.read().(*packets.ConnectPacket); !ok {
				return
			}
			ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
			ack.SessionPresent = true
			c.write(ack)
			sub, ok := c.read().(*packets.SubscribePacket)
			if !ok {
				return
			}
			suback := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			suback.MessageID, suback.ReturnCodes = sub.MessageID, sub.Qoss
			c.write(suback)
			c.push(1, 1, false, "after")
			c.serve(nil)
		}
	})
	got := make(chan string, 2)
	c := newClient(t, b.url, func(cfg *Config) { cfg.SessionID = "worker-1" })
	subscribe(t, c, 1, 1, func(_ context.Context, m Message) error { got <- string(m.Payload); return nil })
	for _, want := range []string{"before", "after"} {
		if m := receive(t, "message", got); m != want {
			t.Errorf("got %q, want %q", m, want)
		}
	}
}

func TestSessionNameServesOneSubscribeAtATime(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		c.serve(nil)
	})
	ready := make(chan struct{}, 1)
	c := newClient(t, b.url, func(cfg *Config) {
		cfg.SessionID = "worker-1"
		cfg.Subscribed = func([]string) { ready <- struct{}{} }
	})
	subscribe(t, c, 1, 1, func(context.Context, Message) error { return nil })
	receive(t, "subscription", ready)
	err := c.Subscribe(t.Context(), "a", 1, 1, func(context.Context, Message) error { return nil })
	wantRetryable(t, err, false)
}

func TestRefusedSubscriptionEndsSubscribe(t *testing.T) {
	for name, play := range map[string]func(c *brokerConn){
		"in SUBACK": func(c *brokerConn) {
			c.accept(packets.Accepted)
			sub, ok := c.read().(*packets.SubscribePacket)
			if !ok {
				return
			}
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = sub.MessageID, []byte{0x80}
			c.write(ack)
			c.serve(nil)
		},
		"in CONNACK": func(c *brokerConn) { c.accept(packets.ErrRefusedBadUsernameOrPassword) },
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, play)
			_, result := subscribe(t, newClient(t, b.url), 1, 1, func(context.Context, Message) error { return nil })
			wantRetryable(t, receive(t, "result", result), false)
		})
	}
}

func TestEndOfContextLetsTheHandlerFinishAndAcknowledge(t *testing.T) {
	started, finish := make(chan struct{}), make(chan struct{})
	last := make(chan packets.ControlPacket, 2)
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		c.push(1, 1, false, "x")
		c.push(2, 1, false, "never handled")
		last <- c.read()
		last <- c.read()
	})
	var handled atomic.Int32
	stop, result := subscribe(t, newClient(t, b.url), 1, 1, func(ctx context.Context, _ Message) error {
		handled.Add(1)
		close(started)
		<-finish
		return ctx.Err()
	})
	receive(t, "message", started)
	stop()
	close(finish)
	if err := receive(t, "result", result); err != nil {
		t.Error(err)
	}
	if p, ok := receive(t, "packet", last).(*packets.PubackPacket); !ok || p.MessageID != 1 {
		t.Errorf("got %v, want the PUBACK of message 1", p)
	}
	if p, ok := receive(t, "packet", last).(*packets.DisconnectPacket); !ok {
		t.Errorf("got %v, want DISCONNECT", p)
	}
	if n := handled.Load(); n != 1 {
		t.Errorf("%d messages were handled after the end, want none", n-1)
	}
}

func TestMessagesThatTheEndComesBeforeAreTold(t *testing.T) {
	for session, want := range map[string]string{
		"":         `level=WARN msg="mqtt messages were not handled before the end and are lost; a session would keep them" messages=2`,
		"worker-1": `level=INFO msg="mqtt messages were not handled before the end; the broker keeps them in the session" messages=2`,
	} {
		b := script(t, func(c *brokerConn) {
			c.subscribed()
			c.push(1, 1, false, "x")
			c.push(2, 1, false, "y")
			c.serve(nil)
		})
		var log bytes.Buffer
		c := newClient(t, b.url, func(cfg *Config) {
			cfg.SessionID = session
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		came := make(chan struct{}, 2)
		stop, result := subscribe(t, c, 1, 2, func(_ context.Context, m Message) error {
			if m.Attempt == 1 {
				came <- struct{}{}
			}
			return errors.New("not now")
		})
		receive(t, "message", came)
		receive(t, "message", came)
		stop()
		if err := receive(t, "result", result); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), want) {
			t.Errorf("logged %s\nwant   %s", log.String(), want)
		}
	}
}

func TestCloseInterruptsHandlersWhenItsContextEnds(t *testing.T) {
	started := make(chan struct{})
	b := script(t, func(c *brokerConn) {
		c.subscribed()
		c.push(1, 1, false, "x")
		c.serve(nil)
	})
	c := newClient(t, b.url)
	_, result := subscribe(t, c, 1, 1, func(ctx context.Context, _ Message) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	receive(t, "message", started)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Close(ctx); err == nil {
		t.Error("Close does not tell that it cut a handler short")
	}
	if err := receive(t, "result", result); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestInboxDropsBestEffortMessagesBeyondItsLimitOnly(t *testing.T) {
	b := newInbox()
	for i := range maxQueuedQoS0 {
		if dropped := b.put(&arrival{}); dropped != 0 {
			t.Fatalf("message %d was dropped", i)
		}
	}
	for want := 1; want <= 3; want++ {
		if got := b.put(&arrival{}); got != want {
			t.Errorf("dropped %d, want %d", got, want)
		}
	}
	if got := b.put(&arrival{message: Message{QoS: 1}}); got != 0 {
		t.Error("a message of QoS 1 was dropped")
	}
	if got := b.left(); got != 1 {
		t.Errorf("%d messages of QoS 1 and 2 are left, want 1", got)
	}
	b.take()
	if got := b.put(&arrival{}); got != 0 {
		t.Error("a message was dropped although there was room")
	}
}

func TestSubscriberIsBackAfterTheBrokerWasAway(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		if c.number == 1 || c.number == 2 {
			return
		}
		c.subscribed()
		c.push(1, 1, false, fmt.Sprint(c.number))
		c.awaitPuback()
		if c.number == 3 {
			c.serve(nil)
		}
	})
	got := make(chan string, 2)
	subscribe(t, newClient(t, b.url), 1, 1, func(_ context.Context, m Message) error {
		got <- string(m.Payload)
		return nil
	})
	for _, want := range []string{"0", "3"} {
		if m := receive(t, "message", got); m != want {
			t.Errorf("got the message of connection %s, want %s", m, want)
		}
	}
}

func TestImpossibleSubscriptionsAreRefusedAtOnce(t *testing.T) {
	c := newClient(t, "mqtt://127.0.0.1:1")
	nothing := func(context.Context, Message) error { return nil }
	for name, call := range map[string]func() error{
		"filter":      func() error { return c.Subscribe(t.Context(), "a/#/b", 1, 1, nothing) },
		"no filter":   func() error { return c.SubscribeAll(t.Context(), nil, 1, 1, nothing) },
		"QoS":         func() error { return c.Subscribe(t.Context(), "a", 3, 1, nothing) },
		"no messages": func() error { return c.Subscribe(t.Context(), "a", 1, 0, nothing) },
	} {
		t.Run(name, func(t *testing.T) { wantRetryable(t, call(), false) })
	}
}

func TestBackoffGrowsToItsLimitAndNeverVanishes(t *testing.T) {
	for failures := range 100 {
		d := backoff(failures, 100*time.Millisecond, 30*time.Second)
		most := 30 * time.Second
		if failures < 9 {
			most = 100 * time.Millisecond << failures
		}
		if d < most/2 || d > most {
			t.Errorf("after %d failures %s, want %s to %s", failures, d, most/2, most)
		}
	}
}
