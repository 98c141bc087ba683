package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// The states of a connection; one that is closed while idle must not take up a request that has just come.
const (
	idle int32 = iota
	active
	closed
)

// conn is one connection. It belongs to serve's goroutine, but for state and current.
type conn struct {
	server *Server
	net    net.Conn
	in     *reader
	buf    *bufio.Reader
	out    response
	peer   string
	state  atomic.Int32
	// current is the context of the request being answered; Close ends it.
	current atomic.Pointer[requestContext]
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, net: nc, peer: nc.RemoteAddr().String(), in: &reader{conn: nc, left: math.MaxInt64}}
	c.buf = bufio.NewReader(c.in)
	c.out.header = http.Header{}
	return c
}

// closeIdle closes the connection if it waits for a request. It may be called by any goroutine.
func (c *conn) closeIdle() {
	if c.state.CompareAndSwap(idle, closed) {
		c.net.Close()
	}
}

// abort closes the connection whatever it does. It may be called by any goroutine.
func (c *conn) abort() {
	c.state.Store(closed)
	c.net.Close()
	if ctx := c.current.Load(); ctx != nil {
		ctx.end()
	}
}

// serve answers the connection's requests, one after the other.
func (c *conn) serve() {
	for c.serveOne() && c.state.CompareAndSwap(active, idle) {
		// Shutdown may have passed by while the connection was active.
		if c.server.isClosing() {
			return
		}
	}
}

// awaitRequest waits for a request's first byte. Empty lines before it are passed over (RFC 9112, section 2.2): some
// clients send one behind a body.
func (c *conn) awaitRequest() error {
	for {
		first, err := c.buf.Peek(1)
		if err != nil {
			return err
		}
		if first[0] != '\r' && first[0] != '\n' {
			return nil
		}
		_, _ = c.buf.Discard(1) // which has just been peeked at
	}
}

// serveOne waits for a request and answers it; false is the connection's end.
func (c *conn) serveOne() bool {
	if err := c.awaitRequest(); err != nil || !c.state.CompareAndSwap(idle, active) {
		return false
	}
	r, err := c.readRequest()
	if err != nil {
		c.refuse(err)
		return false
	}
	ctx := &requestContext{in: c.in}
	body := &body{ReadCloser: r.Body, ctx: ctx}
	if r.Body == http.NoBody {
		ctx.bodyRead = true
	} else if r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		body.before = func() error {
			_, err := io.WriteString(c.net, "HTTP/1.1 100 Continue\r\n\r\n")
			return err
		}
	}
	r.Body = body
	r.RemoteAddr = c.peer
	c.current.Store(ctx)
	if c.state.Load() == closed {
		ctx.end()
	}
	c.out.reset(r)
	answered := c.call(r.WithContext(ctx))
	c.current.Store(nil)
	ctx.finish()
	if !answered {
		return false
	}
	drained := body.drained()
	if !drained || c.server.isClosing() {
		c.out.closing = true
	}
	_, err = c.net.Write(c.out.bytes())
	c.out.release()
	if err == nil && !drained {
		c.linger()
	}
	return err == nil && !c.out.closing
}

// call runs the handler; false says that it wants the connection closed.
func (c *conn) call(r *http.Request) (answered bool) {
	defer func() {
		p := recover()
		if err, ok := p.(error); p == nil || ok && errors.Is(err, http.ErrAbortHandler) {
			return
		}
		c.server.log.Error("panic while answering a request", "client", r.RemoteAddr, "panic", p, "stack", string(debug.Stack()))
	}()
	c.server.handler.ServeHTTP(&c.out, r)
	return true
}

// readRequest reads a request's head. A slow client gets headerTimeout for it; setting a deadline for those whose head
// has come at once would cost more than reading it.
func (c *conn) readRequest() (*http.Request, error) {
	begun, _ := c.buf.Peek(c.buf.Buffered())
	if whole := bytes.Contains(begun, []byte("\r\n\r\n")); !whole {
		if err := c.net.SetReadDeadline(time.Now().Add(headerTimeout)); err != nil {
			return nil, err
		}
		defer func() { _ = c.net.SetReadDeadline(time.Time{}) }() // a closed connection shows at the next read
	}
	c.in.left = maxHeader
	r, err := http.ReadRequest(c.buf)
	if err != nil && c.in.left <= 0 {
		err = errHeaderTooLarge
	}
	c.in.left = math.MaxInt64
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(r.Proto, "HTTP/1.") {
		return nil, fmt.Errorf("protocol %s is not served here, only HTTP/1.1", r.Proto)
	}
	return r, checkHead(r)
}

// checkHead refuses what http.ReadRequest lets pass and a server must not.
func checkHead(r *http.Request) error {
	switch {
	case r.ProtoAtLeast(1, 1) && r.Host == "": // RFC 9112, section 3.2, also for the next
		return errors.New("the request has no Host header")
	case !inHosts.hasAll(r.Host):
		return fmt.Errorf("the Host header %q names no host", r.Host)
	}
	for name := range r.Header {
		// RFC 9112, section 5.1: "Content-Length : 3" is the length of a body to some who pass a request on, and nothing to
		// others, who then take the body for a request.
		if !inNames.hasAll(name) {
			return fmt.Errorf("the header name %q has characters that no name may have", name)
		}
	}
	return nil
}

// charset is a set of ASCII characters.
type charset [256]bool

// The characters of host names and addresses with ports (RFC 3986, section 3.2.2), and of headers' names (RFC 9110,
// section 5.6.2).
var (
	inHosts = newCharset("-._~!$&'()*+,;=:[]%")
	inNames = newCharset("!#$%&'*+-.^_`|~")
)

// newCharset is the set of the letters, the digits and the characters given.
func newCharset(others string) *charset {
	s := new(charset)
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + others) {
		s[c] = true
	}
	return s
}

func (s *charset) hasAll(text string) bool {
	for i := range len(text) {
		if !s[text[i]] {
			return false
		}
	}
	return true
}

var errHeaderTooLarge = errors.New("the request's head is too large")

// refuse answers a request that cannot be read. A client that has gone, or was too slow, is not told.
func (c *conn) refuse(err error) {
	status := "400 Bad Request"
	var op *net.OpError
	switch {
	case errors.Is(err, errHeaderTooLarge):
		status = "431 Request Header Fields Too Large"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return
	}
	text := fmt.Sprintf("%s: %v\n", status, err)
	_, _ = fmt.Fprintf(c.net, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, len(text), text)
	c.linger()
}

// linger lets a client that is still sending see the reply: closing the connection on it would reset it.
func (c *conn) linger() {
	if half, ok := c.net.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	if c.net.SetReadDeadline(time.Now().Add(lingering)) == nil {
		_, _ = io.CopyN(io.Discard, c.net, 64*maxDrain)
	}
}

// body is a request's body; it tells the context when all of it has been read.
type body struct {
	io.ReadCloser
	ctx    *requestContext
	before func() error
}

func (b *body) Read(p []byte) (int, error) {
	if before := b.before; before != nil {
		b.before = nil
		if err := before(); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ctx.bodyEnded()
	}
	return n, err
}

// Close does nothing: the connection reads what the handler has left.
func (b *body) Close() error { return nil }

// drained reads what the handler left of the body, if it is not too much. A client that still waits to be told to send
// its body is not.
func (b *body) drained() bool {
	if b.ctx.bodyRead {
		return true
	}
	if b.before != nil {
		return false
	}
	_, err := io.CopyN(io.Discard, b.ReadCloser, maxDrain)
	return errors.Is(err, io.EOF)
}
