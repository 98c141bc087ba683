package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// asBootstrap makes the test binary the bootstrap.
const asBootstrap = "BOOTSTRAP_TEST"

// patience bounds waits that end the test if they pass.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asBootstrap) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// folder is a task root with the files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run is a bootstrap that runs.
type run struct {
	t    *testing.T
	api  *runtimeapi.API
	cmd  *exec.Cmd
	log  logFile
	exit chan error
}

// logFile is where the bootstrap itself writes its log: what it wrote before it
// replied is there when the reply is. A pipe would be read some time later.
type logFile struct{ *os.File }

func (l logFile) String() string {
	text, err := os.ReadFile(l.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// launch starts the bootstrap as Lambda does.
func launch(t *testing.T, root string, env ...string) *run {
	t.Helper()
	r := &run{t: t, api: runtimeapi.New(), exit: make(chan error, 1)}
	r.cmd = exec.Command(os.Args[0])
	r.cmd.Env = slices.Concat(r.api.Env("shop-work", root), []string{asBootstrap + "=1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key",
		"GOCOVERDIR=" + t.TempDir()}, env)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the bootstrap has it too
	r.log, r.cmd.Stderr = logFile{log}, log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.exit <- r.cmd.Wait() }()
	t.Cleanup(func() {
		r.api.Close()
		_ = r.cmd.Process.Kill()
		<-r.exit
		if t.Failed() {
			t.Logf("log:\n%s", r.log.String())
		}
	})
	return r
}

// ready waits for the end of the init.
func (r *run) ready() *run {
	r.t.Helper()
	select {
	case <-r.api.Started():
	case e := <-r.api.InitFailed():
		r.t.Fatal(e)
	case err := <-r.exit:
		r.exit <- err
		r.t.Fatal("the bootstrap ended:", err)
	case <-time.After(patience):
		r.t.Fatal("the bootstrap asks for no invocation")
	}
	return r
}

// ended waits for the end of the process.
func (r *run) ended() error {
	r.t.Helper()
	select {
	case err := <-r.exit:
		r.exit <- err
		return err
	case <-time.After(patience):
		r.t.Fatal("the bootstrap does not end")
		return nil
	}
}

func (r *run) invoke(payload string) (string, *runtimeapi.Error) {
	r.t.Helper()
	reply, failure, err := r.api.Invoke(r.t.Context(), []byte(payload), runtimeapi.Call{ID: "request-" + fmt.Sprint(time.Now().UnixNano()), Timeout: patience})
	if err != nil {
		r.t.Fatal(err)
	}
	return string(reply), failure
}

// lines are the log's.
func (r *run) lines() []map[string]any {
	r.t.Helper()
	var all []map[string]any
	for line := range strings.Lines(r.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			r.t.Fatalf("a line of the log is not JSON: %s", line)
		}
		all = append(all, m)
	}
	return all
}

const echo = `
version: 1
env:
  GREETING: {default: hello}
  PLACE:
  UNREAD:
flows:
  work:
    nodes:
      call: {type: invoke.in, next: reply}
      reply: {type: invoke.reply, value: "${{ env.GREETING }}, ${{ env.PLACE }}: ${{ event.body }}"}
  other:
    nodes:
      call: {type: invoke.in, next: reply}
      reply: {type: invoke.reply, value: "other ${{ env.UNREAD }}"}
`

func TestTheFunctionRunsTheFlowThatItIsToldWithItsSettings(t *testing.T) {
	root := folder(t, map[string]string{"one.flow.yaml": echo, "two.flow.yaml": "version: 1\nflows:\n  third:\n    nodes:\n      call: {type: invoke.in, next: reply}\n      reply: {type: invoke.reply, value: 3}\n"})
	r := launch(t, root, "FLOWCTL_FLOW=work", "PLACE=world").ready()
	if reply, failure := r.invoke(`"hi"`); reply != `"hello, world: hi"` {
		t.Error(reply, failure)
	}
	if reply, failure := launch(t, root, "FLOWCTL_FLOW=third").ready().invoke("1"); reply != "3" {
		t.Error(reply, failure)
	}
	if names := r.api.Extensions(); len(names) > 0 {
		t.Errorf("a flow without connections registers %v", names)
	}
	first := r.lines()[0]
	if first["message"] != "the function is ready" || first["function"] != "shop-work" || first["version"] != "$LATEST" || first["flow"] != "work" {
		t.Errorf("%v", first)
	}
}

func TestWhatKeepsAFunctionFromStartingIsToldWithItsPlace(t *testing.T) {
	const bad = `
version: 1
flows:
  work:
    nodes:
      call: {type: invoke.in, next: gone}
      reply: {type: invoke.replay, value: 1}
`
	for _, c := range []struct {
		about string
		files map[string]string
		env   []string
		kind  string
		lines []string
	}{
		{"mistakes in a file", map[string]string{"flow.yaml": bad}, nil, "Init.InvalidFlow", []string{"flow.yaml:6:", "flow.yaml:7:"}},
		{"a setting that the flow reads", map[string]string{"a.flow.yaml": echo}, []string{"FLOWCTL_FLOW=work"}, "Init.InvalidFlow", []string{"a.flow.yaml:5:3: the setting PLACE has no value; set the environment variable PLACE of the function [missing-env]"}},
		{"a secret setting", map[string]string{"flow.yaml": "version: 1\nenv: {TOKEN: {secret: true}}\nflows:\n  work:\n    nodes:\n      call: {type: invoke.in, next: reply}\n      reply: {type: invoke.reply, value: \"${{ env.TOKEN }}\"}\n"}, nil,
			"Init.InvalidFlow", []string{"set FLOWCTL_SECRET_TOKEN to where its value is kept"}},
		{"a flow that is not there", map[string]string{"flow.yaml": echo}, []string{"FLOWCTL_FLOW=wrok", "PLACE=x"}, "Init.Failed", []string{`the app has no flow "wrok"`}},
		{"no flow named", map[string]string{"flow.yaml": echo}, []string{"PLACE=x"}, "Init.Failed", []string{"the app has the flows work, other, and FLOWCTL_FLOW does not say"}},
		{"no files", nil, nil, "Init.Failed", []string{"holds no flow file"}},
		{"references that mean nothing", map[string]string{"flow.yaml": echo}, []string{"FLOWCTL_SECRET_PLACE=vault:x", "FLOWCTL_SECRET_GREETING=hello"}, "Init.Failed",
			[]string{"the secret setting GREETING: ", "the secret setting PLACE: "}},
		{"a source that Lambda cannot call", map[string]string{"flow.yaml": "version: 1\nresources:\n  b: {type: mqtt.broker, url: \"mqtt://127.0.0.1:1\"}\nflows:\n  work:\n    nodes:\n      in: {type: mqtt.in, broker: b, topic: x, next: d}\n      d: {type: drop}\n"}, nil,
			"Init.Failed", []string{"AWS Lambda cannot call the flow work: its sources, in (mqtt.in), "}},
	} {
		t.Run(c.about, func(t *testing.T) {
			r := launch(t, folder(t, c.files), c.env...)
			var told *runtimeapi.Error
			select {
			case told = <-r.api.InitFailed():
			case <-r.api.Started():
				t.Fatal("the function started")
			case <-time.After(patience):
				t.Fatal("nothing was told")
			}
			if err := r.ended(); err == nil || err.Error() != "exit status 1" {
				t.Errorf("the process ended with %v", err)
			}
			if !strings.HasPrefix(told.Type, c.kind) {
				t.Errorf("the type is %s, want %s", told.Type, c.kind)
			}
			lines := r.lines()
			if len(lines) != len(c.lines) {
				t.Errorf("%d lines, want %d: %v", len(lines), len(c.lines), lines)
			}
			for i, want := range c.lines {
				if text := fmt.Sprint(lines[i]["message"], lines[i]["error"]); !strings.Contains(text, want) || lines[i]["level"] != "ERROR" {
					t.Errorf("line %d is %v, want %q", i+1, lines[i], want)
				}
				if !strings.Contains(told.Message, want) {
					t.Errorf("Lambda is told %q, want %q in it", told.Message, want)
				}
			}
		})
	}
}

func TestAFunctionThatFailsGoesOn(t *testing.T) {
	root := folder(t, map[string]string{"flow.yaml": `
version: 1
resources: {jobs: {type: sqs.queue}}
flows:
  work:
    nodes:
      in: {type: sqs.in, queue: jobs, next: which}
      which: {type: switch, cases: [{when: event.body.bad == true, next: no}], default: yes}
      no: {type: fail, message: on purpose, code: sorry}
      yes: {type: log, message: fine}
`})
	r := launch(t, root, "FLOWCTL_RESOURCE_jobs=https://sqs.us-east-1.amazonaws.com/123456789012/app-jobs-1X").ready()
	batch := func(queue, bad string) string {
		return `{"Records":[{"messageId":"a","body":"{}","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:` + queue + `"},` +
			`{"messageId":"b","body":"{\"bad\":` + bad + `}","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:` + queue + `"}]}`
	}
	if reply, failure := r.invoke(batch("app-jobs-1X", "true")); reply != `{"batchItemFailures":[{"itemIdentifier":"b"}]}` {
		t.Error(reply, failure)
	}
	if reply, failure := r.invoke(batch("another", "false")); failure == nil || failure.Type != "unexpected_event" || !strings.Contains(failure.Message, "another") {
		t.Error(reply, failure)
	}
	if reply, failure := r.invoke(batch("app-jobs-1X", "false")); reply != `{"batchItemFailures":[]}` {
		t.Error(reply, failure)
	}
	cold := 0
	for _, line := range r.lines() {
		if line["cold_start"] == true {
			cold++
		}
		if line["message"] == "fine" && (line["requestId"] == nil || line["traceId"] == nil || line["run"] == nil || line["node"] != "yes") {
			t.Errorf("%v", line)
		}
		if strings.Contains(fmt.Sprint(line["message"]), "errorMessage") {
			t.Errorf("the library's repetition is in the log: %v", line)
		}
	}
	if cold == 0 || cold > 4 {
		t.Errorf("%d lines of a cold start", cold)
	}
}

func TestSIGTERMSaysGoodbyeToTheBroker(t *testing.T) {
	for _, c := range []struct {
		about    string
		before   func(*run, *broker)
		goodbyes int
	}{
		{"before the first invocation", func(*run, *broker) {}, 0},
		{"between invocations", func(r *run, _ *broker) {
			if _, failure := r.invoke(`{"n":1}`); failure != nil {
				r.t.Error(failure)
			}
		}, 1},
		{"while a message is not acknowledged", func(r *run, b *broker) {
			b.mu.Lock()
			b.silent = true
			b.mu.Unlock()
			go func() { _, _, _ = r.api.Invoke(r.t.Context(), []byte(`{}`), runtimeapi.Call{Timeout: patience}) }()
			eventually(r.t, "the broker has the message", func() bool { return b.count("PUBLISH") == 1 })
		}, 1},
	} {
		t.Run(c.about, func(t *testing.T) {
			b := startBroker(t, "")
			r := launch(t, folder(t, map[string]string{"flow.yaml": publishing}), "BROKER="+b.url()).ready()
			c.before(r, b)
			if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := r.ended(); err != nil {
				t.Errorf("the process ended with %v", err)
			}
			if got := r.api.Extensions(); !slices.Equal(got, []string{"GoLangEnableSIGTERM"}) {
				t.Errorf("extensions %v", got)
			}
			eventually(t, "the broker has read the goodbye", func() bool { return b.count("DISCONNECT") == c.goodbyes })
		})
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("it never came that %s", what)
		}
	}
}
