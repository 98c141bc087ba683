package logic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func setConfig(t testing.TB, vars map[string]any, scope *expr.Scope) *Set {
	t.Helper()
	c := enginetest.Config[Set](t)
	c.Vars = map[string]expr.Value[any]{}
	for name, v := range vars {
		c.Vars[name] = field[any](t, v, scope)
	}
	return c
}

func TestSetWritesVariables(t *testing.T) {
	event := map[string]any{"body": value.NewDoc([]byte(`{"n":12345678901234567890,"list":[1]}`)), "at": expr.Fields{"zone": "a"}, "s": "text"}
	decoded := map[string]any{"n": value.Number("12345678901234567890"), "list": []any{1}}
	for name, tt := range map[string]struct{ vars, want map[string]any }{
		"a constant":             {map[string]any{"x": 5}, map[string]any{"x": 5}},
		"a text":                 {map[string]any{"x": "a ${{ event.s }}"}, map[string]any{"x": "a text"}},
		"a document at the top":  {map[string]any{"x": "${{ event.body }}"}, map[string]any{"x": event["body"]}},
		"a document inside":      {map[string]any{"x": map[string]any{"b": "${{ event.body }}"}}, map[string]any{"x": map[string]any{"b": decoded}}},
		"a document in a list":   {map[string]any{"x": []any{1, []any{"${{ event.body }}"}}}, map[string]any{"x": []any{1, []any{decoded}}}},
		"a record inside":        {map[string]any{"x": []any{"${{ event.at }}"}}, map[string]any{"x": []any{map[string]any{"zone": "a"}}}},
		"an object of constants": {map[string]any{"x": map[string]any{"k": []any{1, "b"}}}, map[string]any{"x": map[string]any{"k": []any{1, "b"}}}},
		"several":                {map[string]any{"x": 1, "y": "${{ event.s }}", "z": nil}, map[string]any{"x": 1, "y": "text", "z": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			r := enginetest.New(t, kind(t, "set"), setConfig(t, tt.vars, nil), nil).Do(t.Context(), event)
			if r.Err != nil || !reflect.DeepEqual(r.Vars, tt.want) || r.Port != "next" {
				t.Errorf("vars %#v, port %s, error %v; want %#v", r.Vars, r.Port, r.Err, tt.want)
			}
		})
	}
}

func TestSetDoesNotEditWhatItReads(t *testing.T) {
	doc := value.NewDoc([]byte(`{"n":1}`))
	inner := []any{doc}
	event := map[string]any{"o": map[string]any{"inner": inner, "doc": doc}}
	r := enginetest.New(t, kind(t, "set"), setConfig(t, map[string]any{"x": "${{ event.o }}"}, nil), nil).Do(t.Context(), event)
	want := map[string]any{"x": map[string]any{"inner": []any{map[string]any{"n": 1}}, "doc": map[string]any{"n": 1}}}
	if r.Err != nil || !reflect.DeepEqual(r.Vars, want) {
		t.Errorf("vars %#v, error %v", r.Vars, r.Err)
	}
	if inner[0] != doc || event["o"].(map[string]any)["doc"] != doc {
		t.Error("the event's own object was edited")
	}
}

func TestSetReadsAllBeforeItWrites(t *testing.T) {
	scope := &expr.Scope{Vars: map[string]expr.Slot{"a": {Index: 0, Always: true}, "b": {Index: 1, Always: true}}}
	c := setConfig(t, map[string]any{"a": "${{ vars.b }}", "b": "${{ vars.a }}"}, scope)
	n, err := newSet(c, engine.Deps{Var: func(name string) int { return int(name[0] - 'a') }})
	if err != nil {
		t.Fatal(err)
	}
	m := engine.NewMessage(expr.Fields{}, "")
	m.Env.Vars = []any{1, 2}
	if _, err := n.Do(t.Context(), m); err != nil || m.Env.Vars[0] != 2 || m.Env.Vars[1] != 1 {
		t.Errorf("vars %v, error %v; want them swapped", m.Env.Vars, err)
	}
}

func TestSetWritesNothingWhenOneExpressionFails(t *testing.T) {
	r := enginetest.New(t, kind(t, "set"), setConfig(t, map[string]any{"a": 1, "b": "${{ event.x.y }}"}, nil), nil).Do(t.Context(), nil)
	if engine.CodeOf(r.Err) != "expression" || r.Vars["a"] != nil {
		t.Errorf("vars %v, error %v", r.Vars, r.Err)
	}
	r = enginetest.New(t, kind(t, "set"), setConfig(t, map[string]any{"a": []any{"${{ event.body }}"}}, nil), nil).Do(t.Context(), map[string]any{"body": value.NewDoc([]byte(`{`))})
	if r.Err == nil || !strings.Contains(r.Err.Error(), "not valid JSON") || engine.ClassOf(r.Err) != engine.Permanent || engine.CodeOf(r.Err) != "expression" {
		t.Errorf("a body that is not JSON: %v (%s, %s); want a permanent failure of the expression", r.Err, engine.ClassOf(r.Err), engine.CodeOf(r.Err))
	}
}

func TestSetTypesItsVariables(t *testing.T) {
	types := kind(t, "set").Vars(setConfig(t, map[string]any{"n": 1, "s": "x", "o": map[string]any{"k": true}, "e": "${{ event }}"}, nil))
	if o, ok := types["o"].Field("k"); types["n"].String() != "integer" || types["s"].String() != "string" || !ok || o.String() != "boolean" || !types["e"].IsAny() {
		t.Errorf("types %v", types)
	}
	if got := findings(kind(t, "set"), &Set{}); len(got) != 1 {
		t.Errorf("no variables: %v", got)
	}
}

// BenchmarkSetChain runs n = n + 1 through 50 nodes of one flow.
func BenchmarkSetChain(b *testing.B) {
	const nodes = 50
	scope := &expr.Scope{Vars: map[string]expr.Slot{"n": {Index: 0, Type: expr.Int, Always: true}}}
	plan := &engine.FlowPlan{Name: "flow", Vars: []string{"n"}, Nodes: []*engine.NodePlan{{Name: "in", Kind: entryKind, Config: &struct{}{}, Next: []string{"n0"}}}}
	for i := range nodes {
		var vars map[string]any
		if vars = map[string]any{"n": "${{ vars.n + 1 }}"}; i == 0 {
			vars = map[string]any{"n": 0}
		}
		p := &engine.NodePlan{Name: fmt.Sprint("n", i), Slot: i + 1, Kind: kind(b, "set"), Config: setConfig(b, vars, scope)}
		if i < nodes-1 {
			p.Next = []string{fmt.Sprint("n", i+1)}
		}
		plan.Nodes = append(plan.Nodes, p)
	}
	app, err := engine.Build(&engine.Plan{Flows: []*engine.FlowPlan{plan}}, engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	h, err := app.Flow("flow").Handler("in")
	if err != nil {
		b.Fatal(err)
	}
	m := engine.NewMessage(expr.Fields{}, "")
	b.ReportAllocs()
	for b.Loop() {
		if err := h(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	if m.Env.Vars[0] != nodes-1 {
		b.Fatalf("n is %v", m.Env.Vars[0])
	}
}

// logged runs a node and gives the line it wrote, and what became of the
// message.
func logged(t *testing.T, level slog.Level, make func(engine.Deps) (engine.Node, error), event map[string]any) (map[string]any, string, error) {
	t.Helper()
	var lines, text bytes.Buffer
	var err error
	for _, h := range []slog.Handler{slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: level}), slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level})} {
		n, failure := make(engine.Deps{Log: slog.New(h)})
		if failure != nil {
			t.Fatal(failure)
		}
		var port engine.Port
		if port, err = n.Do(t.Context(), engine.NewMessage(expr.Fields(event), "corr")); port != engine.Next {
			t.Errorf("left by port %d", port)
		}
	}
	if lines.Len() == 0 {
		return nil, "", err
	}
	var line map[string]any
	if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", lines.Bytes(), err)
	}
	return line, text.String(), err
}

func TestLogWritesALineAndNeverFailsTheMessage(t *testing.T) {
	event := map[string]any{"s": "x", "n": 12, "doc": value.NewDoc([]byte(`{"a": [1]}`)), "bad": value.NewDoc([]byte(`{`)), "str": value.NewDoc([]byte(`"in"`)),
		"long": strings.Repeat("a", maxLogged+1), "big": []any{strings.Repeat("b", maxLogged)}, "big number": value.Number("12345678901234567890")}
	for _, tt := range []struct {
		name, message string
		field         string
		want          any
		text          string
	}{
		{"a text", "m ${{ event.s }}", "${{ event.s }}", "x", "f=x"},
		{"an integer", "m x", "${{ event.n }}", 12.0, "f=12"},
		{"a document", "m x", "${{ event.doc }}", map[string]any{"a": []any{1.0}}, `{\"a\":[1]}`},
		{"a document that is a text", "m x", "${{ event.str }}", "in", "f=in"},
		{"a document that is not JSON", "m x", "${{ event.bad }}", "!(not valid JSON at byte 1: expected a key in double quotes)", "not valid JSON"},
		{"an expression that fails", "m x", "${{ event.s.t }}", "!(expression `event.s.t`: event.s is a string and has no field \"t\")", "no field"},
		{"null", "m x", "${{ event.none }}", nil, "f=<nil>"},
		{"a long text", "m x", "${{ event.long }}", strings.Repeat("a", maxLogged) + fmt.Sprintf("… (%d bytes)", maxLogged+1), "16385 bytes"},
		{"a long list", "m x", "${{ event.big }}", `["` + strings.Repeat("b", maxLogged-2) + fmt.Sprintf("… (%d bytes)", maxLogged+4), "16388 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Log{Level: "warn", Message: field[string](t, tt.message, nil), Fields: map[string]expr.Value[any]{"f": field[any](t, tt.field, nil)}}
			line, text, err := logged(t, slog.LevelInfo, func(d engine.Deps) (engine.Node, error) { return newLog(c, d) }, event)
			if err != nil || line["msg"] != "m x" || line["level"] != "WARN" || line["correlation"] != "corr" || !reflect.DeepEqual(line["f"], tt.want) {
				t.Errorf("line %v, error %v; want f %v", line, err, tt.want)
			}
			if !strings.Contains(text, tt.text) {
				t.Errorf("text line %s; want %s in it", text, tt.text)
			}
		})
	}
}

func TestLogWritesTheErrorOfAMessageThatFails(t *testing.T) {
	c := &Log{Level: "info", Message: field[string](t, "free in ${{ event.s.t }}", nil)}
	line, _, err := logged(t, slog.LevelInfo, func(d engine.Deps) (engine.Node, error) { return newLog(c, d) }, map[string]any{"s": 1})
	if msg, _ := line["msg"].(string); err != nil || !strings.Contains(msg, "has no field") {
		t.Errorf("line %v, error %v", line, err)
	}
}

func TestLogBelowTheLevelEvaluatesNothing(t *testing.T) {
	c := &Log{Level: "debug", Message: field[string](t, "${{ event.s }}", nil)}
	n, err := newLog(c, engine.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	// Without an event, evaluating anything would panic.
	if _, err := n.Do(t.Context(), &engine.Message{}); err != nil {
		t.Error(err)
	}
}

func TestLogChecksItsFields(t *testing.T) {
	c := &Log{Fields: map[string]expr.Value[any]{"run": field[any](t, 1, nil), "mine": field[any](t, 1, nil)}}
	if got := findings(kind(t, "log"), c); len(got) != 1 || !strings.HasPrefix(got[0], "fields.run:") {
		t.Errorf("findings %v", got)
	}
	if _, err := newLog(&Log{Level: "loud"}, engine.Deps{}); err == nil {
		t.Error("an unknown level was taken")
	}
}

func TestFailFailsAsAsked(t *testing.T) {
	for _, tt := range []struct {
		class, code, message string
		want                 engine.Class
		text                 string
	}{
		{"permanent", "fail", "type ${{ event.s }} is not known", engine.Permanent, "type x is not known"},
		{"retryable", "too_early", "wait", engine.Retryable, "wait"},
		{"retryable", "odd", "type ${{ event.s.t }}", engine.Retryable, "could not be computed"},
	} {
		c := enginetest.Config[Fail](t)
		c.Class, c.Code, c.Message = tt.class, tt.code, field[string](t, tt.message, nil)
		r := enginetest.New(t, kind(t, "fail"), c, nil).Do(t.Context(), map[string]any{"s": "x"})
		var e *engine.Error
		if !errors.As(r.Err, &e) || e.Class != tt.want || e.Code != tt.code || e.Node != "node" || !strings.Contains(e.Error(), tt.text) {
			t.Errorf("%v: %v", tt, r.Err)
		}
	}
}

func TestFailHasDefaultsAndChecksItsCode(t *testing.T) {
	c := enginetest.Config[Fail](t)
	if c.Class != "permanent" || c.Code != "fail" {
		t.Errorf("defaults %q, %q", c.Class, c.Code)
	}
	for code, bad := range map[string]bool{"not_ready": false, "a-b.C9": false, "": true, "two words": true, "naïve": true} {
		if got := findings(kind(t, "fail"), &Fail{Code: code}); (len(got) > 0) != bad {
			t.Errorf("code %q: %v", code, got)
		}
	}
}

func TestDropEndsTheMessageAsDone(t *testing.T) {
	for reason, want := range map[string]string{"status ${{ event.s }}": "status x", "${{ event.s.t }}": "has no field"} {
		c := &Drop{Reason: field[string](t, reason, nil)}
		line, _, err := logged(t, slog.LevelDebug, func(d engine.Deps) (engine.Node, error) { return newDrop(c, d) }, map[string]any{"s": "x"})
		if got, _ := line["reason"].(string); err != nil || line["level"] != "DEBUG" || !strings.Contains(got, want) {
			t.Errorf("line %v, error %v; want reason %q", line, err, want)
		}
		if line, _, err := logged(t, slog.LevelInfo, func(d engine.Deps) (engine.Node, error) { return newDrop(c, d) }, map[string]any{"s": "x"}); err != nil || line != nil {
			t.Errorf("at info: line %v, error %v", line, err)
		}
	}
}

func TestKindsAreDocumented(t *testing.T) {
	for _, k := range Kinds() {
		first, _, ok := strings.Cut(k.Doc, ". ")
		if !ok || len(first) < 20 || len(k.Examples) < 2 {
			t.Errorf("%s: doc %q, %d examples", k.Type, k.Doc, len(k.Examples))
		}
		for i := range k.Config.NumField() {
			if f := k.Config.Field(i); f.Tag.Get("doc") == "" || f.Tag.Get("yaml") == "" {
				t.Errorf("%s: field %s has no doc or no key", k.Type, f.Name)
			}
		}
	}
}
