package pack_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
)

// FuzzLint looks that no app that loads is too odd for the rules and the
// policies, and that each finding has a place.
func FuzzLint(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.flow.yaml", "../../examples/*/flow.yaml", "../../flows/testdata/right/*.flow.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	registry := nodes.All()
	f.Fuzz(func(t *testing.T, text []byte) {
		app, found := flows.Parse("app.flow.yaml", text, flows.Options{Registry: registry})
		if len(found) > 0 {
			return
		}
		for _, d := range pack.Lint(app) {
			if d.Line < 1 || d.Column < 1 || d.Message == "" || pack.Codes[d.Code] == "" {
				t.Errorf("%+v", d)
			}
		}
		policies, err := pack.Policies(app)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range policies {
			sids := map[string]bool{}
			for _, s := range p.Statements {
				if len(s.Actions) == 0 || sids[s.Sid] || s.Sid == "" || p.ARN(app, "test", s.Target) == "" {
					t.Errorf("%s: %+v", p.Flow, s)
				}
				sids[s.Sid] = true
			}
		}
	})
}
