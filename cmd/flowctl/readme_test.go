package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// typedCommand is a command of a console block and what the page says it prints.
type typedCommand struct{ line, output string }

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// splitFences takes the fenced blocks out of a page; of console blocks it gives
// the commands. A command goes on in the next line after | or \.
func splitFences(text string) (prose string, typed [][]typedCommand) {
	for _, f := range fence.FindAllStringSubmatch(text, -1) {
		if f[1] == "console" {
			typed = append(typed, consoleCommands(f[2]))
		}
	}
	return fence.ReplaceAllString(text, ""), typed
}

func consoleCommands(block string) []typedCommand {
	var out []typedCommand
	goesOn := false
	for line := range strings.Lines(block) {
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			out = append(out, typedCommand{line: strings.TrimSpace(c)})
		} else if goesOn {
			out[len(out)-1].line += " " + strings.TrimSpace(line)
		} else {
			out[len(out)-1].output += line
			continue
		}
		last := &out[len(out)-1]
		goesOn = strings.HasSuffix(last.line, "|") || strings.HasSuffix(last.line, `\`)
		last.line = strings.TrimSpace(strings.ReplaceAll(strings.TrimSuffix(last.line, `\`), "bin/flowctl", "flowctl"))
	}
	return out
}

// readmeCommand is the README's command that begins so, without a comment
// behind it.
func readmeCommand(t *testing.T, begin string) typedCommand {
	t.Helper()
	_, blocks := splitFences(readDocument(t, "README.md"))
	for _, b := range blocks {
		for _, c := range b {
			if strings.HasPrefix(c.line, begin) {
				return c
			}
		}
	}
	t.Fatalf("the README has no command `%s`", begin)
	return typedCommand{}
}

// volatile is what differs from run to run.
var volatile = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`flowctl \S+ is running`), "flowctl VERSION is running"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b(run|correlation)([= ])[0-9a-z]{16}\b`), "$1${2}ID"},
	{regexp.MustCompile(`(X-Correlation-Id: )[0-9a-z]{16}`), "${1}ID"},
	{regexp.MustCompile(`\b\d+\.\d+ ms\b`), "TIME ms"},
	{regexp.MustCompile(`\bms=[0-9.]+`), "ms=TIME"},
	{regexp.MustCompile(`\b(localhost|127\.0\.0\.1):\d+`), "$1:PORT"},
	{regexp.MustCompile(`\d+\.\d+ MiB`), "SIZE MiB"},
	{regexp.MustCompile(` {2,}`), "  "},
	{regexp.MustCompile(`(?m) +$`), ""},
	{regexp.MustCompile(`\r`), ""},
}

func normalised(s string) string {
	for _, v := range volatile {
		s = v.re.ReplaceAllString(s, v.to)
	}
	return s
}

// newcomer gives a folder with the examples, as after a clone.
func newcomer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := copyExamples(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shell runs a command line in the newcomer's shell and gives all it prints.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

func TestTheMistakeInTheREADMEIsFoundAsItSays(t *testing.T) {
	dir := newcomer(t)
	path := filepath.Join(dir, "examples", "taxi", "flow.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const right, wrong = `key: {area_code: "${{ event.body.areacode }}"}`, `key: {area_code: "${{ event.body.areacod }}"}`
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), right, wrong, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	lint := readmeCommand(t, "flowctl lint")
	if got := shell(t, dir, lint.line); got != lint.output {
		t.Errorf("`%s` prints\n%s\nthe README says\n%s", lint.line, got, lint.output)
	}
}

func TestInvokeTakesTheWayThatTheREADMESays(t *testing.T) {
	invoke := readmeCommand(t, "echo ")
	if got, want := normalised(shell(t, newcomer(t), invoke.line)), normalised(invoke.output); got != want {
		t.Errorf("`%s` prints\n%s\nthe README says\n%s", invoke.line, got, want)
	}
}

func TestPackageWritesWhatTheDocumentationSays(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program of the package")
	}
	for _, page := range []string{"README.md", "docs/lambda.md"} {
		_, blocks := splitFences(readDocument(t, page))
		i := slices.IndexFunc(blocks, func(b []typedCommand) bool { return strings.HasPrefix(b[0].line, "flowctl package") })
		if i < 0 {
			t.Fatalf("%s does not show flowctl package", page)
		}
		said := blocks[i][0]
		if got, want := normalised(shell(t, newcomer(t), said.line)), normalised(said.output); got != want {
			t.Errorf("`%s` prints\n%s\n%s says\n%s", said.line, got, page, want)
		}
	}
}

var (
	curlCall = regexp.MustCompile(`^curl -si localhost:8080(\S+) -d '(.*)'$`)
	logBlock = regexp.MustCompile("(?s)```text\n(level=.*?)```")
)

// TestTheFiveMinutesOfTheREADME does what the README tells a newcomer to do, on
// ports that are free.
func TestTheFiveMinutesOfTheREADME(t *testing.T) {
	p, err := startRun(newcomer(t), append(os.Environ(), "TMPDIR="+t.TempDir()), "examples/taxi")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{p: p}
	t.Cleanup(r.discard)
	if !p.stderr.await(bannerEnd) {
		t.Fatalf("there is no banner:\n%s", p.stderr.String())
	}
	containsLines(t, p.stderr.String(), readmeCommand(t, "make run").output)
	for line := range strings.Lines(p.stderr.String()) {
		if strings.HasPrefix(line, "Try") {
			break
		}
		if strings.HasPrefix(line, "  ") && len(line) > 100 {
			t.Errorf("the banner has a line of %d columns: %s", len(line), line)
		}
	}
	urls := p.servers()

	sub := readmeCommand(t, "flowctl mqtt sub")
	heard := startShell(t, sub.line+" --count 1 --timeout 60s --url "+urls["MQTT"])
	if !heard.stderr.await(regexp.MustCompile("subscribed")) {
		t.Fatalf("%s: %s", sub.line, heard.stderr.String())
	}
	curl := readmeCommand(t, "curl ")
	call := curlCall.FindStringSubmatch(curl.line)
	if call == nil {
		t.Fatalf("this test does not understand `%s`", curl.line)
	}
	got := post(t, urls["HTTP"]+call[1], call[2])
	containsLines(t, got, curl.output)
	if err := <-heard.ended; err != nil {
		t.Errorf("%s: %v", sub.line, err)
	}
	heard.ended <- nil
	if got := heard.stdout.String(); got != sub.output {
		t.Errorf("`%s` prints %q, the README says %q", sub.line, got, sub.output)
	}
	said := logBlock.FindStringSubmatch(readDocument(t, "README.md"))
	if said == nil || !p.stderr.await(regexp.MustCompile("flow=dispatch.* way=")) {
		t.Fatalf("there is no log in the README, or none of both runs:\n%s", p.stderr.String())
	}
	containsLines(t, regexp.MustCompile(`(?m)^time=\S+ `).ReplaceAllString(p.stderr.String(), ""), said[1])
}

// containsLines fails for lines that are wanted and not there.
func containsLines(t *testing.T, text, want string) {
	t.Helper()
	lines := strings.Split(normalised(text), "\n")
	for line := range strings.Lines(normalised(want)) {
		if line = strings.TrimSuffix(line, "\n"); !slices.Contains(lines, line) {
			t.Errorf("the README says %q, but there is only\n%s", line, normalised(text))
		}
	}
}

// startShell starts flowctl in a shell.
func startShell(t *testing.T, line string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("sh", "-c", "exec "+line), ended: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.wait()
	r := &running{p: p}
	t.Cleanup(r.discard)
	return p
}

// post prints an answer as `curl -si` does.
func post(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", resp.Proto, resp.Status)
	if err := resp.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "\n%s\n", text)
	return b.String()
}
