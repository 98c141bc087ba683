package nodes_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/logic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What stands between the two marks is the code of docs/adding-a-node.md;
// TestTheNodeOfTheGuideIsTheOneTestedHere holds both together.

// begin
// Length is the config of a text.length node.
type Length struct {
	Of    expr.Value[string] `yaml:"of,required" doc:"The text."`
	Empty engine.Wire        `yaml:"empty" doc:"Where an empty text goes; without it, to next like any other."`
}

var lengthSpec = engine.Spec[Length]{
	Type:   "text.length",
	Doc:    "Counts the characters of a text.",
	Output: func(*Length) expr.Type { return expr.Object(map[string]expr.Type{"characters": expr.Int}) },
	New: func(c *Length, _ engine.Deps) (engine.Node, error) {
		return engine.NodeFunc(c.do), nil
	},
	Examples: []engine.Example{{Doc: "Of the body.", YAML: `{type: text.length, of: "${{ event.body }}", next: done}`}},
}

func (c *Length) do(_ context.Context, m *engine.Message) (engine.Port, error) {
	s, err := c.Of.Get(&m.Env)
	if err != nil {
		return 0, err
	}
	m.SetOutput(map[string]any{"characters": utf8.RuneCountInString(s)})
	if s == "" && c.Empty.Wired() {
		return c.Empty.Port(), nil
	}
	return engine.Next, nil
}

// Kinds are the family's node types.
func Kinds() []*engine.Kind { return []*engine.Kind{engine.Define(lengthSpec)} }

// end

func TestTheNodeOfTheGuideIsTheOneTestedHere(t *testing.T) {
	source, err := os.ReadFile("adding_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "// begin\n")
	code, _, ok := strings.Cut(rest, "\n// end\n")
	guide, err := os.ReadFile("../docs/adding-a-node.md")
	if err != nil || !ok {
		t.Fatal(err)
	}
	_, rest, _ = strings.Cut(string(guide), "```go\npackage text\n\n")
	if shown, _, ok := strings.Cut(rest, "```"); !ok || shown != code {
		t.Errorf("docs/adding-a-node.md shows\n%s\nthe test has\n%s", shown, code)
	}
}

// silent is a source that brings nothing: the test calls the flow itself.
type silent struct{}

func (silent) Run(ctx context.Context, _ engine.Handler) error {
	<-ctx.Done()
	return nil
}

var silentKind = engine.Define(engine.Spec[struct{}]{Type: "test.in", Doc: "Brings texts.",
	Event:  func(*struct{}) expr.Type { return expr.Object(map[string]expr.Type{"body": expr.String}) },
	Source: func(*struct{}, engine.Deps) (engine.Source, error) { return silent{}, nil }})

const lengthFlow = `
version: 1
name: lengths
flows:
  measure:
    nodes:
      in: {type: test.in, next: length}
      length: {type: text.length, of: "${{ event.body }}", next: long, empty: nothing}
      long:
        type: switch
        cases:
          - {when: nodes.length.characters > 3, next: failed}
        default: done
      failed: {type: fail, message: "${{ nodes.length.characters }} characters"}
      done: {type: log, message: short}
      nothing: {type: fail, message: nothing}
`

func lengthRegistry() *engine.Registry {
	return engine.NewRegistry(slices.Concat(Kinds(), logic.Kinds(), []*engine.Kind{silentKind}), nil)
}

func TestTheNodeOfTheGuideRunsInAFlow(t *testing.T) {
	app, found := flows.Parse("flow.yaml", []byte(lengthFlow), flows.Options{Registry: lengthRegistry()})
	if len(found) > 0 {
		t.Fatal(found)
	}
	plan, err := app.Plan()
	if err != nil {
		t.Fatal(err)
	}
	built, err := engine.Build(plan, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close(t.Context())
	deliver, err := built.Flow("measure").Handler("in")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"abc": "", "äöü": "", "äöüß": "4 characters", "": "nothing"} {
		t.Run(text, func(t *testing.T) {
			err := deliver(t.Context(), engine.NewMessage(expr.Fields(map[string]any{"body": text}), ""))
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: got %v, want %q", text, err, want)
			}
		})
	}
}

// TestTheSpecOfTheGuideBringsTheChecks shows what the guide promises for nothing.
func TestTheSpecOfTheGuideBringsTheChecks(t *testing.T) {
	for name, tt := range map[string]struct{ old, wrong, want string }{
		"missing key":             {`of: "${{ event.body }}", `, "", `flow.yaml:8:15: text.length needs the key "of"`},
		"misspelt key":            {"empty:", "emty:", `flow.yaml:8:`},
		"misspelt port target":    {"empty: nothing", "empty: nothin", `did you mean "nothing"?`},
		"field it does not give":  {"nodes.length.characters > 3", "nodes.length.chars > 3", `nodes.length has no field "chars"`},
		"field of another type":   {"nodes.length.characters > 3", "nodes.length.characters > 'x'", `flow.yaml:12:`},
		"expression of no string": {`of: "${{ event.body }}"`, "of: [1, 2]", `flow.yaml:8:`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(lengthFlow, tt.old, tt.wrong, 1)
			if text == lengthFlow {
				t.Fatalf("%q is not in the flow", tt.old)
			}
			_, found := flows.Parse("flow.yaml", []byte(text), flows.Options{Registry: lengthRegistry()})
			if len(found) == 0 || !strings.Contains(found.Error(), tt.want) {
				t.Errorf("got %v, want %s", found, tt.want)
			}
		})
	}
}
