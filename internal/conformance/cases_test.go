package conformance

import (
	"context"
	"testing"
)

// play runs a case on a server and gives the outcome of each step. judge sees each outcome first; the case ends when it
// says so.
func play(t testing.TB, e *endpoint, s script, n names, judge func(i int, o outcome) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, step := range s.steps {
		request, err := n.fill(step.request, e.url)
		if err != nil {
			t.Fatalf("line %d: %v", step.line, err)
		}
		o, err := e.call(ctx, s.service, step.op, request)
		if err != nil {
			t.Fatalf("line %d: %v", step.line, err)
		}
		if !judge(i, o) {
			return
		}
	}
}

// TestCasesOfTheDocumentation runs each case on the stand-ins: the outcome that the documentation of AWS promises must
// come, to the letter where the case says so.
func TestCasesOfTheDocumentation(t *testing.T) {
	for service := range services {
		for _, s := range loadScripts(t, service) {
			t.Run(s.String(), func(t *testing.T) {
				e, n := startOurs(t), names{}
				play(t, e, s, n, func(i int, o outcome) bool {
					if wrong := n.check(s.steps[i], o, e.url); wrong != "" {
						t.Errorf("line %d, %s: %s", s.steps[i].line, s.steps[i].op, wrong)
						return false
					}
					return true
				})
			})
		}
	}
}
