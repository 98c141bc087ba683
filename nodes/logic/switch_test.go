package logic

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// way is a case for tests: is or when, and the name of the node behind it.
type way struct {
	is   any
	when string
	next string
}

func switchConfig(t testing.TB, scope *expr.Scope, of string, cases []way, otherwise string) *Switch {
	t.Helper()
	c := enginetest.Config[Switch](t)
	if of != "" {
		c.Value.Set(expr.Text(of))
		compile(t, &c.Value, scope)
	}
	c.Cases = make([]Case, len(cases))
	for i, each := range cases {
		c.Cases[i].Next.Targets = []string{each.next}
		if each.when != "" {
			c.Cases[i].When = enginetest.Condition(t, each.when)
			continue
		}
		c.Cases[i].Is = field[any](t, each.is, scope)
	}
	if otherwise != "" {
		c.Default.Targets = []string{otherwise}
	}
	return c
}

// place is a node that notes the messages that come to it.
type place struct {
	Name string
	at   *[]string
}

// placeMu guards what places note: branches come to them at once.
var placeMu sync.Mutex

var placeKind = engine.Define(engine.Spec[place]{Type: "test.place",
	New: func(p *place, _ engine.Deps) (engine.Node, error) {
		return engine.NodeFunc(func(context.Context, *engine.Message) (engine.Port, error) {
			placeMu.Lock()
			defer placeMu.Unlock()
			*p.at = append(*p.at, p.Name)
			return engine.Next, nil
		}), nil
	}})

type entry struct{}

func (entry) Run(context.Context, engine.Handler) error { return nil }

var entryKind = engine.Define(engine.Spec[struct{}]{Type: "test.in",
	Source: func(*struct{}, engine.Deps) (engine.Source, error) { return entry{}, nil }})

// wired is a flow of the switch and of every node that it names.
func wired(t testing.TB, c *Switch) (engine.Handler, *[]string) {
	t.Helper()
	at := &[]string{}
	nodes := []*engine.NodePlan{
		{Name: "in", Slot: 0, Kind: entryKind, Config: &struct{}{}, Next: []string{"switch"}},
		{Name: "switch", Slot: 1, Kind: kind(t, "switch"), Config: c, Wires: enginetest.Wires(c)},
	}
	var names []string
	for _, w := range nodes[1].Wires {
		names = append(names, w.Wire.Targets...)
	}
	slices.Sort(names)
	for i, name := range slices.Compact(names) {
		nodes = append(nodes, &engine.NodePlan{Name: name, Slot: 2 + i, Kind: placeKind, Config: &place{name, at}})
	}
	app, err := engine.Build(&engine.Plan{Flows: []*engine.FlowPlan{{Name: "flow", Nodes: nodes}}}, engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h, err := app.Flow("flow").Handler("in")
	if err != nil {
		t.Fatal(err)
	}
	return h, at
}

func TestSwitchSendsAMessageByTheFirstCaseThatHolds(t *testing.T) {
	kinds := []way{{is: "3seater", next: "three"}, {is: []any{"4seater", "5seater"}, next: "more"}, {is: "3seater", next: "late"}}
	mixed := []way{
		{when: "event.v == 'vip'", next: "vip"},
		{is: "${{ event.other }}", next: "same"},
		{is: "plain", next: "plain"},
		{when: "event.late == true", next: "late"},
	}
	for _, tt := range []struct {
		name, of  string
		cases     []way
		otherwise string
		event     map[string]any
		want      string
	}{
		{"a text", "event.v", kinds, "", map[string]any{"v": "3seater"}, "three"},
		{"any element of a list", "event.v", kinds, "", map[string]any{"v": "5seater"}, "more"},
		{"no case and a default", "event.v", kinds, "else", map[string]any{"v": "bus"}, "else"},
		{"null and a default", "event.v", kinds, "else", map[string]any{}, "else"},
		{"a text inside a document", "event.v", kinds, "", map[string]any{"v": value.NewDoc([]byte(`"4seater"`))}, "more"},
		{"a condition before the constants", "event.v", mixed, "", map[string]any{"v": "vip"}, "vip"},
		{"a computed value before a constant", "event.v", mixed, "", map[string]any{"v": "plain", "other": "plain"}, "same"},
		{"a constant before a condition", "event.v", mixed, "", map[string]any{"v": "plain", "late": true}, "plain"},
		{"a condition after the constants", "event.v", mixed, "", map[string]any{"v": "x", "late": true}, "late"},
		{"a computed list", "event.v", mixed, "", map[string]any{"v": "x", "other": []any{"w", "x"}}, "same"},
		{"an integer", "event.v", []way{{is: 3, next: "three"}, {is: 4, next: "four"}}, "", map[string]any{"v": 4}, "four"},
		{"a float that is an integer", "event.v", []way{{is: 3, next: "three"}}, "", map[string]any{"v": 3.0}, "three"},
		{"an integer is not its text", "event.v", []way{{is: "3", next: "text"}, {is: 3, next: "integer"}}, "", map[string]any{"v": 3}, "integer"},
		{"a number beyond float64", "event.v", []way{
			{is: value.Number("9223372036854775809"), next: "near"}, {is: value.Number("9223372036854775808"), next: "exact"},
		}, "", map[string]any{"v": value.Number("9223372036854775808.0")}, "exact"},
		{"true", "event.v", []way{{is: true, next: "yes"}}, "no", map[string]any{"v": true}, "yes"},
		{"false", "event.v", []way{{is: true, next: "yes"}}, "no", map[string]any{"v": false}, "no"},
		{"null", "event.v", []way{{is: nil, next: "null"}}, "else", map[string]any{}, "null"},
		{"an object", "event.v", []way{{is: map[string]any{"x": 1}, next: "object"}}, "else", map[string]any{"v": value.NewDoc([]byte(`{"x":1}`))}, "object"},
		{"a record", "event.v", []way{{is: map[string]any{"x": 1}, next: "object"}}, "else", map[string]any{"v": expr.Fields{"x": 1}}, "object"},
		{"conditions without a value", "", []way{{when: "event.n > 5", next: "big"}, {when: "event.n > 2", next: "middle"}}, "small", map[string]any{"n": 3}, "middle"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, at := wired(t, switchConfig(t, nil, tt.of, tt.cases, tt.otherwise))
			if err := h(t.Context(), engine.NewMessage(expr.Fields(tt.event), "")); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(*at, " "); got != tt.want {
				t.Errorf("the message went to %q; want %q", got, tt.want)
			}
		})
	}
}

func TestSwitchAgreesWithTheLanguageOnWhatIsEqual(t *testing.T) {
	values := []any{nil, true, false, 0, 1, 1.0, 1.5, "1", "", value.Number("1.0"), value.Number("9223372036854775808"), 9.223372036854775808e18,
		[]any{1}, []any{}, map[string]any{}, map[string]any{"a": 1}, map[string]any{"a": value.Number("1")}}
	for _, left := range values {
		for _, right := range values {
			event := map[string]any{"a": left, "b": right}
			c := enginetest.Config[Switch](t)
			c.Cases = []Case{{When: enginetest.Condition(t, "event.a == event.b"), Next: engine.Wire{Targets: []string{"same"}}}}
			c.Default.Targets = []string{"different"}
			condition, want := wired(t, c)
			// A list in `is` means its elements, so one more level compares it whole.
			comparison, got := wired(t, switchConfig(t, nil, "event.a", []way{{is: []any{"${{ event.b }}"}, next: "same"}}, "different"))
			for _, h := range []engine.Handler{condition, comparison} {
				if err := h(t.Context(), engine.NewMessage(expr.Fields(event), "")); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(*got, *want) {
				t.Errorf("%#v is %#v: switch says %v, the language says %v", left, right, *got, *want)
			}
		}
	}
}

func TestSwitchFailsAMessageThatNoCaseTakes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		of    string
		cases []way
		event map[string]any
		want  string
	}{
		{"by value", "event.v", []way{{is: "x", next: "x"}}, map[string]any{"v": "bus"}, `no case is for the value "bus"`},
		{"a long value is cut", "event.v", []way{{is: "x", next: "x"}}, map[string]any{"v": strings.Repeat("é", 500)}, strings.Repeat("é", 79) + "…"},
		{"an object", "event.v", []way{{is: "x", next: "x"}}, map[string]any{"v": map[string]any{"k": 1}}, `the value {"k":1}`},
		{"by condition", "", []way{{when: "event.n == 1", next: "x"}}, map[string]any{"n": 2}, "no case's condition holds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, at := wired(t, switchConfig(t, nil, tt.of, tt.cases, ""))
			err := h(t.Context(), engine.NewMessage(expr.Fields(tt.event), ""))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "wire `default`") {
				t.Errorf("error %v; want one with %q and what to do", err, tt.want)
			}
			if engine.ClassOf(err) != engine.Permanent || engine.CodeOf(err) != "no_case" {
				t.Errorf("class %s, code %s", engine.ClassOf(err), engine.CodeOf(err))
			}
			if len(*at) > 0 {
				t.Errorf("the message went on to %v", *at)
			}
		})
	}
}

func TestSwitchFailsWhereAnExpressionFails(t *testing.T) {
	for name, c := range map[string]*Switch{
		"in value":                         switchConfig(t, nil, "event.v.deep.er", []way{{is: "x", next: "x"}}, "else"),
		"in when":                          switchConfig(t, nil, "", []way{{when: "event.v.deep.er == 1", next: "x"}}, "else"),
		"in is":                            switchConfig(t, nil, "event.w", []way{{is: "${{ event.v.deep.er }}", next: "x"}}, "else"),
		"value of a body that is not JSON": switchConfig(t, nil, "event.body", []way{{is: "x", next: "x"}}, "else"),
		"is of a body that is not JSON":    switchConfig(t, nil, "event.w", []way{{is: "${{ event.body }}", next: "x"}}, "else"),
	} {
		h, at := wired(t, c)
		err := h(t.Context(), engine.NewMessage(expr.Fields{"w": "w", "body": value.NewDoc([]byte("not JSON"))}, ""))
		if engine.CodeOf(err) != "expression" || engine.ClassOf(err) != engine.Permanent || len(*at) > 0 {
			t.Errorf("%s: error %v, went to %v", name, err, *at)
		}
	}
}

func TestSwitchRefusesACaseThatCanNeverHold(t *testing.T) {
	scope := &expr.Scope{Event: expr.Object(map[string]expr.Type{"text": expr.String, "n": expr.Int})}
	for _, tt := range []struct {
		of   string
		is   any
		want string
	}{
		{"event.text", 5, "never equals 5, which is an integer; put it in quotes"},
		{"event.text", []any{"a", true}, "never equals true"},
		{"event.n", "5", `never equals "5", which is a string`},
		{"event.text", "5", ""},
		{"event.text", nil, ""},
		{"event.n", 5, ""},
	} {
		found := verifySwitch(switchConfig(t, scope, tt.of, []way{{is: tt.is, next: "x"}}, ""))
		got := ""
		if len(found) > 0 {
			got = found[0].Message + "; " + found[0].Hint
		}
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s is %v: %q; want %q", tt.of, tt.is, got, tt.want)
		}
	}
}

func TestSwitchChecksItsCases(t *testing.T) {
	both := switchConfig(t, nil, "event.v", []way{{is: "x", next: "x"}}, "")
	both.Cases[0].When = enginetest.Condition(t, "true")
	neither := switchConfig(t, nil, "event.v", []way{{is: "x", next: "x"}}, "")
	neither.Cases = append(neither.Cases, Case{})
	for _, tt := range []struct {
		name   string
		config *Switch
		want   string
	}{
		{"no cases", &Switch{}, "cases: a switch needs at least one case"},
		{"both", both, "cases[0]: a case has either `when` or `is`, this one has both"},
		{"neither", neither, "cases[1]: the case says neither `is` nor `when`"},
		{"is without value", switchConfig(t, nil, "", []way{{is: "x", next: "x"}}, ""), "cases[0].is: `is` has nothing to compare with: the switch has no `value`"},
		{"value without is", switchConfig(t, nil, "event.v", []way{{when: "true", next: "x"}}, ""), "value: no case compares with `value`"},
		{"right", switchConfig(t, nil, "event.v", []way{{is: "x", next: "x"}, {when: "true", next: "y"}}, ""), ""},
	} {
		if got := strings.Join(findings(kind(t, "switch"), tt.config), "\n"); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, got, tt.want)
		}
	}
}

func BenchmarkSwitch(b *testing.B) {
	cases := []way{}
	for _, name := range []string{"one", "two", "three", "four", "five", "six", "seven", "eight"} {
		cases = append(cases, way{is: name, next: "to"})
	}
	c := switchConfig(b, nil, "event.v", cases, "")
	n, err := newSwitch(c, engine.Deps{})
	if err != nil {
		b.Fatal(err)
	}
	m := engine.NewMessage(expr.Fields{"v": "eight"}, "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n.Do(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSwitchAllLeavesByEveryCaseThatHolds(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{"x", "is list when"},
		{"y", "list when"},
		{"z", "when"},
		{"zzzz", "else"},
	} {
		c := switchConfig(t, nil, "event.v", []way{{is: "x", next: "is"}, {is: []any{"y", "x"}, next: "list"}, {when: "len(event.v) < 3", next: "when"}}, "else")
		c.Match = "all"
		h, at := wired(t, c)
		if err := h(t.Context(), engine.NewMessage(expr.Fields{"v": tt.v}, "")); err != nil {
			t.Errorf("%v: %v", tt.v, err)
		}
		slices.Sort(*at)
		if got := strings.Join(*at, " "); got != tt.want {
			t.Errorf("%v went to %q; want %q", tt.v, got, tt.want)
		}
	}
}
