package e2e

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"net"

	"github.com/flowctl-dev/flowctl/internal/local/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// listener is the drivers' app: it hears topics and counts messages.
type listener struct {
	t    testing.TB
	mu   sync.Mutex
	seen map[string]int // by payload
	by   map[string]int // by topic
}

func (l *listener) add(topic, payload string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[name(payload)]++
	l.by[topic]++
}

// names counts the different passengers heard of.
func (l *listener) names() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

func (l *listener) heard(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[name] > 0
}

// listen subscribes by flowctl's own client, which comes back after each loss
// of the broker, and waits until the subscription is there.
func listen(t testing.TB, url string) *listener {
	t.Helper()
	l := &listener{t: t, seen: map[string]int{}, by: map[string]int{}}
	c, err := client.New(client.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Subscribe(ctx, "testtopic/#", 1, 100, func(_ context.Context, m client.Message) error {
			if string(m.Payload) != probe {
				l.add(m.Topic, string(m.Payload))
			}
			l.mu.Lock()
			l.by[m.Topic]++
			l.mu.Unlock()
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("listening: %v", err)
		}
		c.Close(context.Background())
	})
	l.ready(url)
	return l
}

const probe = "are you there?"

// ready publishes until the subscription hears it.
func (l *listener) ready(url string) {
	l.t.Helper()
	c, err := client.New(client.Config{URL: url})
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close(context.Background())
	eventually(l.t, "the listener hears the broker", func() bool {
		if err := c.Publish(context.Background(), "testtopic/probe", 1, false, []byte(probe)); err != nil {
			return false
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.by["testtopic/probe"] > 0
	})
	l.mu.Lock()
	delete(l.by, "testtopic/probe")
	l.mu.Unlock()
}

// broker is an MQTT broker of somebody else, which can be stopped and started
// on the same port: Debian's mosquitto, or the embedded one where it is not
// installed.
type broker struct {
	t    testing.TB
	addr string
	dir  string
	stop func()
}

func newBroker(t testing.TB) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, addr: l.Addr().String(), dir: t.TempDir()}
	l.Close()
	t.Cleanup(func() {
		if b.stop != nil {
			b.stop()
		}
	})
	return b
}

func (b *broker) url() string { return "mqtt://" + b.addr }

func (b *broker) start() {
	b.t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/mosquitto")
	}
	if err != nil {
		b.startEmbedded()
		return
	}
	_, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := strconv.Atoi(port); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(path, "-p", port)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
		b.stop = nil
	}
	eventually(b.t, "mosquitto listens", func() bool {
		c, err := net.DialTimeout("tcp", b.addr, time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

func (b *broker) startEmbedded() {
	b.t.Helper()
	e, err := mqtt.Start(context.Background(), mqtt.Options{Addr: b.addr, Dir: b.dir})
	if err != nil {
		b.t.Fatal(err)
	}
	b.stop = func() {
		if err := e.Close(); err != nil {
			b.t.Error(err)
		}
		b.stop = nil
	}
}
