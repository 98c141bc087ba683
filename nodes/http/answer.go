package http

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
)

const jsonType = "application/json"

// echoCorrelation gives an answer without a run the caller's correlation id, or
// a new one.
func echoCorrelation(h http.Header, r *http.Request) {
	if _, given := h[correlationHeader]; given {
		return
	}
	id := correlation(r.Header)
	if id == "" {
		id = engine.NewID()
	}
	h[correlationHeader] = []string{id}
}

// writeRefusal answers with an error: JSON with what the caller did wrong, or
// that something failed and in which run, and nothing else.
func writeRefusal(w http.ResponseWriter, r refusal, run string) {
	object := map[string]any{"error": r.message}
	if run != "" {
		object["run"] = run
	}
	if len(r.problems) > 0 {
		object["problems"] = texts(r.problems)
	}
	body, err := value.Append(nil, object)
	if err != nil {
		body = []byte(`{"error":"` + http.StatusText(r.status) + `"}`)
	}
	h := w.Header()
	if r.hangUp {
		h.Set("Connection", "close")
	}
	if r.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	h["Content-Type"] = []string{jsonType}
	h.Set("X-Content-Type-Options", "nosniff")
	write(w, r.status, body)
}

// longBody is the size, in bytes, from which net/http no longer finds the
// Content-Length out by itself.
const longBody = 2048

func write(w http.ResponseWriter, status int, body []byte) {
	if len(body) >= longBody {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	if len(body) > 0 {
		// A caller that has gone away does not change what the run did.
		_, _ = w.Write(body)
	}
}

// writeResponse sends what an http.response node gave.
func writeResponse(w http.ResponseWriter, r Response) {
	h := w.Header()
	for name, values := range r.Header {
		if name == "Vary" { // what CORS says there holds as well
			values = slices.Concat(h[name], values)
		}
		h[name] = values
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // so that net/http does not guess one
	}
	write(w, r.Status, r.Body)
}
