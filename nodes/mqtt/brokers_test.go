package mqtt

import (
	"context"
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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	embedded "github.com/flowctl-dev/flowctl/internal/local/mqtt"
)

// certificates is an authority and what it has signed, as files in a folder.
type certificates struct {
	t    testing.TB
	dir  string
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

func newCertificates(t testing.TB) *certificates {
	t.Helper()
	c := &certificates{t: t, dir: t.TempDir()}
	c.root = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	c.key = c.write("ca", c.root, c.root, nil)
	return c
}

// write makes a key pair, has it signed, and writes NAME.pem and NAME.key.
func (c *certificates) write(name string, cert, parent *x509.Certificate, by *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, by)
	if err != nil {
		c.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		c.path(name + ".pem"): {Type: "CERTIFICATE", Bytes: der}, c.path(name + ".key"): {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	return key
}

func (c *certificates) path(file string) string { return filepath.Join(c.dir, file) }

func (c *certificates) sign(name string, usage x509.ExtKeyUsage, ips ...net.IP) {
	c.t.Helper()
	c.write(name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage}, IPAddresses: ips,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, c.root, c.key)
}

// server is the TLS side of a broker that lets in only who has a certificate of the authority.
func (c *certificates) server() *tls.Config {
	c.t.Helper()
	c.sign("server", x509.ExtKeyUsageServerAuth, net.IPv4(127, 0, 0, 1))
	pair, err := tls.LoadX509KeyPair(c.path("server.pem"), c.path("server.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	roots, err := os.ReadFile(c.path("ca.pem"))
	if err != nil {
		c.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		c.t.Fatal("no certificate in ca.pem")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
}

func TestTLSWithClientCertificateAndPassword(t *testing.T) {
	certs := newCertificates(t)
	certs.sign("client", x509.ExtKeyUsageClientAuth)
	_, url := startBroker(t, func(o *embedded.Options) { o.TLS, o.User, o.Password = certs.server(), "ann", "right-password" })
	trusting := func(b *Broker) { b.TLS.CA = expr.Of(certs.path("ca.pem")) }
	certified := func(b *Broker) {
		b.TLS.Cert, b.TLS.Key = expr.Of(certs.path("client.pem")), expr.Of(certs.path("client.key"))
	}
	known := func(b *Broker) { b.Username, b.Password = expr.Of("ann"), expr.Of("right-password") }

	t.Run("both sides prove who they are", func(t *testing.T) {
		s, broker := services(t), site(t, url, trusting, certified, known)
		deliver, got := collect(t)
		run(t, s, broker, deliver, asText)
		publish(t, outNode(t, s, broker), "a/x", "hi")
		if body := receive(t, "message", got); body != "hi" {
			t.Errorf("got %q", body)
		}
	})
	for name, broker := range map[string]engine.Ref[Broker]{
		"an unknown authority":     site(t, url, certified, known),
		"another name":             site(t, url, trusting, certified, known, func(b *Broker) { b.TLS.ServerName = "other.example" }),
		"no password":              site(t, url, trusting, certified),
		"no certificate of client": site(t, url, trusting, known),
	} {
		t.Run(name, func(t *testing.T) {
			r := outNode(t, services(t), broker).Do(t.Context(), map[string]any{"topic": "a", "body": "x"})
			if r.Err == nil || engine.ClassOf(r.Err) != engine.Permanent {
				t.Errorf("got %v, want a permanent error", r.Err)
			}
			if r.Err != nil && strings.Contains(r.Err.Error(), "right-password") {
				t.Errorf("%v tells the password", r.Err)
			}
		})
	}
}

// brokerProcess is a broker that a test stops and starts again, at one address.
type brokerProcess interface {
	url() string
	stop()
	start()
}

type embeddedProcess struct {
	t      testing.TB
	dir    string
	addr   string
	broker *embedded.Broker
}

func newEmbeddedProcess(t testing.TB) brokerProcess {
	p := &embeddedProcess{t: t, dir: t.TempDir(), addr: "127.0.0.1:0"}
	p.start()
	p.addr = p.broker.Addr()
	t.Cleanup(p.stop)
	return p
}

func (p *embeddedProcess) url() string { return "mqtt://" + p.addr }

func (p *embeddedProcess) start() {
	b, err := embedded.Start(context.Background(), embedded.Options{Addr: p.addr, Dir: p.dir})
	if err != nil {
		p.t.Fatal(err)
	}
	p.broker = b
}

func (p *embeddedProcess) stop() {
	if p.broker == nil {
		return
	}
	if err := p.broker.Close(); err != nil {
		p.t.Error(err)
	}
	p.broker = nil
}

type mosquittoProcess struct {
	t       testing.TB
	program string
	config  string
	addr    string
	cmd     *exec.Cmd
}

// newMosquittoProcess runs a mosquitto that keeps what it has acknowledged when it is stopped.
func newMosquittoProcess(t testing.TB) brokerProcess {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto" // not on every user's path
		if _, err := os.Stat(program); err != nil {
			t.Skip("mosquitto is not installed (Debian: mosquitto)")
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	_ = ln.Close()
	dir := t.TempDir()
	p := &mosquittoProcess{t: t, program: program, config: filepath.Join(dir, "mosquitto.conf"), addr: addr.String()}
	config := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nlog_dest stderr\n", addr.Port, dir)
	if os.Geteuid() == 0 {
		config += "user root\n" // or it changes to a user who cannot write into the folder
	}
	if err := os.WriteFile(p.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	t.Cleanup(p.stop)
	return p
}

func (p *mosquittoProcess) url() string { return "mqtt://" + p.addr }

func (p *mosquittoProcess) start() {
	j, _ := newJournal()
	p.cmd = exec.Command(p.program, "-c", p.config)
	p.cmd.Stderr = j
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	j.await(p.t, " running\n", 1)
}

func (p *mosquittoProcess) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
	p.cmd = nil
}

var brokerProcesses = []struct {
	name string
	new  func(testing.TB) brokerProcess
}{{"embedded", newEmbeddedProcess}, {"mosquitto", newMosquittoProcess}}

func TestMessagesGoThroughBothBrokers(t *testing.T) {
	for _, b := range brokerProcesses {
		t.Run(b.name, func(t *testing.T) {
			s, broker := services(t), site(t, b.new(t).url())
			deliver, got := collect(t)
			run(t, s, broker, deliver, asText, func(c *In) { c.QoS, c.MaxInFlight = 2, 1 })
			for qos := range 3 {
				publish(t, outNode(t, s, broker, withQoS(qos)), "a/x", fmt.Sprint(qos))
				if body := receive(t, "message", got); body != fmt.Sprint(qos) {
					t.Errorf("got %q, want %d", body, qos)
				}
			}
		})
	}
}

func TestSourceAndNodeOutliveARestartOfTheBroker(t *testing.T) {
	for _, b := range brokerProcesses {
		t.Run(b.name, func(t *testing.T) {
			p := b.new(t)
			s, broker := services(t), site(t, p.url())
			deliver, got := collect(t)
			r := run(t, s, broker, deliver, asText, inSession("keeper"))
			n := outNode(t, s, broker)
			publish(t, n, "a/x", "before")
			if body := receive(t, "message", got); body != "before" {
				t.Errorf("got %q", body)
			}
			p.stop()
			res := n.Do(t.Context(), map[string]any{"topic": "a/x", "body": "while down"})
			if res.Err == nil || engine.ClassOf(res.Err) != engine.Retryable {
				t.Errorf("while the broker is down: got %v, want a retryable error", res.Err)
			}
			p.start()
			publish(t, n, "a/x", "after")
			for body := receive(t, "message", got); body != "after"; body = receive(t, "message", got) {
				if body != "before" { // may come again, if its acknowledgement was lost
					t.Errorf("got %q", body)
				}
			}
			r.journal.await(t, "msg=subscribed", 2)
		})
	}
}

// Each of 200 publishers tries until it is told success, while the broker stops and starts again. All of them must
// arrive at a session that was there from the beginning.
func TestEveryMessageThatSucceededWhileTheBrokerRestartedIsDelivered(t *testing.T) {
	const messages, beforeRestart = 200, 50
	for _, b := range brokerProcesses {
		t.Run(b.name, func(t *testing.T) {
			p := b.new(t)
			s, broker := services(t), site(t, p.url())
			deliver, got := collect(t)
			run(t, s, broker, deliver, asText, inSession("keeper"))
			h := outNode(t, s, broker).Handler()
			succeeded := make(chan string, messages)
			restarted := make(chan struct{})
			var wg sync.WaitGroup
			for i := range messages {
				wg.Go(func() {
					if i >= beforeRestart && i%2 == 0 {
						<-restarted // these come while it starts
					}
					body := fmt.Sprint(i)
					for t.Context().Err() == nil {
						err := h(t.Context(), engine.NewMessage(expr.Fields{"topic": "a/x", "body": body}, ""))
						if err == nil {
							succeeded <- body
							return
						}
						if engine.ClassOf(err) != engine.Retryable {
							t.Errorf("message %s: %v", body, err)
							return
						}
					}
				})
			}
			for range beforeRestart {
				receive(t, "success", succeeded)
			}
			p.stop()
			close(restarted)
			p.start()
			wg.Wait()
			seen := map[string]bool{}
			for len(seen) < messages {
				seen[receive(t, fmt.Sprintf("message, after %d of %d,", len(seen), messages), got)] = true
			}
		})
	}
}
