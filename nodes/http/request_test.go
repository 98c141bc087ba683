package http

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// whatVaries is what differs from one answer to the next.
var whatVaries = regexp.MustCompile(`(?m)^Date: .*\r\n|[0-9abcdefghjkmnpqrstvwxyz]{16}\b`)

// send writes a request as it stands, with \n for a line end, and gives the
// whole answer with its head in that form, without its date and with ID for
// each run id.
func send(t testing.TB, r *running, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head, body, _ := strings.Cut(request, "\n\n")
	head = strings.ReplaceAll(head, "\n", "\r\n")
	if _, err := io.WriteString(conn, head+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	in := bufio.NewReader(conn)
	var wire bytes.Buffer
	response, err := http.ReadResponse(bufio.NewReader(io.TeeReader(in, &wire)), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, _, _ := strings.Cut(wire.String(), "\r\n\r\n")
	got = whatVaries.ReplaceAllStringFunc(got+"\r\n", func(found string) string {
		if strings.HasPrefix(found, "Date") {
			return ""
		}
		return "ID"
	})
	return strings.ReplaceAll(got, "\r\n", "\n") + "\n" + whatVaries.ReplaceAllString(string(content), "ID")
}

// message makes a request with a body, which gives it a Content-Length.
func message(head, body string) string {
	return fmt.Sprintf("%s\nHost: h\nContent-Length: %d\n\n%s", strings.TrimSpace(head), len(body), body)
}

// echo answers with what an expression gives.
func echo(t testing.TB, expression string) *Respond {
	return respond(t, 200, "${{ "+expression+" }}")
}

// withSchema names a schema that wants an object with a text `name`.
func withSchema(c *In) {
	c.Body = engine.Schema{Name: "Order", Type: expr.Object(map[string]expr.Type{"name": expr.String}), Validate: func(v any) error {
		o, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("the value must be an object, got %s", value.Kind(v))
		}
		if _, ok := o["name"].(string); !ok {
			return errors.New("name: is missing\nname: must be a text")
		}
		return nil
	}}
}

func as(format string) func(*In) { return func(c *In) { c.Format = format } }

// expected is a request and the whole answer to it, as send takes and gives
// them.
type expected struct{ name, request, want string }

// holdTo sends each request.
func (r *running) holdTo(t *testing.T, table []expected) {
	t.Helper()
	for _, tt := range table {
		t.Run(tt.name, func(t *testing.T) {
			if got := send(t, r, tt.request); got != tt.want && sameButLength(got, tt.want) != nil {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestABodyIsReadByItsContentType(t *testing.T) {
	r := serve(t, ServerOptions{MaxBody: 64},
		flowOf(in(t, "POST", "/body"), echo(t, "event.body")),
		flowOf(in(t, "POST", "/looks"), echo(t, "event.body.a")),
	)
	r.holdTo(t, []expected{
		{"curl -d sends JSON as a form", message("POST /body HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `{"areacode": "2331", "n":1.50}`),
			ok("application/json", `{"areacode": "2331", "n":1.50}`)},
		{"JSON passes byte for byte", message("POST /body HTTP/1.1\nContent-Type: application/json; charset=utf-8", ` [1.0,  "x"] `), ok("application/json", ` [1.0,  "x"] `)},
		{"JSON by a type of its own", message("POST /body HTTP/1.1\nContent-Type: application/cloudevents+json", `1`), ok("application/json", `1`)},
		{"a form", message("POST /body HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `a=1&b=x+y&b=%C3%A9`), ok("application/json", `{"a":"1","b":["x y","é"]}`)},
		{"a text", message("POST /body HTTP/1.1\nContent-Type: text/plain", `{"not": parsed`), ok("text/plain; charset=utf-8", `{"not": parsed`)},
		{"XML is a text", message("POST /body HTTP/1.1\nContent-Type: application/soap+xml", `<a/>`), ok("text/plain; charset=utf-8", `<a/>`)},
		{"no type, JSON", message("POST /body HTTP/1.1", `{"a":1}`), ok("application/json", `{"a":1}`)},
		{"no type, a text", message("POST /body HTTP/1.1", `hello`), ok("text/plain; charset=utf-8", `hello`)},
		{"no type, bytes", message("POST /body HTTP/1.1", "\xff\xfe"), ok("application/octet-stream", "\xff\xfe")},
		{"another type is bytes", message("POST /body HTTP/1.1\nContent-Type: image/png", `{}`), ok("application/octet-stream", `{}`)},
		{"no body is null", message("POST /body HTTP/1.1\nContent-Type: application/json", ``), ok("application/json", `null`)},
		{"a chunked body", "POST /body HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nContent-Type: text/plain\n\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", ok("text/plain; charset=utf-8", `abcde`)},
		{"JSON that does not parse", message("POST /body HTTP/1.1\nContent-Type: application/json", `{"a":}`), bad(`"the body is not valid JSON at byte 5: a value cannot begin here"`)},
		{"curl -d with JSON that does not parse", message("POST /body HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `{"a":1`), bad(`"the body is not valid JSON at byte 6: expected ',' or '}'"`)},
		{"a key that stands twice, where it is looked into", message("POST /looks HTTP/1.1", `{"a":1,"a":2}`), bad(`"the body is not valid JSON at byte 7: the key \"a\" stands twice in one object"`)},
		{"a text that is not UTF-8", message("POST /body HTTP/1.1\nContent-Type: text/plain", "\xff"), bad(`"the body is not UTF-8 text"`)},
		{"a form that is malformed", message("POST /body HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `a=%zz`), bad(`"the body is not a form: invalid URL escape \"%zz\""`)},
		{"a body too large", message("POST /body HTTP/1.1", strings.Repeat("X", 65)), refused("413 Request Entity Too Large", `"the body is larger than 64 bytes"`, "")},
		{"a chunked body too large", "POST /body HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n41\r\n" + strings.Repeat("X", 65) + "\r\n0\r\n\r\n", refused("413 Request Entity Too Large", `"the body is larger than 64 bytes"`, "")},
		{"a body of the largest size", message("POST /body HTTP/1.1", strings.Repeat("X", 64)), ok("text/plain; charset=utf-8", strings.Repeat("X", 64))},
		{"a compressed body", message("POST /body HTTP/1.1\nContent-Encoding: gzip", "x"), refused("415 Unsupported Media Type", `"the content encoding \"gzip\" is not supported; send the body as it is"`, "")},
	})
}

func TestThePartsOfARequestAreInTheEvent(t *testing.T) {
	r := serve(t, ServerOptions{},
		flowOf(in(t, "GET", "/orders/{id}/{rest...}"), respond(t, 200, map[string]any{
			"id": "${{ event.params.id }}", "rest": "${{ event.params.rest }}", "q": "${{ event.query.q }}", "all": "${{ event.query_all.q }}",
			"method": "${{ event.method }}", "path": "${{ event.path }}", "agent": "${{ event.headers[\"user-agent\"] }}", "host": "${{ event.headers.host }}",
			"cookie": "${{ event.cookies.c }}", "from": "${{ event.remote_addr }}", "url": "${{ event.url }}",
		})),
	)
	r.holdTo(t, []expected{
		{"the parts of a request", "GET /orders/7%2F8/a/b?q=1&q=2&x HTTP/1.1\nHost: shop.example\nUser-Agent: u\nCookie: c=v; c=w\n\n",
			ok("application/json", `{"agent":"u","all":["1","2"],"cookie":"v","from":"127.0.0.1","host":"shop.example","id":"7/8","method":"GET","path":"/orders/7/8/a/b","q":"1","rest":"a/b","url":"http://shop.example/orders/7%2F8/a/b?q=1&q=2&x"}`)},
		{"parts that are not there", "GET /orders/7/ HTTP/1.1\nHost: h\n\n",
			ok("application/json", `{"agent":null,"all":null,"cookie":null,"from":"127.0.0.1","host":"h","id":"7","method":"GET","path":"/orders/7/","q":null,"rest":"","url":"http://h/orders/7/"}`)},
		{"a malformed query", "GET /orders/7/?q=%4 HTTP/1.1\nHost: h\n\n", bad(`"the query of the URL is malformed: a % must be followed by two hexadecimal digits, and ; must be written %3B"`)},
	})
}

func TestABodyIsHeldToItsSchemaAndFormat(t *testing.T) {
	r := serve(t, ServerOptions{},
		flowOf(in(t, "POST", "/schema", withSchema), echo(t, "event.body.name")),
		flowOf(in(t, "POST", "/json", as("json")), echo(t, "event.body")),
		flowOf(in(t, "POST", "/text", as("text")), echo(t, "event.body")),
		flowOf(in(t, "POST", "/form", as("form")), echo(t, "event.body")),
		flowOf(in(t, "POST", "/bytes", as("bytes")), echo(t, "event.body")),
	)
	r.holdTo(t, []expected{
		{"a body that matches its schema", message("POST /schema HTTP/1.1\nContent-Type: text/plain", `{"name":"n"}`), ok("text/plain; charset=utf-8", `n`)},
		{"a form that matches its schema", message("POST /schema HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `name=n`), ok("text/plain; charset=utf-8", `n`)},
		{"a body that breaks its schema", message("POST /schema HTTP/1.1", `{"name":1}`), bad(`"the body does not match the schema Order","problems":["name: is missing","name: must be a text"]`)},
		{"no body where there is a schema", message("POST /schema HTTP/1.1", ``), bad(`"the body does not match the schema Order","problems":["the value must be an object, got null"]`)},
		{"format json and another type", message("POST /json HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `{}`), refused("415 Unsupported Media Type", `"the content type \"application/x-www-form-urlencoded\" is not supported here; send application/json"`, "")},
		{"format json and no type", message("POST /json HTTP/1.1", `"x"`), ok("application/json", `"x"`)},
		{"format text and no body", message("POST /text HTTP/1.1", ``), empty("text/plain; charset=utf-8")},
		{"format text and another type", message("POST /text HTTP/1.1\nContent-Type: application/json", `{}`), refused("415 Unsupported Media Type", `"the content type \"application/json\" is not supported here; send text/plain"`, "")},
		{"format form and no body", message("POST /form HTTP/1.1", ``), ok("application/json", `{}`)},
		{"format form does not guess", message("POST /form HTTP/1.1", `{"a"`), ok("application/json", `{"{\"a\"":""}`)},
		{"format bytes takes everything", message("POST /bytes HTTP/1.1\nContent-Type: application/json\nContent-Encoding: gzip", `{`), ok("application/octet-stream", `{`)},
	})
}

func TestTheAnswerSaysHowTheRunEnded(t *testing.T) {
	failing := func(err error) func(context.Context, *engine.Message) error {
		return func(context.Context, *engine.Message) error { return err }
	}
	r := serve(t, ServerOptions{},
		flowOf(in(t, "ANY", "/any")),
		flowOf(in(t, "GET", "/retryable"), failing(engine.Fail(engine.Retryable, "down", "inner secret", nil))),
		flowOf(in(t, "GET", "/permanent"), failing(engine.Fail(engine.Permanent, "bad", "inner secret", nil))),
		flowOf(in(t, "GET", "/panic"), func(context.Context, *engine.Message) error { panic("inner secret") }),
		flowOf(in(t, "GET", "/after"), respond(t, 200, "done"), failing(errors.New("inner secret"))),
		flowOf(in(t, "GET", "/twice"), respond(t, 200, "one"), respond(t, 200, "two")),
		flowOf(in(t, "GET", "/long"), respond(t, 200, strings.Repeat("X", 3000))),
	)
	const failed = "HTTP/1.1 500 Internal Server Error\nContent-Type: application/json\nX-Content-Type-Options: nosniff\nX-Correlation-Id: ID\nContent-Length: 47\n\n" +
		`{"error":"the request failed","run":"ID"}`
	const unavailable = "HTTP/1.1 503 Service Unavailable\nContent-Type: application/json\nRetry-After: 1\nX-Content-Type-Options: nosniff\nX-Correlation-Id: ID\nContent-Length: 84\n\n" +
		`{"error":"the request could not be done now; try again later","run":"ID"}`
	r.holdTo(t, []expected{
		{"no response set", "GET /any HTTP/1.1\nHost: h\n\n", "HTTP/1.1 204 No Content\nX-Correlation-Id: ID\n\n"},
		{"any method", "DELETE /any HTTP/1.1\nHost: h\n\n", "HTTP/1.1 204 No Content\nX-Correlation-Id: ID\n\n"},
		{"a correlation id is kept", "GET /any HTTP/1.1\nHost: h\nX-Correlation-Id: abc-1\nX-Request-Id: other\n\n", "HTTP/1.1 204 No Content\nX-Correlation-Id: abc-1\n\n"},
		{"a retryable failure", "GET /retryable HTTP/1.1\nHost: h\n\n", unavailable},
		{"a permanent failure", "GET /permanent HTTP/1.1\nHost: h\n\n", failed},
		{"a panic", "GET /panic HTTP/1.1\nHost: h\n\n", failed},
		{"two answers", "GET /twice HTTP/1.1\nHost: h\n\n", failed},
		{"a failure after the answer was set", "GET /after HTTP/1.1\nHost: h\n\n", unavailable},
		{"a long answer", "GET /long HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\nContent-Length: 3000\nContent-Type: text/plain; charset=utf-8\nX-Correlation-Id: ID\n\n" + strings.Repeat("X", 3000)},
		{"HEAD has no body", "HEAD /long HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\nContent-Length: 3000\nContent-Type: text/plain; charset=utf-8\nX-Correlation-Id: ID\n\n"},
	})
}

func TestWhatNoFlowTakesIsAnsweredByTheServer(t *testing.T) {
	r := serve(t, ServerOptions{},
		flowOf(in(t, "POST", "/body"), echo(t, "event.body")),
	)
	r.holdTo(t, []expected{
		{"no such route", "GET /nowhere HTTP/1.1\nHost: h\n\n", "HTTP/1.1 404 Not Found\nContent-Type: application/json\nX-Content-Type-Options: nosniff\nX-Correlation-Id: ID\nContent-Length: 46\n\n" +
			`{"error":"there is no route for GET /nowhere"}`},
		{"another method", "GET /body HTTP/1.1\nHost: h\n\n", "HTTP/1.1 405 Method Not Allowed\nAllow: POST\nContent-Type: application/json\nX-Content-Type-Options: nosniff\nX-Correlation-Id: ID\nContent-Length: 37\n\n" +
			`{"error":"/body takes POST, not GET"}`},
		{"alive", "GET /healthz HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\nCache-Control: no-store\nContent-Type: application/json\nX-Correlation-Id: ID\nContent-Length: 15\n\n" + `{"status":"up"}`},
		{"ready", "GET /readyz HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\nCache-Control: no-store\nContent-Type: application/json\nX-Correlation-Id: ID\nContent-Length: 18\n\n" + `{"status":"ready"}`},
	})
}

// sameButLength compares answers whose bodies hold a run id, which makes the
// length of the body differ from that of the expected text.
func sameButLength(got, want string) error {
	length := regexp.MustCompile(`Content-Length: \d+\n`)
	if strings.Contains(want, `"run":"ID"`) && length.ReplaceAllString(got, "") == length.ReplaceAllString(want, "") {
		return nil
	}
	return errors.New("not the same")
}

func ok(contentType, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\nContent-Type: %s\nX-Correlation-Id: ID\nContent-Length: %d\n\n%s", contentType, len(body), body)
}

func empty(contentType string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\nContent-Type: %s\nX-Correlation-Id: ID\nContent-Length: 0\n\n", contentType)
}

// refused is an error's answer; what is its JSON between "error": and "run".
func refused(status, what, header string) string {
	return fmt.Sprintf("HTTP/1.1 %s\n%sContent-Type: application/json\nX-Content-Type-Options: nosniff\nX-Correlation-Id: ID\nContent-Length: 0\n\n"+`{"error":%s,"run":"ID"}`, status, header, what)
}

func bad(what string) string { return refused("400 Bad Request", what, "") }

func TestRawBodyIsTheBytesAsTheyCameBesideTheBody(t *testing.T) {
	keep := func(c *In) { c.RawBody = true }
	const body = " {\"name\":  \"\\u0041nn\", \"n\": 1.50} "
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte(body))
	signature := hex.EncodeToString(mac.Sum(nil))
	r := serve(t, ServerOptions{},
		flowOf(in(t, "POST", "/raw", keep, withSchema), echo(t, "event.raw_body")),
		flowOf(in(t, "POST", "/name", keep, withSchema), echo(t, `event.body.name == "Ann" and hmacSHA256("key", event.raw_body) == "`+signature+`"`)),
		flowOf(in(t, "POST", "/form", keep, as("form")), echo(t, "event.raw_body")),
		flowOf(in(t, "POST", "/none", keep), echo(t, "event.raw_body != nil and event.body == nil")),
	)
	r.holdTo(t, []expected{
		{"JSON", message("POST /raw HTTP/1.1", body), ok("application/octet-stream", body)},
		{"signed JSON", message("POST /name HTTP/1.1", body), ok("application/json", "true")},
		{"a form", message("POST /form HTTP/1.1", "a=1&b=%41"), ok("application/octet-stream", "a=1&b=%41")},
		{"no body", message("POST /none HTTP/1.1", ""), ok("application/json", "true")},
	})
}

func TestARefusedRequestIsLoggedWithTheRunThatTheCallerIsTold(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "POST", "/orders/{rest...}", withSchema, func(c *In) { c.MaxBody = 64 }), respond(t, 200, nil)))
	long := strings.Repeat("é", 500)
	for _, tt := range []struct{ name, path, body, reason, logged string }{
		{"a schema", "/orders/a", `{}`, `status=400 reason="the body does not match the schema Order"`, "path=/orders/a"},
		{"a size", "/orders/b", strings.Repeat("x", 65), `status=413 reason="the body is larger than 64 bytes"`, "path=/orders/b"},
		{"a long path", "/orders/" + long, `{}`, "status=400", "path=/orders/" + strings.Repeat("é", 96) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := client(t).Post(r.url+tt.path, "application/json", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var told struct{ Run string }
			if err := json.NewDecoder(resp.Body).Decode(&told); err != nil {
				t.Fatal(err)
			}
			want := []string{"level=INFO", `msg="request refused"`, "source=in", "run=" + told.Run + " correlation=", "method=POST", tt.logged + " ", tt.reason}
			if line := r.log.line("run=" + told.Run); told.Run == "" || slices.ContainsFunc(want, func(part string) bool { return !strings.Contains(line, part) }) {
				t.Errorf("logged %q; want %q", line, want)
			}
		})
	}
}

func TestARouteOfEveryPathLeavesTheBuiltInOnesAlone(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "ANY", "/{rest...}"), echo(t, "event.params.rest")))
	for path, want := range map[string]string{"/a/b": ok("text/plain; charset=utf-8", "a/b"), "/healthz": `{"status":"up"}`} {
		if got := send(t, r, "GET "+path+" HTTP/1.1\nHost: h\n\n"); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
	own := serve(t, ServerOptions{}, flowOf(in(t, "GET", "/healthz"), respond(t, 200, "mine")))
	if got := send(t, own, "GET /healthz HTTP/1.1\nHost: h\n\n"); !strings.HasSuffix(got, "mine") {
		t.Errorf("a source's own /healthz: %s", got)
	}
}

func TestAnAnswerOutsideOfHTTPIsAnError(t *testing.T) {
	r := enginetest.New(t, kind(t, "http.response"), respond(t, 200, "x"), nil).Do(t.Context(), nil)
	if engine.CodeOf(r.Err) != "no_request" || engine.ClassOf(r.Err) != engine.Permanent {
		t.Errorf("error %v", r.Err)
	}
}
