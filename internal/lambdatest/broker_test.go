package lambdatest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/mqtt"
)

// broker is an MQTT broker that can be stopped and started on the same port.
type broker struct {
	t              testing.TB
	addr, dir      string
	user, password string
	running        *mqtt.Broker
}

// newBroker starts a broker, which asks for a user and a password if they are
// given.
func newBroker(t testing.TB, login ...string) *broker {
	t.Helper()
	b := &broker{t: t, addr: "127.0.0.1:0", dir: t.TempDir()}
	if len(login) == 2 {
		b.user, b.password = login[0], login[1]
	}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) url() string { return "mqtt://" + b.addr }

func (b *broker) start() {
	b.t.Helper()
	var err error
	if b.running, err = mqtt.Start(context.Background(), mqtt.Options{Addr: b.addr, Dir: b.dir, User: b.user, Password: b.password, Log: slog.New(slog.DiscardHandler)}); err != nil {
		b.t.Fatal(err)
	}
	b.addr = b.running.Addr()
}

func (b *broker) stop() {
	b.t.Helper()
	if b.running == nil {
		return
	}
	if err := b.running.Close(); err != nil {
		b.t.Error(err)
	}
	b.running = nil
}

// wire passes connections on to an address until it is cut: from then on the
// connections that there are take everything and give nothing, as when
// something on the way has forgotten them. New ones are passed on.
type wire struct {
	listener net.Listener
	to       string
	serving  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn // of both sides
	dead  map[net.Conn]bool
}

func newWire(t testing.TB, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: to, dead: map[net.Conn]bool{}}
	w.serving.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.mu.Lock()
		for _, c := range w.conns {
			c.Close()
		}
		w.mu.Unlock()
		w.serving.Wait()
	})
	return w
}

func (w *wire) url() string { return "mqtt://" + w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.to)
		if err != nil {
			near.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, near, far)
		w.mu.Unlock()
		w.serving.Go(func() { w.pass(far, near) })
		w.serving.Go(func() { w.pass(near, far) })
	}
}

// pass copies what comes from one side to the other while the connection is not
// cut, and then swallows it.
func (w *wire) pass(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		dead := w.dead[from]
		w.mu.Unlock()
		if !dead && n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			if !dead {
				to.Close()
			}
			return
		}
	}
}

// cut makes all connections dead and tells how many were alive.
func (w *wire) cut() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		if !w.dead[c] {
			w.dead[c] = true
			n++
		}
	}
	return n / 2
}
