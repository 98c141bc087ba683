package mqtt

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

// webSocketServer speaks MQTT over WebSocket, MQTT 3.1.1 section 6, on every path.
func (g *gateway) webSocketServer() *http.Server {
	upgrader := &websocket.Upgrader{
		HandshakeTimeout: handshakeTimeout,
		Subprotocols:     []string{"mqtt", "mqttv3.1"}, // MQTT-6.0.0-4, and what clients of MQTT 3.1 ask for
		CheckOrigin:      originAllowed,
	}
	return &http.Server{
		ReadHeaderTimeout: handshakeTimeout,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !g.enter() {
				return
			}
			defer g.running.Done()
			ws, err := upgrader.Upgrade(w, r, nil) // answers the request itself when it fails
			if err != nil {
				g.log.Debug("mqtt broker: not a WebSocket client", "client", r.RemoteAddr, "error", err)
				return
			}
			g.serve(&webSocketConn{Conn: ws})
		}),
	}
}

func (g *gateway) serveWebSocket(srv *http.Server, ln net.Listener) {
	if g.tls != nil {
		cfg := g.tls.Clone()
		cfg.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade to WebSocket
		ln = tls.NewListener(ln, cfg)
	}
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		g.log.Error("mqtt broker: WebSocket listener ended", "error", err)
	}
}

// originAllowed keeps pages of the wide web from talking to a developer's broker; programs send no Origin.
func originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if own, _, err := net.SplitHostPort(r.Host); err == nil && host == own {
		return true
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

var errTextFrame = errors.New("text frame on an MQTT connection, which takes binary frames only")

// webSocketConn makes a net.Conn of a WebSocket: the stream is what the binary frames hold, wherever they are cut
// (MQTT-6.0.0-2).
type webSocketConn struct {
	*websocket.Conn
	frame io.Reader
}

func (c *webSocketConn) Read(p []byte) (int, error) {
	for {
		if c.frame == nil {
			kind, frame, err := c.NextReader()
			if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage { // MQTT-6.0.0-1
				return 0, errTextFrame
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
