package event

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// sent is a request as a client puts it on the wire.
type sent struct {
	method string
	// target is the path and the query, as they stand in the request line.
	target string
	// header is in order, with the names as the client writes them.
	header [][2]string
	body   string
}

func (s sent) path() string  { path, _, _ := strings.Cut(s.target, "?"); return path }
func (s sent) query() string { _, query, _ := strings.Cut(s.target, "?"); return query }

// plainPath is the path as HTTP APIs hand it over.
func (s sent) plainPath() string { return unescaped(s.path()) }

// joined is the header in lower case, with values joined by comma and without
// cookies, which come on their own.
func (s sent) joined(separator string) (header map[string]string, cookies []string) {
	header = map[string]string{}
	for _, h := range s.header {
		name := strings.ToLower(h[0])
		switch earlier, again := header[name]; {
		case name == "cookie" && separator != "":
			cookies = append(cookies, strings.Split(h[1], "; ")...)
		case again && separator != "":
			header[name] = earlier + separator + h[1]
		default:
			header[name] = h[1]
		}
	}
	return header, cookies
}

// listed is the header with its names as they were sent.
func (s sent) listed() map[string][]string {
	header := map[string][]string{}
	for _, h := range s.header {
		header[h[0]] = append(header[h[0]], h[1])
	}
	return header
}

// last keeps the last of several values.
func last(lists map[string][]string) map[string]string {
	single := map[string]string{}
	for name, values := range lists {
		single[name] = values[len(values)-1]
	}
	return single
}

// decodedQuery are the parameters as API Gateway hands them over in format 1.0.
func (s sent) decodedQuery(t testing.TB) map[string][]string {
	values, err := url.ParseQuery(s.query())
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// encodedQuery are the parameters as a load balancer hands them over.
func (s sent) encodedQuery() map[string][]string {
	lists := map[string][]string{}
	for pair := range strings.SplitSeq(s.query(), "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			lists[name] = append(lists[name], value)
		}
	}
	return lists
}

// withBody adds the body to an event; empty is what stands for none.
func (s sent) withBody(e map[string]any, empty any) map[string]any {
	e["isBase64Encoded"] = false
	switch {
	case s.body == "" && empty == "absent":
	case s.body == "":
		e["body"] = empty
	case utf8.ValidString(s.body):
		e["body"] = s.body
	default:
		e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString([]byte(s.body)), true
	}
	return e
}

// platform makes the event that it would call a function with for a request.
// caller is the address that the request came from.
type platform struct {
	name  string
	kind  Kind
	event func(t testing.TB, s sent) map[string]any
}

const caller = "127.0.0.1"

func secondEvent(s sent, path, domain, stage, routeKey string) map[string]any {
	header, cookies := s.joined(",")
	e := map[string]any{"version": "2.0", "routeKey": routeKey, "rawPath": path, "rawQueryString": s.query(), "headers": header,
		"requestContext": map[string]any{"domainName": domain, "stage": stage, "routeKey": routeKey,
			"http": map[string]any{"method": s.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": caller}}}
	if cookies != nil {
		e["cookies"] = cookies
	}
	return s.withBody(e, "absent")
}

func firstEvent(t testing.TB, s sent, path, resource, domain, stage string) map[string]any {
	header, query := s.listed(), s.decodedQuery(t)
	e := map[string]any{"resource": resource, "path": path, "httpMethod": s.method,
		"headers": last(header), "multiValueHeaders": header, "queryStringParameters": nil, "multiValueQueryStringParameters": nil,
		"pathParameters": nil,
		"requestContext": map[string]any{"domainName": domain, "stage": stage, "resourcePath": resource, "resourceId": "r",
			"httpMethod": s.method, "identity": map[string]any{"sourceIp": caller}}}
	if len(query) > 0 {
		e["queryStringParameters"], e["multiValueQueryStringParameters"] = last(query), query
	}
	if resource == "/{proxy+}" {
		e["pathParameters"] = map[string]any{"proxy": strings.TrimPrefix(s.plainPath(), "/")}
	}
	return s.withBody(e, nil)
}

func balancerEvent(s sent, multi bool) map[string]any {
	forwarded := s
	forwarded.header = append([][2]string{{"x-forwarded-for", "192.0.2.1, " + caller}, {"x-forwarded-proto", "http"}, {"x-forwarded-port", "80"}}, s.header...)
	e := map[string]any{"requestContext": map[string]any{"elb": map[string]any{"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/t/1"}},
		"httpMethod": s.method, "path": s.path()}
	if multi {
		e["multiValueHeaders"], e["multiValueQueryStringParameters"] = forwarded.listed(), s.encodedQuery()
	} else {
		e["headers"], e["queryStringParameters"] = last(forwarded.listed()), last(s.encodedQuery())
	}
	return s.withBody(e, "")
}

// platforms are those that a function can be put behind, some of them in more
// than one way.
var platforms = []platform{
	{"HTTP API", HTTPAPI, func(_ testing.TB, s sent) map[string]any {
		return secondEvent(s, s.plainPath(), "api.execute-api.eu-west-1.amazonaws.com", "$default", "$default")
	}},
	{"HTTP API with a stage", HTTPAPI, func(_ testing.TB, s sent) map[string]any {
		return secondEvent(s, "/prod"+s.plainPath(), "api.example.com", "prod", "$default")
	}},
	{"function URL", FunctionURL, func(_ testing.TB, s sent) map[string]any {
		return secondEvent(s, s.path(), "abc.lambda-url.eu-west-1.on.aws", "$default", "$default")
	}},
	{"HTTP API in format 1.0 with a stage", HTTPAPIv1, func(t testing.TB, s sent) map[string]any {
		e := firstEvent(t, s, "/prod"+s.plainPath(), "$default", "api.execute-api.eu-west-1.amazonaws.com", "prod")
		e["version"] = "1.0"
		return e
	}},
	{"REST API", REST, func(t testing.TB, s sent) map[string]any {
		return firstEvent(t, s, s.path(), "/{proxy+}", "api.execute-api.eu-west-1.amazonaws.com", "prod")
	}},
	{"REST API with a base path", REST, func(t testing.TB, s sent) map[string]any {
		return firstEvent(t, s, "/shop/v1"+s.path(), "/{proxy+}", "api.example.com", "prod")
	}},
	{"load balancer", ALB, func(_ testing.TB, s sent) map[string]any { return balancerEvent(s, false) }},
	{"load balancer with multi-value headers", ALB, func(_ testing.TB, s sent) map[string]any { return balancerEvent(s, true) }},
}

// opened is a request's exchange behind the platform.
func (p platform) opened(t testing.TB, s sent) *Exchange {
	t.Helper()
	payload, err := json.Marshal(p.event(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if kind := Detect(payload); kind != p.kind {
		t.Fatalf("%s: the event looks like %s: %s", p.name, kind.Name(), payload)
	}
	x, err := Open(p.kind, payload)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	// The payload's bytes are used for the next one.
	for i := range payload {
		payload[i] = 'x'
	}
	return x
}

// replied is what a client gets of a reply by the rules of its platform.
func (p platform) replied(t testing.TB, raw []byte) (status int, h http.Header, body string) {
	t.Helper()
	var d struct {
		Status  int                 `json:"statusCode"`
		Headers map[string]string   `json:"headers"`
		Multi   map[string][]string `json:"multiValueHeaders"`
		Cookies []string            `json:"cookies"`
		Body    string              `json:"body"`
		Base64  bool                `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatalf("%s: the reply %s: %v", p.name, raw, err)
	}
	h = http.Header{}
	for name, value := range d.Headers {
		h.Add(name, value)
	}
	for name, values := range d.Multi {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	for _, c := range d.Cookies {
		h.Add("Set-Cookie", c)
	}
	if d.Base64 {
		plain, err := base64.StdEncoding.DecodeString(d.Body)
		if err != nil {
			t.Fatalf("%s: the body %q: %v", p.name, d.Body, err)
		}
		d.Body = string(plain)
	}
	return d.Status, h, d.Body
}
