package http

import (
	"net/http"
	"strings"
)

const correlationHeader = "X-Correlation-Id"

// maxCorrelation bounds an id from outside, in bytes.
const maxCorrelation = 128

// correlation is the id that the caller gave the request, "" for none.
func correlation(h http.Header) string {
	for _, name := range [...]string{correlationHeader, "X-Request-Id"} {
		if v := h[name]; len(v) > 0 && visible(v[0]) {
			return v[0]
		}
	}
	if v := h["Traceparent"]; len(v) > 0 {
		return traceID(v[0])
	}
	return ""
}

// visible reports whether an id is fit for headers, logs and message
// attributes.
func visible(id string) bool {
	if len(id) == 0 || len(id) > maxCorrelation {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// traceID is the trace-id of a traceparent header (W3C Trace Context, section
// 3.2): VERSION-TRACEID-PARENTID-FLAGS in lower-case hexadecimal.
func traceID(traceparent string) string {
	const zero = "00000000000000000000000000000000"
	parts := strings.SplitN(traceparent, "-", 5)
	if len(parts) < 4 || len(parts[0]) != 2 || parts[0] == "ff" || len(parts[1]) != len(zero) || parts[1] == zero || len(parts[2]) != 16 {
		return ""
	}
	if strings.Trim(parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}
