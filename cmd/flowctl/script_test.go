package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain lets scripts run flowctl, and two helpers that stand in for tools
// which may not be installed.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"flowctl": func() { os.Exit(run(os.Args[1:])) },
		"request": func() { os.Exit(request(os.Args[1:])) },
		"await":   func() { os.Exit(await(os.Args[1:])) },
		"depth":   func() { os.Exit(depth(os.Args[1:])) },
	})
}

// leakChecked runs the tests and then looks for goroutines that they left.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestScripts runs testdata/script. See https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript
// for the language; the commands added to it are those of scriptCommands and of
// TestMain.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		Cmds:                scriptCommands,
		Condition:           scriptCondition,
		Setup:               setUpScript,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// exits CODE PROGRAM ARGS... runs a program that must end with the code.
	"exits": scriptExits,
	// hold NAME listens on a free port, which accepts and never answers, and
	// puts its address into $NAME.
	"hold": scriptHold,
	// start [ENV=VALUE...] ARGS... starts `flowctl run ARGS...` on free ports and
	// waits for its banner; its servers are in $HTTP, $AWS and $MQTT, its process id
	// is in $PID.
	"start": scriptStart,
	// logged PATTERN waits until what was started has printed it.
	"logged": scriptLogged,
	// signal INT|TERM sends it to what was started.
	"signal": scriptSignal,
	// insist presses Ctrl-C until what was started has ended.
	"insist": scriptInsist,
	// ended CODE waits for the end of what was started; its output is then what
	// stdout and stderr look at.
	"ended": scriptEnded,
	// jsonlines FILE looks that the lines that begin with { are JSON objects.
	"jsonlines": scriptJSONLines,
	// program FILE ARCH writes what stands in for the program that runs flows on
	// AWS Lambda.
	"program": scriptProgram,
	// jsonobject FILE looks that the file is one JSON object.
	"jsonobject": scriptJSONObject,
}

// scriptCondition adds [root]: permissions do not bind it.
func scriptCondition(cond string) (bool, error) {
	if cond == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", cond)
}

// setUpScript gives each script copies of the examples.
func setUpScript(e *testscript.Env) error {
	e.Values[runningKey{}] = &running{env: e.Vars}
	return copyExamples(e.WorkDir)
}

// copyExamples copies what is checked in, and no data of those who tried them.
func copyExamples(dir string) error {
	files, err := filepath.Glob(filepath.Join(root, "examples", "*", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		to := filepath.Join(dir, "examples", filepath.Base(filepath.Dir(file)))
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, not %d", args[1], got, want)
	}
}

func scriptHold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ended := make(chan struct{})
	var open []net.Conn
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, c)
		}
	}()
	ts.Defer(func() {
		_ = l.Close()
		<-ended
		for _, c := range open {
			_ = c.Close()
		}
	})
	ts.Setenv(args[0], l.Addr().String())
}

func scriptJSONLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: jsonlines FILE")
	}
	n := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		n++
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("%s: %v", line, err)
		}
	}
	if n == 0 {
		ts.Fatalf("%s holds no line of JSON", args[0])
	}
}

func scriptJSONObject(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: jsonobject FILE")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &object))
}
