package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// form is the form that a platform takes replies in.
type form uint8

const (
	// formSecond is payload format 2.0 of HTTP APIs and function URLs.
	formSecond form = iota
	// formFirst is that of REST APIs and payload format 1.0 of HTTP APIs.
	formFirst
	// formBalancer is a load balancer's, formBalancerMulti that with multi-value
	// headers switched on for the target group.
	formBalancer
	formBalancerMulti
)

// The most that a platform takes of a function, in bytes.
const (
	// MaxReply is what Lambda takes as the answer to a call that waits for it.
	MaxReply = 6<<20 + 100
	// maxBalancerReply is what a load balancer takes of a function.
	maxBalancerReply = 1 << 20
)

func (f form) limit() int {
	if f == formBalancer || f == formBalancerMulti {
		return maxBalancerReply
	}
	return MaxReply
}

// reply collects the answer.
type reply struct {
	form   form
	head   bool
	fields http.Header
	// sent is the header at the time of WriteHeader, which later changes no
	// longer reach, as with net/http.
	sent    http.Header
	status  int
	content bytes.Buffer
	omitted []string
}

// Header implements http.ResponseWriter.
func (r *reply) Header() http.Header {
	if r.fields == nil {
		r.fields = http.Header{}
	}
	return r.fields
}

// WriteHeader implements http.ResponseWriter: the first status counts, and an
// informational one is passed over, for no platform sends it on.
func (r *reply) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("event: %d is not a status that WriteHeader takes", status))
	}
	if r.status != 0 || status < 200 {
		return
	}
	r.status, r.sent = status, r.Header().Clone()
}

// Write implements http.ResponseWriter.
func (r *reply) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if !allowsBody(r.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if r.head {
		return len(b), nil
	}
	return r.content.Write(b)
}

func allowsBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// framing are the headers that are about the connection that a message travels
// on; there the platform's count, and some of them it refuses.
var framing = []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// document is a reply in any of the forms.
type document struct {
	Status      int                 `json:"statusCode"`
	Description string              `json:"statusDescription,omitempty"`
	Headers     map[string]string   `json:"headers,omitempty"`
	Multi       map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies     []string            `json:"cookies,omitempty"`
	Body        string              `json:"body"`
	Base64      bool                `json:"isBase64Encoded"`
}

// Reply is the answer in the form that the platform takes. An answer larger
// than the platform takes becomes one of status 500 that says so. Nothing may
// be written after it.
func (x *Exchange) Reply() ([]byte, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	x.omitted = nil
	raw, err := x.render(x.status, x.sent, x.content.Bytes())
	if err != nil {
		return nil, err
	}
	if limit := x.form.limit(); len(raw) > limit {
		return x.tooLarge(len(raw), limit)
	}
	return raw, nil
}

// Omitted says what of the answer the platform has no means to send, for a log;
// it is complete after Reply.
func (x *Exchange) Omitted() []string { return x.omitted }

// tooLarge is the reply in the place of one of size bytes. It keeps of the
// header what finds the run in the logs.
func (r *reply) tooLarge(size, limit int) ([]byte, error) {
	body, err := json.Marshal(map[string]string{"error": fmt.Sprintf("the reply is too large: %d bytes where at most %d can be sent", size, limit)})
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if id, ok := r.sent["X-Correlation-Id"]; ok {
		h["X-Correlation-Id"] = id
	}
	r.omitted = []string{fmt.Sprintf("the whole reply: it has %d bytes, and at most %d can be sent", size, limit)}
	if r.head {
		body = nil
	}
	return r.render(http.StatusInternalServerError, h, body)
}

func (r *reply) render(status int, header http.Header, body []byte) ([]byte, error) {
	d := document{Status: status}
	h := header.Clone()
	for _, name := range framing {
		delete(h, name)
	}
	if _, typed := h["Content-Type"]; !typed && len(body) > 0 && h.Get("Content-Encoding") == "" {
		h.Set("Content-Type", http.DetectContentType(body))
	}
	r.setHeader(&d, h)
	if d.Base64 = h.Get("Content-Encoding") != "" && len(body) > 0 || !utf8.Valid(body); d.Base64 {
		d.Body = base64.StdEncoding.EncodeToString(body)
	} else {
		d.Body = string(body)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // it would make a page up to six times as large
	if err := e.Encode(&d); err != nil {
		return nil, fmt.Errorf("the reply cannot be written as JSON: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func (r *reply) setHeader(d *document, h http.Header) {
	switch r.form {
	case formSecond:
		d.Cookies = h["Set-Cookie"]
		delete(h, "Set-Cookie")
		d.Headers = joined(h)
	case formFirst:
		d.Multi = lists(h)
	case formBalancerMulti:
		d.Description = description(d.Status)
		d.Multi = lists(h)
	case formBalancer:
		d.Description = description(d.Status)
		// Cookies cannot be joined (RFC 6265, section 3), and the reply has room
		// for one: the last, which is what the load balancer keeps of a repeated
		// header itself.
		if cookies := h["Set-Cookie"]; len(cookies) > 1 {
			h["Set-Cookie"] = cookies[len(cookies)-1:]
			r.omitted = append(r.omitted, fmt.Sprintf("all but the last of %d Set-Cookie headers; switch multi-value headers on for the target group of the load balancer", len(cookies)))
		}
		d.Headers = joined(h)
	}
}

// joined is a header of one value a name, as RFC 9110, section 5.3, allows for
// all but Set-Cookie.
func joined(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		if len(values) > 0 {
			out[name] = strings.Join(values, ", ")
		}
	}
	return out
}

func lists(h http.Header) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		if len(values) > 0 {
			out[name] = values
		}
	}
	return out
}

// description is the status line that a load balancer wants: "200 OK".
func description(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}
