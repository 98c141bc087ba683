package mqtt

import (
	"bufio"
	"context"
	"crypto/rand"
	"net"
	"os/exec"
	"strings"
	"testing"
)

func mosquitto(t *testing.T, b *Broker, program string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed (Debian: mosquitto-clients)", program)
	}
	host, port, err := net.SplitHostPort(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, path, append([]string{"-h", host, "-p", port, "-V", "311"}, args...)...)
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", cmd, err, out)
	}
	return strings.TrimSpace(string(out))
}

// startSubscriber starts a mosquitto_sub for one filter and returns when it is subscribed. Its output is flushed with
// each message only, so it is told by a retained message on a topic of its own.
func startSubscriber(t *testing.T, b *Broker, filter string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	ready := "ready/" + rand.Text()
	run(t, mosquitto(t, b, "mosquitto_pub", "-q", "1", "-r", "-t", ready, "-m", "now"))
	cmd := mosquitto(t, b, "mosquitto_sub", append([]string{"-v", "-t", filter, "-t", ready, "-C", "2"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	awaitLine(t, lines, ready+" now")
	return cmd, lines
}

func awaitLine(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	for lines.Scan() {
		if lines.Text() == want {
			return
		}
	}
	t.Fatalf("mosquitto_sub ended without %q", want)
}

func TestMosquittoClientsAtEachQoS(t *testing.T) {
	b := startBroker(t)
	for _, qos := range []string{"0", "1", "2"} {
		t.Run("QoS"+qos, func(t *testing.T) {
			cmd, lines := startSubscriber(t, b, "area 51/#", "-q", qos)
			run(t, mosquitto(t, b, "mosquitto_pub", "-q", qos, "-t", "area 51/x", "-m", "hello"))
			awaitLine(t, lines, "area 51/x hello")
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMosquittoClientsRetainedMessage(t *testing.T) {
	b := startBroker(t)
	run(t, mosquitto(t, b, "mosquitto_pub", "-q", "1", "-r", "-t", "state", "-m", "open"))
	if got := run(t, mosquitto(t, b, "mosquitto_sub", "-t", "state", "-C", "1", "-F", "%r %p")); got != "1 open" {
		t.Errorf("got %q", got)
	}
}

func TestMosquittoClientsPersistentSession(t *testing.T) {
	b := startBroker(t)
	session := []string{"-q", "1", "-c", "-i", "my.session id", "-t", "inbox"}
	run(t, mosquitto(t, b, "mosquitto_sub", append(session, "-E")...))
	run(t, mosquitto(t, b, "mosquitto_pub", "-q", "2", "-t", "inbox", "-m", "while away"))
	if got := run(t, mosquitto(t, b, "mosquitto_sub", append(session, "-C", "1")...)); got != "while away" {
		t.Errorf("got %q", got)
	}
}

func TestMosquittoClientsWill(t *testing.T) {
	b := startBroker(t)
	watcher, lines := startSubscriber(t, b, "wills/#", "-q", "1")
	victim, _ := startSubscriber(t, b, "x", "--will-topic", "wills/victim", "--will-payload", "gone", "--will-qos", "1")
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	awaitLine(t, lines, "wills/victim gone")
	if err := watcher.Wait(); err != nil {
		t.Error(err)
	}
}
