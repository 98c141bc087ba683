package sqs

import (
	"context"
	"net/http"
)

// traceID is the header in which clients of X-Ray send the trace that a request belongs to.
const traceID = "X-Amzn-Trace-Id"

// origin is what the service regards of an HTTP request beside its body.
type origin struct {
	trace string
	// host is where the client reached the service, for the operations that give URLs.
	host string
}

type originKey struct{}

// givesURLs are the operations whose replies have queue URLs.
var givesURLs = map[string]bool{
	"AmazonSQS.CreateQueue": true, "AmazonSQS.GetQueueUrl": true, "AmazonSQS.ListQueues": true,
	"AmazonSQS.ListDeadLetterSourceQueues": true,
}

// WithOrigin hands to the service behind next what it regards of a request beside its body.
//
// A message that is sent without an AWSTraceHeader of its own gets the request's trace, as with AWS. Queue URLs have the
// host by which the client reached the service, be it in a container or behind a mapped port: some SDKs send what
// concerns a queue to the host of its URL.
func WithOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := origin{trace: r.Header.Get(traceID)}
		if givesURLs[r.Header.Get("X-Amz-Target")] {
			o.host = r.Host
		}
		if o != (origin{}) {
			r = r.WithContext(context.WithValue(r.Context(), originKey{}, o))
		}
		next.ServeHTTP(w, r)
	})
}

func originOf(ctx context.Context) origin {
	o, _ := ctx.Value(originKey{}).(origin)
	return o
}

// traced gives the message the trace of its request if it has none.
func (o *outgoing) traced(ctx context.Context) {
	if o.trace == "" {
		o.trace = originOf(ctx).trace
	}
}

// url is the queue's URL for the client of a request.
func (s *Service) url(ctx context.Context, q *queue) string {
	base := s.endpoint
	if host := originOf(ctx).host; host != "" {
		base = "http://" + host
	}
	return base + "/" + s.account + "/" + q.name
}
