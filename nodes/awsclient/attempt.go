package awsclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	dialTimeout = 3 * time.Second
	tlsTimeout  = 3 * time.Second
	// idlePerHost keeps a connection for every worker of a busy process: SQS
	// and DynamoDB are one host each.
	idlePerHost = 512
	// idleTimeout is below what the services allow, so that a connection is
	// rarely closed from the other side at the moment it is taken.
	idleTimeout = 45 * time.Second
)

type attemptKey struct{}

// WithAttemptTimeout gives the calls under ctx another bound for each attempt,
// such as a long poll's waiting time and a margin.
func WithAttemptTimeout(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, attemptKey{}, d)
}

// AttemptTimeoutError says that an attempt was given up because the service
// did not answer in time. Whether the service did the work is not known.
type AttemptTimeoutError struct{ After time.Duration }

func (e *AttemptTimeoutError) Error() string {
	return fmt.Sprintf("no complete answer within %s", e.After)
}

// Timeout is true: it makes the SDK try again.
func (e *AttemptTimeoutError) Timeout() bool { return true }

// attemptClient bounds every attempt, which the SDK does not: without it one
// connection that went silent takes all the time that the call has.
type attemptClient struct {
	inner   aws.HTTPClient
	timeout time.Duration
}

// newHTTPClient makes the client from what the configuration brought: the
// SDK's own kind keeps its settings, such as a CA bundle; any other is used as
// it is. transport is nil for the latter.
func newHTTPClient(from aws.HTTPClient, timeout time.Duration) (client aws.HTTPClient, transport *http.Transport) {
	switch b := from.(type) {
	case nil:
		transport = awshttp.NewBuildableClient().GetTransport()
	case *awshttp.BuildableClient:
		transport = b.GetTransport()
	default:
		return &attemptClient{from, timeout}, nil
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	transport.DialContext = dialer.DialContext
	transport.TLSHandshakeTimeout = tlsTimeout
	transport.MaxIdleConns = 2 * idlePerHost
	transport.MaxIdleConnsPerHost = idlePerHost
	transport.IdleConnTimeout = idleTimeout
	inner := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		// A signature is for one host; neither SQS nor DynamoDB redirects.
		return http.ErrUseLastResponse
	}}
	return &attemptClient{inner, timeout}, transport
}

// Do runs one attempt.
func (c *attemptClient) Do(r *http.Request) (*http.Response, error) {
	after := c.timeout
	if d, ok := r.Context().Value(attemptKey{}).(time.Duration); ok {
		after = d
	}
	late := &AttemptTimeoutError{after}
	ctx, cancel := context.WithTimeoutCause(r.Context(), after, late)
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = readOnly{r.Body}
	}
	resp, err := c.inner.Do(r)
	if err != nil {
		err = blame(ctx, late, err)
		cancel()
		return resp, err
	}
	resp.Body = &attemptBody{resp.Body, ctx, cancel, late}
	return resp, nil
}

// readOnly hides the WriteTo of the SDK's bodies. The SDK closes a request's
// body when the head of the reply is there, and WriteTo then fails with io.EOF,
// where Read says that it is at its end. To net/http, which may look for that
// end a moment later, it is a request that broke off: it closes the connection
// under the reply, and the call is made again.
type readOnly struct{ io.ReadCloser }

// blame gives the attempt's own timeout as the error where it was the reason.
func blame(ctx context.Context, late *AttemptTimeoutError, err error) error {
	if errors.Is(context.Cause(ctx), late) {
		return late
	}
	return err
}

// attemptBody keeps the attempt's bound on until the reply is read.
type attemptBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelFunc
	late   *AttemptTimeoutError
}

func (b *attemptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = blame(b.ctx, b.late, err)
	}
	return n, err
}

func (b *attemptBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
