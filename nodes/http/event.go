package http

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// exchange is one request and its answer: the event that expressions read and
// the Exchange that http.response writes to.
type exchange struct {
	request *http.Request
	source  *Source
	body    any
	raw     []byte // the body as it came

	parse sync.Once
	form  url.Values // of the URL; see values

	Answer
}

var (
	_ expr.Record = (*exchange)(nil)
	_ Exchange    = (*exchange)(nil)
)

// The parts of the event that are objects are the exchange itself under
// another type: they cost nothing until one of their fields is read.
type (
	params   exchange
	query    exchange
	queryAll exchange
	headers  exchange
	cookies  exchange
)

// Field implements expr.Record.
func (e *exchange) Field(name string) (any, error) {
	switch name {
	case "body":
		return e.body, nil
	case "raw_body":
		if e.source.config.RawBody {
			return e.raw, nil
		}
		return nil, nil
	case "method":
		return e.request.Method, nil
	case "path":
		return e.request.URL.Path, nil
	case "params":
		return (*params)(e), nil
	case "query":
		return (*query)(e), nil
	case "query_all":
		return (*queryAll)(e), nil
	case "headers":
		return (*headers)(e), nil
	case "cookies":
		return (*cookies)(e), nil
	case "remote_addr":
		return remoteAddr(e.request), nil
	case "url":
		return fullURL(e.request), nil
	}
	return nil, nil
}

// Fields implements expr.Record.
func (e *exchange) Fields() (map[string]any, error) {
	all := map[string]any{"body": e.body, "method": e.request.Method, "path": e.request.URL.Path,
		"remote_addr": remoteAddr(e.request), "url": fullURL(e.request)}
	if e.source.config.RawBody {
		all["raw_body"] = e.raw
	}
	for name, part := range map[string]expr.Record{"params": (*params)(e), "query": (*query)(e), "query_all": (*queryAll)(e),
		"headers": (*headers)(e), "cookies": (*cookies)(e)} {
		fields, err := part.Fields()
		if err != nil {
			return nil, err
		}
		all[name] = fields
	}
	return all, nil
}

func remoteAddr(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

func fullURL(r *http.Request) string {
	u := *r.URL
	u.Scheme, u.Host = "http", r.Host
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// Field gives a parameter of the path.
func (p *params) Field(name string) (any, error) {
	for _, known := range p.source.params {
		if known == name {
			return p.request.PathValue(name), nil
		}
	}
	return nil, nil
}

// Fields gives all parameters of the path.
func (p *params) Fields() (map[string]any, error) {
	all := make(map[string]any, len(p.source.params))
	for _, name := range p.source.params {
		all[name] = p.request.PathValue(name)
	}
	return all, nil
}

// values are the parameters of the URL's query, which was found well-formed.
func (e *exchange) values() url.Values {
	e.parse.Do(func() { e.form, _ = url.ParseQuery(e.request.URL.RawQuery) })
	return e.form
}

// Field gives the first value of a query parameter.
func (q *query) Field(name string) (any, error) {
	if v := (*exchange)(q).values()[name]; len(v) > 0 {
		return v[0], nil
	}
	return nil, nil
}

// Fields gives the first value of each query parameter.
func (q *query) Fields() (map[string]any, error) {
	values := (*exchange)(q).values()
	all := make(map[string]any, len(values))
	for name, v := range values {
		all[name] = v[0]
	}
	return all, nil
}

// Field gives all values of a query parameter.
func (q *queryAll) Field(name string) (any, error) {
	if v := (*exchange)(q).values()[name]; len(v) > 0 {
		return texts(v), nil
	}
	return nil, nil
}

// Fields gives all values of each query parameter.
func (q *queryAll) Fields() (map[string]any, error) {
	values := (*exchange)(q).values()
	all := make(map[string]any, len(values))
	for name, v := range values {
		all[name] = texts(v)
	}
	return all, nil
}

// Field gives a header by its lower-case name.
func (h *headers) Field(name string) (any, error) {
	if name == "host" {
		return h.request.Host, nil
	}
	if name != strings.ToLower(name) {
		return nil, nil
	}
	if v := h.request.Header[http.CanonicalHeaderKey(name)]; len(v) > 0 {
		return strings.Join(v, ", "), nil
	}
	return nil, nil
}

// Fields gives all headers by their lower-case names.
func (h *headers) Fields() (map[string]any, error) {
	all := make(map[string]any, len(h.request.Header)+1)
	all["host"] = h.request.Host
	for name, v := range h.request.Header {
		if len(v) > 0 {
			all[strings.ToLower(name)] = strings.Join(v, ", ")
		}
	}
	return all, nil
}

// Field gives a cookie; of several with one name, the first.
func (c *cookies) Field(name string) (any, error) {
	if named := c.request.CookiesNamed(name); len(named) > 0 {
		return named[0].Value, nil
	}
	return nil, nil
}

// Fields gives all cookies.
func (c *cookies) Fields() (map[string]any, error) {
	all := map[string]any{}
	for _, cookie := range c.request.Cookies() {
		if _, earlier := all[cookie.Name]; !earlier {
			all[cookie.Name] = cookie.Value
		}
	}
	return all, nil
}

// wellFormed reports whether url.ParseQuery takes the whole of a query, without
// the work of taking it.
func wellFormed(rawQuery string) bool {
	for i := 0; i < len(rawQuery); i++ {
		switch rawQuery[i] {
		case ';':
			return false
		case '%':
			if i+2 >= len(rawQuery) || !isHex(rawQuery[i+1]) || !isHex(rawQuery[i+2]) {
				return false
			}
			i += 2
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
