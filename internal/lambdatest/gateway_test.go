package lambdatest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// request is an HTTP request; the path and the query are escaped.
type request struct {
	method, path, query string
	header              [][2]string
	cookies             []string
	body                []byte
}

// response is its answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

// apiHost is the host of all requests.
const apiHost = "api.example.com"

// compared are the headers that an answer's meaning is in. The others are the
// transport's.
var compared = []string{"Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age", "Allow", "Cache-Control", "Content-Type", "Location", "Retry-After", "Set-Cookie", "Vary",
	"X-Content-Type-Options", "X-Correlation-Id", "X-Thing"}

var (
	runID     = regexp.MustCompile(`"run":"[0-9a-zA-Z]{16}"`)
	messageID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// line is the answer as one line, without what differs from run to run.
func (r response) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", r.status)
	for _, name := range compared {
		values := r.header.Values(name)
		if len(values) > 1 && name != "Set-Cookie" {
			// Which is the same: RFC 9110, section 5.3.
			values = []string{strings.Join(values, ", ")}
		}
		for _, v := range values {
			fmt.Fprintf(&b, " %s=%q", name, v)
		}
	}
	body := runID.ReplaceAll(r.body, []byte(`"run":"RUN"`))
	fmt.Fprintf(&b, " %q", messageID.ReplaceAll(body, []byte("ID")))
	return b.String()
}

// serve sends requests to a server.
func serve(t testing.TB, base string) func(request) response {
	client := &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	return func(in request) response {
		t.Helper()
		target := base + in.path
		if in.query != "" {
			target += "?" + in.query
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, in.method, target, bytes.NewReader(in.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = apiHost
		for _, h := range in.header {
			r.Header.Add(h[0], h[1])
		}
		if len(in.cookies) > 0 {
			r.Header.Set("Cookie", strings.Join(in.cookies, "; "))
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response{resp.StatusCode, resp.Header, body}
	}
}

// gateway sends requests to functions, the way that an API of API Gateway does
// with a catch-all route. choose gives the function for a path.
func gateway(t testing.TB, event func(testing.TB, request) any, choose func(path string) *function) func(request) response {
	return func(in request) response {
		t.Helper()
		payload, err := json.Marshal(event(t, in))
		if err != nil {
			t.Fatal(err)
		}
		f := choose(in.path)
		reply, failure, err := f.api.Invoke(context.Background(), payload, runtimeapi.Call{Timeout: invocationTimeout})
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", in.method, in.path, err, f.tail())
		}
		if failure != nil {
			// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
			return response{status: http.StatusInternalServerError, header: http.Header{}, body: []byte(`{"message":"Internal Server Error"}`)}
		}
		return answerOf(t, reply)
	}
}

// eventV2 is a request in payload format 2.0.
func eventV2(t testing.TB, in request) any {
	t.Helper()
	e := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: "$default", RawPath: decoded(t, in.path), RawQueryString: in.query, Cookies: in.cookies,
		Headers: map[string]string{"host": apiHost, "x-forwarded-proto": "https", "x-forwarded-port": "443", "x-forwarded-for": "127.0.0.1"}}
	e.QueryStringParameters = map[string]string{}
	for name, values := range parameters(t, in.query) {
		e.QueryStringParameters[name] = strings.Join(values, ",")
	}
	for _, h := range in.header {
		name := strings.ToLower(h[0])
		if before, ok := e.Headers[name]; ok {
			h[1] = before + "," + h[1]
		}
		e.Headers[name] = h[1]
	}
	e.RequestContext.Stage, e.RequestContext.DomainName, e.RequestContext.RequestID = "$default", apiHost, "JKJaXmPLvHcESHA="
	e.RequestContext.HTTP = events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: in.method, Path: e.RawPath, Protocol: "HTTP/1.1", SourceIP: "127.0.0.1"}
	e.Body, e.IsBase64Encoded = eventBody(in.body)
	return e
}

// eventV1 is a request in the payload format of REST APIs.
func eventV1(t testing.TB, in request) any {
	t.Helper()
	e := events.APIGatewayProxyRequest{Resource: "/{proxy+}", Path: in.path, HTTPMethod: in.method, MultiValueQueryStringParameters: parameters(t, in.query),
		Headers: map[string]string{}, QueryStringParameters: map[string]string{}, PathParameters: map[string]string{"proxy": strings.TrimPrefix(in.path, "/")},
		MultiValueHeaders: map[string][]string{"Host": {apiHost}, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}}}
	for _, h := range in.header {
		e.MultiValueHeaders[h[0]] = append(e.MultiValueHeaders[h[0]], h[1])
	}
	if len(in.cookies) > 0 {
		e.MultiValueHeaders["Cookie"] = []string{strings.Join(in.cookies, "; ")}
	}
	for name, values := range e.MultiValueHeaders {
		e.Headers[name] = values[len(values)-1]
	}
	for name, values := range e.MultiValueQueryStringParameters {
		e.QueryStringParameters[name] = values[len(values)-1]
	}
	e.RequestContext.Stage, e.RequestContext.ResourcePath, e.RequestContext.ResourceID = "prod", "/{proxy+}", "gdolbv"
	e.RequestContext.Identity.SourceIP, e.RequestContext.HTTPMethod, e.RequestContext.DomainName = "127.0.0.1", in.method, apiHost
	e.Body, e.IsBase64Encoded = eventBody(in.body)
	return e
}

func decoded(t testing.TB, path string) string {
	t.Helper()
	plain, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func parameters(t testing.TB, query string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// eventBody is a body as an event has it: what is no text is in base64.
func eventBody(body []byte) (text string, base64Encoded bool) {
	if utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

// answerOf makes of a reply what API Gateway sends to the client, in either
// payload format.
func answerOf(t testing.TB, reply []byte) response {
	t.Helper()
	var r struct {
		StatusCode        int                 `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Cookies           []string            `json:"cookies"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(reply, &r); err != nil || r.StatusCode == 0 {
		t.Fatalf("no reply that API Gateway takes (%v): %s", err, reply)
	}
	out := response{status: r.StatusCode, header: http.Header{}, body: []byte(r.Body)}
	for _, name := range slices.Sorted(maps.Keys(r.MultiValueHeaders)) {
		for _, v := range r.MultiValueHeaders[name] {
			out.header.Add(name, v)
		}
	}
	for name, v := range r.Headers {
		if _, ok := out.header[http.CanonicalHeaderKey(name)]; !ok {
			out.header.Set(name, v)
		}
	}
	for _, c := range r.Cookies {
		out.header.Add("Set-Cookie", c)
	}
	if r.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		out.body = body
	}
	return out
}
