package http

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// In is the config of an http.in source.
type In struct {
	Method   string          `yaml:"method,required" enum:"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS,ANY" doc:"The method of the requests to take; ANY takes all that no other source of this path takes. GET takes HEAD too."`
	Path     string          `yaml:"path,required" doc:"The path of the requests to take: /orders, /orders/{id} with a parameter for one segment, /files/{rest...} with one for all that follows. Parameters are event.params.NAME. A path that ends in / takes all paths below it; end it with /{$} for itself alone."`
	Body     engine.Schema   `yaml:"body" doc:"The schema that the body must match. A body that does not is answered with 400 and the list of its problems, and the flow does not run."`
	Format   string          `yaml:"format" enum:"auto,json,text,form,bytes" default:"auto" doc:"What the body is. auto goes by the Content-Type (see above); any other format takes only bodies of a fitting Content-Type, or of none, and answers 415 to the rest."`
	RawBody  bool            `yaml:"raw_body" doc:"Whether the event has raw_body too: the bytes of the body as they came, beside event.body. Signatures are made over them."`
	MaxBody  engine.Size     `yaml:"max_body" doc:"The largest body to take, in bytes; a larger one is answered with 413. Without it the server's own limit holds, 1MiB. AWS Lambda takes no more than 6MiB."`
	Deadline engine.Duration `yaml:"deadline" default:"29s" doc:"How long the whole run may take. After that the request is answered with 504. API Gateway waits no longer than 30s."`
	CORS     CORS            `yaml:"cors" doc:"Lets web pages of other origins call this route. Preflight requests are answered without running the flow."`
}

// CORS says which web pages of other origins may call a route.
type CORS struct {
	Origins     []string        `yaml:"origins,required" doc:"The origins that may call, such as https://app.example.com; \"*\" is every one."`
	Methods     []string        `yaml:"methods" doc:"The methods that pages may use. Without it, those of the sources on this path."`
	Headers     []string        `yaml:"headers" doc:"The request headers that pages may send; \"*\" is every one. Without it, Authorization, Content-Type and X-Correlation-Id."`
	Expose      []string        `yaml:"expose" doc:"The response headers that pages may read, besides the few that they always may."`
	Credentials bool            `yaml:"credentials" doc:"Whether pages may send cookies and other credentials. Not together with the origin \"*\"."`
	MaxAge      engine.Duration `yaml:"max_age" doc:"How long a browser may keep the answer to a preflight request."`
}

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}

var inSpec = engine.Spec[In]{
	Type: "http.in",
	Doc: `Takes HTTP requests of one method and path. The request is answered when the whole run is done: by an http.response node, with 204 where none was reached, and with an error otherwise: 503 (and Retry-After) when trying again may help, 500 when it will not, 504 when the deadline has passed. Errors carry the id of the run and nothing of what went wrong inside. When the client goes away, the run goes on.

` + "`event`" + ` has: ` + "`body`, `method`, `path`, `params`" + ` (the path's parameters), ` + "`query`" + ` (the first value of each query parameter) and ` + "`query_all`" + ` (the list of all its values), ` + "`headers`" + ` (under lower-case names, several of one name joined by ", "), ` + "`cookies`, `remote_addr`" + ` (the caller's IP address) and ` + "`url`" + `; with ` + "`raw_body: true`" + ` also ` + "`raw_body`" + `, the bytes of the body as they came.

With ` + "`format: auto`" + ` the body is, by its Content-Type:

- JSON for application/json, text/json and types ending in +json; a body that does not parse is answered with 400;
- a form for application/x-www-form-urlencoded: an object of texts, with a list of texts for a name that is repeated. But a body that begins with { or [ is JSON: ` + "`curl -d`" + ` sends JSON under this type, and what browsers send never begins so;
- JSON for every other type, or none, where ` + "`body`" + ` names a schema;
- a text for text/*, application/xml and types ending in +xml, which must be UTF-8;
- without a Content-Type: JSON if it begins with { or [, else a text if it is UTF-8, else bytes;
- bytes for everything else.

An empty body is null, except that it is an empty text, form or bytes where ` + "`format`" + ` says so. JSON travels on byte for byte when no expression looks inside.

The correlation id of the run is taken from X-Correlation-Id, X-Request-Id or the trace id of traceparent, whichever is there first and is 1 to 128 visible ASCII characters; every answer carries it in X-Correlation-Id.`,
	Source:   newSource,
	Event:    eventType,
	Check:    checkIn,
	Conflict: conflict,
	Trigger:  (*In).trigger,
	Traits:   engine.Traits{Answer: "http", Answered: true, Acknowledges: true},
	Examples: []engine.Example{
		{Doc: "JSON that must match a schema.", YAML: `{type: http.in, method: POST, path: /orders, body: Order, next: done}`},
		{Doc: "A path with a parameter, callable from a web page.", YAML: `
type: http.in
method: GET
path: /orders/{id}
cors: {origins: ["https://shop.example.com"], max_age: 10m}
deadline: 5s
next: done
`},
		{Doc: "JSON with a signature over its bytes: hmacSHA256(env.KEY, event.raw_body).", YAML: `{type: http.in, method: POST, path: /hooks, body: Order, raw_body: true, next: done}`},
		{Doc: "Files of any kind.", YAML: `{type: http.in, method: PUT, path: "/files/{name...}", format: bytes, max_body: 5MiB, next: done}`},
	},
}

func eventType(c *In) expr.Type {
	params := map[string]expr.Type{}
	for _, name := range paramNames(c.Path) {
		params[name] = expr.String
	}
	fields := map[string]expr.Type{
		"body": bodyType(c), "method": expr.String, "path": expr.String, "params": expr.Object(params),
		"query": expr.OpenObject(nil, expr.String), "query_all": expr.OpenObject(nil, expr.List(expr.String)),
		"headers": expr.OpenObject(nil, expr.String), "cookies": expr.OpenObject(nil, expr.String),
		"remote_addr": expr.String, "url": expr.String,
	}
	if c.RawBody {
		fields["raw_body"] = expr.Bytes
	}
	return expr.Object(fields).Lacking("raw_body", "the bytes of the body are there with `raw_body: true` at the http.in")
}

func bodyType(c *In) expr.Type {
	switch {
	case c.Body.Name != "":
		return c.Body.Type
	case c.Format == "text":
		return expr.String
	case c.Format == "form":
		return expr.OpenObject(nil, expr.Any)
	case c.Format == "bytes":
		return expr.Bytes
	}
	return expr.Any
}

func checkIn(c *In) []engine.Finding {
	var out []engine.Finding
	if problem, hint := checkPath(c.Path); problem != "" {
		out = append(out, engine.Finding{Field: "path", Message: problem, Hint: hint})
	}
	if c.Body.Name != "" {
		switch {
		case c.Method == "GET" || c.Method == "HEAD":
			out = append(out, engine.Finding{Field: "body", Message: "a " + c.Method + " request has no body", Hint: "use another method, or remove body and read event.query"})
		case c.Format == "text" || c.Format == "bytes":
			out = append(out, engine.Finding{Field: "body", Message: "a schema describes JSON or a form, not " + c.Format, Hint: "remove body or format"})
		}
	}
	if c.MaxBody < 0 {
		out = append(out, engine.Finding{Field: "max_body", Message: "max_body cannot be negative"})
	}
	if c.Deadline <= 0 {
		out = append(out, engine.Finding{Field: "deadline", Message: "the deadline must be longer than 0", Hint: "write for example 10s"})
	}
	return append(out, c.CORS.check()...)
}

func (c *CORS) given() bool { return len(c.Origins) > 0 }

func (c *CORS) check() []engine.Finding {
	var out []engine.Finding
	if !c.given() && (len(c.Methods)+len(c.Headers)+len(c.Expose) > 0 || c.Credentials || c.MaxAge > 0) {
		out = append(out, engine.Finding{Field: "cors.origins", Message: "no origin may call", Hint: `name the origins, for example origins: ["https://app.example.com"]`})
	}
	for i, o := range c.Origins {
		field := fmt.Sprintf("cors.origins[%d]", i)
		if o == "*" {
			if c.Credentials {
				out = append(out, engine.Finding{Field: field, Message: `browsers refuse the origin "*" together with credentials`, Hint: "name the origins"})
			}
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o {
			out = append(out, engine.Finding{Field: field, Message: fmt.Sprintf("%q is not an origin", o), Hint: "write scheme and host without a path, for example https://app.example.com"})
		}
	}
	for i, m := range c.Methods {
		if !slices.Contains(methods, m) {
			out = append(out, engine.Finding{Field: fmt.Sprintf("cors.methods[%d]", i), Message: fmt.Sprintf("%q is not a method", m), Hint: "write for example GET or POST"})
		}
	}
	return out
}

// conflict says why two routes cannot be in one app.
func conflict(a, b *In) string {
	mux := http.NewServeMux()
	if register(mux, pattern(a.Method, a.Path), nothing) != nil {
		return "" // malformed: checkPath's to say
	}
	if problem, _ := checkPath(b.Path); problem != "" {
		return ""
	}
	if err := register(mux, pattern(b.Method, b.Path), nothing); err != nil {
		return err.Error()
	}
	if !a.CORS.given() || !b.CORS.given() || shape(a.Path) == shape(b.Path) {
		return ""
	}
	mux = http.NewServeMux()
	_ = register(mux, pattern("OPTIONS", a.Path), nothing)
	if err := register(mux, pattern("OPTIONS", b.Path), nothing); err != nil {
		return "their preflight requests cannot be told apart: " + err.Error()
	}
	return ""
}
