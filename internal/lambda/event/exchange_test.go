package event

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// request opens an event and gives its request.
func request(t testing.TB, payload string) *http.Request {
	t.Helper()
	kind := Detect([]byte(payload))
	x, err := Open(kind, []byte(payload))
	if err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return x.Request(t.Context())
}

// encoded is a JSON event.
func encoded(t testing.TB, event map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestPathIsThatOfTheRouteBehindAnHTTPAPI(t *testing.T) {
	for _, c := range []struct {
		name, rawPath, stage, routeKey string
		parameters                     map[string]string
		want                           string
	}{
		{"the default stage", "/orders", "$default", "GET /orders", nil, "/orders"},
		{"a stage of its own", "/prod/orders", "prod", "GET /orders", nil, "/orders"},
		{"only the stage", "/prod", "prod", "GET /", nil, "/"},
		{"the stage and a slash", "/prod/", "prod", "GET /", nil, "/"},
		{"a path that only begins like the stage", "/production", "prod", "$default", nil, "/production"},
		{"the stage twice", "/prod/prod", "prod", "$default", nil, "/prod"},
		{"a route that begins like the stage, from an emulator that leaves the stage out", "/prod/7", "prod", "GET /prod/{id}", map[string]string{"id": "7"}, "/prod/7"},
		{"a parameter", "/prod/orders/7", "prod", "GET /orders/{id}", map[string]string{"id": "7"}, "/orders/7"},
		{"no stage", "/orders", "", "", nil, "/orders"},
		{"no path", "", "$default", "$default", nil, "/"},
		{"a path that is not rooted", "orders", "$default", "$default", nil, "/orders"},
		{"a question mark", "/a?b", "$default", "$default", nil, "/a%3Fb"},
		{"a decoded path", "/a b/ü/100%", "$default", "$default", nil, "/a%20b/%C3%BC/100%25"},
		{"a decoded path with what looks like an escape", "/a b%20c", "$default", "$default", nil, "/a%20b%2520c"},
		{"escaped letters, which no client sends", "/%61dmin", "$default", "$default", nil, "/%2561dmin"},
		{"a path as it was sent", "/caf%C3%A9/a%2Fb", "$default", "$default", nil, "/caf%C3%A9/a%2Fb"},
	} {
		r := request(t, encoded(t, map[string]any{"version": "2.0", "routeKey": c.routeKey, "rawPath": c.rawPath, "pathParameters": c.parameters,
			"requestContext": map[string]any{"stage": c.stage, "domainName": "api.example.com", "http": map[string]any{"method": "GET"}}}))
		if r.URL.EscapedPath() != c.want || r.RequestURI != c.want {
			t.Errorf("%s: got %s (%s), want %s", c.name, r.URL.EscapedPath(), r.RequestURI, c.want)
		}
	}
}

func TestPathIsThatOfTheRouteBehindARESTAPI(t *testing.T) {
	for _, c := range []struct {
		name, path, resource string
		parameters           map[string]string
		want                 string
	}{
		{"no base path", "/orders", "/orders", nil, "/orders"},
		{"a slash at the end", "/orders/", "/orders", nil, "/orders/"},
		{"a base path", "/v1/orders", "/orders", nil, "/orders"},
		{"a base path of two segments", "/shop/v1/orders", "/orders", nil, "/orders"},
		{"a base path and the stage", "/shop/prod/orders/7", "/orders/{id}", map[string]string{"id": "7"}, "/orders/7"},
		{"a base path that is called like the resource", "/orders/orders", "/orders", nil, "/orders"},
		{"a base path and the root", "/v1", "/", nil, "/"},
		{"a base path, a slash and the root", "/v1/", "/", nil, "/"},
		{"the root", "/", "/", nil, "/"},
		{"the rest of the path", "/v1/files/a/b", "/files/{name+}", map[string]string{"name": "a/b"}, "/files/a/b"},
		{"the rest of the path, escaped", "/v1/a%2Fb/c", "/{proxy+}", map[string]string{"proxy": "a/b/c"}, "/a%2Fb/c"},
		{"more segments than a base path has", strings.Repeat("/v", 40) + "/orders", "/orders", nil, strings.Repeat("/v", 40) + "/orders"},
		{"a million segments", strings.Repeat("/", 1_000_000), "/x/{proxy+}", map[string]string{"proxy": "y"}, strings.Repeat("/", 1_000_000)},
		{"escapes in lower case", "/v1/caf%c3%a9", "/café", nil, "/caf%c3%a9"},
		{"a parameter that is handed over escaped", "/v1/caf%C3%A9", "/{name}", map[string]string{"name": "caf%C3%A9"}, "/caf%C3%A9"},
		{"a parameter that is not handed over", "/v1/7", "/{id}", nil, "/v1/7"},
		{"a resource that is not in the path", "/a/b", "/c", nil, "/a/b"},
		{"what has to be escaped", "/a b%", "/a b%", nil, "/a%20b%25"},
	} {
		event := map[string]any{"resource": c.resource, "path": c.path, "httpMethod": "GET", "pathParameters": c.parameters,
			"requestContext": map[string]any{"stage": "prod", "resourcePath": c.resource}}
		if r := request(t, encoded(t, event)); r.URL.EscapedPath() != c.want {
			t.Errorf("%s: got %.200s, want %.200s", c.name, r.URL.EscapedPath(), c.want)
		}
		delete(event, "resource")
		if r := request(t, encoded(t, event)); r.URL.EscapedPath() != c.want {
			t.Errorf("%s, with the resource in the context: got %s, want %s", c.name, r.URL.EscapedPath(), c.want)
		}
	}
}

func TestPathIsThatOfTheRouteInFormat1OfAnHTTPAPI(t *testing.T) {
	for _, c := range []struct{ path, resource, stage, want string }{
		{"/orders", "/orders", "$default", "/orders"},
		{"/prod/orders", "/orders", "prod", "/orders"},
		{"/mapping/orders", "/orders", "prod", "/orders"},
		{"/prod/orders", "$default", "prod", "/orders"},
		{"/orders", "$default", "$default", "/orders"},
		{"/a ü", "$default", "$default", "/a%20%C3%BC"},
	} {
		r := request(t, encoded(t, map[string]any{"version": "1.0", "resource": c.resource, "path": c.path, "httpMethod": "GET",
			"requestContext": map[string]any{"stage": c.stage}}))
		if r.URL.EscapedPath() != c.want {
			t.Errorf("%+v: got %s", c, r.URL.EscapedPath())
		}
	}
}

func TestListsOfHeadersAndParametersCountBeforeSingleOnes(t *testing.T) {
	r := request(t, `{"resource":"/","path":"/","httpMethod":"GET",
		"headers":{"x-both":"last","X-Only":"one"},"multiValueHeaders":{"X-Both":["first","last"]},
		"queryStringParameters":{"both":"last","only":"a b&c"},"multiValueQueryStringParameters":{"both":["first","last"],"none":[]},
		"requestContext":{}}`)
	if got := r.Header["X-Both"]; !slices.Equal(got, []string{"first", "last"}) {
		t.Errorf("X-Both is %q", got)
	}
	if got := r.Header["X-Only"]; !slices.Equal(got, []string{"one"}) {
		t.Errorf("X-Only is %q", got)
	}
	if want := "both=first&both=last&only=a+b%26c"; r.URL.RawQuery != want || r.RequestURI != "/?"+want {
		t.Errorf("the query is %s, want %s", r.URL.RawQuery, want)
	}
}

func TestQueryOfFormat2IsMadeOfItsParametersOnlyWhereItIsMissing(t *testing.T) {
	const event = `{"version":"2.0","rawPath":"/",%"queryStringParameters":{"b":"2","a":"1 2"},"requestContext":{"http":{"method":"GET"}}}`
	for raw, want := range map[string]string{``: "a=1+2&b=2", `"rawQueryString":"",`: "", `"rawQueryString":"b=2&a=1",`: "b=2&a=1", `"rawQueryString":"a=ü #",`: "a=%C3%BC%20%23"} {
		if r := request(t, strings.Replace(event, "%", raw, 1)); r.URL.RawQuery != want {
			t.Errorf("%s: got %s, want %s", raw, r.URL.RawQuery, want)
		}
	}
}

func TestBodyIsReadInEveryForm(t *testing.T) {
	for _, c := range []struct{ event, want string }{
		{`"x":0`, ""},
		{`"body":null,"isBase64Encoded":false`, ""},
		{`"body":"","isBase64Encoded":true`, ""},
		{`"body":"text"`, "text"},
		{`"body":"dGV4dA==","isBase64Encoded":true`, "text"},
		{`"body":"dGV4dA==","isBase64Encoded":false`, "dGV4dA=="},
		{`"body":"/+8=","isBase64Encoded":true`, "\xff\xef"},
	} {
		r := request(t, `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"POST"}},`+c.event+`}`)
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != c.want || r.ContentLength != int64(len(c.want)) {
			t.Errorf("%s: got %q of length %d (%v), want %q", c.event, body, r.ContentLength, err, c.want)
		}
	}
}

func TestHeaderSaysWhatIsTrueOfTheBody(t *testing.T) {
	r := request(t, `{"resource":"/","path":"/","httpMethod":"POST","requestContext":{},"body":"dGV4dA==","isBase64Encoded":true,
		"headers":{"content-length":"8","transfer-encoding":"chunked","TRAILER":"X","Host":"example.com:8080","Connection":"keep-alive"}}`)
	want := http.Header{"Content-Length": {"4"}, "Connection": {"keep-alive"}}
	if len(r.Header) != len(want) || r.Header.Get("Content-Length") != "4" || r.Header.Get("Connection") != "keep-alive" {
		t.Errorf("the header is %v, want %v", r.Header, want)
	}
	if r := request(t, `{"resource":"/","path":"/","httpMethod":"POST","requestContext":{},"body":"text"}`); r.Header.Get("Content-Length") != "4" {
		t.Errorf("a platform leaves out Content-Length: the header is %v", r.Header)
	}
	if r.Host != "example.com:8080" {
		t.Errorf("the host is %q", r.Host)
	}
	if r := request(t, `{"resource":"/","path":"/","httpMethod":"GET","requestContext":{"domainName":"api.example.com"}}`); r.Host != "api.example.com" || len(r.Header) != 0 {
		t.Errorf("the host is %q, the header %v", r.Host, r.Header)
	}
}

func TestRemoteAddressIsTheOneThatThePlatformSaw(t *testing.T) {
	balancer := func(forwarded string) string {
		return `{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","headers":{"x-forwarded-for":"` + forwarded + `"}}`
	}
	for event, want := range map[string]string{
		`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET","sourceIp":"203.0.113.9"}},"headers":{"x-forwarded-for":"10.0.0.1"}}`: "203.0.113.9:0",
		`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET","sourceIp":"2001:db8::7"}}}`:                                          "[2001:db8::7]:0",
		`{"resource":"/","path":"/","httpMethod":"GET","requestContext":{"identity":{"sourceIp":"203.0.113.9"}}}`:                                      "203.0.113.9:0",
		`{"resource":"/","path":"/","httpMethod":"GET","requestContext":{}}`:                                                                           "",
		balancer("10.0.0.1, 203.0.113.9"):      "203.0.113.9:0",
		balancer("203.0.113.9"):                "203.0.113.9:0",
		balancer("10.0.0.1, 203.0.113.9:5000"): "203.0.113.9:0",
		balancer("[2001:db8::7]:5000"):         "[2001:db8::7]:0",
		balancer("2001:db8::7"):                "[2001:db8::7]:0",
		balancer("10.0.0.1, unknown"):          "",
		balancer(""):                           "",
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","multiValueHeaders":{"x-forwarded-for":["10.0.0.1","203.0.113.9"]}}`: "203.0.113.9:0",
	} {
		if r := request(t, event); r.RemoteAddr != want {
			t.Errorf("%s: got %s, want %s", event, r.RemoteAddr, want)
		}
	}
}

func TestRequestIsOverTLSWhereThePlatformWasCalledSo(t *testing.T) {
	for event, want := range map[string]bool{
		`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}`:                                      true,
		`{"resource":"/","path":"/","httpMethod":"GET","requestContext":{}}`:                                              true,
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","headers":{"x-forwarded-proto":"https"}}`:             true,
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","multiValueHeaders":{"X-Forwarded-Proto":["https"]}}`: true,
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","headers":{"x-forwarded-proto":"http"}}`:              false,
		`{"requestContext":{"elb":{}},"httpMethod":"GET","path":"/"}`:                                                     false,
	} {
		if r := request(t, event); r.TLS != nil != want {
			t.Errorf("%s: TLS is %v", event, r.TLS)
		}
	}
}

func TestEachRequestOfAnExchangeIsItsOwn(t *testing.T) {
	x, err := Open(HTTPAPI, []byte(`{"version":"2.0","rawPath":"/a","requestContext":{"http":{"method":"POST"}},"headers":{"x-a":"1"},"body":"text"}`))
	if err != nil {
		t.Fatal(err)
	}
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	one, two := x.Request(ctx), x.Request(ctx)
	one.Header.Set("X-A", "2")
	one.URL.Path = "/b"
	if _, err := io.Copy(io.Discard, one.Body); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(two.Body)
	if err != nil || string(body) != "text" || two.Header.Get("X-A") != "1" || two.URL.Path != "/a" || two.Context() != ctx {
		t.Errorf("the second request is %v with the body %q (%v)", two, body, err)
	}
}

func TestOpenSaysWhatIsWrongWithAnEvent(t *testing.T) {
	for _, c := range []struct {
		kind          Kind
		payload, want string
	}{
		{SQS, `{}`, "an Amazon SQS batch is no HTTP request"},
		{HTTPAPI, `{`, "an API Gateway HTTP API request (payload format 2.0) cannot be read: it is not the JSON that was expected"},
		{REST, `{"headers":{"a":1}}`, "cannot be read: it is not the JSON that was expected"},
		{ALB, `[]`, "cannot be read"},
		{HTTPAPI, `{}`, `is not a valid HTTP request: "" is no method`},
		{REST, `{"httpMethod":"G ET"}`, `"G ET" is no method`},
		{REST, `{"httpMethod":"GÉT"}`, `is no method`},
		{REST, `{"httpMethod":"GET","body":"?","isBase64Encoded":true}`, "isBase64Encoded is true, but its body is not base64"},
	} {
		if x, err := Open(c.kind, []byte(c.payload)); err == nil || x != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v", c.kind, c.payload, err)
		}
	}
}
