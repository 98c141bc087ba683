package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for 127.0.0.1, its own authority, and its
// key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", encoded)
}

// startLocal runs `local ARGS...` with a command that prints $variable and
// waits; it gives the variable's value.
func startLocal(t *testing.T, variable string, args ...string) string {
	t.Helper()
	stdin, closeStdin := io.Pipe()
	readStdout, stdout := io.Pipe()
	var words watched
	cmd := newLocalCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append(args, "--data", t.TempDir(), "--exec", `echo "$`+variable+`"; cat`))
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(&words)
	ended := make(chan error, 1)
	go func() {
		err := cmd.ExecuteContext(context.WithoutCancel(t.Context()))
		_ = stdout.Close()
		ended <- err
	}()
	t.Cleanup(func() {
		_ = closeStdin.Close()
		if err := <-ended; err != nil {
			t.Errorf("local: %v\n%s", err, words.String())
		}
	})
	line, err := bufio.NewReader(readStdout).ReadString('\n')
	if err != nil {
		t.Fatalf("local printed no address: %v", err)
	}
	return strings.TrimSpace(line)
}

func TestLocalBrokerSpeaksTLSWithTheGivenCertificate(t *testing.T) {
	cert, key := certificate(t)
	url := startLocal(t, "FLOWCTL_MQTT_URL", "--mqtt", "--mqtt-addr", "127.0.0.1:0", "--mqtt-tls-cert", cert, "--mqtt-tls-key", key)
	if !strings.HasPrefix(url, "mqtts://") {
		t.Fatalf("the command was told %q", url)
	}
	if _, _, err := mqttCommand(t.Context(), "", "pub", "--url", url, "--ca", cert, "t", "hello"); err != nil {
		t.Error(err)
	}
	if _, _, err := mqttCommand(t.Context(), "", "pub", "--url", url, "t", "hello"); err == nil {
		t.Error("a client that does not trust the certificate was let in")
	}
	plain := "mqtt" + strings.TrimPrefix(url, "mqtts")
	if _, _, err := mqttCommand(t.Context(), "", "pub", "--url", plain, "--timeout", "2s", "t", "hello"); err == nil {
		t.Error("a client without TLS was let in")
	}
}

func TestLocalCallsItselfAsItWasCalled(t *testing.T) {
	defer func(called string) { os.Args[0] = called }(os.Args[0])
	os.Args[0] = "bin/flowctl"
	var words watched
	cmd := newLocalCommand()
	cmd.SetArgs([]string{"--aws-endpoint", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0", "--data", t.TempDir(), "--exec", "true"})
	cmd.SetErr(&words)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"  bin/flowctl queue ls\n", "  bin/flowctl table ls\n", "  bin/flowctl mqtt sub "} {
		if !strings.Contains(words.String(), line) {
			t.Errorf("%q is not in\n%s", line, words.String())
		}
	}
}
