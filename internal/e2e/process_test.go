// Package e2e tests the flowctl program from outside, as a user runs it: over
// HTTP, SQS and MQTT, with brokers that fail and processes that are killed.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// patience bounds every wait for a condition: a hang fails the test instead of
// stopping it.
const patience = 90 * time.Second

var flowctl string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flowctl-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	flowctl = filepath.Join(dir, "flowctl")
	out, err := exec.Command("go", "build", "-o", flowctl, "github.com/flowctl-dev/flowctl/cmd/flowctl").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "building flowctl: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// app is a running `flowctl run`.
type app struct {
	t      testing.TB
	cmd    *exec.Cmd
	ended  chan struct{}
	err    error
	http   string // http://localhost:PORT
	aws    string // http://127.0.0.1:PORT
	mqtt   string // mqtt://127.0.0.1:PORT, of the embedded broker
	mu     sync.Mutex
	output bytes.Buffer
}

var (
	httpLine  = regexp.MustCompile(`(?m)^  http +\w+ (http://localhost:\d+)/`)
	awsLine   = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/000000000000/`)
	mqttLine  = regexp.MustCompile(`(?m)^  broker +\S+ +(mqtt://127\.0\.0\.1:\d+)`)
	endOfHead = "Ctrl-C stops."
)

// start runs `flowctl run` on free ports and waits for its banner. The ports
// are chosen anew at each start, unless given as flags.
func start(t testing.TB, path string, env []string, flags ...string) *app {
	t.Helper()
	args := append([]string{"run", path, "--http", "127.0.0.1:0", "--aws-endpoint", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"}, flags...)
	a := &app{t: t, cmd: exec.Command(flowctl, args...), ended: make(chan struct{})}
	a.cmd.Env = append(os.Environ(), env...)
	stderr, err := a.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go a.read(stderr, ready)
	t.Cleanup(a.kill)
	select {
	case <-ready:
	case <-a.ended:
		t.Fatalf("flowctl run ended: %v\n%s", a.err, a.log())
	case <-time.After(patience):
		t.Fatalf("flowctl run shows no banner:\n%s", a.log())
	}
	head := a.log()
	a.http, a.aws, a.mqtt = first(httpLine, head), first(awsLine, head), first(mqttLine, head)
	return a
}

func first(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

func (a *app) read(r io.Reader, ready chan struct{}) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		a.mu.Lock()
		a.output.WriteString(line)
		a.mu.Unlock()
		if ready != nil && strings.Contains(line, endOfHead) {
			close(ready)
			ready = nil
		}
		if err != nil {
			break
		}
	}
	a.err = a.cmd.Wait()
	close(a.ended)
}

func (a *app) log() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.output.String()
}

// kill ends the process as kill -9 does and waits for its end.
func (a *app) kill() {
	a.cmd.Process.Kill()
	<-a.ended
}

// stop ends the process by SIGINT and gives its exit code.
func (a *app) stop() int {
	a.t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGINT); err != nil {
		a.t.Fatal(err)
	}
	select {
	case <-a.ended:
	case <-time.After(patience):
		a.t.Fatalf("SIGINT does not end flowctl run:\n%s", a.log())
	}
	return a.cmd.ProcessState.ExitCode()
}

// post sends a passenger's request and gives the status, 0 for no answer.
func (a *app) post(name, area string) int {
	body, err := json.Marshal(map[string]string{"areacode": area, "name": name, "seat": "4"})
	if err != nil {
		a.t.Error(err)
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.http+"/passenger/request", bytes.NewReader(body))
	if err != nil {
		a.t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// queues is an SQS client of the app's stand-in.
func (a *app) queues() *sqs.Client {
	return sqs.New(sqs.Options{BaseEndpoint: aws.String(a.aws), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
}

func (a *app) queueURL(name string) *string { return aws.String(a.aws + "/000000000000/" + name) }

// depth counts a queue's messages, those in flight included.
func (a *app) depth(name string) int {
	a.t.Helper()
	out, err := a.queues().GetQueueAttributes(a.t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: a.queueURL(name),
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		a.t.Fatal(err)
	}
	n := 0
	for _, key := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		var part int
		if _, err := fmt.Sscan(out.Attributes[key], &part); err != nil {
			a.t.Fatalf("%s is %q", key, out.Attributes[key])
		}
		n += part
	}
	return n
}

// drain takes all messages of a queue and gives their bodies.
func (a *app) drain(name string) []string {
	a.t.Helper()
	var bodies []string
	for {
		out, err := a.queues().ReceiveMessage(a.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: a.queueURL(name), MaxNumberOfMessages: 10})
		if err != nil {
			a.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, aws.ToString(m.Body))
			if _, err := a.queues().DeleteMessage(a.t.Context(), &sqs.DeleteMessageInput{QueueUrl: a.queueURL(name), ReceiptHandle: m.ReceiptHandle}); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

// eventually waits until the condition holds, looking again and again.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("it never came that %s", what)
		}
	}
}

// name is the passenger in a message.
func name(payload string) string {
	var p struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return "not JSON: " + payload
	}
	return p.Name
}

const taxi = "../../examples/taxi"
