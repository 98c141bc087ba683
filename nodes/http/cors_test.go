package http

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

func cors(change CORS) func(*In) { return func(c *In) { c.CORS = change } }

func TestCORS(t *testing.T) {
	const app = "https://app.example"
	r := serve(t, ServerOptions{},
		flowOf(in(t, "GET", "/items/{id}", cors(CORS{Origins: []string{app}, Credentials: true, MaxAge: engine.Duration(10 * time.Minute), Expose: []string{"X-Total"}})), respond(t, 200, "get")),
		flowOf(in(t, "PUT", "/items/{name}", cors(CORS{Origins: []string{"*"}, Headers: []string{"*"}})), respond(t, 200, "put")),
		flowOf(in(t, "DELETE", "/items/{id}"), respond(t, 200, "delete")),
		flowOf(in(t, "ANY", "/any", cors(CORS{Origins: []string{app}, Methods: []string{"GET", "PATCH"}, Headers: []string{"X-One", "X-Two"}})), echo(t, "event.method")),
		flowOf(in(t, "OPTIONS", "/own"), respond(t, 200, "own")),
		flowOf(in(t, "POST", "/own", cors(CORS{Origins: []string{"*"}})), func(context.Context, *engine.Message) error { t.Error("a preflight request ran the flow"); return nil }),
	)
	for _, tt := range []struct {
		name                        string
		method, path, origin, asked string
		status                      int
		want                        map[string]string // "" for a header that must not be there
	}{
		{"a preflight of an allowed origin", "OPTIONS", "/items/7", app, "GET", 204, map[string]string{"Access-Control-Allow-Origin": app, "Access-Control-Allow-Methods": "GET, HEAD, PUT",
			"Access-Control-Allow-Headers": "Authorization, Content-Type, X-Correlation-Id", "Access-Control-Allow-Credentials": "true", "Access-Control-Max-Age": "600"}},
		{"a preflight of another origin", "OPTIONS", "/items/7", "https://evil.example", "GET", 204, map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "", "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers|Origin"}},
		{"a preflight for another source of the path", "OPTIONS", "/items/7", "https://evil.example", "PUT", 204, map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "x-asked", "Access-Control-Allow-Credentials": "", "Access-Control-Max-Age": ""}},
		{"a preflight for a source without cors", "OPTIONS", "/items/7", app, "DELETE", 204, map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": ""}},
		{"a request of an allowed origin", "GET", "/items/7", app, "", 200, map[string]string{"Access-Control-Allow-Origin": app, "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "X-Total", "Vary": "Origin"}},
		{"a request of another origin", "GET", "/items/7", "https://evil.example", "", 200, map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Expose-Headers": "", "Vary": "Origin"}},
		{"a request of no origin", "GET", "/items/7", "", "", 200, map[string]string{"Access-Control-Allow-Origin": "", "Vary": "Origin"}},
		{"a request where every origin may call", "PUT", "/items/7", "https://x.example", "", 200, map[string]string{"Access-Control-Allow-Origin": "*", "Vary": ""}},
		{"a preflight of a source of all methods", "OPTIONS", "/any", app, "PATCH", 204, map[string]string{"Access-Control-Allow-Methods": "GET, PATCH", "Access-Control-Allow-Headers": "X-One, X-Two"}},
		{"a preflight for a method that is not allowed", "OPTIONS", "/any", app, "DELETE", 204, map[string]string{"Access-Control-Allow-Methods": ""}},
		{"OPTIONS that is no preflight", "OPTIONS", "/any", app, "", 200, map[string]string{"Access-Control-Allow-Origin": app}},
		{"OPTIONS of a source's own", "OPTIONS", "/own", app, "POST", 200, map[string]string{"Access-Control-Allow-Origin": ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(tt.method, tt.path, nil)
			for name, v := range map[string]string{"Origin": tt.origin, "Access-Control-Request-Method": tt.asked} {
				if v != "" {
					request.Header.Set(name, v)
				}
			}
			if tt.asked != "" {
				request.Header.Set("Access-Control-Request-Headers", "x-asked")
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, request)
			if w.Code != tt.status {
				t.Errorf("status %d; want %d", w.Code, tt.status)
			}
			for name, want := range tt.want {
				if got := strings.Join(w.Header().Values(name), "|"); got != want {
					t.Errorf("%s: %q; want %q", name, got, want)
				}
			}
			if w.Header().Get(correlationHeader) == "" {
				t.Error("the answer has no correlation id")
			}
		})
	}
}

func TestAnErrorCarriesTheHeadersThatLetAPageReadIt(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "POST", "/x", cors(CORS{Origins: []string{"*"}}), as("json")), respond(t, 200, "x")))
	request := httptest.NewRequest("POST", "/x", strings.NewReader("{"))
	request.Header.Set("Origin", "https://app.example")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	if w.Code != http.StatusBadRequest || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestAnAnswersOwnVaryStandsBesideThatOfCORS(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "GET", "/x", cors(CORS{Origins: []string{"https://shop.example"}})),
		respond(t, 200, "x", withHeaders(t, map[string]any{"Vary": "Accept-Language"}))))
	for range 2 { // the answer's header is shared by all runs
		got := send(t, r, "GET /x HTTP/1.1\nHost: h\nOrigin: https://shop.example\n\n")
		if strings.Count(got, "Vary: ") != 2 || !strings.Contains(got, "Vary: Origin\n") || !strings.Contains(got, "Vary: Accept-Language\n") {
			t.Errorf("%s", got)
		}
	}
}
