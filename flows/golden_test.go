package flows_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	wrongFiles   = "testdata/wrong"
	wrongFolders = "testdata/wrong-folders"
	suffix       = ".flow.yaml"
)

// named lists what a folder of the test data holds, without the suffix.
func named(t testing.TB, folder, suffix string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			names = append(names, name)
		}
	}
	return names
}

// found is what loading reports, with files named as they are inside folder.
func found(t *testing.T, folder, path string) flows.Diagnostics {
	t.Helper()
	t.Chdir(folder)
	app, ds, err := flows.Load(path, flows.Options{Registry: nodes.All(), NeedEnv: path == "env-without-value"+suffix})
	if err != nil {
		t.Fatal(err)
	}
	if len(ds) == 0 || app != nil {
		t.Fatalf("%s loads, but it is wrong", path)
	}
	return ds
}

func checkGolden(t *testing.T, golden, got string) {
	t.Helper()
	got += "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v; run the test with -update and read what it writes", err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", golden, got, want)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func TestDiagnosticsOfWrongFiles(t *testing.T) {
	for _, name := range named(t, wrongFiles, suffix) {
		t.Run(name, func(t *testing.T) {
			golden := absolute(t, filepath.Join(wrongFiles, name+".golden"))
			checkGolden(t, golden, found(t, wrongFiles, name+suffix).Error())
		})
	}
}

func TestDiagnosticsOfWrongFolders(t *testing.T) {
	for _, name := range named(t, wrongFolders, "") {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			golden := absolute(t, filepath.Join(wrongFolders, name+".golden"))
			checkGolden(t, golden, found(t, wrongFolders, name).Error())
		})
	}
}

// A golden is only worth having when somebody sees the code that it shows.
func TestEveryCodeIsShownByAGolden(t *testing.T) {
	shown := map[string]bool{
		// These need a file that no test data can be.
		"too-large":  true, // TestFileThatIsTooLarge
		"unreadable": true, // TestFileThatCannotBeRead
	}
	for _, folder := range []string{wrongFiles, wrongFolders} {
		for _, name := range named(t, folder, ".golden") {
			text, err := os.ReadFile(filepath.Join(folder, name+".golden"))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range codeAtEnd.FindAllStringSubmatch(string(text), -1) {
				if flows.Codes[m[1]] == "" {
					t.Errorf("%s shows the code %q, which flows.Codes does not explain", name, m[1])
				}
				shown[m[1]] = true
			}
		}
	}
	for code := range flows.Codes {
		if !shown[code] {
			t.Errorf("no golden shows the code %q", code)
		}
	}
}

var codeAtEnd = regexp.MustCompile(`(?m)^\S.* \[([a-z0-9-]+)\]$`)

func TestDiagnosticsAreTheSameEveryTime(t *testing.T) {
	t.Chdir(wrongFiles)
	for _, name := range named(t, ".", suffix) {
		text, err := os.ReadFile(name + suffix)
		if err != nil {
			t.Fatal(err)
		}
		var first string
		for i := range 20 {
			_, ds := flows.Parse(name, text, flows.Options{Registry: nodes.All()})
			if got := ds.Error(); i == 0 {
				first = got
			} else if got != first {
				t.Fatalf("%s: load %d gives\n%s\nthe first gave\n%s", name, i+1, got, first)
			}
		}
	}
}

func TestDiagnosticsComeInOrderOfPosition(t *testing.T) {
	for _, name := range named(t, wrongFiles, suffix) {
		text, err := os.ReadFile(filepath.Join(wrongFiles, name+suffix))
		if err != nil {
			t.Fatal(err)
		}
		_, ds := flows.Parse(name, text, flows.Options{Registry: nodes.All()})
		for i := 1; i < len(ds); i++ {
			if a, b := ds[i-1], ds[i]; a.Line > b.Line || a.Line == b.Line && a.Column > b.Column {
				t.Errorf("%s: %v comes before %v", name, a, b)
			}
		}
	}
}
