package pack_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/pack"
	"github.com/flowctl-dev/flowctl/nodes"
)

var updateLint = flag.Bool("update-lint", false, "write the golden files of Lint anew")

const lintFolder = "testdata/lint"

func loaded(t testing.TB, path string) *flows.App {
	t.Helper()
	app, found, err := flows.Load(path, flows.Options{Registry: nodes.All()})
	if err != nil || len(found) > 0 {
		t.Fatalf("%s: %v\n%v", path, err, found)
	}
	return app
}

func lintFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(lintFolder, "*.flow.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", lintFolder, err)
	}
	return files
}

func TestFindingsOfFilesThatRunHereAndNotOnLambda(t *testing.T) {
	for _, file := range lintFiles(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".flow.yaml")
		t.Run(name, func(t *testing.T) {
			found := pack.Lint(loaded(t, file))
			got := strings.ReplaceAll(found.Error(), lintFolder+"/", "") + "\n"
			golden := filepath.Join(lintFolder, name+".golden")
			if *updateLint {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v; run the test with -update-lint and read what it writes", err)
			}
			if len(found) == 0 || got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestEveryCodeOfLintIsShownByAGolden(t *testing.T) {
	shown := map[string]bool{"aws-permission": true} // TestPermissionWithoutABoundIsFound
	for _, file := range lintFiles(t) {
		text, err := os.ReadFile(strings.TrimSuffix(file, ".flow.yaml") + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\S.* \[([a-z0-9-]+)\]$`).FindAllStringSubmatch(string(text), -1) {
			if pack.Codes[m[1]] == "" {
				t.Errorf("%s shows the code %q, which pack.Codes does not explain", file, m[1])
			}
			shown[m[1]] = true
		}
	}
	for code := range pack.Codes {
		if !shown[code] {
			t.Errorf("no golden shows the code %q", code)
		}
		if flows.Codes[code] != "" {
			t.Errorf("the code %q means something else in a flow file", code)
		}
	}
}

func TestExamplesCanBePackaged(t *testing.T) {
	folders, err := filepath.Glob("../../examples/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, folder := range folders {
		if found := pack.Lint(loaded(t, folder)); len(found) > 0 {
			t.Errorf("%s:\n%v", folder, found)
		}
	}
}

func TestLintOfNamedFlowsLooksAtWhatTheyUse(t *testing.T) {
	app := loaded(t, filepath.Join(lintFolder, "loops.flow.yaml"))
	for _, c := range []struct {
		flows []string
		found int
	}{
		{nil, 3},
		{[]string{"repeat"}, 1},
		{[]string{"ping", "pong"}, 2},
		{[]string{"ping"}, 0}, // the way back is not deployed
		{[]string{"begin"}, 0},
	} {
		if found := pack.Lint(app, c.flows...); len(found) != c.found {
			t.Errorf("%v: %d findings, want %d:\n%v", c.flows, len(found), c.found, found)
		}
	}
	// What only other flows use is nobody's concern.
	resources := loaded(t, filepath.Join(lintFolder, "times.flow.yaml"))
	if found := pack.Lint(resources, "limited"); len(found) > 0 {
		t.Errorf("limited:\n%v", found)
	}
}

// anywhere is a node type that does not know what it works on.
var anywhere = engine.Define(engine.Spec[struct{}]{
	Type: "test.anywhere",
	New:  func(*struct{}, engine.Deps) (engine.Node, error) { return nil, nil },
	IAM: func(*struct{}) []engine.Statement {
		return []engine.Statement{
			{Actions: []string{"sqs:SendMessage"}},
			{Actions: []string{"s3:*"}, ARN: "arn:aws:s3:::bucket"},
			{Actions: []string{"s3:GetObject"}, ARN: "arn:aws:s3:::*"},
			{Actions: []string{"s3:GetObject"}, ARN: "arn:aws:s3:::bucket/key"},
		}
	},
})

func TestPermissionWithoutABoundIsFound(t *testing.T) {
	all := nodes.All()
	registry := engine.NewRegistry([]*engine.Kind{anywhere, all.Node("http.in"), all.Node("http.response")}, nil)
	app, wrong := flows.Parse("any.flow.yaml", []byte(`version: 1
name: any
flows:
  any:
    nodes:
      in: {type: http.in, method: GET, path: /any, next: it}
      it: {type: test.anywhere, next: out}
      out: {type: http.response}
`), flows.Options{Registry: registry})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	found := pack.Lint(app)
	if len(found) != 3 || found[0].Code != "aws-permission" || found[0].Line != 7 || !strings.Contains(found.Error(), "sqs:SendMessage") {
		t.Errorf("%v", found)
	}
	if _, err := pack.Policies(app); err == nil || !strings.Contains(err.Error(), "flow any, node it") {
		t.Errorf("the policies are made all the same: %v", err)
	}
}

func TestFunctionTimeoutLeavesTimeToAnswer(t *testing.T) {
	app := loaded(t, filepath.Join(lintFolder, "times.flow.yaml"))
	want := map[string]string{"slow": "1m4s", "limited": "22s", "work": "1m4s", "night": "21m4s"}
	for _, f := range app.Flows {
		if got := engine.Duration(pack.FunctionTimeout(f.FlowPlan)).String(); got != want[f.Name] {
			t.Errorf("%s: %s, want %s", f.Name, got, want[f.Name])
		}
	}
	taxi := loaded(t, "../../examples/taxi")
	var got []string
	for _, f := range taxi.Flows {
		got = append(got, pack.FunctionTimeout(f.FlowPlan).String())
	}
	if !slices.Equal(got, []string{"31s", "30s"}) {
		t.Errorf("the taxi's functions may run %v", got)
	}
}
