package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	mqttbroker "github.com/flowctl-dev/flowctl/internal/local/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

const mqttPatience = 30 * time.Second

func startMQTTBroker(t *testing.T, change ...func(*mqttbroker.Options)) string {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	o := mqttbroker.Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}
	for _, c := range change {
		c(&o)
	}
	b, err := mqttbroker.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return "mqtt://" + b.Addr()
}

// mqttCommand runs `mqtt ARGS...` to its end.
func mqttCommand(ctx context.Context, stdin string, args ...string) (stdout, stderr string, err error) {
	var out, words bytes.Buffer
	cmd := newMQTTCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&words)
	err = cmd.ExecuteContext(ctx)
	return out.String(), words.String(), err
}

// subscriber is an `mqtt sub` that runs beside the test.
type subscriber struct {
	t    *testing.T
	stop context.CancelFunc
	out  bytes.Buffer
	done chan error
}

// startSub returns when the subscription is in force, which the command tells on
// its standard error.
func startSub(t *testing.T, args ...string) *subscriber {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	words, tell := io.Pipe()
	s := &subscriber{t: t, stop: cancel, done: make(chan error, 1)}
	cmd := newMQTTCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"sub"}, args...))
	cmd.SetOut(&s.out)
	cmd.SetErr(tell)
	var running sync.WaitGroup
	running.Go(func() {
		s.done <- cmd.ExecuteContext(ctx)
		_ = tell.Close()
	})
	t.Cleanup(func() { cancel(); _ = words.Close(); running.Wait() })
	if line, err := bufio.NewReader(words).ReadString('\n'); !strings.HasPrefix(line, "subscribed") {
		t.Fatalf("got %q, %v, %v", line, err, <-s.done)
	}
	go func() { _, _ = io.Copy(io.Discard, words) }()
	return s
}

func (s *subscriber) end() (string, error) {
	s.t.Helper()
	select {
	case err := <-s.done:
		return s.out.String(), err
	case <-time.After(mqttPatience):
		s.t.Fatal("mqtt sub does not end")
		return "", nil
	}
}

func pub(t *testing.T, url string, args ...string) {
	t.Helper()
	out, words, err := mqttCommand(t.Context(), "", append([]string{"pub", "--url", url}, args...)...)
	if err != nil || out != "" {
		t.Fatalf("pub %q: %q %q %v", args, out, words, err)
	}
}

func TestSubPrintsMessagesUntilItHasEnough(t *testing.T) {
	url := startMQTTBroker(t)
	for name, tt := range map[string]struct {
		flags []string
		want  string
	}{
		"text":    {nil, "one\ntwo\n"},
		"verbose": {[]string{"-v"}, "t/a one\nt/b two\n"},
		"json": {[]string{"--output", "json"}, `{"topic":"t/a","qos":1,"retained":false,"payload":"one"}` + "\n" +
			`{"topic":"t/b","qos":1,"retained":false,"payload":"two"}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSub(t, append(tt.flags, "--url", url, "--count", "2", "t/+")...)
			pub(t, url, "t/a", "one")
			pub(t, url, "t/b", "two")
			if got, err := s.end(); got != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestSubShowsBytesThatAreNoTextInBase64(t *testing.T) {
	url := startMQTTBroker(t)
	s := startSub(t, "--url", url, "--count", "1", "--output", "json", "t")
	pub(t, url, "t", "\xff\x00")
	want := `{"topic":"t","qos":1,"retained":false,"payload_base64":"/wA="}` + "\n"
	if got, err := s.end(); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestSubChoosesAmongRetainedMessages(t *testing.T) {
	url := startMQTTBroker(t)
	pub(t, url, "state", "kept", "--retain")
	for choice, want := range map[string]string{"include": "kept\n", "only": "kept\n", "skip": "fresh\n"} {
		t.Run(choice, func(t *testing.T) {
			s := startSub(t, "--url", url, "--count", "1", "--retained", choice, "state")
			pub(t, url, "state", "fresh")
			if got, err := s.end(); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestSubEndsInPeaceWhenItIsInterrupted(t *testing.T) {
	s := startSub(t, "--url", startMQTTBroker(t), "t")
	s.stop()
	if got, err := s.end(); got != "" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSubWithTimeoutFailsOnlyIfMessagesAreMissing(t *testing.T) {
	url := startMQTTBroker(t)
	for name, tt := range map[string]struct {
		flags []string
		want  string
	}{
		"without count": {nil, ""},
		"with count":    {[]string{"--count", "3"}, "0 of 3 messages"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := mqttCommand(t.Context(), "", append([]string{"sub", "--url", url, "--timeout", "2s", "t"}, tt.flags...)...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOutputThatCannotBeWrittenEndsSub(t *testing.T) {
	for name, tt := range map[string]struct {
		cause error
		peace bool
	}{
		"closed pipe": {syscall.EPIPE, true},
		"full disk":   {syscall.ENOSPC, false},
	} {
		t.Run(name, func(t *testing.T) {
			ended := false
			p := &messagePrinter{out: failingWriter{tt.cause}, end: func() { ended = true }}
			if err := p.handle(t.Context(), client.Message{Topic: "t"}); err != nil {
				t.Fatal(err)
			}
			if !ended || p.err == nil {
				t.Errorf("ended %v, %v", ended, p.err)
			}
			if exit := (exitError{}); errors.As(p.err, &exit) != tt.peace || exit.code != exitOK {
				t.Errorf("the command ends with %v", p.err)
			}
		})
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestPubReadsStandardInput(t *testing.T) {
	url := startMQTTBroker(t)
	for _, args := range [][]string{{"t"}, {"t", "-"}} {
		s := startSub(t, "--url", url, "--count", "1", "t")
		if _, _, err := mqttCommand(t.Context(), "line 1\nline 2", append([]string{"pub", "--url", url}, args...)...); err != nil {
			t.Fatal(err)
		}
		if got, err := s.end(); got != "line 1\nline 2\n" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestPasswordComesFromTheEnvironment(t *testing.T) {
	url := startMQTTBroker(t, func(o *mqttbroker.Options) { o.User, o.Password = "ann", "hunter2" })
	t.Setenv(passwordEnv, "hunter2")
	pub(t, url, "--username", "ann", "t", "x")
	t.Setenv(passwordEnv, "guess")
	_, _, err := mqttCommand(t.Context(), "", "pub", "--url", url, "--username", "ann", "t", "x")
	if err == nil || strings.Contains(err.Error(), "guess") {
		t.Errorf("got %v", err)
	}
}

func TestBrokerThatIsNotThereIsExplained(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "mqtt://" + ln.Addr().String()
	_ = ln.Close()
	for _, args := range [][]string{{"sub", "t"}, {"pub", "t", "x"}} {
		_, _, err := mqttCommand(t.Context(), "", append(args, "--url", url)...)
		if err == nil || !strings.Contains(err.Error(), url) || !strings.Contains(err.Error(), "is `flowctl run` running?") {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestMistakesInTheArgumentsAreUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"sub", "a/#/b"},
		{"sub", "a", "--qos", "3"},
		{"sub", "a", "--count", "-1"},
		{"sub", "a", "--timeout", "-1s"},
		{"sub", "a", "--url", "http://h"},
		{"pub", "a/+", "x"},
		{"pub", "a", "x", "--qos", "3"},
		{"pub", "a", "x", "--timeout", "0s"},
		{"pub", "a", "x", "--url", "mqtt://h", "--insecure"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			_, _, err := mqttCommand(t.Context(), "", args...)
			var usage usageError
			if !errors.As(err, &usage) {
				t.Errorf("got %v, want a usage error", err)
			}
		})
	}
}
