package http

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func httpRequest(t testing.TB, text string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// FuzzRequestToEvent sends any request through a server: there is no panic, an
// error is JSON that says so, and an event that a flow gets is well-formed: its
// fields are the same read one by one and all at once, the body is what came,
// and everything in it has a JSON form.
func FuzzRequestToEvent(f *testing.F) {
	for _, head := range []string{
		"POST /auto/x/y?a=1&a=2&b HTTP/1.1\r\nHost: h\r\nCookie: c=v; d\r\nX-A: 1\r\nX-A: 2\r\n",
		"POST /auto/%2F?%zz HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		"POST /json/x HTTP/1.1\r\nHost: h\r\nContent-Type: application/json; charset=x\r\n",
		"POST /text/x HTTP/1.0\r\nContent-Type: text/plain\r\nTraceparent: 00-1-2-3\r\n",
		"POST /form/x HTTP/1.1\r\nHost: h\r\nX-Correlation-Id: \x01\r\n",
		"OPTIONS /bytes/a//../b HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nAccess-Control-Request-Method: POST\r\n",
		"GET * HTTP/1.1\r\nHost: h\r\n", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n", "GET http://u:p@x/y;z?q;r HTTP/1.1\r\nHost: h\r\n",
	} {
		for _, body := range []string{"", `{"a":1}`, `{"a":1,"a":2}`, "a=1&b=%41", "\xff", "[[["} {
			f.Add([]byte(head), []byte(body))
		}
	}
	var got *engine.Message
	server := NewServer(ServerOptions{MaxBody: 1 << 12})
	for _, format := range []string{"auto", "json", "text", "form", "bytes"} {
		source := enginetest.Source(f, kind(f, "http.in"), in(f, "ANY", "/"+format+"/{a}/{rest...}", as(format), cors(CORS{Origins: []string{"null"}})), provided(server))
		f.Cleanup(source.(*Source).Open(func(_ context.Context, m *engine.Message) error { got = m; return nil }, (*http.Request).Context))
	}
	f.Fuzz(func(t *testing.T, head, body []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\r\n"...))))
		if err != nil {
			return
		}
		r.Body, r.ContentLength = http.NoBody, int64(len(body))
		if len(body) > 0 {
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		got = nil
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code >= 400 {
			var object struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &object); err != nil || object.Error == "" {
				t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
			}
		}
		if got != nil {
			checkEvent(t, r, got.Env.Event, body)
		}
	})
}

func checkEvent(t *testing.T, r *http.Request, event expr.Record, body []byte) {
	all, err := event.Fields()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := value.Append(nil, all); err != nil {
		t.Fatalf("the event has no JSON form: %v", err)
	}
	for name, want := range all {
		got, err := event.Field(name)
		if err != nil {
			t.Fatal(err)
		}
		part, isRecord := got.(expr.Record)
		if !isRecord {
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s is %v alone and %v among all", name, got, want)
			}
			continue
		}
		for key, want := range want.(map[string]any) {
			if got, err := part.Field(key); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s.%s is %v alone and %v among all, %v", name, key, got, want, err)
			}
		}
	}
	if doc, ok := all["body"].(*value.Doc); ok && !bytes.Equal(doc.Raw(), body) {
		t.Fatalf("the body is %q; %q was sent", doc.Raw(), body)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		t.Fatalf("the query %q is malformed but passed: %v", r.URL.RawQuery, err)
	}
	if lists := all["query_all"].(map[string]any); len(lists) != len(query) {
		t.Fatalf("query_all is %v; want %v", lists, query)
	}
}

// FuzzWellFormed holds the check of queries to the standard library's.
func FuzzWellFormed(f *testing.F) {
	for _, s := range []string{"", "a=b&c", "a=%41", "%", "%4", "a;b", "%zz&%41", "a=b=c&&=", "+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if _, err := url.ParseQuery(query); (err == nil) != wellFormed(query) {
			t.Fatalf("wellFormed(%q) = %v; ParseQuery says %v", query, wellFormed(query), err)
		}
	})
}

// provided are services with the server among them.
func provided(s *Server) *engine.Services {
	var services engine.Services
	engine.Provide(&services, s)
	return &services
}
