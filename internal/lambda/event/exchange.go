package event

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Exchange is an HTTP request that came as an event, and its answer: the
// http.ResponseWriter to write that to. It serves one request and is not safe
// for concurrent use.
type Exchange struct {
	method, target, host, remote string
	url                          *url.URL
	secure                       bool
	header                       http.Header
	body                         []byte

	reply
}

var _ http.ResponseWriter = (*Exchange)(nil)

// parts are an event's parts of the request in the form that all kinds share.
type parts struct {
	method string
	// path and query are escaped.
	path, query string
	header      http.Header
	// host is that of the platform, for a request that names none.
	host   string
	source string
	secure bool
	body   *string
	base64 bool
	form   form
}

// Open reads an event of a kind that is HTTP. The error says what is wrong with
// the event.
//
// The request is the one that the platform got, as far as the event tells: its
// path is that of the route, without stage and base path, with the escapes it
// was sent with; the parameters of the query keep their values, and where the
// event does not have the query as it was sent they are in the order of their
// names. It differs from the one that the client sent where the platform has
// changed it already:
//
//   - HTTP APIs decode the path, so that an encoded slash is a slash there.
//   - HTTP APIs in format 2.0 and function URLs join the values of a repeated
//     header with a comma.
//   - Load balancers pass on only the last value of a repeated header or
//     parameter, unless multi-value headers are switched on for the target group.
func Open(kind Kind, payload []byte) (*Exchange, error) {
	var p *parts
	var err error
	switch kind {
	case HTTPAPI, FunctionURL:
		p, err = openSecond(kind, payload)
	case HTTPAPIv1, REST:
		p, err = openFirst(kind, payload)
	case ALB:
		p, err = openBalancer(payload)
	default:
		return nil, fmt.Errorf("%s is no HTTP request", kind.Name())
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", kind.Name(), err)
	}
	x, err := p.exchange()
	if err != nil {
		return nil, fmt.Errorf("%s is not a valid HTTP request: %w", kind.Name(), err)
	}
	return x, nil
}

// decode reads a payload of which it keeps nothing.
func decode(payload []byte, into any) error {
	if err := json.Unmarshal(payload, into); err != nil {
		return fmt.Errorf("it is not the JSON that was expected: %w", err)
	}
	return nil
}

func (p *parts) exchange() (*Exchange, error) {
	if !isMethod(p.method) {
		return nil, fmt.Errorf("%q is no method", p.method)
	}
	body, err := p.content()
	if err != nil {
		return nil, err
	}
	target := p.path
	if p.query != "" {
		target += "?" + p.query
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, fmt.Errorf("its path or its query is malformed: %w", err)
	}
	x := &Exchange{method: p.method, target: target, url: u, host: p.host, remote: remoteAddr(p.source), secure: p.secure,
		header: p.header, body: body, reply: reply{form: p.form, head: p.method == http.MethodHead}}
	x.frame()
	return x, nil
}

// frame makes the header say what is true of the request as it is now: the body
// is whole, and of a length that the platform may have changed.
func (x *Exchange) frame() {
	if host := x.header.Get("Host"); host != "" {
		x.host = host
	}
	for _, name := range []string{"Host", "Transfer-Encoding", "Trailer"} {
		delete(x.header, name)
	}
	if _, has := x.header["Content-Length"]; has || len(x.body) > 0 {
		x.header["Content-Length"] = []string{strconv.Itoa(len(x.body))}
	}
}

func (p *parts) content() ([]byte, error) {
	if p.body == nil || *p.body == "" {
		return nil, nil
	}
	if !p.base64 {
		return []byte(*p.body), nil
	}
	body, err := base64.StdEncoding.DecodeString(*p.body)
	if err != nil {
		return nil, fmt.Errorf("isBase64Encoded is true, but its body is not base64: %w", err)
	}
	return body, nil
}

// Request is the request, as net/http's server would give it to a handler; its
// TLS says no more than that the platform was called over TLS, and the port of
// RemoteAddr is always 0. Its context is ctx. Each call gives a request of its
// own, whose body is unread.
func (x *Exchange) Request(ctx context.Context) *http.Request {
	u := *x.url
	r := &http.Request{Method: x.method, URL: &u, RequestURI: x.target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: x.host, RemoteAddr: x.remote, Header: x.header.Clone(), ContentLength: int64(len(x.body)), Body: http.NoBody}
	if len(x.body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(x.body))
	}
	if x.secure {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	return r.WithContext(ctx)
}

// remoteAddr is a caller's address as net/http has it; the port is not known.
func remoteAddr(source string) string {
	source = strings.TrimSpace(source)
	if source == "" {
		return ""
	}
	// Load balancers can be told to put the port of the client behind its
	// address in X-Forwarded-For.
	if host, _, err := net.SplitHostPort(source); err == nil {
		return net.JoinHostPort(host, "0")
	}
	return net.JoinHostPort(strings.Trim(source, "[]"), "0")
}

// isMethod reports whether method is a token of RFC 9110, section 5.6.2.
func isMethod(method string) bool {
	return method != "" && !strings.ContainsFunc(method, func(r rune) bool {
		return r <= ' ' || r >= 0x7F || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// headers is the header of which some values came as lists and some alone. The
// lists count where a name is in both; names differ in case only by the client
// or the platform that wrote them.
func headers(single map[string]string, multi map[string][]string) http.Header {
	h := make(http.Header, max(len(single), len(multi)))
	listed := make(map[string]bool, len(multi))
	for _, name := range slices.Sorted(maps.Keys(multi)) {
		key := textproto.CanonicalMIMEHeaderKey(name)
		h[key], listed[key] = append(h[key], multi[name]...), true
	}
	for _, name := range slices.Sorted(maps.Keys(single)) {
		key := textproto.CanonicalMIMEHeaderKey(name)
		if !listed[key] {
			h[key] = append(h[key], single[name])
		}
	}
	return h
}

// query is the query whose parameters came decoded, those of one name in the
// order in which they were sent.
func query(single map[string]string, multi map[string][]string) string {
	values := make(url.Values, len(multi)+len(single))
	for name, value := range single {
		values[name] = []string{value}
	}
	for name, list := range multi {
		if len(list) > 0 {
			values[name] = list
		}
	}
	return values.Encode()
}

// forwardedHTTPS reports whether a proxy says that it was called over TLS.
func forwardedHTTPS(h http.Header) bool {
	return strings.EqualFold(h.Get("X-Forwarded-Proto"), "https")
}

// lastForwarded is the address that the platform itself saw, the only one in
// X-Forwarded-For that the caller could not make up.
func lastForwarded(h http.Header) string {
	all := h["X-Forwarded-For"]
	if len(all) == 0 {
		return ""
	}
	list := all[len(all)-1]
	last := strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
	if _, err := netip.ParseAddr(last); err == nil {
		return last
	}
	if _, err := netip.ParseAddrPort(last); err == nil {
		return last
	}
	return ""
}
