package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/mqtt"
)

// realBroker is a broker that can be stopped and started again on the same address.
type realBroker interface {
	url() string
	start()
	stop()
}

// embedded is the broker of flowctl run.
type embedded struct {
	t         testing.TB
	dir, addr string
	broker    *mqtt.Broker
}

func newEmbedded(t testing.TB) realBroker {
	e := &embedded{t: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	e.start()
	t.Cleanup(e.stop)
	return e
}

func (e *embedded) url() string { return "mqtt://" + e.addr }

func (e *embedded) start() {
	e.t.Helper()
	b, err := mqtt.Start(context.Background(), mqtt.Options{Addr: e.addr, Dir: e.dir})
	if err != nil {
		e.t.Fatal(err)
	}
	e.broker, e.addr = b, b.Addr()
}

func (e *embedded) stop() {
	if e.broker != nil {
		_ = e.broker.Close()
		e.broker = nil
	}
}

// mosquitto is Debian's broker.
type mosquitto struct {
	t                testing.TB
	path, addr, conf string
	cmd              *exec.Cmd
}

func newMosquitto(t testing.TB, lines ...string) realBroker {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("mosquitto is not installed (Debian: mosquitto)")
	}
	dir := t.TempDir()
	m := &mosquitto{t: t, path: path, addr: freeAddr(t), conf: filepath.Join(dir, "mosquitto.conf")}
	_, port, _ := net.SplitHostPort(m.addr)
	conf := append([]string{
		"listener " + port + " 127.0.0.1",
		"persistence true",
		"persistence_location " + dir + "/",
		"log_dest stderr",
		"log_type error",
		"set_tcp_nodelay true",
	}, lines...)
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "allow_anonymous") }) {
		conf = append(conf, "allow_anonymous true")
	}
	if os.Getuid() == 0 {
		conf = append(conf, "user root") // or it could not read its folder
	}
	if err := os.WriteFile(m.conf, []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (m *mosquitto) url() string { return "mqtt://" + m.addr }

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(m.path, "-c", m.conf)
	var words bytes.Buffer
	m.cmd.Stderr = &words
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", m.addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		if wait(ctx, 10*time.Millisecond) != nil {
			m.t.Fatalf("mosquitto does not start: %s", words.String())
		}
	}
}

func (m *mosquitto) stop() {
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(os.Interrupt)
		_ = m.cmd.Wait()
		m.cmd = nil
	}
}

var brokers = map[string]func(testing.TB) realBroker{
	"mosquitto": func(t testing.TB) realBroker { return newMosquitto(t) },
	"embedded":  newEmbedded,
}

func eachBroker(t *testing.T, test func(t *testing.T, b realBroker)) {
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

func TestPublishedMessagesReachTheSubscriber(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker) {
		for qos := range byte(3) {
			t.Run(fmt.Sprintf("QoS%d", qos), func(t *testing.T) {
				ready, got := make(chan struct{}, 1), make(chan Message, 1)
				c := newClient(t, b.url(), func(cfg *Config) { cfg.Subscribed = func([]string) { ready <- struct{}{} } })
				subscribe(t, c, qos, 1, func(_ context.Context, m Message) error { got <- m; return nil })
				receive(t, "subscription", ready)
				if err := c.Publish(t.Context(), "a/b c", qos, false, []byte("hi")); err != nil {
					t.Fatal(err)
				}
				if m := receive(t, "message", got); m.Topic != "a/b c" || string(m.Payload) != "hi" || m.QoS != qos {
					t.Errorf("got %+v", m)
				}
			})
		}
	})
}

// The broker goes away and comes back while 16 publishers work. Everything that was acknowledged must have reached the
// subscriber's session.
func TestNothingAcknowledgedIsLostWhenTheBrokerRestarts(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker) {
		const publishers, each = 16, 40
		ready := make(chan struct{}, 10)
		var seen sync.Map
		sub := newClient(t, b.url(), func(cfg *Config) {
			cfg.SessionID = "reader"
			cfg.Subscribed = func([]string) { ready <- struct{}{} }
		})
		arrived := make(chan string, 10*publishers*each)
		subscribe(t, sub, 1, 8, func(_ context.Context, m Message) error {
			if _, again := seen.LoadOrStore(string(m.Payload), true); !again {
				arrived <- string(m.Payload)
			}
			return nil
		})
		receive(t, "subscription", ready)

		pub := newClient(t, b.url())
		var acknowledged, failed atomic.Int32
		half := make(chan struct{})
		var wg sync.WaitGroup
		for p := range publishers {
			wg.Go(func() {
				for i := range each {
					payload := fmt.Sprintf("%d/%d", p, i)
					for pub.Publish(t.Context(), "a/x", 1, false, []byte(payload)) != nil {
						failed.Add(1)
						if t.Context().Err() != nil {
							return
						}
					}
					if acknowledged.Add(1) == publishers*each/2 {
						close(half)
					}
				}
			})
		}
		receive(t, "half of the messages", half)
		b.stop()
		b.start()
		wg.Wait()
		for range publishers * each {
			receive(t, "message", arrived)
		}
		t.Logf("%d publishes failed and were repeated", failed.Load())
	})
}

func TestPersistentSessionDeliversWhatCameWhileTheSubscriberWasAway(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker) {
		subscriber := func() (*Client, chan struct{}) {
			ready := make(chan struct{}, 1)
			return newClient(t, b.url(), func(cfg *Config) {
				cfg.SessionID = "keeper"
				cfg.Subscribed = func([]string) { ready <- struct{}{} }
			}), ready
		}
		first, ready := subscriber()
		stop, result := subscribe(t, first, 1, 1, func(context.Context, Message) error { return nil })
		receive(t, "subscription", ready)
		stop()
		if err := receive(t, "result", result); err != nil {
			t.Fatal(err)
		}
		if err := newClient(t, b.url()).Publish(t.Context(), "a/b", 1, false, []byte("while away")); err != nil {
			t.Fatal(err)
		}
		got := make(chan Message, 1)
		second, _ := subscriber()
		subscribe(t, second, 1, 1, func(_ context.Context, m Message) error { got <- m; return nil })
		if m := receive(t, "message", got); string(m.Payload) != "while away" {
			t.Errorf("got %+v", m)
		}
	})
}

func TestMessageUnhandledAtTheEndComesAgainToTheNextSubscriber(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker) {
		withSession := func(cfg *Config) { cfg.SessionID = "worker" }
		started := make(chan struct{}, 1)
		ready := make(chan struct{}, 1)
		first := newClient(t, b.url(), withSession, func(cfg *Config) { cfg.Subscribed = func([]string) { ready <- struct{}{} } })
		stop, result := subscribe(t, first, 1, 1, func(context.Context, Message) error {
			started <- struct{}{}
			return errors.New("not today")
		})
		receive(t, "subscription", ready)
		if err := newClient(t, b.url()).Publish(t.Context(), "a/b", 1, false, []byte("job")); err != nil {
			t.Fatal(err)
		}
		receive(t, "message", started)
		stop()
		if err := receive(t, "result", result); err != nil {
			t.Fatal(err)
		}
		got := make(chan Message, 1)
		subscribe(t, newClient(t, b.url(), withSession), 1, 1, func(_ context.Context, m Message) error { got <- m; return nil })
		if m := receive(t, "message", got); string(m.Payload) != "job" {
			t.Errorf("got %+v", m)
		}
	})
}

func TestWillIsPublishedForAClientThatBreaksOff(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker) {
		ready, got := make(chan struct{}, 1), make(chan Message, 1)
		watcher := newClient(t, b.url(), func(cfg *Config) { cfg.Subscribed = func([]string) { ready <- struct{}{} } })
		subscribe(t, watcher, 1, 1, func(_ context.Context, m Message) error { got <- m; return nil })
		receive(t, "subscription", ready)
		withWill := func(topic string) *Client {
			return newClient(t, b.url(), func(cfg *Config) { cfg.Will = &Will{Topic: topic, Payload: []byte("gone"), QoS: 1} })
		}
		polite, rude := withWill("a/polite"), withWill("a/rude")
		for _, c := range []*Client{polite, rude} {
			if err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := polite.Close(t.Context()); err != nil {
			t.Error(err)
		}
		rude.current.closeConn()
		if m := receive(t, "will", got); m.Topic != "a/rude" {
			t.Errorf("got %+v, want the will of the client that broke off", m)
		}
	})
}

func TestWrongPasswordIsPermanent(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous false")
	err := newClient(t, m.url(), func(cfg *Config) { cfg.Username, cfg.Password = "ann", "hunter2" }).
		Publish(t.Context(), "a", 1, false, nil)
	wantRetryable(t, err, false)
}

func BenchmarkPublishQoS1(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 256)
	for _, name := range []string{"mosquitto", "embedded"} {
		for _, publishers := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("%s/publishers=%d", name, publishers), func(b *testing.B) {
				c := newClient(b, brokers[name](b).url())
				if err := c.Connect(b.Context()); err != nil {
					b.Fatal(err)
				}
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var wg sync.WaitGroup
				for range publishers {
					wg.Go(func() {
						for left.Add(-1) >= 0 {
							if err := c.Publish(b.Context(), "bench/x", 1, false, payload); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}
