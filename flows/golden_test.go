package flows_test

import (
	"flag"
	"os"
	"path/filepath"
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
