// Package http1 serves HTTP/1.1 to handlers whose replies are short and whole, such as the local AWS stand-ins.
//
// The standard library parses the requests; what this server leaves out is what net/http's does around a handler for
// replies of any kind. A goroutine that watches each connection for the client's going away, chunked replies, and headers
// and buffers made anew for each request cost more than a DynamoDB GetItem does. Here a client is watched only when the
// handler waits for it, and a reply goes out in one write.
//
// It has neither TLS nor HTTP/2, trailers, hijacking or streamed replies.
package http1

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// headerTimeout is how long a client may take for a request's head, from its first byte on.
	headerTimeout = 10 * time.Second
	// maxHeader bounds a request's head, in bytes.
	maxHeader = 1 << 20
	// maxDrain is how much of a body that the handler left is read, in bytes, before the connection is closed instead.
	maxDrain = 256 << 10
	// lingering is how long a client that is refused may go on sending before the connection is closed on it.
	lingering = 500 * time.Millisecond
)

// Server serves a handler on one listener or several. Make it with New; its methods may be called by any goroutine.
//
// The handler's http.ResponseWriter holds back the reply until the handler returns and implements nothing else of
// net/http; the request's context ends when the client goes away, once its body has been read, and with Close. A handler
// that panics with http.ErrAbortHandler has the connection closed without a reply, and with anything else too, but then
// the log tells of it.
type Server struct {
	handler http.Handler
	log     *slog.Logger

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	closing   bool
	// emptied is closed when closing is true and the last connection has ended.
	emptied chan struct{}
}

// New makes a server.
func New(h http.Handler, log *slog.Logger) *Server {
	return &Server{handler: h, log: log, listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, emptied: make(chan struct{})}
}

// Serve accepts connections until the listener fails or the server is shut down, which gives http.ErrServerClosed. It
// closes the listener.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if !s.listen(ln) {
		return http.ErrServerClosed
	}
	var pause time.Duration
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(c)
		case s.isClosing():
			return http.ErrServerClosed
		case isTransient(err):
			// As net/http does: out of file descriptors, say, of which some come free again.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("connection not accepted", "error", err, "retry_in", pause)
			time.Sleep(pause)
		default:
			s.forget(ln)
			return err
		}
	}
}

// isTransient says whether accepting may succeed again.
func isTransient(err error) bool {
	var e net.Error
	//lint:ignore SA1019 what it means for Accept is well defined, and net/http asks the same
	return errors.As(err, &e) && e.Temporary()
}

// Shutdown closes the listeners and the connections that wait for a request, and returns when all others have had their
// replies, or with ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close(false)
	select {
	case <-s.emptied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the listeners and all connections at once and ends the contexts of their requests. It does not wait for
// the handlers.
func (s *Server) Close() error {
	s.close(true)
	return nil
}

// close stops accepting, and closes the connections that wait for a request, or all.
func (s *Server) close(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.closing = true
		if len(s.conns) == 0 {
			close(s.emptied)
		}
	}
	for ln := range s.listeners {
		ln.Close()
	}
	clear(s.listeners)
	for c := range s.conns {
		if all {
			c.abort()
		} else {
			c.closeIdle()
		}
	}
}

func (s *Server) listen(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[ln] = struct{}{}
	return true
}

func (s *Server) forget(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// start serves a connection in a goroutine of its own.
func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	go func() {
		defer s.end(c)
		c.serve()
	}()
}

func (s *Server) end(c *conn) {
	c.net.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.closing && len(s.conns) == 0 {
		close(s.emptied)
	}
}
