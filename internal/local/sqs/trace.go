package sqs

import (
	"context"
	"net/http"
)

// traceID is the header in which clients of X-Ray send the trace that a request belongs to.
const traceID = "X-Amzn-Trace-Id"

type traceKey struct{}

// WithTrace hands the trace of a request to the service behind next. A message that is sent without an AWSTraceHeader of
// its own gets it, as with AWS.
func WithTrace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if trace := r.Header.Get(traceID); trace != "" {
			r = r.WithContext(context.WithValue(r.Context(), traceKey{}, trace))
		}
		next.ServeHTTP(w, r)
	})
}

// traced gives the message the trace of its request if it has none.
func (o *outgoing) traced(ctx context.Context) {
	if trace, ok := ctx.Value(traceKey{}).(string); ok && o.trace == "" {
		o.trace = trace
	}
}
