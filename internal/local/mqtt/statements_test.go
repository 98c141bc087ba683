package mqtt

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// A statement is one of the OASIS specification of MQTT 3.1.1 about servers, and scripts that a broker which heeds it
// plays along with. All run on one broker at the same time: a filter must not match what another script sends.
type statement struct {
	id     string
	script string
	// mosquitto, when it differs, says how.
	mosquitto string
}

func statements() []statement {
	return slices.Concat(connectStatements, formatStatements, publishStatements, retainStatements, subscribeStatements,
		topicStatements, willStatements, sessionStatements)
}

func TestStatementsOfTheSpecification(t *testing.T) {
	b := startBroker(t)
	for i, s := range statements() {
		t.Run(fmt.Sprintf("%03d %s", i, s.id), func(t *testing.T) {
			t.Parallel()
			runScript(t, overTCP(b.Addr()), s.script)
		})
	}
}

// TestStatementsOverWebSocket cuts packets into frames where it likes (MQTT-6.0.0-2).
func TestStatementsOverWebSocket(t *testing.T) {
	b := startBroker(t, func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	for i, s := range statements() {
		t.Run(fmt.Sprintf("%03d %s", i, s.id), func(t *testing.T) {
			t.Parallel()
			runScript(t, overWebSocket(b.WebSocketAddr()), s.script)
		})
	}
}

func overTCP(addr string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("tcp", addr) }
}

func overWebSocket(addr string) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		dialer := &websocket.Dialer{Subprotocols: []string{"mqtt"}}
		ws, _, err := dialer.Dial("ws://"+addr+"/mqtt", nil)
		if err != nil {
			return nil, err
		}
		return &inFrames{webSocketConn: webSocketConn{Conn: ws}}, nil
	}
}

// inFrames sends frames of 1, 2, 3 and so on bytes.
type inFrames struct {
	webSocketConn
	size int
}

func (c *inFrames) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		c.size = c.size%1000 + 1
		n := min(c.size, len(rest))
		if _, err := c.webSocketConn.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// TestStatementsOnMosquitto checks the scripts themselves: mosquitto is the broker that most clients were tested with.
func TestStatementsOnMosquitto(t *testing.T) {
	addr := startMosquitto(t)
	for i, s := range statements() {
		if s.mosquitto != "" {
			continue
		}
		t.Run(fmt.Sprintf("%03d %s", i, s.id), func(t *testing.T) {
			t.Parallel()
			runScript(t, overTCP(addr), s.script)
		})
	}
}

func startMosquitto(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			t.Skip("mosquitto is not installed (Debian: mosquitto)")
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	_ = ln.Close()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf, "-v")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if line := lines.Text(); len(line) > 0 && strings.HasSuffix(line, " running") {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return addr
		}
	}
	t.Fatal("mosquitto did not start")
	return ""
}
