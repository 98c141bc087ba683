package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// dial opens the transport that the URL's scheme asks for.
func (s *settings) dial(ctx context.Context) (net.Conn, error) {
	cfg, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	switch s.broker.Scheme {
	case "ws", "wss":
		return s.dialWebSocket(ctx, cfg)
	}
	if s.secure {
		d := tls.Dialer{Config: cfg}
		return d.DialContext(ctx, "tcp", s.broker.Host)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", s.broker.Host)
}

func (s *settings) dialWebSocket(ctx context.Context, cfg *tls.Config) (net.Conn, error) {
	d := websocket.Dialer{
		Proxy:           http.ProxyFromEnvironment,
		Subprotocols:    []string{"mqtt"},
		TLSClientConfig: cfg,
	}
	ws, resp, err := d.DialContext(ctx, s.broker.String(), nil)
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		return nil, &handshakeRefused{resp.Status, resp.StatusCode}
	}
	if err != nil {
		return nil, err
	}
	return &webSocketConn{Conn: ws}, nil
}

// tlsFileError is a certificate or key that cannot be read.
type tlsFileError struct{ err error }

func (e *tlsFileError) Error() string { return e.err.Error() }
func (e *tlsFileError) Unwrap() error { return e.err }

func (s *settings) tlsConfig() (*tls.Config, error) {
	if !s.secure {
		if s.TLS != nil && s.broker != nil {
			return nil, fmt.Errorf("TLS is configured, but the URL's scheme %s does not use it; write mqtts or wss", s.broker.Scheme)
		}
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.broker.Hostname()}
	t := s.TLS
	if t == nil {
		return cfg, nil
	}
	cfg.InsecureSkipVerify = t.Insecure
	if t.ServerName != "" {
		cfg.ServerName = t.ServerName
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, &tlsFileError{fmt.Errorf("certificate authorities: %w", err)}
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &tlsFileError{fmt.Errorf("certificate authorities: %s holds no certificate in PEM", t.CAFile)}
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, &tlsFileError{errors.New("a client certificate needs both a certificate and a key file")}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, &tlsFileError{fmt.Errorf("client certificate %s: %w", t.CertFile, err)}
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// guardedConn is what paho reads and writes. It bounds every write, also those that paho leaves unbounded (pings,
// acknowledgements), notes when something last went over the wire, and tells of the first failure at once.
type guardedConn struct {
	net.Conn
	writeTimeout time.Duration
	session      *session

	writing sync.Mutex
	buffer  *bufio.Reader // paho reads headers byte by byte
}

func guard(conn net.Conn, writeTimeout time.Duration, s *session) *guardedConn {
	g := &guardedConn{Conn: conn, writeTimeout: writeTimeout, session: s}
	g.buffer = bufio.NewReader(touchingReader{g})
	return g
}

// writeChunk is how much the broker must take within the write timeout: so a large message may last longer on a slow
// line, while a broker that takes nothing is found out.
const writeChunk = 64 << 10

func (g *guardedConn) Write(p []byte) (int, error) {
	g.writing.Lock()
	defer g.writing.Unlock()
	written := 0
	for {
		chunk := p[written:min(written+writeChunk, len(p))]
		err := g.Conn.SetWriteDeadline(time.Now().Add(g.writeTimeout))
		n := 0
		if err == nil {
			n, err = g.Conn.Write(chunk)
		}
		written += n
		if err != nil {
			return written, g.session.writeFailed(err) // part of a packet may be out, nothing can follow it
		}
		g.session.wrote()
		if written == len(p) {
			return written, nil
		}
	}
}

func (g *guardedConn) Read(p []byte) (int, error) { return g.buffer.Read(p) }

type touchingReader struct{ g *guardedConn }

func (t touchingReader) Read(p []byte) (int, error) {
	n, err := t.g.Conn.Read(p)
	if n > 0 {
		t.g.session.heard()
	}
	if err != nil {
		err = t.g.session.readFailed(err)
	}
	return n, err
}

// SetDeadline is called by paho around its handshake; writes keep their own deadline.
func (g *guardedConn) SetDeadline(t time.Time) error { return g.Conn.SetReadDeadline(t) }

// SetWriteDeadline is ignored: paho would lift the deadline of a write that another of its goroutines is in.
func (g *guardedConn) SetWriteDeadline(time.Time) error { return nil }

// webSocketConn makes a net.Conn of a WebSocket, MQTT 3.1.1 section 6: the stream is what the binary frames hold.
type webSocketConn struct {
	*websocket.Conn
	frame io.Reader
}

func (c *webSocketConn) Read(p []byte) (int, error) {
	for {
		if c.frame == nil {
			kind, frame, err := c.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("the broker sent a text frame, which MQTT does not use")
			}
			c.frame = frame
		}
		n, err := c.frame.Read(p)
		if err == io.EOF {
			c.frame = nil
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

func (c *webSocketConn) Write(p []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *webSocketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
