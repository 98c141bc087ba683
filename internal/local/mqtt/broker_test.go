package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/nats-io/nats-server/v2/server"
)

func TestMessagesArriveAtEachQoS(t *testing.T) {
	b := startBroker(t)
	for qos := range byte(3) {
		t.Run(fmt.Sprintf("QoS%d", qos), func(t *testing.T) {
			c, messages := connect(t, "mqtt://"+b.Addr())
			subscribe(t, c, "orders/+/new", qos)
			await(t, "PUBLISH", c.Publish("orders/17/new", qos, false, "hello"))
			if got, want := next(t, messages), (received{"orders/17/new", "hello", qos, false}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestRetainedMessageReachesALaterSubscriberUntilItIsCleared(t *testing.T) {
	b := startBroker(t)
	c, messages := connect(t, "mqtt://"+b.Addr())
	await(t, "PUBLISH", c.Publish("state/door", 1, true, "open"))
	subscribe(t, c, "state/#", 1)
	if got := next(t, messages); !got.Retained || got.Payload != "open" {
		t.Fatalf("got %+v, want the retained message", got)
	}
	await(t, "PUBLISH", c.Publish("state/door", 1, true, ""))
	if got := next(t, messages); got.Payload != "" {
		t.Fatalf("got %+v, want the empty message", got)
	}
	late, lateMessages := connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetClientID("late") })
	await(t, "PUBLISH", c.Publish("state/window", 1, true, "shut"))
	subscribe(t, late, "state/#", 1)
	if got := next(t, lateMessages); got.Topic != "state/window" {
		t.Errorf("got %+v, want no message on state/door", got)
	}
}

func TestWillIsPublishedWhenAClientBreaksOffAndNotWhenItSaysGoodbye(t *testing.T) {
	b := startBroker(t)
	watcher, messages := connect(t, "mqtt://"+b.Addr())
	subscribe(t, watcher, "wills/#", 1)

	withWill := func(id string) func(*paho.ClientOptions) {
		return func(o *paho.ClientOptions) { o.SetClientID(id).SetWill("wills/"+id, "gone", 1, false) }
	}
	polite, _ := connect(t, "mqtt://"+b.Addr(), withWill("polite"))
	polite.Disconnect(1000)

	conns := make(chan net.Conn, 1)
	connect(t, "mqtt://"+b.Addr(), withWill("rude"), func(o *paho.ClientOptions) {
		o.SetCustomOpenConnectionFn(func(_ *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			conn, err := net.Dial("tcp", b.Addr())
			conns <- conn
			return conn, err
		})
	})
	_ = (<-conns).Close()
	if got := next(t, messages); got.Topic != "wills/rude" {
		t.Errorf("got %+v, want the will of the client that broke off only", got)
	}
}

func TestPersistentSessionReceivesWhatCameWhileItWasAway(t *testing.T) {
	b := startBroker(t)
	persistent := func(o *paho.ClientOptions) { o.SetClientID("keeper").SetCleanSession(false) }
	keeper, _ := connect(t, "mqtt://"+b.Addr(), persistent)
	subscribe(t, keeper, "inbox/#", 1)
	keeper.Disconnect(1000)

	sender, _ := connect(t, "mqtt://"+b.Addr())
	for i := range 20 {
		await(t, "PUBLISH", sender.Publish("inbox/a", 1, false, fmt.Sprint(i)))
	}
	_, messages := connect(t, "mqtt://"+b.Addr(), persistent)
	for i := range 20 {
		if got := next(t, messages); got.Payload != fmt.Sprint(i) {
			t.Fatalf("message %d: got %+v", i, got)
		}
	}
}

func TestUnacknowledgedMessageComesAgainToTheSameSession(t *testing.T) {
	b := startBroker(t)
	manual := func(o *paho.ClientOptions) {
		o.SetClientID("worker").SetCleanSession(false).SetAutoAckDisabled(true)
	}
	worker, messages := connect(t, "mqtt://"+b.Addr(), manual)
	subscribe(t, worker, "work", 1)
	sender, _ := connect(t, "mqtt://"+b.Addr())
	await(t, "PUBLISH", sender.Publish("work", 1, false, "job"))
	next(t, messages)
	worker.Disconnect(1000)

	_, again := connect(t, "mqtt://"+b.Addr(), manual)
	if got := next(t, again); got.Payload != "job" {
		t.Errorf("got %+v, want the job again", got)
	}
}

func TestTopicsThatNATSCannotCarryAreCarried(t *testing.T) {
	cases := []struct{ topic, filter string }{
		{"plain/topic", "plain/+"},
		{"a b/c", "a b/+"},
		{"a\tb\nc\rd\fe/x", "a\tb\nc\rd\fe/#"},
		{"star/*/x", "star/*/x"},
		{"greater/>", "greater/>"},
		{"del/\x7f", "del/+"},
		{"dots/a.b..c", "dots/a.b..c"},
		{"dots./.x", "dots./+"},
		{"/leading", "/+"},
		{"trailing/", "trailing/+"},
		{"empty//level", "empty/+/level"},
		{"//", "+/+/+"},
		{"Grüße/日本/🚕", "Grüße/+/🚕"},
		{"escape/" + escapeSeq + "s", "escape/+"},
		{"$JS/API/INFO", "$JS/API/#"},
		{"$MQTT/sub/x", "$MQTT/sub/x"},
		{strings.Repeat("long/", 2000) + "x", strings.Repeat("long/", 2000) + "+"},
	}
	for _, tt := range cases {
		for qos := range byte(3) {
			t.Run(fmt.Sprintf("%.20q at QoS %d", tt.topic, qos), func(t *testing.T) {
				b := startBroker(t)
				c, messages := connect(t, "mqtt://"+b.Addr())
				subscribe(t, c, tt.filter, qos)
				await(t, "PUBLISH", c.Publish(tt.topic, qos, true, "x"))
				if got, want := next(t, messages), (received{tt.topic, "x", qos, false}); got != want {
					t.Errorf("got %.200v, want %.200v", got, want)
				}
				await(t, "UNSUBSCRIBE", c.Unsubscribe(tt.filter))
				subscribe(t, c, tt.filter, qos)
				if got, want := next(t, messages), (received{tt.topic, "x", qos, true}); got != want {
					t.Errorf("retained: got %.200v, want %.200v", got, want)
				}
				await(t, "UNSUBSCRIBE", c.Unsubscribe(tt.filter))
			})
		}
	}
}

func TestStarAndGreaterInAFilterMatchThemselvesOnly(t *testing.T) {
	b := startBroker(t)
	c, messages := connect(t, "mqtt://"+b.Addr())
	subscribe(t, c, "s/*", 1)
	subscribe(t, c, "g/>", 1)
	for _, topic := range []string{"s/x", "g/x", "g/x/y"} {
		await(t, "PUBLISH", c.Publish(topic, 1, false, "not matched"))
	}
	await(t, "PUBLISH", c.Publish("s/*", 1, false, "matched"))
	if got := next(t, messages); got.Payload != "matched" {
		t.Errorf("got %+v", got)
	}
}

func TestHashDoesNotMatchReservedTopics(t *testing.T) {
	b := startBroker(t)
	c, messages := connect(t, "mqtt://"+b.Addr())
	subscribe(t, c, "#", 1)
	await(t, "PUBLISH", c.Publish("$internal/x", 1, false, "reserved"))
	await(t, "PUBLISH", c.Publish("ordinary", 1, false, "ordinary"))
	if got := next(t, messages); got.Topic != "ordinary" {
		t.Errorf("got %+v; MQTT-4.7.2-1", got)
	}
}

func TestHashDoesNotMatchWhatTheBrokerTellsItself(t *testing.T) {
	b := startBroker(t)
	listener, heard := connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetClientID("listener") })
	subscribe(t, listener, "#", 1)
	// What is held for a client of a clean session is discarded inside.
	c, _ := connect(t, "mqtt://"+b.Addr())
	await(t, "PUBLISH", c.Publish("told", 1, false, "by a client"))
	if got := next(t, heard); got.Topic != "told" {
		t.Errorf("a subscriber of # receives %+v", got)
	}
}

func TestMessagesUpToTheLimitPass(t *testing.T) {
	b := startBroker(t)
	c, messages := connect(t, "mqtt://"+b.Addr())
	big := strings.Repeat("0123456789abcdef", maxPayload/16)
	for qos := range byte(3) {
		topic := fmt.Sprint("big/", qos)
		subscribe(t, c, topic, qos)
		await(t, "PUBLISH", c.Publish(topic, qos, true, big))
		if got := next(t, messages); got.Payload != big {
			t.Errorf("QoS %d: got %d bytes, want %d", qos, len(got.Payload), len(big))
		}
		subscribe(t, c, topic, qos)
		if got := next(t, messages); got.Payload != big || !got.Retained {
			t.Errorf("QoS %d: retained: got %d bytes, want %d", qos, len(got.Payload), len(big))
		}
	}
}

func TestALongerMessageEndsTheConnection(t *testing.T) {
	b := startBroker(t)
	lost := make(chan error, 1)
	c, _ := connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) {
		o.SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err })
	})
	c.Publish("big", 1, false, strings.Repeat("x", maxPayload+1))
	select {
	case <-lost:
	case <-time.After(patience):
		t.Error("the connection is still there")
	}
}

func TestTakenAddressIsNamed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()
	for name, o := range map[string]Options{
		"MQTT":      {Addr: taken, Dir: t.TempDir()},
		"WebSocket": {Addr: "127.0.0.1:0", WebSocketAddr: taken, Dir: t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), o)
			if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken) {
				t.Errorf("got %v, want EADDRINUSE and %s", err, taken)
			}
		})
	}
}

func TestFolderThatCannotBeUsedIsAnErrorAtStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"none": "", "a file": file} {
		t.Run(name, func(t *testing.T) {
			b, err := Start(t.Context(), Options{Addr: "127.0.0.1:0", Dir: dir})
			if err == nil {
				_ = b.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("%v does not name %s", err, dir)
			}
		})
	}
}

func TestEndOfContextEndsTheBroker(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b, err := Start(ctx, Options{Addr: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := connect(t, "mqtt://"+b.Addr())
	cancel()
	if err := b.Close(); err != nil { // waits for the end that cancel began
		t.Error(err)
	}
	if _, err := net.Dial("tcp", b.Addr()); err == nil {
		t.Error("the listener is still there")
	}
	c.Disconnect(250)
}

func TestPasswordIsDemanded(t *testing.T) {
	b := startBroker(t, func(o *Options) { o.User, o.Password = "ann", "secret" })
	for name, tt := range map[string]struct {
		user, password string
		allowed        bool
	}{
		"right": {"ann", "secret", true},
		"wrong": {"ann", "guess", false},
		"none":  {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := paho.NewClient(paho.NewClientOptions().AddBroker("mqtt://" + b.Addr()).SetClientID(name).
				SetUsername(tt.user).SetPassword(tt.password).SetAutoReconnect(false).SetProtocolVersion(4))
			token := c.Connect()
			if !token.WaitTimeout(patience) {
				t.Fatal("no answer")
			}
			if got := token.Error() == nil; got != tt.allowed {
				t.Errorf("let in: %v, want %v (%v)", got, tt.allowed, token.Error())
			}
			c.Disconnect(250)
		})
	}
}

// TestThereMayBeManySubscriptions has more consumers than JetStream allows by default to the subscriptions of all clients
// together. All but one are made without clients, which takes less time.
func TestThereMayBeManySubscriptions(t *testing.T) {
	b := startBroker(t)
	for range server.JSDefaultMaxConsumersPerStream {
		err := b.backend.nats.api("CONSUMER.CREATE."+messageStream, map[string]any{
			"stream_name": messageStream,
			"config": map[string]any{
				"deliver_subject": "$flowctl.nowhere", "deliver_policy": "new", "ack_policy": "none", "mem_storage": true,
				"inactive_threshold": patience,
			},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	runScript(t, overTCP(b.Addr()), `
		a + many
		a > 82(0001 s'many' 01)
		a < 90(0001 01)`)
}
