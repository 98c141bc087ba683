package mqtt

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/fault"
)

const (
	// handshakeTimeout bounds what comes before MQTT: TLS and the WebSocket upgrade.
	handshakeTimeout = 10 * time.Second

	// writeTimeout is how long a client may leave its receive window shut before it is dropped.
	writeTimeout = 10 * time.Second
)

// gateway takes clients in and relays each to the backend over a loopback connection of its own.
type gateway struct {
	backend *backend
	log     *slog.Logger
	tls     *tls.Config
	faults  *fault.Injector

	user, password string

	retained  *retainedMessages
	levels    *longLevels
	clients   connected
	ending    atomic.Bool // no client's end is its own any more
	ctx       context.Context
	cancel    context.CancelFunc
	listeners []io.Closer

	mu      sync.Mutex // guards closed, and running against an Add after Wait
	closed  bool
	running sync.WaitGroup
}

func startGateway(backend *backend, o Options, tcp, ws net.Listener) (*gateway, error) {
	retained, err := loadRetained(backend.nats)
	if err != nil {
		return nil, err
	}
	levels, err := loadLevels(backend.nats)
	if err != nil {
		return nil, err
	}
	g := &gateway{
		backend: backend, log: o.Log, tls: o.TLS, faults: o.Faults, user: o.User, password: o.Password, retained: retained, levels: levels,
		listeners: []io.Closer{tcp}, clients: connected{byID: map[string]*session{}, flights: map[string]*flights{}},
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.running.Go(func() { g.accept(tcp) })
	if ws != nil {
		srv := g.webSocketServer()
		g.listeners = append(g.listeners, srv)
		g.running.Go(func() { g.serveWebSocket(srv, ws) })
	}
	return g, nil
}

// stopListening lets no new client in.
func (g *gateway) stopListening() {
	g.ending.Store(true)
	for _, ln := range g.listeners {
		_ = ln.Close()
	}
}

// close drops the clients that are still there and waits for all that the gateway started.
func (g *gateway) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.running.Wait()
}

func (g *gateway) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil && g.pauseAfter(err) {
			continue
		}
		if err != nil {
			return
		}
		if !g.enter() {
			_ = conn.Close()
			return
		}
		go func() {
			defer g.running.Done()
			g.serveTCP(conn)
		}()
	}
}

// enter counts one client in, who leaves with running.Done; it says no once the gateway closes.
func (g *gateway) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.running.Add(1)
	}
	return !g.closed
}

// pauseAfter waits a moment after a failure to accept, such as a lack of file descriptors, and says whether to go on.
func (g *gateway) pauseAfter(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	g.log.Warn("mqtt broker: cannot accept a client", "error", err)
	select {
	case <-g.ctx.Done():
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

func (g *gateway) serveTCP(conn net.Conn) {
	if g.tls == nil {
		g.serve(conn)
		return
	}
	secure := tls.Server(conn, g.tls)
	ctx, cancel := context.WithTimeout(g.ctx, handshakeTimeout)
	err := secure.HandshakeContext(ctx)
	cancel()
	if err != nil {
		g.log.Warn("mqtt broker: TLS handshake failed", "client", conn.RemoteAddr().String(), "error", err)
		_ = conn.Close()
		return
	}
	g.serve(secure)
}

func (g *gateway) newSession(client, backend net.Conn) *session {
	out := &replies{Writer: deadlineWriter{client}}
	s := &session{
		client: client, backend: backend, answered: make(chan struct{}), ended: make(chan struct{}),
		out:    &packetWriter{w: bufio.NewWriterSize(out, relayBuffer)},
		retain: g.retained.set, matching: g.retained.matching, levels: g.levels,
		before: g.faultsOn(client, out),
	}
	s.settled.L = &s.mu
	s.shareWindow = func() {
		if err := g.backend.shareWindow(s.id, s.flights); err != nil && g.ctx.Err() == nil {
			g.log.Warn("mqtt broker: cannot bound what is on its way to a client", "error", err)
		}
	}
	s.backlog = func(filter string) bool {
		pending, err := g.backend.hasBacklog(s.id, filter, s.flights, g.levels)
		if err != nil && g.ctx.Err() == nil {
			g.log.Warn("mqtt broker: cannot replace a subscription", "error", err)
		}
		return pending || err != nil
	}
	s.letIn = func(p *connectPacket) ([]byte, error) { return g.admit(s, p) }
	return s
}

func (g *gateway) report(client net.Conn, err error) {
	var netErr net.Error
	refused, _ := errors.AsType[*refusal](err)
	switch {
	case refused != nil:
		g.log.Warn("mqtt broker: client refused", "client", client.RemoteAddr().String(), "reason", refused.why)
	case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errFault):
	case errors.As(err, &netErr) && netErr.Timeout():
		g.log.Warn("mqtt broker: client dropped, it does not read what it subscribed to", "client", client.RemoteAddr().String())
	case errors.As(err, &netErr):
		g.log.Debug("mqtt broker: connection lost", "client", client.RemoteAddr().String(), "error", err)
	default:
		g.log.Warn("mqtt broker: client dropped", "client", client.RemoteAddr().String(), "error", err)
	}
}

// deadlineWriter gives each chunk of a write to a client its time and no more: a slow client may take long for much.
type deadlineWriter struct{ net.Conn }

// writeChunk is how much a client must take within writeTimeout.
const writeChunk = 64 << 10

func (d deadlineWriter) Write(p []byte) (written int, err error) {
	for {
		chunk := p[written:min(written+writeChunk, len(p))]
		if err := d.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return written, err
		}
		n, err := d.Conn.Write(chunk)
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}
