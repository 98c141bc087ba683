// Package mqtt is the local stand-in for an MQTT broker: nats-server, embedded, behind a gateway of our own.
//
// It speaks MQTT 3.1.1, and 3.1, over TCP, TLS and WebSocket. The embedded server routes messages and keeps sessions; the
// gateway lets clients in, judges their packets, keeps retained messages, knows what is on its way to each client, and
// maps what nats-server cannot carry. Every session, retained message and message of QoS 1 or 2 is synced to disk before
// it is acknowledged, so what a client saw acknowledged outlives a kill of the process.
package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/fault"
)

// lingerTimeout is how long clients may take for what is on its way to them when the broker ends.
const lingerTimeout = time.Second

// Options says where a broker listens and where it keeps its data.
type Options struct {
	// Addr is the host:port of the MQTT listener. Port 0 picks a free one, which Broker.Addr tells.
	Addr string

	// Dir is the folder of the broker's data, created when missing. Two brokers must not share one: the caller holds
	// whatever lock guards the folder.
	Dir string

	// Log receives warnings and errors of the broker; nil discards them.
	Log *slog.Logger

	// WebSocketAddr is the host:port of a second listener for MQTT over WebSocket, which serves every path; "" means
	// none. Pages are let in only from the broker's own host or from loopback.
	WebSocketAddr string

	// User and Password, when User is set, are demanded from every client.
	User, Password string

	// TLS, when set, is used by both listeners.
	TLS *tls.Config

	// Faults, when set, break connections and delay packets as its rules for mqtt say.
	Faults *fault.Injector
}

// Broker is a running MQTT broker.
type Broker struct {
	backend *backend
	gateway *gateway
	addr    string
	wsAddr  string

	unhook  func() bool
	closing sync.Once
	err     error
}

// Start runs a broker until Close is called or ctx ends; it returns as soon as clients can connect. An address that is
// taken gives a *ListenError that names it and wraps syscall.EADDRINUSE.
func Start(ctx context.Context, o Options) (*Broker, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dir == "" {
		return nil, errors.New("mqtt broker: no folder given for its data")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tcp, ws, err := listenAll(ctx, o)
	if err != nil {
		return nil, err
	}
	b := &Broker{addr: tcp.Addr().String()}
	if ws != nil {
		b.wsAddr = ws.Addr().String()
	}
	b.backend, err = startBackend(ctx, o)
	if err != nil {
		closeListeners(tcp, ws)
		return nil, err
	}
	b.gateway, err = startGateway(b.backend, o, tcp, ws)
	if err != nil {
		closeListeners(tcp, ws)
		return nil, errors.Join(fmt.Errorf("mqtt broker: data folder %s: %w", o.Dir, err), b.backend.close())
	}
	b.unhook = context.AfterFunc(ctx, b.shutdown)
	return b, nil
}

// Addr is the host:port that MQTT clients connect to.
func (b *Broker) Addr() string { return b.addr }

// WebSocketAddr is the host:port of the WebSocket listener, "" when there is none.
func (b *Broker) WebSocketAddr() string { return b.wsAddr }

// Close ends the listeners and all connections, writes what is left to disk and returns when nothing runs any more. It
// may be called more than once and from several goroutines.
func (b *Broker) Close() error {
	b.unhook()
	b.shutdown()
	return b.err
}

func (b *Broker) shutdown() {
	b.closing.Do(func() {
		b.gateway.stopListening()
		here, gone := b.gateway.clients.end()
		if err := b.backend.awaitAcknowledged(b.gateway.ctx, here, gone); err != nil {
			b.gateway.log.Warn("mqtt broker: messages that clients have acknowledged may come again after the restart", "error", err)
		}
		// The backend goes first: it knows that this is a shutdown and keeps the sessions, where connections that
		// merely broke would have published their wills. It waits for clients to take what it has for them.
		lingering := time.AfterFunc(lingerTimeout, b.gateway.cancel)
		b.err = b.backend.close()
		lingering.Stop()
		b.gateway.close()
	})
}

// ListenError is an address that the broker cannot listen on.
type ListenError struct {
	Addr      string
	WebSocket bool // the address of MQTT over WebSocket
	Err       error
}

func (e *ListenError) Error() string {
	what := "MQTT"
	if e.WebSocket {
		what = "MQTT over WebSocket"
	}
	if errors.Is(e.Err, syscall.EADDRINUSE) {
		return fmt.Sprintf("%s broker: %s is taken by another process; stop that one or choose another port: %v", what, e.Addr, syscall.EADDRINUSE)
	}
	return fmt.Sprintf("%s broker: cannot listen on %q: %v", what, e.Addr, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

func listenAll(ctx context.Context, o Options) (tcp, ws net.Listener, err error) {
	var lc net.ListenConfig
	if tcp, err = lc.Listen(ctx, "tcp", o.Addr); err != nil {
		return nil, nil, &ListenError{Addr: o.Addr, Err: err}
	}
	if o.WebSocketAddr == "" {
		return tcp, nil, nil
	}
	if ws, err = lc.Listen(ctx, "tcp", o.WebSocketAddr); err != nil {
		closeListeners(tcp)
		return nil, nil, &ListenError{Addr: o.WebSocketAddr, WebSocket: true, Err: err}
	}
	return tcp, ws, nil
}

func closeListeners(lns ...net.Listener) {
	for _, ln := range lns {
		if ln != nil {
			_ = ln.Close()
		}
	}
}
