package event

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// second is the payload format 2.0 of HTTP APIs, which function URLs have too:
// API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP
// APIs in API Gateway"; AWS Lambda Developer Guide, "Invoking Lambda function
// URLs".
type second struct {
	RouteKey       string            `json:"routeKey"`
	RawPath        string            `json:"rawPath"`
	RawQuery       *string           `json:"rawQueryString"`
	Query          map[string]string `json:"queryStringParameters"`
	Cookies        []string          `json:"cookies"`
	Headers        map[string]string `json:"headers"`
	PathParameters map[string]string `json:"pathParameters"`
	Body           *string           `json:"body"`
	Base64         bool              `json:"isBase64Encoded"`
	Context        struct {
		Domain string `json:"domainName"`
		Stage  string `json:"stage"`
		HTTP   struct {
			Method string `json:"method"`
			Path   string `json:"path"`
			Source string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

func openSecond(kind Kind, payload []byte) (*parts, error) {
	var e second
	if err := decode(payload, &e); err != nil {
		return nil, err
	}
	p := &parts{method: e.Context.HTTP.Method, header: headers(e.Headers, nil), host: e.Context.Domain, source: e.Context.HTTP.Source,
		secure: true, body: e.Body, base64: e.Base64, form: formSecond}
	path := cmp.Or(e.RawPath, e.Context.HTTP.Path)
	if kind == FunctionURL {
		p.path = escapedPath(path)
	} else {
		p.path = e.ownPath(decodedPath(path))
	}
	if e.RawQuery != nil {
		p.query = escape(*e.RawQuery, inQuery)
	} else {
		p.query = query(e.Query, nil)
	}
	if len(e.Cookies) > 0 {
		p.header["Cookie"] = []string{strings.Join(e.Cookies, "; ")}
	}
	return p, nil
}

// ownPath is the path without the stage, unless the route says that all of the
// path is its own.
func (e *second) ownPath(path string) string {
	_, resource, _ := strings.Cut(e.RouteKey, " ")
	if r, ok := newRoute(resource, e.PathParameters); ok {
		if own, ok := r.relative(path); ok && own == path {
			return path
		}
	}
	return withoutStage(path, e.Context.Stage)
}

// first is the payload format 1.0 of HTTP APIs, and that of REST APIs: API
// Gateway Developer Guide, "Lambda proxy integrations in API Gateway".
type first struct {
	Resource       string              `json:"resource"`
	Path           string              `json:"path"`
	Method         string              `json:"httpMethod"`
	Headers        map[string]string   `json:"headers"`
	MultiHeaders   map[string][]string `json:"multiValueHeaders"`
	Query          map[string]string   `json:"queryStringParameters"`
	MultiQuery     map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters map[string]string   `json:"pathParameters"`
	Body           *string             `json:"body"`
	Base64         bool                `json:"isBase64Encoded"`
	Context        struct {
		Resource string `json:"resourcePath"`
		Domain   string `json:"domainName"`
		Stage    string `json:"stage"`
		Identity struct {
			Source string `json:"sourceIp"`
		} `json:"identity"`
	} `json:"requestContext"`
}

func openFirst(kind Kind, payload []byte) (*parts, error) {
	var e first
	if err := decode(payload, &e); err != nil {
		return nil, err
	}
	p := &parts{method: e.Method, query: query(e.Query, e.MultiQuery), header: headers(e.Headers, e.MultiHeaders), host: e.Context.Domain,
		source: e.Context.Identity.Source, secure: true, body: e.Body, base64: e.Base64, form: formFirst}
	if kind == HTTPAPIv1 {
		p.path = decodedPath(e.Path)
	} else {
		p.path = escapedPath(e.Path)
	}
	if r, ok := newRoute(cmp.Or(e.Resource, e.Context.Resource), e.PathParameters); ok {
		if own, ok := r.relative(p.path); ok {
			p.path = own
			return p, nil
		}
	}
	if kind == HTTPAPIv1 {
		p.path = withoutStage(p.path, e.Context.Stage)
	}
	return p, nil
}

// balancer is a load balancer's request: Elastic Load Balancing, Application
// Load Balancers, "Use Lambda functions as targets".
type balancer struct {
	Method       string              `json:"httpMethod"`
	Path         string              `json:"path"`
	Headers      map[string]string   `json:"headers"`
	MultiHeaders map[string][]string `json:"multiValueHeaders"`
	Query        map[string]string   `json:"queryStringParameters"`
	MultiQuery   map[string][]string `json:"multiValueQueryStringParameters"`
	Body         *string             `json:"body"`
	Base64       bool                `json:"isBase64Encoded"`
}

func openBalancer(payload []byte) (*parts, error) {
	var e balancer
	if err := decode(payload, &e); err != nil {
		return nil, err
	}
	p := &parts{method: e.Method, path: escapedPath(e.Path), query: encodedQuery(e.Query, e.MultiQuery), header: headers(e.Headers, e.MultiHeaders),
		body: e.Body, base64: e.Base64, form: formBalancer}
	if e.MultiHeaders != nil {
		p.form = formBalancerMulti
	}
	p.source, p.secure = lastForwarded(p.header), forwardedHTTPS(p.header)
	return p, nil
}

// encodedQuery is the query whose parameters came as they were sent: "If the
// query parameters are URL-encoded, the load balancer does not decode them."
func encodedQuery(single map[string]string, multi map[string][]string) string {
	all := make(map[string][]string, len(single)+len(multi))
	for name, value := range single {
		all[name] = []string{value}
	}
	maps.Copy(all, multi)
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, value := range all[name] {
			pairs = append(pairs, escape(name, inName)+"="+escape(value, inValue))
		}
	}
	return strings.Join(pairs, "&")
}

// inQuery are the characters that may stand in a request line. A % among them
// may be wrong; that is for whoever reads the query to refuse.
func inQuery(rest string) bool { return rest[0] > ' ' && rest[0] < 0x7F && rest[0] != '#' }

// inValue and inName are those that a parameter's value and name can hold
// without another parameter's beginning.
func inValue(rest string) bool { return inQuery(rest) && rest[0] != '&' }
func inName(rest string) bool  { return inValue(rest) && rest[0] != '=' }
