package event

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	httpnodes "github.com/flowctl-dev/flowctl/nodes/http"
)

// echo is a flow that answers with its event.
func echo(t testing.TB, name, path, format string) *engine.FlowPlan {
	kinds := map[string]*engine.Kind{}
	for _, k := range httpnodes.Kinds() {
		kinds[k.Type] = k
	}
	in := enginetest.Config[httpnodes.In](t)
	in.Method, in.Path, in.Format = "ANY", path, format
	answer := enginetest.Config[httpnodes.Respond](t)
	answer.Status = expr.Of(200)
	answer.Body.Set(expr.Text("${{ event }}"))
	for _, p := range answer.Body.Compile(&expr.Scope{Run: engine.RunType}) {
		t.Fatal(p.Error)
	}
	return &engine.FlowPlan{Name: name, Nodes: []*engine.NodePlan{
		{Name: "in", Kind: kinds["http.in"], Config: in, Next: []string{"answer"}},
		{Name: "answer", Slot: 1, Kind: kinds["http.response"], Config: answer},
	}}
}

// serve serves the flows on loopback until the test ends.
func serve(t testing.TB, flows ...*engine.FlowPlan) *httpnodes.Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	server := httpnodes.NewServer(httpnodes.ServerOptions{Log: log})
	services := &engine.Services{}
	engine.Provide(services, server)
	app, err := engine.Build(&engine.Plan{Name: "echo", Flows: flows}, engine.Options{Services: services, Log: log, Grace: 1 << 40})
	if err == nil {
		err = server.Listen("127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve() }()
	go func() { ran <- app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, server.Shutdown(context.Background()), <-served, app.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	server.SetReady(true)
	for code := 0; code != http.StatusOK; runtime.Gosched() {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		code = w.Code
	}
	return server
}

// overTheWire sends the request byte for byte.
func overTheWire(t testing.TB, server *httpnodes.Server, s sent) (status int, h http.Header, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\n", s.method, s.target)
	for _, h := range s.header {
		fmt.Fprintf(&raw, "%s: %s\r\n", h[0], h[1])
	}
	raw.WriteString("\r\n" + s.body)
	if _, err := conn.Write(raw.Bytes()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: s.method})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(all)
}

// asEvent is the requests's event behind a platform, through the same server.
func asEvent(t testing.TB, server *httpnodes.Server, p platform, s sent) (status int, h http.Header, body string) {
	t.Helper()
	x := p.opened(t, s)
	server.ServeHTTP(x, x.Request(t.Context()))
	raw, err := x.Reply()
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	return p.replied(t, raw)
}

// fields are an event's fields, those of its objects as NAME.FIELD.
func fields(t testing.TB, body string) map[string]any {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		t.Fatalf("the answer %q: %v", body, err)
	}
	flat := map[string]any{}
	for name, v := range event {
		object, ok := v.(map[string]any)
		if !ok || name == "body" {
			flat[name] = v
			continue
		}
		for field, v := range object {
			if !strings.HasPrefix(field, "x-forwarded-") {
				flat[name+"."+field] = v
			}
		}
	}
	flat["url"] = location(t, event["url"])
	return flat
}

// location is what all platforms can say of a URL: not its scheme, since most
// of them are served over TLS and the local server is not, nor the order of its
// parameters.
func location(t testing.TB, v any) any {
	text, _ := v.(string)
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host + u.Path + "?" + u.Query().Encode()
}

// differences are the fields that two events do not share.
func differences(a, b map[string]any) []string {
	var names []string
	for name := range a {
		if !reflect.DeepEqual(a[name], b[name]) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

const (
	host  = "shop.example.com"
	plain = "text/plain; charset=utf-8"
)

func length(body string) [2]string { return [2]string{"Content-Length", strconv.Itoa(len(body))} }

// requests are the requests that have to give the same event on all platforms,
// but for what a platform makes of them: by its name, the fields and why.
var requests = []struct {
	name string
	sent
	differ map[string][]string
}{
	{name: "nothing but a path", sent: sent{method: "GET", target: "/a"}},
	{name: "the root", sent: sent{method: "GET", target: "/"}},
	{name: "a slash at the end", sent: sent{method: "GET", target: "/a/"}},
	{name: "a method of its own", sent: sent{method: "PROPFIND", target: "/a"}},
	{name: "a body of JSON", sent: sent{method: "POST", target: "/a", header: [][2]string{{"Content-Type", "application/json"}, length(`{"id":9007199254740993}`)}, body: `{"id":9007199254740993}`}},
	{name: "a body of text that is not ASCII", sent: sent{method: "PUT", target: "/a", header: [][2]string{{"content-type", plain}, length("grüße 日本")}, body: "grüße 日本"}},
	{name: "a form", sent: sent{method: "POST", target: "/a", header: [][2]string{{"Content-Type", "application/x-www-form-urlencoded"}, length("a=1&a=2&b=x+y%2B")}, body: "a=1&a=2&b=x+y%2B"}},
	{name: "a binary body", sent: sent{method: "POST", target: "/raw", header: [][2]string{{"Content-Type", "image/png"}, length("\x89PNG\r\n\x00\xff")}, body: "\x89PNG\r\n\x00\xff"}},
	{name: "a compressed body", sent: sent{method: "POST", target: "/raw", header: [][2]string{{"Content-Encoding", "gzip"}, length("\x1f\x8b\x08\x00")}, body: "\x1f\x8b\x08\x00"}},
	{name: "an empty body", sent: sent{method: "POST", target: "/a", header: [][2]string{{"Content-Type", "application/json"}, {"Content-Length", "0"}}}},
	{name: "a path that is not ASCII", sent: sent{method: "GET", target: "/caf%C3%A9/%E6%97%A5%E6%9C%AC"}},
	{name: "a space in the path", sent: sent{method: "GET", target: "/a%20b"}},
	{name: "a plus in the path", sent: sent{method: "GET", target: "/a+b%2Bc"}},
	{name: "a percent sign in the path", sent: sent{method: "GET", target: "/100%25/x"}},
	{name: "a percent sign that is escaped twice", sent: sent{method: "GET", target: "/a%2525b"}},
	{name: "letters that are escaped twice", sent: sent{method: "GET", target: "/%2561dmin"}},
	{name: "characters that a path may hold", sent: sent{method: "GET", target: "/a;v=1/b,c/@d:e/f!$&'()*=~"}},
	{name: "an encoded slash in the rest of the path", sent: sent{method: "GET", target: "/files/a%2Fb"}},
	{name: "an encoded slash in a parameter", sent: sent{method: "GET", target: "/orders/a%2Fb/lines"},
		// HTTP APIs decode the path, so the request is one for another route.
		differ: map[string][]string{"HTTP API": {"params.id", "params.rest"}, "HTTP API with a stage": {"params.id", "params.rest"},
			"HTTP API in format 1.0 with a stage": {"params.id", "params.rest"}}},
	{name: "a query", sent: sent{method: "GET", target: "/a?x=1&y=2"}},
	{name: "repeated parameters", sent: sent{method: "GET", target: "/a?x=1&y=2&x=3&x="},
		// A load balancer passes on the last.
		differ: map[string][]string{"load balancer": {"query.x", "query_all.x", "url"}}},
	{name: "parameters without values", sent: sent{method: "GET", target: "/a?x=&y&z"}},
	{name: "plus signs in the query", sent: sent{method: "GET", target: "/a?x=1+2&y=1%2B2&z+z=%20"}},
	{name: "escapes in the query", sent: sent{method: "GET", target: "/a?name=%C3%BC%26%3D%25&%C3%BC%5B%5D=1"}},
	{name: "an escape that is escaped twice in the query", sent: sent{method: "GET", target: "/a?next=%2Fb%3Fc%3D%2520d"}},
	{name: "headers in any case", sent: sent{method: "GET", target: "/a", header: [][2]string{{"x-LOWER-upper", "1"}, {"ACCEPT", "text/html,application/xml;q=0.9"}}}},
	{name: "repeated headers", sent: sent{method: "GET", target: "/a", header: [][2]string{{"X-Tag", "a"}, {"X-Tag", "b"}, {"x-tag", "c"}}},
		// Format 2.0 joins by a comma without a space. A load balancer passes on
		// the last of each spelling.
		differ: map[string][]string{"HTTP API": {"headers.x-tag"}, "HTTP API with a stage": {"headers.x-tag"},
			"function URL": {"headers.x-tag"}, "load balancer": {"headers.x-tag"}}},
	{name: "an empty header", sent: sent{method: "GET", target: "/a", header: [][2]string{{"X-Empty", ""}}}},
	{name: "cookies", sent: sent{method: "GET", target: "/a", header: [][2]string{{"Cookie", "a=1; b=x=y; a=2"}}}},
	{name: "several headers of cookies", sent: sent{method: "GET", target: "/a", header: [][2]string{{"Cookie", "a=1"}, {"Cookie", "b=2"}}},
		// RFC 6265, section 5.4, allows one; format 2.0 makes one of them.
		differ: map[string][]string{"HTTP API": {"headers.cookie"}, "HTTP API with a stage": {"headers.cookie"}, "function URL": {"headers.cookie"},
			"load balancer": {"cookies.a", "headers.cookie"}}},
}

func TestRequestGivesTheSameEventOnAllPlatformsAsOnTheLocalServer(t *testing.T) {
	server := serve(t, echo(t, "all", "/{rest...}", ""), echo(t, "lines", "/orders/{id}/lines", ""), echo(t, "raw", "/raw", "bytes"))
	for _, r := range requests {
		t.Run(r.name, func(t *testing.T) {
			r.header = append([][2]string{{"Host", host}}, r.header...)
			status, _, body := overTheWire(t, server, r.sent)
			if status != http.StatusOK {
				t.Fatalf("the local server answers %d %s", status, body)
			}
			want := fields(t, body)
			for _, p := range platforms {
				status, h, body := asEvent(t, server, p, r.sent)
				if status != http.StatusOK {
					t.Fatalf("%s: %d %s", p.name, status, body)
				}
				if h.Get("Content-Type") != "application/json" || h.Get("X-Correlation-Id") == "" {
					t.Errorf("%s: the header of the answer is %v", p.name, h)
				}
				got := fields(t, body)
				if differ := differences(want, got); !slices.Equal(differ, r.differ[p.name]) {
					t.Errorf("%s: the events differ in %q, not in %q\nlocal %v\n got %v", p.name, differ, r.differ[p.name], want, got)
				}
			}
		})
	}
}

func TestMalformedQueryIsRefusedAsByTheLocalServer(t *testing.T) {
	server := serve(t, echo(t, "all", "/{rest...}", ""))
	for _, target := range []string{"/a?x=%zz", "/a?x=%", "/a?x;y"} {
		s := sent{method: "GET", target: target, header: [][2]string{{"Host", host}}}
		want, _, _ := overTheWire(t, server, s)
		for _, p := range platforms {
			if p.kind == REST || p.kind == HTTPAPIv1 {
				continue // API Gateway answers it itself.
			}
			if status, _, body := asEvent(t, server, p, s); status != want || status != http.StatusBadRequest {
				t.Errorf("%s %s: %d %s, locally %d", p.name, target, status, body, want)
			}
		}
	}
}

func TestHEADAndRefusalsHaveTheSameAnswerOnAllPlatforms(t *testing.T) {
	server := serve(t, echo(t, "one", "/orders/{id}/lines", "json"))
	for _, s := range []sent{
		{method: "HEAD", target: "/orders/1/lines"},
		{method: "GET", target: "/nowhere"},
		{method: "POST", target: "/orders/1/lines", header: [][2]string{length("{")}, body: "{"},
	} {
		s.header = append([][2]string{{"Host", host}, {"X-Correlation-Id", "same"}}, s.header...)
		status, h, body := overTheWire(t, server, s)
		h.Del("Date")
		h.Del("Content-Length")
		for _, p := range platforms {
			gotStatus, gotHeader, gotBody := asEvent(t, server, p, s)
			body, gotBody := withoutRun(body), withoutRun(gotBody)
			if status != gotStatus || body != gotBody || !maps.EqualFunc(h, gotHeader, slices.Equal[[]string]) {
				t.Errorf("%s: %s %s: %d %v %q, locally %d %v %q", p.name, s.method, s.target, gotStatus, gotHeader, gotBody, status, h, body)
			}
		}
	}
}

// withoutRun is a refusal without the number of its run.
func withoutRun(body string) string {
	var refusal map[string]any
	if json.Unmarshal([]byte(body), &refusal) != nil {
		return body
	}
	delete(refusal, "run")
	return fmt.Sprint(refusal)
}
