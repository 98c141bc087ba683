package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait: a hang fails the test instead of stopping it.
const patience = 60 * time.Second

// process is a `flowctl run` that a script has started.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr watched
	ended          chan error
}

// watched is what a process prints; others wait for parts of it.
type watched struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
	closed  bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	w.tell()
	return len(p), nil
}

func (w *watched) tell() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// close says that nothing more comes.
func (w *watched) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.tell()
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await waits until the text matches.
func (w *watched) await(re *regexp.Regexp) bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		w.mu.Lock()
		if re.Match(w.text.Bytes()) || w.closed {
			defer w.mu.Unlock()
			return re.Match(w.text.Bytes())
		}
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-late.C:
			return false
		}
	}
}

// running is what a script has started, and the environment to start it in.
type running struct {
	env []string
	p   *process
}

// runningKey is where a script's *running is kept.
type runningKey struct{}

func startedBy(ts *testscript.TestScript) *running { return ts.Value(runningKey{}).(*running) }

func mustRun(ts *testscript.TestScript) *process {
	p := startedBy(ts).p
	if p == nil {
		ts.Fatalf("nothing was started")
	}
	return p
}

// freePorts let scripts run beside each other.
var freePorts = []string{"--http", "127.0.0.1:0", "--aws-endpoint", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"}

var (
	assignment = regexp.MustCompile(`^[A-Z_]+=`)
	bannerEnd  = regexp.MustCompile(`Ctrl-C stops\.`)
	bannerURL  = map[string]*regexp.Regexp{
		"HTTP": regexp.MustCompile(`(?m)^  http +\w+ http://localhost(:\d+)/`),
		"AWS":  regexp.MustCompile(`http://127\.0\.0\.1(:\d+)`),
		"MQTT": regexp.MustCompile(`(?m)^  broker +\S+ +mqtt://127\.0\.0\.1(:\d+)`),
	}
	schemes = map[string]string{"HTTP": "http", "AWS": "http", "MQTT": "mqtt"}
)

func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	r := startedBy(ts)
	if neg || r.p != nil {
		ts.Fatalf("usage: start [NAME=VALUE...] ARGS..., once what was started before has ended")
	}
	env := slices.Clone(r.env)
	for len(args) > 0 && assignment.MatchString(args[0]) {
		env, args = append(env, args[0]), args[1:]
	}
	p, err := startRun(ts.MkAbs("."), env, args...)
	ts.Check(err)
	r.p = p
	ts.Defer(func() { r.discard() })
	ts.Setenv("PID", strconv.Itoa(p.cmd.Process.Pid))
	if !p.stderr.await(bannerEnd) {
		ts.Fatalf("flowctl run shows no banner:\n%s", p.stderr.String())
	}
	for name, url := range p.servers() {
		ts.Setenv(name, url)
	}
}

// startRun starts `flowctl run ARGS...` on free ports in a folder.
func startRun(dir string, env []string, args ...string) (*process, error) {
	program, err := exec.LookPath("flowctl")
	if err != nil {
		return nil, err
	}
	p := &process{ended: make(chan error, 1)}
	p.cmd = exec.Command(program, append(append([]string{"run"}, freePorts...), args...)...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.wait()
	return p, nil
}

// servers are the URLs in the banner: HTTP, AWS and MQTT.
func (p *process) servers() map[string]string {
	urls := map[string]string{}
	for name, re := range bannerURL {
		if found := re.FindStringSubmatch(p.stderr.String()); found != nil {
			urls[name] = schemes[name] + "://127.0.0.1" + found[1]
		}
	}
	return urls
}

func (p *process) wait() {
	err := p.cmd.Wait()
	p.stdout.close()
	p.stderr.close()
	p.ended <- err
}

// discard kills what a script has left running.
func (r *running) discard() {
	if r.p != nil {
		_ = r.p.cmd.Process.Kill()
		<-r.p.ended
		r.p = nil
	}
}

func scriptLogged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: logged PATTERN")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	if p := mustRun(ts); !p.stderr.await(re) {
		ts.Fatalf("it was never logged:\n%s", p.stderr.String())
	}
}

func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	if neg || len(args) != 1 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal INT|TERM|KILL")
	}
	ts.Check(mustRun(ts).cmd.Process.Signal(signals[args[0]]))
}

func scriptInsist(ts *testscript.TestScript, neg bool, args []string) {
	late := time.NewTimer(patience)
	defer late.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err := mustRun(ts).cmd.Process.Signal(syscall.SIGINT); errors.Is(err, os.ErrProcessDone) {
			return
		}
		select {
		case <-again.C:
		case <-late.C:
			ts.Fatalf("it does not end:\n%s", mustRun(ts).stderr.String())
		}
	}
}

func scriptEnded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ended CODE")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	p := mustRun(ts)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err = <-p.ended:
	case <-late.C:
		ts.Fatalf("it does not end:\n%s", p.stderr.String())
	}
	startedBy(ts).p = nil
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Check(err)
	}
	_, _ = io.WriteString(ts.Stdout(), p.stdout.String())
	_, _ = io.WriteString(ts.Stderr(), p.stderr.String())
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("it ended with exit code %d, not %d", got, want)
	}
}
