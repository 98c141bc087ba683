package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestPublishSucceedsOnTheBrokersAcknowledgement(t *testing.T) {
	for qos := range byte(3) {
		t.Run(fmt.Sprintf("QoS%d", qos), func(t *testing.T) {
			got := make(chan *packets.PublishPacket, 1)
			b := script(t, func(c *brokerConn) {
				c.accept(packets.Accepted)
				c.serve(func(p *packets.PublishPacket) bool { got <- p; return true })
			})
			if err := newClient(t, b.url).Publish(t.Context(), "a/b", qos, true, []byte("hi")); err != nil {
				t.Fatal(err)
			}
			p := receive(t, "PUBLISH", got)
			if p.TopicName != "a/b" || p.Qos != qos || !p.Retain || string(p.Payload) != "hi" {
				t.Errorf("got %v", p)
			}
		})
	}
}

// The broker takes each message and breaks off before it acknowledges: not one of them may count as published.
func TestConnectionDroppedBetweenPublishAndAcknowledgementIsNeverSuccess(t *testing.T) {
	for qos := byte(1); qos <= 2; qos++ {
		t.Run(fmt.Sprintf("QoS%d", qos), func(t *testing.T) {
			var taken atomic.Int32
			b := script(t, func(c *brokerConn) {
				c.accept(packets.Accepted)
				c.serve(func(*packets.PublishPacket) bool { taken.Add(1); return false })
			})
			c := newClient(t, b.url)
			for range 5 {
				err := c.Publish(t.Context(), "a", qos, false, []byte("x"))
				if !errors.Is(err, ErrConnectionLost) {
					t.Fatalf("got %v, want ErrConnectionLost", err)
				}
				wantRetryable(t, err, true)
			}
			if got := taken.Load(); got != 5 {
				t.Errorf("the broker saw %d messages, want one for each call", got)
			}
		})
	}
}

func TestQoS2DroppedAfterPubrecIsNoSuccess(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		p, ok := c.read().(*packets.PublishPacket)
		if !ok {
			return
		}
		rec := packets.NewControlPacket(packets.Pubrec).(*packets.PubrecPacket)
		rec.MessageID = p.MessageID
		c.write(rec)
		c.read() // PUBREL
	})
	err := newClient(t, b.url).Publish(t.Context(), "a", 2, false, nil)
	if !errors.Is(err, ErrConnectionLost) {
		t.Errorf("got %v, want ErrConnectionLost", err)
	}
}

func TestOfManyMessagesInFlightOnlyTheAcknowledgedOnesSucceed(t *testing.T) {
	const messages = 200
	var acknowledged sync.Map
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		seen := 0
		c.serve(func(p *packets.PublishPacket) bool {
			if seen++; c.number == 0 && seen > messages/2 {
				return false // the first connection breaks in the middle
			}
			acknowledged.Store(string(p.Payload), true)
			return true
		})
	})
	c := newClient(t, b.url)
	var wg sync.WaitGroup
	var failed atomic.Int32
	for i := range messages {
		wg.Go(func() {
			payload := fmt.Sprint(i)
			switch err := c.Publish(t.Context(), "a", 1, false, []byte(payload)); {
			case errors.Is(err, ErrConnectionLost):
				failed.Add(1)
			case err != nil:
				t.Error(err)
			default:
				if _, ok := acknowledged.Load(payload); !ok {
					t.Errorf("message %s succeeded without an acknowledgement", payload)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() == 0 {
		t.Error("no call failed although the first connection broke")
	}
	if err := c.Publish(t.Context(), "a", 1, false, []byte("after")); err != nil {
		t.Errorf("after the break: %v", err)
	}
}

func TestSilentBrokerEndsThePublishAfterItsTimeout(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		for c.read() != nil { // reads everything, answers nothing
		}
	})
	c := newClient(t, b.url, func(cfg *Config) { cfg.PublishTimeout = 100 * time.Millisecond })
	err := c.Publish(t.Context(), "a", 1, false, nil)
	if !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v, want ErrTimeout", err)
	}
	wantRetryable(t, err, true)
}

// The broker's window is shut: what is written piles up in the kernel until no more goes in.
func TestHalfOpenConnectionEndsALargePublishAfterTheWriteTimeout(t *testing.T) {
	release := make(chan struct{})
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		<-release
	})
	defer close(release)
	c := newClient(t, b.url, func(cfg *Config) {
		cfg.WriteTimeout = 100 * time.Millisecond
		cfg.PublishTimeout = patience
	})
	for _, qos := range []byte{0, 1} {
		err := c.Publish(t.Context(), "a", qos, false, make([]byte, 16<<20))
		if !errors.Is(err, ErrConnectionLost) {
			t.Errorf("QoS %d: got %v, want ErrConnectionLost", qos, err)
		}
		wantRetryable(t, err, true)
	}
}

func TestSilentConnackEndsAfterOneConnectTimeout(t *testing.T) {
	release := make(chan struct{})
	b := script(t, func(*brokerConn) { <-release })
	defer close(release)
	c := newClient(t, b.url, func(cfg *Config) { cfg.ConnectTimeout = 100 * time.Millisecond })
	err := c.Publish(t.Context(), "a", 1, false, nil)
	if !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v, want ErrTimeout", err)
	}
	wantRetryable(t, err, true)
	if n := b.connections(); n != 1 {
		t.Errorf("%d connections, want 1: no second try with MQTT 3.1", n)
	}
}

func TestRefusedConnectIsClassified(t *testing.T) {
	for name, tt := range map[string]struct {
		code      byte
		retryable bool
	}{
		"protocol version": {packets.ErrRefusedBadProtocolVersion, false},
		"identifier":       {packets.ErrRefusedIDRejected, false},
		"unavailable":      {packets.ErrRefusedServerUnavailable, true},
		"bad password":     {packets.ErrRefusedBadUsernameOrPassword, false},
		"not authorised":   {packets.ErrRefusedNotAuthorised, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := script(t, func(c *brokerConn) { c.accept(tt.code) })
			url := strings.Replace(b.url, "mqtt://", "mqtt://ann:hunter2@", 1)
			err := newClient(t, url).Publish(t.Context(), "a", 1, false, nil)
			wantRetryable(t, err, tt.retryable)
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ann:") {
				t.Errorf("%v tells the password", err)
			}
		})
	}
}

func TestNothingListensIsRetryableAndNamesTheBroker(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	err = newClient(t, "mqtt://"+addr).Publish(t.Context(), "a", 1, false, nil)
	wantRetryable(t, err, true)
	if !strings.Contains(err.Error(), "mqtt://"+addr) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v does not say what is wrong", err)
	}
}

func TestTakeoverByAnotherClientFailsWhatIsInFlightAndReconnects(t *testing.T) {
	firstTaken := make(chan struct{})
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		if c.number == 0 {
			c.read()
			close(firstTaken)
			return // what a broker does to the old client of a taken-over identifier
		}
		c.serve(nil)
	})
	c := newClient(t, b.url)
	err := c.Publish(t.Context(), "a", 1, false, nil)
	receive(t, "PUBLISH", firstTaken)
	if !errors.Is(err, ErrConnectionLost) {
		t.Fatalf("got %v, want ErrConnectionLost", err)
	}
	if err := c.Publish(t.Context(), "a", 1, false, nil); err != nil {
		t.Errorf("after the takeover: %v", err)
	}
}

func TestClientIdentifiersAreUniqueAndWithinWhatEveryBrokerTakes(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		c.serve(nil)
	})
	seen := map[string]bool{}
	for range 20 {
		if err := newClient(t, b.url).Publish(t.Context(), "a", 1, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range b.identifiers() {
		if seen[id] || len(id) > 23 || !strings.HasPrefix(id, "flowctl-") {
			t.Errorf("identifier %q", id)
		}
		seen[id] = true
	}
}

func TestManyPublishersShareOneConnection(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		c.serve(nil)
	})
	c := newClient(t, b.url)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if err := c.Publish(t.Context(), "a", 1, false, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestDeadBrokerIsNotHammered(t *testing.T) {
	b := script(t, func(*brokerConn) {}) // closes every connection
	c := newClient(t, b.url)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var calls atomic.Int32
	for range 50 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := c.Publish(ctx, "a", 1, false, nil); err == nil {
					t.Error("success without a broker")
				}
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	// In one second the pauses allow 50+100+200+400 ms, each at least half as long.
	if n := b.connections(); n > 8 {
		t.Errorf("%d connections in a second for %d calls", n, calls.Load())
	}
}

func TestEndOfContextEndsTheWaitForABroker(t *testing.T) {
	release := make(chan struct{})
	b := script(t, func(*brokerConn) { <-release })
	defer close(release)
	c := newClient(t, b.url, func(cfg *Config) { cfg.ConnectTimeout = patience })
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- c.Publish(ctx, "a", 1, false, nil) }()
	cancel()
	err := receive(t, "result", result)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	wantRetryable(t, err, true)
}

func TestEndOfContextEndsTheWaitForAnAcknowledgementAndSparesTheOthers(t *testing.T) {
	proceed := make(chan struct{})
	arrived := make(chan struct{}, 2)
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		c.serve(func(*packets.PublishPacket) bool { arrived <- struct{}{}; <-proceed; return true })
	})
	c := newClient(t, b.url)
	ctx, cancel := context.WithCancel(t.Context())
	impatient, patient := make(chan error, 1), make(chan error, 1)
	go func() { impatient <- c.Publish(ctx, "a", 1, false, nil) }()
	receive(t, "PUBLISH", arrived)
	go func() { patient <- c.Publish(t.Context(), "b", 1, false, nil) }()
	cancel()
	if err := receive(t, "result", impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(proceed)
	if err := receive(t, "result", patient); err != nil {
		t.Errorf("the other publish: %v", err)
	}
	if n := b.connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// clock is set by hand, as a freeze of the process sets it.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func TestConnectionThatWasSilentForLongerThanTheKeepAliveIsNotTrusted(t *testing.T) {
	for qos := range byte(2) {
		t.Run(fmt.Sprintf("QoS%d", qos), func(t *testing.T) {
			got := make(chan int, 10)
			b := script(t, func(c *brokerConn) {
				c.accept(packets.Accepted)
				c.serve(func(*packets.PublishPacket) bool { got <- c.number; return true })
			})
			c := newClient(t, b.url, func(cfg *Config) { cfg.KeepAlive = 60 * time.Second })
			var frozen clock
			c.now = frozen.now
			for i, step := range []struct {
				gap  time.Duration
				conn int
			}{{0, 0}, {59 * time.Second, 0}, {61 * time.Second, 1}, {time.Second, 1}} {
				frozen.offset.Add(int64(step.gap))
				if err := c.Publish(t.Context(), "a", qos, false, nil); err != nil {
					t.Fatal(err)
				}
				if conn := receive(t, "PUBLISH", got); conn != step.conn {
					t.Errorf("step %d, after %s: published on connection %d, want %d", i, step.gap, conn, step.conn)
				}
			}
		})
	}
}

// After a freeze paho's overdue ping may be written before the next message is.
func TestPingIntoTheVoidMakesASilentConnectionNoFresher(t *testing.T) {
	got := make(chan int, 10)
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		c.serve(func(*packets.PublishPacket) bool { got <- c.number; return true })
	})
	c := newClient(t, b.url, func(cfg *Config) { cfg.KeepAlive = 60 * time.Second })
	var frozen clock
	c.now = frozen.now
	for i, gap := range []time.Duration{0, 61 * time.Second} {
		frozen.offset.Add(int64(gap))
		if c.current != nil {
			c.current.wrote()
		}
		if err := c.Publish(t.Context(), "a", 0, false, nil); err != nil {
			t.Fatal(err)
		}
		if conn := receive(t, "PUBLISH", got); conn != i {
			t.Errorf("after %s: published on connection %d, want %d", gap, conn, i)
		}
	}
}

func TestBadTopicsAreRefusedForGood(t *testing.T) {
	c := newClient(t, "mqtt://127.0.0.1:1")
	for name, topic := range map[string]string{
		"empty": "", "plus": "a/+", "hash": "a/#", "NUL": "a\x00b", "long": strings.Repeat("a", 65536), "not UTF-8": "a\xff",
	} {
		t.Run(name, func(t *testing.T) {
			err := c.Publish(t.Context(), topic, 1, false, nil)
			wantRetryable(t, err, false)
			if len(err.Error()) > 300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
	wantRetryable(t, c.Publish(t.Context(), "a", 3, false, nil), false)
}

func TestCloseWaitsForWhatIsInFlightAndSaysGoodbye(t *testing.T) {
	proceed, arrived := make(chan struct{}), make(chan struct{})
	last := make(chan packets.ControlPacket, 1)
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		p, ok := c.read().(*packets.PublishPacket)
		if !ok {
			return
		}
		close(arrived)
		<-proceed
		c.puback(p.MessageID)
		last <- c.read()
	})
	c := newClient(t, b.url)
	published, closed := make(chan error, 1), make(chan error, 1)
	go func() { published <- c.Publish(t.Context(), "a", 1, false, nil) }()
	receive(t, "PUBLISH", arrived)
	go func() { closed <- c.Close(t.Context()) }()
	receive(t, "start of Close", c.closed)
	if err := c.Publish(t.Context(), "a", 1, false, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("publish after Close: got %v, want ErrClosed", err)
	}
	close(proceed)
	if err := receive(t, "result of Publish", published); err != nil {
		t.Errorf("publish: %v", err)
	}
	if err := receive(t, "result of Close", closed); err != nil {
		t.Errorf("close: %v", err)
	}
	if p := receive(t, "last packet", last); p == nil {
		t.Error("the connection ended without DISCONNECT")
	} else if _, ok := p.(*packets.DisconnectPacket); !ok {
		t.Errorf("got %v, want DISCONNECT", p)
	}
}

func TestCloseIsBoundedByItsContext(t *testing.T) {
	arrived := make(chan struct{})
	b := script(t, func(c *brokerConn) {
		c.accept(packets.Accepted)
		c.read()
		close(arrived)
		for c.read() != nil {
		}
	})
	c := newClient(t, b.url)
	published := make(chan error, 1)
	go func() { published <- c.Publish(t.Context(), "a", 1, false, nil) }()
	receive(t, "PUBLISH", arrived)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Close(ctx); err == nil {
		t.Error("Close does not tell that it cut a publish short")
	}
	if err := receive(t, "result of Publish", published); err == nil {
		t.Error("success without an acknowledgement")
	}
}
