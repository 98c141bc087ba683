package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// refusal is an answer to a request that does not get as far as a run.
type refusal struct {
	status   int
	message  string
	problems []string
	// hangUp closes the connection, since what follows on it cannot be used.
	hangUp bool
}

func badRequest(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

// firstChunk bounds what is set aside for a body on the word of its
// Content-Length alone.
const firstChunk = 64 << 10

// readBody reads a body of at most limit bytes.
func readBody(r *http.Request, limit int64) ([]byte, *refusal) {
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	size := r.ContentLength
	if size < 0 {
		size = 512
	}
	raw := make([]byte, 0, min(size, firstChunk))
	for {
		n, err := r.Body.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		if int64(len(raw)) > limit {
			return nil, tooLarge(limit)
		}
		if err == io.EOF || err == nil && int64(len(raw)) == r.ContentLength {
			return raw, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if len(raw) == cap(raw) {
			raw = append(raw, 0)[:len(raw)]
		}
	}
}

func tooLarge(limit int64) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("the body is larger than %d bytes", limit)}
}

func unreadable(err error) *refusal {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return &refusal{status: http.StatusRequestTimeout, message: "the body did not arrive in time", hangUp: true}
	}
	return &refusal{status: http.StatusBadRequest, message: "the body did not arrive whole", hangUp: true}
}

// format is what a body is.
type format uint8

const (
	formatAuto format = iota
	formatJSON
	formatText
	formatForm
	formatBytes
)

var formats = map[string]format{"": formatAuto, "auto": formatAuto, "json": formatJSON, "text": formatText, "form": formatForm, "bytes": formatBytes}

// body is event.body of a request.
func (s *Source) body(r *http.Request, raw []byte) (any, *refusal) {
	f, refused := s.formatOf(r.Header, raw)
	if refused != nil {
		return nil, refused
	}
	if len(raw) == 0 {
		return s.emptyBody()
	}
	switch f {
	case formatJSON:
		return s.jsonBody(raw)
	case formatForm:
		return s.formBody(string(raw))
	case formatText:
		if !utf8.Valid(raw) {
			return nil, badRequest("the body is not UTF-8 text")
		}
		return string(raw), nil
	}
	return raw, nil
}

// formatOf decides what a body is; the rule is in the documentation of
// http.in.
func (s *Source) formatOf(h http.Header, raw []byte) (format, *refusal) {
	if s.format == formatBytes {
		return formatBytes, nil
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") && len(raw) > 0 {
		return 0, &refusal{status: http.StatusUnsupportedMediaType, message: fmt.Sprintf("the content encoding %.40q is not supported; send the body as it is", e)}
	}
	media := mediaType(h.Get("Content-Type"))
	if s.format == formatAuto {
		return s.guess(media, raw), nil
	}
	var fits bool
	var takes string
	switch s.format {
	case formatJSON:
		fits, takes = isJSON(media), "application/json"
	case formatForm:
		fits, takes = media == formType, formType
	case formatText:
		fits, takes = isText(media), "text/plain"
	}
	if media != "" && !fits {
		return 0, &refusal{status: http.StatusUnsupportedMediaType, message: fmt.Sprintf("the content type %.80q is not supported here; send %s", media, takes)}
	}
	return s.format, nil
}

func (s *Source) guess(media string, raw []byte) format {
	switch {
	case isJSON(media):
		return formatJSON
	case media == formType && !looksLikeJSON(raw):
		return formatForm
	case media == formType, s.schema.Validate != nil:
		return formatJSON
	case isText(media):
		return formatText
	case media != "":
		return formatBytes
	case looksLikeJSON(raw):
		return formatJSON
	case utf8.Valid(raw):
		return formatText
	}
	return formatBytes
}

const formType = "application/x-www-form-urlencoded"

// mediaType is a Content-Type without its parameters, in lower case.
func mediaType(contentType string) string {
	if contentType == "application/json" {
		return contentType
	}
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

func isText(media string) bool {
	return strings.HasPrefix(media, "text/") || media == "application/xml" || strings.HasSuffix(media, "+xml")
}

func looksLikeJSON(raw []byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
}

func (s *Source) emptyBody() (any, *refusal) {
	switch s.format {
	case formatText:
		return "", nil
	case formatForm:
		return s.checked(map[string]any{}, map[string]any{})
	case formatBytes:
		return []byte{}, nil
	}
	return s.checked(nil, nil)
}

// jsonBody holds the body to JSON, and to the schema if there is one. Without
// a schema it is not decoded here, so that what nobody looks into costs
// nothing but the check.
func (s *Source) jsonBody(raw []byte) (any, *refusal) {
	doc := value.NewDoc(raw)
	if s.schema.Validate == nil {
		if json.Valid(raw) {
			return doc, nil
		}
	}
	v, err := doc.Value()
	if err != nil {
		return nil, badRequest("the body is %v", err)
	}
	return s.checked(doc, v)
}

func (s *Source) formBody(raw string) (any, *refusal) {
	form, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("the body is not a form: %v", err)
	}
	object := make(map[string]any, len(form))
	for name, values := range form {
		if len(values) == 1 {
			object[name] = values[0]
		} else {
			object[name] = texts(values)
		}
	}
	return s.checked(object, object)
}

// checked is body if its decoded form matches the schema.
func (s *Source) checked(body, decoded any) (any, *refusal) {
	if s.schema.Validate == nil {
		return body, nil
	}
	if err := s.schema.Validate(decoded); err != nil {
		refused := badRequest("the body does not match the schema %s", s.schema.Name)
		refused.problems = strings.Split(strings.TrimSpace(err.Error()), "\n")
		return nil, refused
	}
	return body, nil
}

func texts(values []string) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}
