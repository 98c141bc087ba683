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
)

// A statement is one of the OASIS specification of MQTT 3.1.1 about servers, and scripts that a broker which heeds it
// plays along with.
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
			runScript(t, b.Addr(), s.script)
		})
	}
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
			runScript(t, addr, s.script)
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
