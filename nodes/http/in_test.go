package http

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func TestInChecksItsConfig(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config *In
		want   string
	}{
		{"right", in(t, "POST", "/orders/{id}/{rest...}", withSchema, cors(CORS{Origins: []string{"*", "https://a.example:8443"}, Methods: []string{"PUT"}})), ""},
		{"one path alone", in(t, "GET", "/{$}"), ""},
		{"no path", in(t, "GET", ""), "path: the path is empty"},
		{"no slash", in(t, "GET", "orders"), `path: the path "orders" does not begin with /`},
		{"API Gateway's rest", in(t, "GET", "/{proxy+}"), "path: a parameter for the rest of the path is written {name...}"},
		{"a query", in(t, "GET", "/a?b=c"), "path: the path contains a query"},
		{"a brace that is not closed", in(t, "GET", "/{a"), `path: the path "/{a" is not valid: at offset 1: bad wildcard segment (must end with '}')`},
		{"a name twice", in(t, "GET", "/{a}/{a}"), `path: the path "/{a}/{a}" is not valid: at offset 5: duplicate wildcard name "a"`},
		{"a body of GET", in(t, "GET", "/a", withSchema), "body: a GET request has no body"},
		{"a schema of bytes", in(t, "POST", "/a", withSchema, as("bytes")), "body: a schema describes JSON or a form, not bytes"},
		{"no deadline", in(t, "POST", "/a", func(c *In) { c.Deadline = 0 }), "deadline: the deadline must be longer than 0"},
		{"a negative size", in(t, "POST", "/a", func(c *In) { c.MaxBody = -1 }), "max_body: max_body cannot be negative"},
		{"cors without origins", in(t, "POST", "/a", cors(CORS{Methods: []string{"PUT"}})), "cors.origins: no origin may call"},
		{"every origin with credentials", in(t, "POST", "/a", cors(CORS{Origins: []string{"*"}, Credentials: true})), `cors.origins[0]: browsers refuse the origin "*" together with credentials`},
		{"an origin with a path", in(t, "POST", "/a", cors(CORS{Origins: []string{"*", "https://a.example/"}})), `cors.origins[1]: "https://a.example/" is not an origin`},
		{"a method that is none", in(t, "POST", "/a", cors(CORS{Origins: []string{"*"}, Methods: []string{"get"}})), `cors.methods[0]: "get" is not a method`},
	} {
		if got := findings(kind(t, "http.in"), tt.config); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, got, tt.want)
		}
	}
}

func TestRoutesThatConflict(t *testing.T) {
	star := cors(CORS{Origins: []string{"*"}})
	for _, tt := range []struct {
		a, b *In
		want string
	}{
		{in(t, "GET", "/a"), in(t, "POST", "/a"), ""},
		{in(t, "GET", "/a"), in(t, "ANY", "/a"), ""},
		{in(t, "GET", "/a"), in(t, "GET", "/{x}"), ""},
		{in(t, "GET", "/a"), in(t, "GET", "/a"), "GET /a matches the same requests as GET /a"},
		{in(t, "GET", "/{x}"), in(t, "GET", "/{y}"), "GET /{y} matches the same requests as GET /{x}"},
		{in(t, "GET", "/a/{x}"), in(t, "GET", "/{y}/b"), "both match some paths"},
		{in(t, "GET", "/a/{x}", star), in(t, "POST", "/a/{y}", star), ""},
		{in(t, "GET", "/a/{x}", star), in(t, "POST", "/{y}/b", star), "preflight requests cannot be told apart"},
		{in(t, "GET", "/a/{x}"), in(t, "POST", "/{y}/b", star), ""},
		{in(t, "GET", "bad"), in(t, "GET", "/{x"), ""},
	} {
		got := kind(t, "http.in").Conflict(tt.a, tt.b)
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") || strings.Contains(got, ".go:") {
			t.Errorf("%s %s and %s %s: %q; want %q", tt.a.Method, tt.a.Path, tt.b.Method, tt.b.Path, got, tt.want)
		}
	}
}

func TestASourceWhoseRouteIsTakenIsNotMade(t *testing.T) {
	server := NewServer(ServerOptions{})
	_, err := engine.Build(plan(t, []flow{flowOf(in(t, "GET", "/a/{x}")), flowOf(in(t, "GET", "/a/{y}"))}), engine.Options{Services: provided(server)})
	if err == nil || !strings.Contains(err.Error(), "GET /a/{y} matches the same requests as GET /a/{x}") {
		t.Errorf("error %v", err)
	}
	if len(server.sources) != 0 {
		t.Errorf("%d routes are left of an app that was not built", len(server.sources))
	}
	if _, err := newSource(in(t, "GET", "/a"), engine.Deps{}); err == nil {
		t.Error("a source was made without a server")
	}
}

func TestTheEventIsTyped(t *testing.T) {
	event := kind(t, "http.in").Event(in(t, "POST", "/a/{id}/{rest...}", withSchema))
	params, _ := event.Field("params")
	if got := params.FieldNames(); !slices.Equal(got, []string{"id", "rest"}) {
		t.Errorf("params %v", got)
	}
	if _, ok := params.Field("ids"); ok {
		t.Error("a parameter that the path does not have is taken")
	}
	if body, _ := event.Field("body"); !slices.Equal(body.FieldNames(), []string{"name"}) {
		t.Errorf("body is %s", body)
	}
	for format, want := range map[string]string{"auto": "any", "json": "any", "text": "string", "form": "object", "bytes": "bytes"} {
		if body, _ := kind(t, "http.in").Event(in(t, "POST", "/", as(format))).Field("body"); body.String() != want {
			t.Errorf("the body of format %s is %s; want %s", format, body, want)
		}
	}
	if _, ok := event.Field("bodi"); ok {
		t.Error("a field that an event does not have is taken")
	}
	// What the type promises is what an event has.
	for _, raw := range []bool{false, true} {
		c := in(t, "POST", "/", func(c *In) { c.RawBody = raw })
		fields, err := (&exchange{request: httpRequest(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), source: &Source{config: c}}).Fields()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := slices.Sorted(maps.Keys(fields)), kind(t, "http.in").Event(c).FieldNames(); !slices.Equal(got, want) {
			t.Errorf("with raw_body: %t an event has %v; its type has %v", raw, got, want)
		}
	}
}

func TestBranchesReadOneEventAtTheSameTime(t *testing.T) {
	r := httpRequest(t, "POST /a?q=1&q=2 HTTP/1.1\r\nHost: h\r\nCookie: c=v\r\n\r\n")
	e := &exchange{request: r, source: &Source{params: []string{"id"}}, body: value.NewDoc([]byte(`{"a":1}`))}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, name := range eventType(&In{}).FieldNames() {
				field, err := e.Field(name)
				if part, ok := field.(expr.Record); ok && err == nil {
					_, err = part.Fields()
				}
				if err != nil {
					t.Error(err)
				}
			}
			q, err := (*query)(e).Field("q")
			if q != "1" || err != nil {
				t.Errorf("query.q is %v, %v", q, err)
			}
		})
	}
	wg.Wait()
}

func TestTheCorrelationIDIsTakenFromTheCaller(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, tt := range []struct {
		name, header, want string
		more               map[string]string
	}{
		{"none", "", "", nil},
		{"visible", "a-1_~!", "a-1_~!", nil},
		{"the longest", strings.Repeat("a", 128), strings.Repeat("a", 128), nil},
		{"too long", strings.Repeat("a", 129), "", nil},
		{"with a space", "a b", "", nil},
		{"not ASCII", "é", "", nil},
		{"not valid, and a request id", "a b", "r", map[string]string{"X-Request-Id": "r"}},
		{"a trace", "", trace, map[string]string{"Traceparent": "00-" + trace + "-00f067aa0ba902b7-01"}},
		{"a trace of a later version", "", trace, map[string]string{"Traceparent": "cc-" + trace + "-00f067aa0ba902b7-01-more"}},
		{"a trace of an invalid version", "", "", map[string]string{"Traceparent": "ff-" + trace + "-00f067aa0ba902b7-01"}},
		{"a trace of zeros", "", "", map[string]string{"Traceparent": "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01"}},
		{"a trace in upper case", "", "", map[string]string{"Traceparent": "00-" + strings.ToUpper(trace) + "-00f067aa0ba902b7-01"}},
		{"a malformed trace", "", "", map[string]string{"Traceparent": "00-abc"}},
	} {
		h := http.Header{}
		if tt.header != "" {
			h.Set(correlationHeader, tt.header)
		}
		for name, v := range tt.more {
			h.Set(name, v)
		}
		if got := correlation(h); got != tt.want {
			t.Errorf("%s: %q; want %q", tt.name, got, tt.want)
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
