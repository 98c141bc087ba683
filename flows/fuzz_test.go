package flows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes"
)

// FuzzLoad asks that whatever bytes a file holds, loading ends with an app or
// with diagnostics that lie inside the file.
func FuzzLoad(f *testing.F) {
	for _, folder := range []string{wrongFiles, rightFiles} {
		for _, name := range named(f, folder, suffix) {
			text, err := os.ReadFile(filepath.Join(folder, name+suffix))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	registry := nodes.All()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 {
			return
		}
		app, ds := flows.Parse("app.flow.yaml", text, flows.Options{Registry: registry, NeedEnv: true})
		if (app == nil) == (len(ds) == 0) {
			t.Fatalf("an app: %v, and %d diagnostics", app != nil, len(ds))
		}
		lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(text), "\ufeff")), "\n")
		for _, d := range ds {
			if d.Line < 1 || d.Line > len(lines) {
				t.Fatalf("%v is on a line that is not there", d)
			}
			if d.Column < 1 || d.Column > utf8.RuneCountInString(lines[d.Line-1])+1 || d.Length < 1 {
				t.Fatalf("%v of length %d is not on its line %q", d, d.Length, lines[d.Line-1])
			}
			if d.Message == "" || flows.Codes[d.Code] == "" || strings.ContainsAny(d.Error(), "\n") {
				t.Fatalf("%q with the code %q says nothing, or too much", d.Error(), d.Code)
			}
			d.Snippet()
		}
		for _, name := range schemaNames(app) {
			app.Sample(name)
		}
	})
}

// schemaNames are names that a schema may have in the seeds.
func schemaNames(app *flows.App) []string {
	if app == nil {
		return nil
	}
	return []string{"Order", "Customer", "A"}
}
