package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/flowctl-dev/flowctl/internal/local/mqtt"
)

// authority signs certificates and keeps its own in a file.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// issue gives the files of a certificate for 127.0.0.1 that ends at notAfter.
func (a *authority) issue(name string, notAfter time.Time) (certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+".key", "EC PRIVATE KEY", keyDER)
}

// serverConfig demands a client certificate of the same authority when clients is true.
func (a *authority) serverConfig(notAfter time.Time, clients bool) *tls.Config {
	a.t.Helper()
	cert, err := tls.LoadX509KeyPair(a.issue("server", notAfter))
	if err != nil {
		a.t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	if clients {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
		cfg.ClientCAs = x509.NewCertPool()
		cfg.ClientCAs.AddCert(a.cert)
	}
	return cfg
}

func startTLSBroker(t *testing.T, cfg *tls.Config) *mqtt.Broker {
	t.Helper()
	b, err := mqtt.Start(t.Context(), mqtt.Options{Addr: "127.0.0.1:0", WebSocketAddr: "127.0.0.1:0", Dir: t.TempDir(), TLS: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestTLSIsVerified(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	later, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	clientCert, clientKey := ours.issue("client", later)
	strangerCert, strangerKey := theirs.issue("stranger", later)
	for name, tt := range map[string]struct {
		server *tls.Config
		client TLSConfig
		ok     bool
	}{
		"right authority":            {ours.serverConfig(later, false), TLSConfig{CAFile: ours.file}, true},
		"other authority":            {theirs.serverConfig(later, false), TLSConfig{CAFile: ours.file}, false},
		"system's authorities":       {ours.serverConfig(later, false), TLSConfig{}, false},
		"expired":                    {ours.serverConfig(past, false), TLSConfig{CAFile: ours.file}, false},
		"other name":                 {ours.serverConfig(later, false), TLSConfig{CAFile: ours.file, ServerName: "broker.example"}, false},
		"not verified by wish":       {theirs.serverConfig(past, false), TLSConfig{Insecure: true}, true},
		"client certificate":         {ours.serverConfig(later, true), TLSConfig{CAFile: ours.file, CertFile: clientCert, KeyFile: clientKey}, true},
		"no client certificate":      {ours.serverConfig(later, true), TLSConfig{CAFile: ours.file}, false},
		"unknown client certificate": {ours.serverConfig(later, true), TLSConfig{CAFile: ours.file, CertFile: strangerCert, KeyFile: strangerKey}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := startTLSBroker(t, tt.server)
			for _, url := range []string{"mqtts://" + b.Addr(), "wss://" + b.WebSocketAddr() + "/mqtt"} {
				c := newClient(t, url, func(cfg *Config) { cfg.TLS = &tt.client })
				err := c.Publish(t.Context(), "a", 1, false, []byte("x"))
				if tt.ok && err != nil {
					t.Errorf("%s: %v", url, err)
				}
				if !tt.ok {
					wantRetryable(t, err, false)
				}
			}
		})
	}
}

func TestCertificateFilesAreReadAnewForEachConnection(t *testing.T) {
	old, current := newAuthority(t), newAuthority(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", current.serverConfig(time.Now().Add(time.Hour), false))
	if err != nil {
		t.Fatal(err)
	}
	b := scriptOn(t, ln, "mqtts", func(c *brokerConn) {
		c.accept(packets.Accepted)
		c.serve(nil)
	})
	c := newClient(t, b.url, func(cfg *Config) { cfg.TLS = &TLSConfig{CAFile: old.file} })
	wantRetryable(t, c.Publish(t.Context(), "a", 1, false, nil), false)
	rotated, err := os.ReadFile(current.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old.file, rotated, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(t.Context(), "a", 1, false, nil); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
}

func TestPlainBrokerOnATLSURLIsPermanent(t *testing.T) {
	b := script(t, func(c *brokerConn) {
		c.read() // what TLS says first is no MQTT
		_, _ = c.Write([]byte("plain text"))
	})
	url := strings.Replace(b.url, "mqtt://", "mqtts://", 1)
	wantRetryable(t, newClient(t, url).Publish(t.Context(), "a", 1, false, nil), false)
}

func TestWebSocketHandshakeThatIsRefusedIsClassified(t *testing.T) {
	for status, retryable := range map[int]bool{
		http.StatusUnauthorized: false, http.StatusForbidden: false, http.StatusNotFound: false, http.StatusOK: true,
		http.StatusTooManyRequests: true, http.StatusBadGateway: true, http.StatusServiceUnavailable: true,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			defer srv.Close()
			url := strings.Replace(srv.URL, "http://", "ws://ann:hunter2@", 1) + "/mqtt?X-Signature=hunter2"
			err := newClient(t, url).Publish(t.Context(), "a", 1, false, nil)
			wantRetryable(t, err, retryable)
			if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("got %v", err)
			}
		})
	}
}
