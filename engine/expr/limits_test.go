package expr

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine/value"
)

func evalOver(t *testing.T, source string, body any) (any, error) {
	t.Helper()
	p, bad := Compile(source, &Scope{Event: OpenObject(nil, Any)}, "")
	if bad != nil {
		t.Fatalf("%s: %v", source, bad)
	}
	return p.Eval(&Env{Event: Fields{"body": body}})
}

func TestHostileNumbersAndPatternsEndInAnError(t *testing.T) {
	body := map[string]any{
		"digits":   value.Number(strings.Repeat("7", 1<<20)),
		"text":     strings.Repeat("a", 1<<20),
		"redos":    "(a?){500}(a?){400}b$",
		"long":     strings.Repeat("(a|aa)*", 20_000),
		"repeated": "((a{100}){10}){1000}",
		"bad":      "(",
	}
	for _, tt := range []struct{ source, want string }{
		{`event.body.digits / 2`, "too long"},
		{`event.body.digits ** 2`, "not finite"},
		{`float(event.body.digits)`, "not finite"},
		{`int(event.body.digits)`, "too long"},
		{`sum([event.body.digits])`, "too long"},
		{`event.body.text matches event.body.redos`, "too many"},
		{`event.body.text matches event.body.long`, "longer than 1024 bytes"},
		{`event.body.text matches event.body.repeated`, "is not a pattern"},
		{`event.body.text matches event.body.bad`, "is not a pattern"},
		{`event.body.text matches event.body.digits`, "does not take"},
		{`uniq(map(1..40, event.body.text))`, "more than 16 MiB"},
		{`trim(event.body.text, event.body.text)`, "more than 256 bytes"},
		{`flatten(reduce(1..60, [#acc, #acc], []))`, "grows beyond"},
	} {
		if v, err := evalOver(t, tt.source, body); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s = %.40v, %.200v; want an error with %q", tt.source, v, err, tt.want)
		}
	}
}

func TestTheGuardLooksAtTheClockWhereTurnsAreSlow(t *testing.T) {
	g := guard{start: time.Now().Add(-time.Hour)}
	if err := g.turn(nil); !errors.Is(err, errSlow) {
		t.Errorf("the first turn after the deadline gives %v; want errSlow", err)
	}
}

func TestMatchesTakesPatternsOfTheMessage(t *testing.T) {
	body := map[string]any{"text": "order-17", "pattern": `^order-\d+$`, "other": "^x"}
	for source, want := range map[string]any{
		`event.body.text matches event.body.pattern`:                 true,
		`event.body.text matches event.body.other`:                   false,
		`event.body.text matches event.body.nothing`:                 false,
		`event.body.nothing matches event.body.pattern`:              false,
		`event.body.text matches "^order"`:                           true,
		`not (event.body.text matches event.body.other)`:             true,
		`filter([1, 2], "2" matches ("^" + string(#)))`:              2,
		`any(["a"], event.body.text matches ("^" + "o" + "r" + ""))`: true,
	} {
		got, err := evalOver(t, source, body)
		if list, ok := got.([]any); ok && len(list) == 1 {
			got = list[0]
		}
		if err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", source, got, err, want)
		}
	}
}

func TestSumsAndConversionsAreExactOrFail(t *testing.T) {
	body := map[string]any{
		"list": []any{value.Number("12345678901234567890"), 1}, "fraction": value.Number("12.34567890123456789012"),
		"objects": []any{map[string]any{"n": 1}, map[string]any{"n": 2}}, "times": []any{time.Second}, "bytes": []byte("hi"),
	}
	for _, tt := range []struct {
		source string
		want   any
		failed string
	}{
		{`sum([1, 2, 3])`, 6, ""},
		{`sum([])`, 0, ""},
		{`sum([1, 2.5])`, 3.5, ""},
		{`sum(event.body.objects, .n * 10)`, 30, ""},
		{`sum(event.body.list)`, value.Number("12345678901234567891"), ""},
		{`sum([9223372036854775807, 1])`, nil, "does not fit"},
		{`sum(["a"])`, nil, "is a string and no number"},
		{`int(event.body.fraction)`, 12, ""},
		{`int("-7")`, -7, ""},
		{`int(2.9)`, 2, ""},
		{`int(-9223372036854775808.0)`, math.MinInt64, ""},
		{`int(9223372036854775808.0)`, nil, "does not fit"},
		{`int(1e30)`, nil, "does not fit"},
		{`int("1e3")`, nil, "is not an integer"},
		{`int(nil)`, nil, "int does not take null"},
		{`float(event.body.fraction)`, 12.34567890123456789012, ""},
		{`float("x")`, nil, "is not a number"},
		{`float("NaN")`, nil, "not finite"},
		{`float([])`, nil, "float does not take a list"},
		{`abs(-9223372036854775807 - 1)`, nil, "does not fit"},
		{`abs(-7) + 1`, 8, ""},
		{`abs(-event.body.fraction)`, value.Number("12.34567890123456789012"), ""},
		{`max(event.body.fraction, 12)`, value.Number("12.34567890123456789012"), ""},
		{`min([3, 2.5], 4)`, 2.5, ""},
		{`max(1, 2) % 2`, 0, ""},
		{`max([])`, nil, "no numbers"},
		{`max(event.body.objects)`, nil, "max needs numbers, got an object"},
		{`floor(-2.5)`, -3, ""},
		{`ceil(-event.body.fraction)`, -12, ""},
		{`round(event.body.fraction)`, 12, ""},
		{`round(2.5)`, 3, ""},
		{`round(-2.5)`, -3, ""},
		{`round(1e300)`, nil, "does not fit"},
		{`toBase64(event.body.bytes)`, "aGk=", ""},
		{`sameSecret(event.body.bytes, "hi")`, true, ""},
		{`sameSecret("hi", "hi there")`, false, ""},
		{`sameSecret(event.body.nothing, "hi")`, false, ""},
		{`sameSecret(event.body.nothing, nil)`, false, ""},
		{`sameSecret("", "")`, true, ""},
		{`toBase64(event.body.list)`, nil, "toBase64 needs a text or bytes, got a list"},
	} {
		got, err := evalOver(t, tt.source, body)
		if tt.failed != "" {
			if err == nil || !strings.Contains(err.Error(), tt.failed) {
				t.Errorf("%s = %v, %v; want an error with %q", tt.source, got, err, tt.failed)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%s = %v (%T), %v; want %v", tt.source, got, got, err, tt.want)
		}
	}
}

// The closures and the machine must not disagree on a field that is not there.
func TestAnAbsentTextEqualsNothingInsideLoopsToo(t *testing.T) {
	scope := &Scope{Event: Object(map[string]Type{"body": Object(map[string]Type{"name": String, "list": List(Object(map[string]Type{"name": String}))})})}
	for source, want := range map[string]any{
		`event.body.name == "x"`:                     false,
		`any([1], event.body.name == "x")`:           false,
		`len(filter(event.body.list, .name == "x"))`: 1,
		`len(filter(event.body.list, .name != "x"))`: 1,
	} {
		p, bad := Compile(source, scope, "")
		if bad != nil {
			t.Fatal(bad)
		}
		got, err := p.Eval(&Env{Event: Fields{"body": map[string]any{"list": []any{map[string]any{}, map[string]any{"name": "x"}}}}})
		if err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", source, got, err, want)
		}
	}
}

func TestADocumentIsOpenedWhereverItsValueCounts(t *testing.T) {
	for _, tt := range []struct {
		body, source string
		want         any
	}{
		{`null`, `event.body ?? "none"`, "none"},
		{`null`, `event.body == nil`, true},
		{`true`, `event.body and true`, true},
		{`false`, `not event.body`, true},
		{`true`, `event.body ? 1 : 2`, 1},
		{`[1]`, `[event.body] == [[1]]`, true},
		{`[1]`, `{"a": event.body} == {"a": [1.0]}`, true},
		{`[1]`, `any([1], [event.body] == [[1]])`, true},
	} {
		got, err := evalOver(t, tt.source, value.NewDoc([]byte(tt.body)))
		if err != nil || got != tt.want {
			t.Errorf("%s over %s = %v, %v; want %v", tt.source, tt.body, got, err, tt.want)
		}
	}
	d := value.NewDoc([]byte(`{ "a": 1 }`))
	if got, err := evalOver(t, `event.body ?? {}`, d); err != nil || got != any(d) {
		t.Errorf("event.body ?? {} = %v, %v; want the document as it came", got, err)
	}
	if _, err := evalOver(t, `event.body ?? "none"`, value.NewDoc([]byte(`{oops`))); err == nil {
		t.Error("a document that is not JSON counts as null")
	}
}

func TestNumbersAreComparedAndAddedAsWritten(t *testing.T) {
	body := map[string]any{"big": value.Number("12345678901234567890"), "odd": 9007199254740993}
	for source, want := range map[string]any{
		`event.body.big + 0.1`:                                                 value.Number("12345678901234567890.1"),
		`event.body.odd + 0.5`:                                                 value.Number("9007199254740993.5"),
		`event.body.odd == 9007199254740992.0`:                                 false,
		`event.body.odd > 9007199254740992.0`:                                  true,
		`[event.body.big] == [fromJSON("1.2345678901234567890e19")]`:           true,
		`{"a": event.body.big} == fromJSON("{\"a\": 12345678901234567890.0}")`: true,
		`[1, [2.0]] == [1.0, [2]]`:                                             true,
		`[1] == [1, 2]`:                                                        false,
		`{"a": 1} == {"b": 1}`:                                                 false,
	} {
		if got, err := evalOver(t, source, body); err != nil || got != want {
			t.Errorf("%s = %v (%T), %v; want %v", source, got, got, err, want)
		}
	}
}

func TestFunctionsOfListsOpenDocumentsInThem(t *testing.T) {
	for source, want := range map[string]string{
		`flatten([event.body, 3])`:                  `[1,2,3]`,
		`concat([event.body], [3])`:                 `[[1,2],3]`,
		`uniq([event.body, [1, 2]])`:                `[[1,2]]`,
		`any([1], len(flatten([event.body])) == 2)`: `true`,
	} {
		got, err := evalOver(t, source, value.NewDoc([]byte(`[1, 2 ]`)))
		text, _ := value.Append(nil, got)
		if err != nil || string(text) != want {
			t.Errorf("%s = %s, %v; want %s", source, text, err, want)
		}
	}
}

func TestAConditionOpensADocument(t *testing.T) {
	var c Condition
	c.Set(Text("event.body"))
	if p := c.Compile(&Scope{Event: OpenObject(nil, Any)}); len(p) > 0 {
		t.Fatal(p)
	}
	for body, want := range map[string]bool{"true": true, "false": false} {
		if got, err := c.Holds(&Env{Event: Fields{"body": value.NewDoc([]byte(body))}}); err != nil || got != want {
			t.Errorf("over %s the condition is %v, %v", body, got, err)
		}
	}
	for _, body := range []string{"1", "null", "{oops"} {
		var failed *EvalError
		if _, err := c.Holds(&Env{Event: Fields{"body": value.NewDoc([]byte(body))}}); !errors.As(err, &failed) {
			t.Errorf("over %s the condition gives %v; want an *EvalError", body, err)
		}
	}
}

func TestGoNamesOfTypesBecomeAuthorsWords(t *testing.T) {
	scope := &Scope{Event: Object(map[string]Type{"points": Number, "boolean": Int})}
	for source, want := range map[string]string{
		`[1, 2][event.points]`: "using an integer (got number)",
		`9223372036854775808`:  "does not fit a 64-bit integer",
		`event.boolean + "x"`:  "mismatched types integer and string",
	} {
		if _, bad := Compile(source, scope, ""); bad == nil || !strings.Contains(bad.Message, want) {
			t.Errorf("%s: %v; want %q", source, bad, want)
		}
	}
}
