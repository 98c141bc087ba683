package conformance

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local"
)

// serveFolder makes the test binary a process of its own with the stand-ins over that data folder, to be measured and
// killed.
const serveFolder = "FLOWCTL_CONFORMANCE_SERVE"

// serveRelaxed, set beside it, has that process acknowledge before the disk has what it acknowledges.
const serveRelaxed = "FLOWCTL_CONFORMANCE_RELAXED"

// serveUntilKilled tells the stand-ins' addresses on standard output and serves.
func serveUntilKilled(dir string) error {
	local.CollectLess() // as the flowctl command does
	l, err := local.Start(context.Background(), local.Options{
		Dir: dir, Relaxed: os.Getenv(serveRelaxed) != "", AWSAddr: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	fmt.Println("serving", l.AWSEndpoint(), l.MQTTAddr())
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	<-interrupted
	return l.Close()
}

// child is the stand-ins in a process of their own.
type child struct {
	endpoint
	mqtt string // host:port
	t    testing.TB
	cmd  *exec.Cmd
}

// startChild starts the stand-ins on a data folder, with more in their environment, and returns when they serve.
func startChild(t testing.TB, dir string, env ...string) *child {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(binary)}
	c.cmd.Env = append(append(os.Environ(), serveFolder+"="+dir), env...)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the stand-ins did not start: %v", err)
	}
	var url string
	if _, err := fmt.Sscanf(line, "serving %s %s", &url, &c.mqtt); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	c.endpoint = endpoint{"flowctl", url, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}, c.cmd.Process.Pid}
	return c
}

// kill ends the process as kill -9 does.
func (c *child) kill() {
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Error(err)
	}
	_ = c.cmd.Wait() // tells only that it was killed
	c.client.CloseIdleConnections()
}

// must makes a request that has to succeed.
func (e *endpoint) must(t testing.TB, service, op, request string) map[string]any {
	t.Helper()
	o, err := e.call(context.Background(), service, op, request)
	if err != nil {
		t.Fatal(err)
	}
	if o.code != "" {
		t.Fatalf("%s %s %s: %s", e.name, op, request, o)
	}
	return o.body
}
