package mqtt

import (
	"errors"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

func TestValueInsideATopicFillsItsLevelAndCannotLeaveIt(t *testing.T) {
	for name, tt := range map[string]struct{ topic, value, want string }{
		"a level":                        {"orders/${{ event.id }}/status", "17", "orders/17/status"},
		"part of a level":                {"orders/no-${{ event.id }}", "17", "orders/no-17"},
		"empty part of a level":          {"orders/no-${{ event.id }}", "", "orders/no-"},
		"two expressions":                {"a/${{ event.id }}/${{ event.id }}", "x", "a/x/x"},
		"blanks and quotes":              {"a/${{ event.id }}", `b "c" ü`, `a/b "c" ü`},
		"levels of env":                  {"${{ env.PREFIX }}/${{ event.id }}", "x", "plant/7/x"},
		"whole topic from the message":   {"${{ event.id }}", "a/b", "a/b"},
		"whole topic as one expression":  {`${{ "a/" + event.id }}`, "b/c", "a/b/c"},
		"braces and quotes inside":       {`a/${{ {"k": "}}/" + "x"}.k == "y" ? "no" : event.id }}`, "z", "a/z"},
		"an escaped ${{":                 {"a/$${{ b/${{ event.id }}", "x", "a/${{ b/x"},
		"a number":                       {"a/${{ 1 + 2 }}/${{ event.id }}", "x", "a/3/x"},
		"leading slash":                  {"/a/${{ event.id }}", "x", "/a/x"},
		"a level with a slash":           {"orders/${{ event.id }}/status", "17/admin", ""},
		"a slash alone":                  {"orders/${{ event.id }}", "/", ""},
		"an empty level":                 {"orders/${{ event.id }}/status", "", ""},
		"an empty last level":            {"orders/${{ event.id }}", "", ""},
		"an empty first level":           {"${{ event.id }}/orders", "", ""},
		"a one-level wildcard":           {"orders/${{ event.id }}", "+", ""},
		"a many-level wildcard":          {"orders/${{ event.id }}", "#", ""},
		"a wildcard inside":              {"orders/${{ event.id }}", "a+b", ""},
		"NUL":                            {"orders/${{ event.id }}", "a\x00b", ""},
		"not UTF-8":                      {"orders/${{ event.id }}", "a\xffb", ""},
		"too long":                       {"orders/${{ event.id }}", strings.Repeat("x", 65536), ""},
		"whole topic with a wildcard":    {"${{ event.id }}", "a/#", ""},
		"whole topic empty":              {"${{ event.id }}", "", ""},
		"whole topic with NUL":           {"${{ event.id }}", "\x00", ""},
		"a wildcard of env":              {"${{ env.BAD }}/${{ event.id }}", "x", ""},
		"env mixed with the message":     {`${{ env.PREFIX + event.id }}/x`, "/admin", ""},
		"the whole event as JSON":        {`x/${{ toJSON(event) }}`, "a/b", ""},
		"a slash through the run's data": {`x/${{ run.correlation }}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := topicField(t, tt.topic)
			m := engine.NewMessage(expr.Fields{"id": tt.value}, "cor/relation")
			env := m.Env
			env.Run = expr.Fields{"correlation": m.Correlation}
			got, err := f.Get(&env)
			if tt.want == "" {
				if engine.ClassOf(err) != engine.Permanent || engine.CodeOf(err) != "invalid_topic" {
					t.Fatalf("got %q and %v, want a permanent error", got, err)
				}
				if len(err.Error()) > 600 {
					t.Errorf("the error has %d bytes", len(err.Error()))
				}
				return
			}
			if got != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestTopicReportsExpressionsThatDoNotCompileOnce(t *testing.T) {
	var f Topic
	f.Set(expr.Text("a/${{ event.a. }}/b"))
	if problems := f.Compile(&expr.Scope{}); len(problems) != 1 {
		t.Errorf("got %v, want one problem", problems)
	}
}

func TestTopicKeepsTheErrorOfAnExpression(t *testing.T) {
	f := topicField(t, "a/${{ event.a.b }}")
	_, err := f.Get(&expr.Env{Event: expr.Fields{}})
	var ee *expr.EvalError
	if !errors.As(err, &ee) {
		t.Errorf("got %v, want an *expr.EvalError", err)
	}
}

// The pieces of a text, put together, must be what the expression language makes of the whole: whatever the text, both
// find the same expressions.
func FuzzTopicPiecesAgreeWithTheWholeText(f *testing.F) {
	for _, s := range []string{
		"a/b", "a/${{ 1 }}/b", "$${{ a/${{ 2 }}", "${{ 1 }}${{ 2 }}", "${{ {\"a\": 1}.a }}/x", "x${{ '}}' }}y", "a/${{ `\\` }}/b",
		"${{ \"\\\"}}\" }}/", "$$${{ 1 }}", "${{ 1 }}}}", "/${{", "}}", "a${{ event }}", "${{${{ 1 }}}}/${{ 3 }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var whole expr.Value[string]
		whole.Set(expr.Text(text))
		scope := &expr.Scope{Env: map[string]string{"A": "x/y"}}
		if len(whole.Compile(scope)) > 0 {
			return
		}
		var topic Topic
		topic.Set(expr.Text(text))
		if problems := topic.Compile(scope); len(problems) > 0 {
			t.Fatalf("the whole compiles, a piece does not: %v", problems[0].Error)
		}
		env := &expr.Env{Event: expr.Fields{}}
		want, wantErr := whole.Get(env)
		for i := range topic.pieces {
			topic.pieces[i].outside = false // what values may hold is another matter
		}
		got, err := topic.text(env)
		if (err == nil) != (wantErr == nil) || err == nil && got != want {
			t.Fatalf("pieces give %q, %v; the whole gives %q, %v", got, err, want, wantErr)
		}
	})
}

func FuzzFilterMatchesLikeItsDefinition(f *testing.F) {
	for _, s := range [][2]string{{"a/+/c", "a/b/c"}, {"#", "$SYS/x"}, {"a/#", "a"}, {"+", ""}, {"a//+", "a//b"}, {"+/+", "/"}, {"a/b", "a/b/c"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		if client.ValidateFilter(filter) != nil {
			return
		}
		if got, want := matches(filter, topic), matchesByDefinition(filter, topic); got != want {
			t.Fatalf("%q and %q: got %v, want %v", filter, topic, got, want)
		}
	})
}

// matchesByDefinition follows section 4.7 level by level.
func matchesByDefinition(filter, topic string) bool {
	want, got := strings.Split(filter, "/"), strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && filter != "" && strings.ContainsAny(filter[:1], "+#") {
		return false
	}
	for i, level := range want {
		if level == "#" {
			return i <= len(got)
		}
		if i >= len(got) || level != "+" && level != got[i] {
			return false
		}
	}
	return len(want) == len(got)
}
