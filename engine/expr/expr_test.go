package expr

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine/value"
)

func testScope() *Scope {
	body := Object(map[string]Type{
		"areacode": String, "seats": Int, "price": Number, "tags": List(String),
		"stops": List(Object(map[string]Type{"city": String, "km": Int})), "extra": Any,
	})
	return &Scope{
		Event: Object(map[string]Type{"body": body, "headers": OpenObject(nil, String), "raw": Any}),
		Nodes: map[string]Slot{
			"driver": {Index: 0, Always: true, Type: Object(map[string]Type{"item": OpenObject(nil, Any), "found": Bool})},
			"maybe":  {Index: 1, Type: Object(map[string]Type{"id": String})},
			"later":  {Index: 2, Never: true},
		},
		Vars: map[string]Slot{"n": {Index: 0, Always: true, Type: Int}, "big": {Index: 1, Always: true}},
		Env:  map[string]string{"STAGE": "test"},
		Run:  Object(map[string]Type{"id": String}),
	}
}

func testEnv() *Env {
	body := `{"areacode":"2331","seats":4,"price":9.5,"tags":["a","b","a"],"stops":[{"city":"Graz","km":3},{"city":"Linz","km":9}],"extra":{"deep":[1,{"x":null}]}}`
	return &Env{
		Event: Fields{"body": value.NewDoc([]byte(body)), "headers": map[string]any{"x-a": "1"}, "raw": value.NewDoc([]byte("{oops"))},
		Nodes: []any{map[string]any{"item": map[string]any{"vehicle_type": "3seater", "availability": "yes"}, "found": true}, nil, nil},
		Vars:  []any{41, value.Number("9223372036854775808")},
		Run:   Fields{"id": "r1"},
	}
}

func TestExpressions(t *testing.T) {
	for _, tt := range []struct {
		source string
		want   any
	}{
		{`event.body.areacode`, "2331"},
		{`event.body.seats + 1`, 5},
		{`event.body.seats * event.body.price`, 38.0},
		{`event.body["areacode"]`, "2331"},
		{`event.body.stops[1].city`, "Linz"},
		{`event.body.stops[-1].km`, 9},
		{`nodes.driver.item.availability == "yes"`, true},
		{`nodes.driver.item.availability != "yes" or event.body.seats > 3`, true},
		{`nodes.driver.item.nothing`, nil},
		{`nodes.maybe?.id`, nil},
		{`nodes.maybe?.id ?? "none"`, "none"},
		{`nodes.maybe.id ?? "none"`, "none"},
		{`nodes.maybe == nil`, true},
		{`nodes.maybe != nil and event.body.seats == 4`, false},
		{`vars.n + 1`, 42},
		{`vars.big + 1`, value.Number("9223372036854775809")},
		{`vars.big > 5`, true},
		{`vars.big == vars.big`, true},
		{`env.STAGE + "/" + run.id`, "test/r1"},
		{`event.body.extra.deep[1].x ?? 7`, 7},
		{`event.headers["x-a"]`, "1"},
		{`7 / 2`, 3.5},
		{`7 % 4`, 3},
		{`-event.body.seats`, -4},
		{`!(event.body.seats > 3)`, false},
		{`event.body.seats > 3 ? "big" : "small"`, "big"},
		{`{"a": event.body.seats, "b": [1, "x"]}`, map[string]any{"a": 4, "b": []any{1, "x"}}},
		{`3 < event.body.seats < 5`, true},
		{`3 < event.body.seats < 4 or 9 > event.body.price >= 5`, false},
		{`nodes.driver.found ?: 3`, true},
		{`vars.big / 2`, 1 << 62},
		{`9007199254740993 / 2`, value.Number("4503599627370496.5")},
		{`date("2026-01-01T00:00:00Z").Unix() / 3600`, 490896.0},
		{`date("2026-01-01T00:01:40Z").Unix() % 3600`, 100},
		{`date("2026-01-01T00:00:00Z").Unix() == 1767225600`, true},
		{`sum([date("2026-01-01T00:00:00Z").Unix(), 1])`, 1767225601},
		{`int(date("2026-01-01T00:00:00Z").Month())`, 1},
		// What only the library's machine does.
		{`map([1], event.body.seats < event.body.price < 10)`, []any{true}},
		{`"Jörg"[:2] + "Jörg"[2:]`, "Jörg"},
		{`["Jörg"[:2], "Jörg"[1:-1], "Jörg"[-2:], "Jörg"[3:1], "Jörg"[:99], "abc"[1:2]]`, []any{"Jö", "ör", "rg", "", "Jörg", "b"}},
		{`"Jörg"[:indexOf("Jörg", "g")]`, "Jör"},
		{`event.body.tags[1:]`, []any{"b", "a"}},
		{`len(event.body.tags)`, 3},
		{`filter(event.body.stops, .km > 5)[0].city`, "Linz"},
		{`map(event.body.stops, .km * 2)`, []any{6, 18}},
		{`sum(event.body.stops, .km)`, 12},
		{`reduce(event.body.stops, #acc + .km, 0)`, 12},
		{`any(event.body.stops, .city == "Graz")`, true},
		{`let c = event.body.areacode; c + c`, "23312331"},
		{`upper("abc") + lower("DEF")`, "ABCdef"},
		{`event.body.areacode matches "^23"`, true},
		{`event.body.areacode in ["2331", "17"]`, true},
		{`"a" in event.body.tags`, true},
		{`event.body.areacode[:2]`, "23"},
		{`event.body.areacode startsWith "23"`, true},
		{`1..3`, []int{1, 2, 3}},
		{`error?.message ?? "fine"`, "fine"},
		{`error.message ?? "fine"`, "fine"},
		{`"` + strings.Repeat("(", 150) + `" == "x"`, false},
		{`uniq(event.body.tags)`, []any{"a", "b"}},
		{`toJSON(event.body.extra)`, `{"deep":[1,{"x":null}]}`},
		{`fromJSON("[12345678901234567890123]")[0] + 1`, value.Number("12345678901234567890124")},
		{`int("12") + 1`, 13},
		{`duration("2s").Seconds()`, 2.0},
		{`event.body.seats > 3 ? event.body.areacode : event.raw.x`, "2331"},
		{`len(event.body.tags) > 0 ? 1 : len(event.raw.x)`, 1},
	} {
		p, cerr := Compile(tt.source, testScope(), "")
		if cerr != nil {
			t.Errorf("Compile(%s): %v", tt.source, cerr)
			continue
		}
		got, err := p.Eval(testEnv())
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s = %#v, %v; want %#v", tt.source, got, err, tt.want)
		}
	}
}

func TestMistakesAreFoundAtLoad(t *testing.T) {
	for _, tt := range []struct {
		source, at, message, hint string
	}{
		{`event.body.areacod`, `areacod`, `event.body has no field "areacod"`, `did you mean "areacode"?`},
		{`evnt.body`, `evnt`, `unknown name "evnt"`, `did you mean "event"?`},
		{`driver.item`, `driver`, `unknown name "driver"`, `nodes.driver`},
		{`n + 1`, `n`, `unknown name "n"`, `vars.n`},
		{`msg.payload`, `msg`, `unknown name "msg"`, `event.body`},
		{`null`, `null`, `unknown name "null"`, `write nil`},
		{`nodes.drivr.item`, `drivr`, `there is no node "drivr"`, `did you mean "driver"?`},
		{`nodes.driver.itm`, `itm`, `nodes.driver has no field "itm"`, `did you mean "item"?`},
		{`nodes.maybe.id`, `maybe`, `nodes.maybe is not on every path`, `nodes.maybe?.…`},
		{`nodes.later?.x`, `later`, `nodes.later never comes before`, `no path leads`},
		{`nodes`, `nodes`, `nodes is not a value`, `nodes.NAME`},
		{`vars.m`, `m`, `there is no variable "m"`, `did you mean "n"?`},
		{`vars.total`, `total`, `there is no variable "total"`, `set`},
		{`env.STAG`, `STAG`, `there is no setting "STAG"`, `did you mean "STAGE"?`},
		{`error.message`, `error`, `only there in a catch chain`, `catch`},
		{`event.body.areacode.x`, `x`, `event.body.areacode is a string and has no fields`, ``},
		{`event.body.stops.city`, `city`, `is a list`, `take an element`},
		{`event.body.stops[0].citty`, `citty`, `has no field "citty"`, `did you mean "city"?`},
		{`filter(event.body.stops, .citty == "x")`, `citty`, `citty`, `did you mean "city"?`},
		{`fliter(event.body.stops, .city == "x")`, `fliter`, `there is no function "fliter"`, `did you mean "filter"?`},
		{`1 < event.body.seatz < 9`, `seatz`, `event.body has no field "seatz"`, `did you mean "seats"?`},
		{`event.body.areacode | upper`, ``, `ends too early`, `write | upper()`},
		{`now > date("2026-01-01")`, `now`, `unknown name "now"`, `write now(…)`},
		{`split(event.body.seats, ",")`, ``, `split does not take integer and string`, ``},
		{`trim("x", event.body.seats)`, ``, `cannot use integer as argument`, ``},
		{`"" + 99999999999999999999`, `99999999999999999999`, `does not fit a 64-bit integer`, `fromJSON("99999999999999999999")`},
		{`uper("x")`, `uper`, `there is no function "uper"`, `did you mean "upper"?`},
		{`event.body.seats + "x"`, ``, `mismatched types integer and string`, `int(…)`},
		{`event.body.areacode = "1"`, ``, ``, `compare with ==`},
		{`event.body.`, ``, `the expression ends too early`, ``},
		{`"abc`, ``, `the quoted text does not end`, `close the quoted text`},
		{``, ``, `expression is empty`, ``},
		{`let event = 1; event`, ``, `would hide event`, `another name`},
		{strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), `(`, `nested deeper`, ``},
		{strings.Repeat("1+", 10000) + "1", ``, `longer than`, ``},
	} {
		_, err := Compile(tt.source, testScope(), "")
		if err == nil {
			t.Errorf("Compile(%.40s) found nothing wrong", tt.source)
			continue
		}
		at := string([]rune(tt.source)[err.Offset:min(len([]rune(tt.source)), err.Offset+err.Length)])
		if !strings.Contains(err.Message, tt.message) || !strings.Contains(err.Hint, tt.hint) || tt.at != "" && at != tt.at {
			t.Errorf("Compile(%.40s) = %q (%q) at %q; want %q (%q) at %q", tt.source, err.Message, err.Hint, at, tt.message, tt.hint, tt.at)
		}
	}
}

func TestMistakesOfTheDataAreErrors(t *testing.T) {
	for _, tt := range []struct{ source, want string }{
		{`nodes.driver.item.nothing.more`, `nodes.driver.item.nothing is null and has no field "more"`},
		{`event.body.stops[7].city`, `has 2 elements and none at 7`},
		{`event.body.seats / 0`, `division by zero`},
		{`event.body.seats % 0`, `division by zero`},
		{`9223372036854775807 + event.body.seats`, `64-bit integer`},
		{`-9223372036854775807 - event.body.seats`, `64-bit integer`},
		{`9223372036854775807 * event.body.seats`, `64-bit integer`},
		{`10.0 ** 400`, `not finite`},
		{`event.raw.x`, `not valid JSON at byte 1`},
		{`len(event.raw.x)`, `not valid JSON at byte 1`},
		{`event.body.extra.deep + 1`, `+ does not take a list and an integer`},
		{`event.body.extra.nope + 1`, `+ does not take null and an integer`},
		{`event.body.extra.nope > 1`, `does not take null and an integer`},
		{`not event.body.extra.deep`, `needs a boolean`},
		{`map(event.body.extra.nope, #)`, `got null where a list is needed`},
		{`filter(event.body.extra.nope ?? 5, true)`, `got an integer where a list is needed`},
		{`filter(event.body.extra, true)`, `got an object where a list is needed`},
		{`event.body.extra.deep[1][0]`, `a field of an object is named by a text, got an integer`},
		{`map([event.body.extra], #[0])`, `a field of an object is named by a text, got an integer`},
		{`map([event.body.extra.nope], #[1:])`, `null has no part`},
		{`map([event.body.extra.deep, "abc"], #[0])`, `a text has no element 0`},
		{`sort([vars.big, 1])`, `integer < number`},
		{`hmacSHA256(event.body.extra.nope, "x")`, `hmacSHA256 does not take null`},
		{`hmacSHA256(event.body.extra.nope ?? "", "x")`, `the key is empty`},
		{`sha256(event.body.extra.nope)`, `sha256 does not take null`},
		{`upper(event.body.extra.nope)`, `got null where a string is needed`},
		{`fromJSON("{")`, `not valid JSON`},
		{`int("x")`, `is not an integer`},
	} {
		p, cerr := Compile(tt.source, testScope(), "f.yaml:3:7")
		if cerr != nil {
			t.Errorf("Compile(%s): %v", tt.source, cerr)
			continue
		}
		v, err := p.Eval(testEnv())
		var ee *EvalError
		if err == nil || !errors.As(err, &ee) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "f.yaml:3:7: ") {
			t.Errorf("%s = %v, %v; want an *EvalError with %q", tt.source, v, err, tt.want)
		}
	}
}

func TestHostileInputEndsInAnError(t *testing.T) {
	big := make([]any, 200_000)
	for i := range big {
		big[i] = i
	}
	env := testEnv()
	env.Event = Fields{"body": map[string]any{"extra": big, "areacode": strings.Repeat("x", 1<<20)}}
	for _, source := range []string{
		`count(event.body.extra, count(event.body.extra, count(event.body.extra, true) > 0) > 0)`,
		`count(event.body.extra, sum(event.body.extra) > 0)`,
		`sum(map(event.body.extra, len(sort(event.body.extra))))`,
		`join(map(event.body.extra, event.body.areacode), ",")`,
		`repeat(event.body.areacode, 100000)`,
		`replace(event.body.areacode, "x", event.body.areacode)`,
		`reduce(1..60, #acc + #acc, "xxxxxxxxxxxxxxxx")`,
		`len(reduce(1..60, concat(#acc, #acc), [1]))`,
		`toJSON(reduce(1..60, [#acc, #acc], [1]))`,
		`len(toJSON(map(event.body.extra, event.body.areacode)))`,
		`all(event.body.extra, # in event.body.extra)`,
		`1..100000000`,
		`len(map(event.body.extra, event.body.areacode + string(#)))`,
	} {
		p, cerr := Compile(source, testScope(), "")
		if cerr != nil {
			t.Errorf("Compile(%s): %v", source, cerr)
			continue
		}
		done := make(chan error, 1)
		go func() { _, err := p.Eval(env); done <- err }()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s ended without an error", source)
			}
		case <-time.After(time.Minute): // a hang, not a slow machine
			t.Fatalf("%s did not end", source)
		}
	}
	if p, err := Compile(`len(uniq(event.body.extra))`, testScope(), ""); err != nil {
		t.Error(err)
	} else if n, err := p.Eval(env); n != len(big) || err != nil {
		t.Errorf("uniq over a large list = %v, %v", n, err)
	}
}

func TestTheFunctionsDoAsTheirDocumentationSays(t *testing.T) {
	for _, f := range Functions() {
		p, cerr := Compile(f.Example, testScope(), "")
		if cerr != nil {
			t.Errorf("%s: %s: %v", f.Name, f.Example, cerr)
			continue
		}
		v, err := p.Eval(testEnv())
		if err != nil {
			t.Errorf("%s: %s: %v", f.Name, f.Example, err)
			continue
		}
		got, err := value.Text(v)
		if err != nil || got != f.Result {
			t.Errorf("%s: %s = %s, %v; its documentation says %s", f.Name, f.Example, got, err, f.Result)
		}
	}
}

func TestTemplates(t *testing.T) {
	for _, tt := range []struct {
		text string
		want any
	}{
		{`plain`, "plain"},
		{``, ""},
		{`testtopic/${{ nodes.driver.item.vehicle_type }}`, "testtopic/3seater"},
		{`${{ event.body.seats }}`, 4},
		{`${{ event.body.seats }} seats`, "4 seats"},
		{`${{event.body.areacode}}${{ vars.n }}`, "233141"},
		{`${{ {"a": {"b": 1}} }}`, map[string]any{"a": map[string]any{"b": 1}}},
		{`${{ "}}" }}!`, "}}!"},
		{`costs $${{ 5 }}`, "costs ${{ 5 }}"},
		{`é${{ event.body.tags }}`, `é["a","b","a"]`},
		{`$5 and {{ x }}`, "$5 and {{ x }}"},
	} {
		var v Value[any]
		v.Set(Text(tt.text))
		if ps := v.Compile(testScope()); len(ps) > 0 {
			t.Errorf("%s: %v", tt.text, ps[0])
			continue
		}
		got, err := v.Get(testEnv())
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s = %#v, %v; want %#v", tt.text, got, err, tt.want)
		}
	}
}

func TestTemplateMistakesHavePositions(t *testing.T) {
	for _, tt := range []struct {
		text    string
		offset  int
		message string
	}{
		{`ab ${{ event.body`, 3, "not closed"},
		{`é ${{ event.boddy }} x`, 12, `no field "boddy"`},
		{`${{ event.body.seats }}-${{ nodes.drivr }}`, 34, `no node "drivr"`},
	} {
		var v Value[any]
		v.Set(Text(tt.text))
		ps := v.Compile(testScope())
		if len(ps) != 1 || ps[0].Offset != tt.offset || !strings.Contains(ps[0].Message, tt.message) {
			t.Errorf("%s: %+v; want %q at %d", tt.text, ps, tt.message, tt.offset)
		}
	}
}

func TestAnInterpolatedNullIsAnError(t *testing.T) {
	var v Value[string]
	v.Set(Text(`to/${{ nodes.driver.item.nothing }}`))
	if ps := v.Compile(testScope()); len(ps) > 0 {
		t.Fatal(ps[0])
	}
	if s, err := v.Get(testEnv()); err == nil || !strings.Contains(err.Error(), "null") {
		t.Errorf("got %q, %v; want an error", s, err)
	}
}

func TestAValueKeepsItsType(t *testing.T) {
	var n Value[int]
	n.Set(Text(`${{ event.body.areacode }}`))
	if ps := n.Compile(testScope()); len(ps) != 1 || !strings.Contains(ps[0].Message, "gives a string, but an integer is needed") {
		t.Errorf("problems = %v", ps)
	}
	var c Condition
	c.Set(Text(`event.body.seats`))
	if ps := c.Compile(testScope()); len(ps) != 1 || !strings.Contains(ps[0].Message, "gives an integer, but a condition") {
		t.Errorf("problems = %v", ps)
	}
	var s Value[string]
	s.Set(Text(`${{ nodes.driver.item.count }}`))
	if ps := s.Compile(testScope()); len(ps) > 0 {
		t.Fatal(ps[0])
	}
	env := testEnv()
	env.Nodes[0] = map[string]any{"item": map[string]any{"count": []any{}}}
	if _, err := s.Get(env); err == nil || !strings.Contains(err.Error(), "a text is needed here, got a list") {
		t.Errorf("err = %v", err)
	}
}

func TestAWholeBodyPassesThroughByteForByte(t *testing.T) {
	raw := `{ "n": 1.0, "z": 1,  "a": 12345678901234567890123456789 }`
	env := testEnv()
	env.Event = Fields{"body": value.NewDoc([]byte(raw))}
	var v Value[[]byte]
	v.Set(Text(`${{ event.body }}`))
	if ps := v.Compile(testScope()); len(ps) > 0 {
		t.Fatal(ps[0])
	}
	if got, err := v.Get(env); err != nil || string(got) != raw {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestConstantsAreKnownAtLoad(t *testing.T) {
	var v Value[map[string]any]
	v.Set(&Tree{Kind: KindObject, Keys: []string{"a", "b"}, Items: []*Tree{{Const: 1}, Text("x")}})
	if ps := v.Compile(testScope()); len(ps) > 0 {
		t.Fatal(ps[0])
	}
	if got, ok := v.Const(); !ok || !reflect.DeepEqual(got, map[string]any{"a": 1, "b": "x"}) {
		t.Errorf("Const = %v, %v", got, ok)
	}
}

func TestJoinOfTypes(t *testing.T) {
	a := Object(map[string]Type{"x": Int, "only_a": String})
	b := Object(map[string]Type{"x": Number, "only_b": Bool})
	j := Join(a, b)
	for name, want := range map[string]Type{"x": Number, "only_a": String, "only_b": Bool} {
		if f, ok := j.Field(name); !ok || f.String() != want.String() {
			t.Errorf("field %s = %v, %v; want %v", name, f, ok, want)
		}
	}
	if _, ok := j.Field("other"); ok {
		t.Error("a join of two closed objects has a field that neither has")
	}
	if j := Join(a, String); !j.IsAny() {
		t.Errorf("Join(object, string) = %v", j)
	}
}

// FuzzCompile: whatever the text, Compile and Eval end, and with errors that
// point into the text.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`event.body.seats + 1`, `filter(event.body.stops, .km > 1)`, `nodes.maybe?.id ?? "x"`, `let a = 1; a`, `{"a": 1}.a`, `-(-1)`, `event.body.stops[0:1]`, `"a" matches "("`, `now() - now()`, `1 in {}`, `#`, `map(1..3, {#})`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Compile(source, testScope(), "")
		if err != nil {
			if err.Offset < 0 || err.Offset > len([]rune(source)) || err.Message == "" {
				t.Fatalf("%q: %+v", source, err)
			}
			return
		}
		v, eerr := p.Eval(testEnv())
		if f, ok := v.(float64); ok && eerr == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
			t.Fatalf("%q = %v", source, v)
		}
	})
}

// FuzzClosureAgreesWithMachine evaluates what closure takes by the library's
// machine too.
func FuzzClosureAgreesWithMachine(f *testing.F) {
	for _, s := range []string{`event.body.seats + 1 == 5`, `nodes.maybe?.id ?? "x"`, `event.body.extra.deep[1].x`, `{"a": [1, -2.5]}.a[1]`, `event.body.seats > 3 ? vars.n : nil`, `string(vars.big)`, `vars.n % 7 - 3 * 2`, `not (1 == 1.0) or "a" < "b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if strings.Contains(source, "uuid") || strings.Contains(source, "now") {
			return
		}
		p, err := Compile(source, testScope(), "")
		if err != nil || !hasClosure(source) {
			return
		}
		q, merr := compileForMachine(source)
		if merr != nil {
			t.Fatalf("%q compiles but not for the machine: %v", source, merr)
		}
		a, errA := p.Eval(testEnv())
		b, errB := q.Eval(testEnv())
		if (errA == nil) != (errB == nil) || errA == nil && printed(a) != printed(b) {
			t.Fatalf("%q = %s, %v by closure and %s, %v by the machine", source, printed(a), errA, printed(b), errB)
		}
	})
}

// hasClosure reports whether an expression that compiles has a closure: what
// has none goes by the machine on both sides and may take its whole allowance.
func hasClosure(source string) bool {
	r, tree, bad := analyse(source, testScope())
	return bad == nil && r.closure(tree.Node) != nil
}

func compileForMachine(source string) (*Program, error) {
	r, tree, bad := analyse(source, testScope())
	if bad != nil {
		return nil, bad
	}
	eval, err := r.machine(tree)
	return &Program{source: source, eval: eval}, err
}

func printed(v any) string {
	if d, ok := v.(*value.Doc); ok {
		v, _ = d.Value()
	}
	b, err := value.Append(nil, v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return string(b)
}
