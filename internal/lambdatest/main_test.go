// Package lambdatest compares the two ways in which a flow runs, by the
// programs themselves: `flowctl run`, and the bootstrap of a packaged function
// under a fake Lambda Runtime API. The queues, tables and brokers behind both
// are the stand-ins.
package lambdatest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait for a condition: a hang fails the test instead of
// stopping it.
const patience = 90 * time.Second

// long asks for the long forms of the tests; see the Makefile.
var long = os.Getenv("LAMBDATEST_LONG") != ""

// binaries is where programs are built.
var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if binaries, err = os.MkdirTemp("", "flowctl-lambdatest-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// program is a main package of this module, built when first needed; with the
// race detector if the test has it.
type program struct {
	path  string
	flags []string
	build func() (string, error)
}

const module = "github.com/flowctl-dev/flowctl/"

var (
	flowctl   = newProgram("cmd/flowctl")
	bootstrap = newFunction("cmd/bootstrap")
	// panicking is the bootstrap's function with a node type that panics and
	// one that hangs.
	panicking = newFunction("internal/lambdatest/panicking")
	// handAPI and handSend do by hand what flows of testdata/bench do.
	handAPI  = newFunction("internal/lambdatest/handwritten/api")
	handSend = newFunction("internal/lambdatest/handwritten/send")
)

func newProgram(path string, flags ...string) *program {
	p := &program{path: path, flags: flags}
	p.build = sync.OnceValues(p.compile)
	return p
}

// newFunction is a program that is built as packaged functions are.
func newFunction(path string) *program {
	return newProgram(path, "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc,nethttpomithttp2", "-ldflags", "-s -w -buildid=")
}

func (p *program) compile() (string, error) {
	out := filepath.Join(binaries, filepath.Base(p.path))
	flags, cgo := p.flags, "0"
	if raced {
		flags, cgo = []string{"-race"}, "1"
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), module+p.path)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("building %s: %w", p.path, err), errors.New(string(text)))
	}
	return out, nil
}

// file is the built program.
func (p *program) file(t testing.TB) string {
	t.Helper()
	path, err := p.build()
	if err != nil {
		t.Fatal(err)
	}
	return path
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

// appWith is a copy of an app in a folder of its own, with texts in its flow
// file replaced: pairs of what to replace and by what.
func appWith(t testing.TB, path string, replace ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(path)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "flow.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("%s does not have %q", path, replace[i])
		}
		text = []byte(strings.ReplaceAll(string(text), replace[i], replace[i+1]))
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
