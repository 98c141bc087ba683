package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/gorilla/websocket"
)

// serverTLS makes a certificate for 127.0.0.1 and the client's trust in it.
func serverTLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "local broker"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool}
}

func TestEveryTransportCarriesMessagesBothWays(t *testing.T) {
	serverConfig, clientConfig := serverTLS(t)
	withWebSocket := func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" }
	withTLS := func(o *Options) { o.TLS = serverConfig }
	plain := startBroker(t, withWebSocket)
	secure := startBroker(t, withWebSocket, withTLS)
	for name, url := range map[string]string{
		"TCP":                    "mqtt://" + plain.Addr(),
		"TLS":                    "mqtts://" + secure.Addr(),
		"WebSocket":              "ws://" + plain.WebSocketAddr() + "/mqtt",
		"WebSocket on no path":   "ws://" + plain.WebSocketAddr(),
		"WebSocket and TLS both": "wss://" + secure.WebSocketAddr() + "/mqtt",
	} {
		t.Run(name, func(t *testing.T) {
			c, messages := connect(t, url, func(o *paho.ClientOptions) { o.SetTLSConfig(clientConfig) })
			subscribe(t, c, "a b/#", 1)
			await(t, "PUBLISH", c.Publish("a b/c", 1, false, "over "+name))
			if got := next(t, messages); got.Payload != "over "+name {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWebSocketFromAForeignPageIsRefused(t *testing.T) {
	b := startBroker(t, func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	for origin, allowed := range map[string]bool{
		"":                         true,
		"http://localhost:3000":    true,
		"http://127.0.0.1:3000":    true,
		"http://[::1]:3000":        true,
		"https://evil.example":     false,
		"https://localhost.evil.x": false,
		"null":                     false,
	} {
		t.Run(origin, func(t *testing.T) {
			header := http.Header{}
			if origin != "" {
				header.Set("Origin", origin)
			}
			dialer := &websocket.Dialer{Subprotocols: []string{"mqtt"}}
			ws, resp, err := dialer.DialContext(t.Context(), "ws://"+b.WebSocketAddr()+"/mqtt", header)
			if err == nil {
				defer ws.Close()
				if ws.Subprotocol() != "mqtt" {
					t.Errorf("subprotocol %q; MQTT-6.0.0-4", ws.Subprotocol())
				}
			}
			if resp == nil {
				t.Fatal(err)
			}
			if got := resp.StatusCode == http.StatusSwitchingProtocols; got != allowed {
				t.Errorf("%s: let in %v, want %v", resp.Status, got, allowed)
			}
		})
	}
}

func TestWebSocketSubprotocols(t *testing.T) {
	b := startBroker(t, func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	for name, tt := range map[string]struct {
		offered []string
		want    string
	}{
		"MQTT 3.1.1":      {[]string{"mqtt"}, "mqtt"},
		"MQTT 3.1":        {[]string{"mqttv3.1"}, "mqttv3.1"},
		"among others":    {[]string{"chat", "mqtt"}, "mqtt"},
		"none":            {nil, ""},
		"nothing of ours": {[]string{"chat"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ws, _, err := (&websocket.Dialer{Subprotocols: tt.offered}).DialContext(t.Context(), "ws://"+b.WebSocketAddr(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			if got := ws.Subprotocol(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTextFramesEndTheConnection(t *testing.T) {
	b := startBroker(t, func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+b.WebSocketAddr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.ReadMessage(); err == nil {
		t.Error("the broker answered a text frame; MQTT-6.0.0-1")
	}
}

func TestTheNATSProtocolIsNotServed(t *testing.T) {
	b := startBroker(t, func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "CONNECT {}\r\nPING\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if answer, err := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("answered %q (%v)", answer, err)
	}
}

func TestCloseDropsClientsThatAreStillThere(t *testing.T) {
	b := startBroker(t, func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	lost := make(chan error, 2)
	for _, url := range []string{"mqtt://" + b.Addr(), "ws://" + b.WebSocketAddr()} {
		connect(t, url, func(o *paho.ClientOptions) {
			o.SetClientID(url).SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err })
		})
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-lost:
		case <-time.After(patience):
			t.Fatal("a client was left connected")
		}
	}
}

// TestASilentClientIsNotTakenForOneThatDoesNotRead has WebSocket's errors, which are its own, tell the two apart too.
func TestASilentClientIsNotTakenForOneThatDoesNotRead(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		<-release
	}))
	defer srv.Close()
	defer close(release)
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	s := letIn()
	s.client, s.idle = &webSocketConn{Conn: ws}, time.Millisecond
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, errSilent) {
		t.Errorf("%v", err)
	}
}
