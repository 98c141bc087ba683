package http

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// kept is an Exchange that keeps its answer.
type kept struct{ Response }

func (k *kept) Respond(r Response) error { k.Response = r; return nil }

func withHeaders(t testing.TB, headers map[string]any) func(*Respond) {
	return func(c *Respond) {
		c.Headers = map[string]expr.Value[any]{}
		for name, v := range headers {
			c.Headers[name] = compiled[any](t, v)
		}
	}
}

func withContentType(t testing.TB, text string) func(*Respond) {
	return func(c *Respond) { c.ContentType = compiled[string](t, text) }
}

// lazy is a record that is not a map.
type lazy struct{ k string }

func (l *lazy) Field(string) (any, error)       { return l.k, nil }
func (l *lazy) Fields() (map[string]any, error) { return map[string]any{"k": l.k}, nil }

// broken is a record that cannot be read.
type broken struct{}

func (*broken) Field(string) (any, error)       { return nil, errors.New("out of order") }
func (*broken) Fields() (map[string]any, error) { return nil, errors.New("out of order") }

var answerEvent = map[string]any{
	"text": "plain", "bytes": []byte{1, 2}, "n": 5, "none": nil, "big": value.Number("12345678901234567890"),
	"doc": value.NewDoc([]byte(`{"b": 1.0}`)), "record": expr.Fields{"k": expr.Fields{"x": 1}}, "list": []any{"a", "b"}, "evil": "a\r\nX: y", "type": "text/csv",
	"lazy": &lazy{"v"}, "broken": &broken{}, "bad": value.NewDoc([]byte("{")),
}

func answer(t *testing.T, c *Respond) (Response, error) {
	t.Helper()
	var k kept
	m := engine.NewMessage(expr.Fields(answerEvent), "")
	m.Origin = &k
	err := enginetest.New(t, kind(t, "http.response"), c, nil).DoMessage(t.Context(), m).Err
	return k.Response, err
}

func TestAnswersAreWrittenByTheKindOfTheirBody(t *testing.T) {
	for _, tt := range []struct {
		body              any
		want, contentType string
	}{
		{nil, "", ""},
		{"constant", "constant", textType},
		{"${{ event.text }}", "plain", textType},
		{"n is ${{ event.n }}", "n is 5", textType},
		{"${{ event.bytes }}", "\x01\x02", bytesType},
		{"${{ event.n }}", "5", jsonType},
		{"${{ event.big }}", "12345678901234567890", jsonType},
		{"${{ event.none }}", "null", jsonType},
		{"${{ event.doc }}", `{"b": 1.0}`, jsonType},
		{map[string]any{"in": "${{ event.doc }}"}, `{"in":{"b": 1.0}}`, jsonType},
		{[]any{1, "${{ event.text }}"}, `[1,"plain"]`, jsonType},
		{"${{ event.record }}", `{"k":{"x":1}}`, jsonType},
		{"${{ event.lazy }}", `{"k":"v"}`, jsonType},
		{map[string]any{"l": []any{"${{ event.lazy }}"}, "d": "${{ event.doc }}"}, `{"d":{"b": 1.0},"l":[{"k":"v"}]}`, jsonType},
		{map[string]any{"r": []any{"${{ event.record }}"}}, `{"r":[{"k":{"x":1}}]}`, jsonType},
	} {
		r, err := answer(t, respond(t, 201, tt.body))
		if err != nil || r.Status != 201 || string(r.Body) != tt.want || r.Header.Get("Content-Type") != tt.contentType {
			t.Errorf("%v: %d %q of type %q, %v; want %q of type %q", tt.body, r.Status, r.Body, r.Header.Get("Content-Type"), err, tt.want, tt.contentType)
		}
	}
}

func TestAnswersHaveTheirHeaders(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers map[string]any
		typ     string
		want    http.Header
	}{
		{"constant", map[string]any{"cache-control": "no-store", "X-N": 5}, "", http.Header{"Cache-Control": {"no-store"}, "X-N": {"5"}, "Content-Type": {textType}}},
		{"several values", map[string]any{"Set-Cookie": []any{"a=1", "b=2"}}, "", http.Header{"Set-Cookie": {"a=1", "b=2"}, "Content-Type": {textType}}},
		{"computed", map[string]any{"X-Text": "${{ event.text }}", "X-Fixed": "f"}, "", http.Header{"X-Text": {"plain"}, "X-Fixed": {"f"}, "Content-Type": {textType}}},
		{"computed, several values", map[string]any{"X-List": "${{ event.list }}"}, "", http.Header{"X-List": {"a", "b"}, "Content-Type": {textType}}},
		{"null leaves a header out", map[string]any{"X-None": "${{ event.none }}", "X-Null": nil}, "", http.Header{"Content-Type": {textType}}},
		{"a constant content type", nil, "text/html", http.Header{"Content-Type": {"text/html"}}},
		{"a constant content type and a computed header", map[string]any{"X-Text": "${{ event.text }}"}, "text/html", http.Header{"X-Text": {"plain"}, "Content-Type": {"text/html"}}},
		{"a computed content type", nil, "${{ event.type }}", http.Header{"Content-Type": {"text/csv"}}},
		{"the content type as a header", map[string]any{"Content-Type": "text/css"}, "", http.Header{"Content-Type": {"text/css"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := []func(*Respond){withHeaders(t, tt.headers)}
			if tt.typ != "" {
				change = append(change, withContentType(t, tt.typ))
			}
			r, err := answer(t, respond(t, 200, "x", change...))
			if err != nil || !reflect.DeepEqual(r.Header, tt.want) {
				t.Errorf("%v, %v; want %v", r.Header, err, tt.want)
			}
		})
	}
}

func TestAnswersThatCannotBeWrittenArePermanentErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config *Respond
		code   string
		want   string
	}{
		{"a line break in a header", respond(t, 200, "x", withHeaders(t, map[string]any{"X-Evil": "${{ event.evil }}"})), "bad_header", "X-Evil has a line break or another control character at byte 1"},
		{"a line break in the content type", respond(t, 200, "x", withContentType(t, "${{ event.evil }}")), "bad_header", "Content-Type has a line break"},
		{"null inside a header", respond(t, 200, "x", withHeaders(t, map[string]any{"X-N": []any{"${{ event.none }}"}})), "bad_header", "X-N"},
		{"a status out of range", respond(t, 200, "x", func(c *Respond) { c.Status = compiled[int](t, "${{ event.n }}") }), "bad_status", "5 is not the status of an answer"},
		{"a body where none may be", respond(t, 200, "x", func(c *Respond) { c.Status = compiled[int](t, "${{ 200 + 4 }}") }), "bad_status", "204 has no body"},
		{"a header's expression that fails", respond(t, 200, "x", withHeaders(t, map[string]any{"X": "${{ event.n.x }}"})), "expression", "has no field"},
		{"a record that cannot be read", respond(t, 200, []any{"${{ event.broken }}"}), "bad_body", "out of order"},
		{"a document inside that is not JSON", respond(t, 200, []any{"${{ event.bad }}"}), "bad_body", "not valid JSON at byte 1"},
		{"a body's expression that fails", respond(t, 200, "${{ event.n.x }}"), "expression", "has no field"},
	} {
		_, err := answer(t, tt.config)
		if engine.CodeOf(err) != tt.code || engine.ClassOf(err) != engine.Permanent || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: code %s, error %v; want code %s and %q", tt.name, engine.CodeOf(err), err, tt.code, tt.want)
		}
	}
	// What is wrong with a constant is found before the first message.
	c := respond(t, 200, "x", withHeaders(t, map[string]any{"X-Evil": "a\nb"}))
	if _, err := newResponse(c, engine.Deps{}); err == nil {
		t.Error("a constant header with a line break was taken")
	}
}

func TestResponseChecksItsConfig(t *testing.T) {
	status := func(n int) func(*Respond) { return func(c *Respond) { c.Status = compiled[int](t, n) } }
	for _, tt := range []struct {
		name   string
		config *Respond
		want   string
	}{
		{"right", respond(t, 200, "x", withHeaders(t, map[string]any{"X-A": "b"})), ""},
		{"the default status", enginetest.Config[Respond](t), ""},
		{"a status out of range", respond(t, 0, "x", status(99)), "status: 99 is not the status of an answer; it must be between 200 and 599"},
		{"204 with a body", respond(t, 0, "x", status(204)), "status: an answer of status 204 has no body; remove body or use another status"},
		{"204 without", respond(t, 0, nil, status(204)), ""},
		{"a name that cannot be", respond(t, 200, "x", withHeaders(t, map[string]any{"X A": "b"})), `headers.X A: "X A" cannot be the name of a header`},
		{"a header of the server's", respond(t, 200, "x", withHeaders(t, map[string]any{"content-length": 5})), "headers.content-length: Content-Length is set by the server"},
		{"the correlation id", respond(t, 200, "x", withHeaders(t, map[string]any{"x-correlation-id": "5"})), "headers.x-correlation-id: every answer carries the run's X-Correlation-Id already"},
		{"two content types", respond(t, 200, "x", withHeaders(t, map[string]any{"content-type": "a/b"}), withContentType(t, "c/d")), "headers.content-type: content_type says the same"},
	} {
		if got := findings(kind(t, "http.response"), tt.config); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, got, tt.want)
		}
	}
}

func TestOfTwoAnswersAtOnceOneIsAnError(t *testing.T) {
	e := &Answer{}
	if _, ok := e.Response(); ok {
		t.Error("there is an answer before one was given")
	}
	errs := make(chan error)
	for range 2 {
		go func() { errs <- e.Respond(Response{Status: 202}) }()
	}
	first, second := <-errs, <-errs
	if first == nil {
		first, second = second, first
	}
	if engine.CodeOf(first) != "already_answered" || second != nil {
		t.Errorf("errors %v and %v", first, second)
	}
	if r, ok := e.Response(); !ok || r.Status != 202 {
		t.Errorf("the answer is %v, %v", r, ok)
	}
}

func TestAnAnswerThatIsConstantCostsNoHeaderPerMessage(t *testing.T) {
	n, err := newResponse(respond(t, 200, map[string]any{"a": 1}, withHeaders(t, map[string]any{"X-A": "b"})), engine.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	m := engine.NewMessage(expr.Fields{}, "")
	var first, second kept
	for _, k := range []*kept{&first, &second} {
		m.Origin = k
		if _, err := n.Do(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	if reflect.ValueOf(first.Header).UnsafePointer() != reflect.ValueOf(second.Header).UnsafePointer() {
		t.Error("each message got a header of its own")
	}
}
