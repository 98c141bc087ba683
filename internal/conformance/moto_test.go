package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const goldenFile = "testdata/differences.golden"

// finding is a difference to moto and where it was found.
type finding struct {
	difference
	script script
	step   step
	why    *explanation
}

// key is what explanations are matched with.
func (f finding) key() string {
	return fmt.Sprintf("%s %s %s: %s | %s", f.script.service, f.step.op, f.path, f.ours, f.theirs)
}

// TestCasesAgainstMoto runs each case on the stand-ins and on moto, which was written by others from the same
// documentation. Where the outcomes differ an explanation must say which one is right; a difference without one, and
// an explanation without a difference, fail the test.
func TestCasesAgainstMoto(t *testing.T) {
	moto := startMoto(t)
	var findings []finding
	for _, service := range sortedKeys(services) {
		for _, s := range loadScripts(t, service) {
			moto.reset(t)
			findings = append(findings, compareScript(t, s, startOurs(t), moto)...)
		}
	}
	unexplained := 0
	for i := range findings {
		if findings[i].why = explain(findings[i].key(), findings[i].step.request); findings[i].why == nil {
			unexplained++
			t.Errorf("unexplained, %s line %d\n\t%s", findings[i].script, findings[i].step.line, findings[i].key())
		}
	}
	for i := range explanations {
		if !slices.ContainsFunc(findings, func(f finding) bool { return f.why == &explanations[i] }) && !explanations[i].random {
			t.Errorf("the explanation %q explains nothing any more: take it out", explanations[i].title)
		}
	}
	t.Logf("%d differences, %d unexplained", len(findings), unexplained)
	checkGolden(t, goldenFile, goldenText(findings))
}

// compareScript plays a case on both servers and gives the differences, up to the first step where one server succeeds
// and the other does not: what follows on that is no finding of its own.
func compareScript(t *testing.T, s script, ours, moto *endpoint) []finding {
	t.Helper()
	var found []finding
	a, b := player{ours, names{}}, player{moto, names{}}
	for _, step := range s.steps {
		x, done := a.play(t, s, step)
		y, doneToo := b.play(t, s, step)
		if !done || !doneToo {
			break
		}
		for _, d := range compare(x, y) {
			found = append(found, finding{difference: d, script: s, step: step})
		}
		if (x.code == "") != (y.code == "") {
			break
		}
	}
	return found
}

// player plays a case on one server.
type player struct {
	server *endpoint
	names  names
}

// play gives the normalised outcome of a step, false when the step needs something that the server did not give.
func (p player) play(t *testing.T, s script, step step) (outcome, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := p.names.fill(step.request, p.server.url)
	if err != nil {
		return outcome{}, false
	}
	o, err := p.server.call(ctx, s.service, step.op, request)
	if err != nil {
		t.Fatal(err)
	}
	p.names.check(step, o, p.server.url) // for the names; the outcome is compared with the other server's
	o.body, _ = normalise(o.body, "", p.server.url).(map[string]any)
	o.message = strings.ReplaceAll(o.message, p.server.url, "http://HOST")
	for name, value := range p.names {
		if value != "" {
			o.message = strings.ReplaceAll(o.message, value, "<"+name+">")
		}
	}
	return o, true
}

// goldenText lists the differences under their explanations.
func goldenText(findings []finding) string {
	var b strings.Builder
	b.WriteString("# Written by go test ./internal/conformance -update. Each difference of the cases' outcomes between the stand-ins\n" +
		"# and moto, stand-in | moto, under the explanation that covers it; the explanations are in explanations_test.go.\n")
	for i := range explanations {
		e := &explanations[i]
		var lines []string
		for _, f := range findings {
			if f.why == e {
				lines = append(lines, fmt.Sprintf("    %s/%s %s %s: %s | %s", f.script.service, f.script.file, f.step.op, f.path, f.ours, f.theirs))
			}
		}
		if len(lines) == 0 {
			continue
		}
		slices.Sort(lines)
		fmt.Fprintf(&b, "\n%s\n%s\n", e.title, strings.Join(slices.Compact(lines), "\n"))
	}
	return b.String()
}

// checkGolden compares a generated text with the file that holds it, or writes it with -update.
func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == got {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s is not what the tests give, from line %d: got\n%s\nwant\n%s\nWrite it anew with -update and look at what changed.",
				path, i+1, strings.Join(g[min(i, len(g)):min(i+3, len(g))], "\n"), strings.Join(w[min(i, len(w)):min(i+3, len(w))], "\n"))
		}
	}
}
