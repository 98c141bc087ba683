package lambdatest

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running program whose output is kept.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	err   error

	mu     sync.Mutex
	output bytes.Buffer
}

// startProcess starts a program with only the given environment. line is told
// every line of its standard error; it may be nil.
func startProcess(t testing.TB, path string, env, args []string, line func(string)) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Env = env
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	go p.read(reader, line)
	t.Cleanup(func() {
		p.kill()
		checkForCanaries(t, "the log of "+path, p.log())
		if _, race, found := strings.Cut(p.log(), "WARNING: DATA RACE"); found {
			t.Errorf("%s has a race:%s", path, race)
		}
	})
	return p
}

func (p *process) read(r io.ReadCloser, tell func(string)) {
	defer close(p.ended)
	defer r.Close()
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.output.WriteString(line)
		p.mu.Unlock()
		if tell != nil {
			tell(line)
		}
		if err != nil {
			break
		}
	}
	p.err = p.cmd.Wait()
}

// log is what the program has written so far.
func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// kill ends the program as kill -9 does and waits for its end.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// signal sends the program a signal.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the program by a signal and gives its exit code, -1 if the signal
// itself ended it.
func (p *process) stop(s syscall.Signal) int {
	p.t.Helper()
	p.signal(s)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end the program:\n%s", s, p.log())
	}
	return p.cmd.ProcessState.ExitCode()
}

// plainEnv is the test's environment without what concerns AWS, so that
// nothing of the machine's own account gets into a test.
func plainEnv(more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "FLOWCTL_") && !strings.HasPrefix(e, "_") {
			env = append(env, e)
		}
	}
	return append(env, more...)
}
