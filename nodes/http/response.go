package http

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Exchange is a request that waits for its answer: what http.response needs to
// find in Message.Origin. It is safe for concurrent use.
type Exchange interface {
	// Respond sets the answer, which is sent once the run is done and only if
	// it succeeds. A second answer is a permanent error.
	Respond(Response) error
}

// Response is an answer. It is shared between runs where it does not depend on
// the message, so nobody edits its Header or Body.
type Response struct {
	Status int
	// Header holds canonical names; Content-Type is among them if the body has
	// one.
	Header http.Header
	Body   []byte
}

// Answer is an Exchange that keeps its answer, for whoever runs a flow without
// a Server. The zero Answer waits for one.
type Answer struct {
	mu       sync.Mutex
	given    bool
	response Response
}

// Respond implements Exchange.
func (a *Answer) Respond(r Response) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.given {
		return engine.Fail(engine.Permanent, "already_answered", "the request has an answer already; let only one http.response be reached on each way through the flow", nil)
	}
	a.given, a.response = true, r
	return nil
}

// Response is the answer; ok is false as long as there is none.
func (a *Answer) Response() (r Response, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.response, a.given
}

// Respond is the config of an http.response node.
type Respond struct {
	Status      expr.Value[int]            `yaml:"status" default:"200" doc:"The status code, 200 to 599."`
	Headers     map[string]expr.Value[any] `yaml:"headers" doc:"Headers by name. A list gives a header several times, as Set-Cookie needs; null leaves it out."`
	Body        expr.Value[any]            `yaml:"body" doc:"The body. A text is sent as text/plain, bytes as application/octet-stream, and everything else as JSON. Without it the answer has no body."`
	ContentType expr.Value[string]         `yaml:"content_type" doc:"The Content-Type, where the body's own does not fit: text/html, image/png."`
}

var responseSpec = engine.Spec[Respond]{
	Type: "http.response",
	Doc: "Answers the HTTP request that the run began with. " +
		"The answer is sent when the whole run is done, nodes behind this one and parallel branches included; if the run fails after all, the caller gets an error instead. " +
		"A request has one answer: a second http.response on the same way is an error.",
	New:    newResponse,
	Check:  checkResponse,
	Traits: engine.Traits{Answer: "http", Replies: true},
	Examples: []engine.Example{
		{Doc: "JSON.", YAML: `
type: http.response
status: 202
body: {accepted: true, order: "${{ event.body.id }}"}
`},
		{Doc: "A page, with a header.", YAML: `
type: http.response
headers: {Cache-Control: no-store}
content_type: text/html; charset=utf-8
body: "<h1>Thank you</h1>"
`},
		{Doc: "A redirect that sets two cookies.", YAML: `
type: http.response
status: 303
headers:
  Location: /orders
  Set-Cookie: ["a=1; HttpOnly", "b=2; HttpOnly"]
`},
	},
}

// framing are the headers that say where a message ends; they are the server's.
var framing = []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func checkResponse(c *Respond) []engine.Finding {
	var out []engine.Finding
	if t := c.Status.Tree(); t != nil && t.Kind == expr.KindConst {
		if status, ok := t.Const.(int); ok {
			if err := checkStatus(status, c.Body.Given()); err != nil {
				out = append(out, engine.Finding{Field: "status", Message: err.Error()})
			}
		}
	}
	for _, name := range value.Keys(c.Headers) {
		field := "headers." + name
		switch canonical := http.CanonicalHeaderKey(name); {
		case !isToken(name):
			out = append(out, engine.Finding{Field: field, Message: fmt.Sprintf("%q cannot be the name of a header", name), Hint: "a name is made of letters, digits and -"})
		case slices.Contains(framing, canonical):
			out = append(out, engine.Finding{Field: field, Message: canonical + " is set by the server", Hint: "remove it"})
		case canonical == correlationHeader:
			out = append(out, engine.Finding{Field: field, Message: "every answer carries the run's " + correlationHeader + " already", Hint: "remove it"})
		case canonical == "Content-Type" && c.ContentType.Given():
			out = append(out, engine.Finding{Field: field, Message: "content_type says the same", Hint: "keep one of them"})
		}
	}
	return out
}

func checkStatus(status int, hasBody bool) error {
	if status < 200 || status > 599 {
		return fmt.Errorf("%d is not the status of an answer; it must be between 200 and 599", status)
	}
	if hasBody && (status == http.StatusNoContent || status == http.StatusNotModified) {
		return fmt.Errorf("an answer of status %d has no body; remove body or use another status", status)
	}
	return nil
}

// isToken reports whether name is a token of RFC 9110, section 5.6.2.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

type header struct {
	name string
	expr.Value[any]
}

type responseNode struct {
	config *Respond
	// fixed is the constant part of the header, computed the rest.
	fixed    http.Header
	computed []header
	// ready is the whole header by the Content-Type of the body's kind; empty
	// where some of it depends on the message.
	ready map[string]http.Header
}

func newResponse(c *Respond, _ engine.Deps) (engine.Node, error) {
	n := &responseNode{config: c, fixed: http.Header{}, ready: map[string]http.Header{}}
	for _, name := range value.Keys(c.Headers) {
		h := header{http.CanonicalHeaderKey(name), c.Headers[name]}
		if v, constant := h.Const(); !constant {
			n.computed = append(n.computed, h)
		} else if err := addHeader(n.fixed, h.name, v); err != nil {
			return nil, err
		}
	}
	if c.ContentType.Given() {
		contentType, constant := c.ContentType.Const()
		if !constant {
			return n, nil
		}
		if err := addHeader(n.fixed, "Content-Type", contentType); err != nil {
			return nil, err
		}
	}
	if len(n.computed) > 0 {
		return n, nil
	}
	for _, t := range []string{"", jsonType, textType, bytesType} {
		n.ready[t] = withType(n.fixed, t)
	}
	return n, nil
}

// withType is a copy of h with the Content-Type, unless it has one or the body
// has none.
func withType(h http.Header, contentType string) http.Header {
	h = h.Clone()
	if _, has := h["Content-Type"]; !has && contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	return h
}

// addHeader adds a header's values.
func addHeader(h http.Header, name string, v any) error {
	list, many := v.([]any)
	if !many {
		if v == nil {
			return nil
		}
		list = []any{v}
	}
	for _, each := range list {
		text, err := value.Text(each)
		if err != nil {
			return engine.Fail(engine.Permanent, "bad_header", "the header "+name, err)
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }); i >= 0 {
			return engine.Fail(engine.Permanent, "bad_header", fmt.Sprintf("the header %s has a line break or another control character at byte %d", name, i), nil)
		}
		h[name] = append(h[name], text)
	}
	return nil
}

// Do implements engine.Node.
func (n *responseNode) Do(_ context.Context, m *engine.Message) (engine.Port, error) {
	exchange, ok := m.Origin.(Exchange)
	if !ok {
		return 0, engine.Fail(engine.Permanent, "no_request", "nobody waits for an HTTP answer here: the message did not come from an http.in; remove this node or send the message to a queue or a topic", nil)
	}
	status, err := n.config.Status.Get(&m.Env)
	if err != nil {
		return 0, err
	}
	body, contentType, err := n.body(&m.Env)
	if err != nil {
		return 0, err
	}
	if err := checkStatus(status, len(body) > 0); err != nil {
		return 0, engine.Fail(engine.Permanent, "bad_status", "", err)
	}
	header, err := n.header(&m.Env, contentType)
	if err != nil {
		return 0, err
	}
	return engine.Next, exchange.Respond(Response{Status: status, Header: header, Body: body})
}

func (n *responseNode) header(env *expr.Env, contentType string) (http.Header, error) {
	if h, ok := n.ready[contentType]; ok {
		return h, nil
	}
	h := n.fixed.Clone()
	for i := range n.computed {
		v, err := n.computed[i].Get(env)
		if err == nil {
			v, err = value.Plain(v)
		}
		if err != nil {
			return nil, err
		}
		if err := addHeader(h, n.computed[i].name, v); err != nil {
			return nil, err
		}
	}
	if n.config.ContentType.Given() {
		own, err := n.config.ContentType.Get(env)
		if err != nil {
			return nil, err
		}
		delete(h, "Content-Type")
		return h, addHeader(h, "Content-Type", own)
	}
	if _, has := h["Content-Type"]; !has && contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	return h, nil
}

const (
	textType  = "text/plain; charset=utf-8"
	bytesType = "application/octet-stream"
)

// body is the answer's body and the Content-Type that its kind has.
func (n *responseNode) body(env *expr.Env) ([]byte, string, error) {
	if !n.config.Body.Given() {
		return nil, "", nil
	}
	v, err := n.config.Body.Get(env)
	if err != nil {
		return nil, "", err
	}
	switch v := v.(type) {
	case string:
		return []byte(v), textType, nil
	case []byte:
		return v, bytesType, nil
	case *value.Doc:
		return v.Raw(), jsonType, nil
	}
	body, err := value.Append(nil, v)
	if err == nil {
		return body, jsonType, nil
	}
	// Records have no JSON form of their own. Few answers have one inside, so
	// only then is it looked for.
	if v, recordErr := expr.Plain(v); recordErr != nil {
		err = recordErr
	} else if body, err = value.Append(nil, v); err == nil {
		return body, jsonType, nil
	}
	return nil, "", engine.Fail(engine.Permanent, "bad_body", "the body cannot be written as JSON", err)
}
