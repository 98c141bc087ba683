// Package runtimeapi serves the AWS Lambda Runtime API in this process, for
// programs that run as functions: tests, comparisons and measurements start one
// with Env in its environment and call it with Invoke.
//
// It serves what a function for provided.al2023 uses, as
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html describes it:
// invocation/next, response, error and init/error of version 2018-06-01, and
// extension/register and extension/event/next of version 2020-01-01. Unlike the
// service it neither freezes nor kills the process, nor asks whether all that
// next gives out goes to one process at a time: a function that calls next
// several times at once gets that many invocations at once.
package runtimeapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
)

// MaxPayload is how many bytes an event or a reply may have.
const MaxPayload = 6<<20 + 100

// DefaultTimeout is how long an invocation has where its Call says nothing else.
const DefaultTimeout = 3 * time.Second

// API is a Runtime API on a port of the loopback address. Its methods may be
// called by any goroutine.
type API struct {
	listener net.Listener
	server   *http.Server
	pending  chan *flight
	closed   chan struct{}
	closing  sync.Once
	served   chan struct{}
	started  chan struct{}
	start    sync.Once
	failed   chan *Error

	mu         sync.Mutex
	flights    map[string]*flight
	extensions map[string]string // name by identifier
}

// flight is an invocation that waits for its reply.
type flight struct {
	id      string
	payload []byte
	call    Call
	end     time.Time
	done    chan outcome // of one place
}

type outcome struct {
	reply []byte
	err   *Error
}

// Call is what an invocation brings beside its payload. The zero value of each
// field stands for its default.
type Call struct {
	// ID is the request's id, by default a new one; no two invocations under
	// way may have the same.
	ID string
	// Timeout is how long the function has, DefaultTimeout by default.
	Timeout time.Duration
	// TraceID is the X-Ray trace header; by default there is one, not sampled.
	TraceID string
	// FunctionARN is by default that of a function called "function".
	FunctionARN string
	// ClientContext and CognitoIdentity are JSON, by default left out.
	ClientContext, CognitoIdentity string
}

// Error is an error that a function reported. Its fields are those of the
// function's own JSON.
type Error struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
	// Trace is where the function reports a panic.
	Trace []json.RawMessage `json:"stackTrace"`
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// ErrTimeout says that the function did not reply before its deadline. The
// service would have killed it.
var ErrTimeout = errors.New("the function did not reply before its deadline")

// ErrClosed says that the API was closed.
var ErrClosed = errors.New("the Runtime API is closed")

// New serves an API until Close. It panics where no port is to be had.
func New() *API {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("runtimeapi: %v", err))
	}
	a := &API{listener: l, pending: make(chan *flight), closed: make(chan struct{}), served: make(chan struct{}),
		started: make(chan struct{}), failed: make(chan *Error, 1), flights: map[string]*flight{}, extensions: map[string]string{}}
	a.server = &http.Server{Handler: a.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(a.served)
		_ = a.server.Serve(l) // ends with Close
	}()
	return a
}

// Addr is HOST:PORT, as a function finds it in AWS_LAMBDA_RUNTIME_API.
func (a *API) Addr() string { return a.listener.Addr().String() }

// Env is what the service adds to the environment of every function, as
// KEY=VALUE. It holds no credentials.
func (a *API) Env(function, taskRoot string) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + a.Addr(), "LAMBDA_TASK_ROOT=" + taskRoot, "_HANDLER=bootstrap",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_LAMBDA_FUNCTION_NAME=" + function, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + function, "AWS_LAMBDA_LOG_STREAM_NAME=stream",
		"TZ=:UTC", "LANG=en_US.UTF-8",
	}
}

// Started is closed when a function first asks for an invocation: its init is
// over.
func (a *API) Started() <-chan struct{} { return a.started }

// InitFailed gives the first error by which a function said that its init failed.
func (a *API) InitFailed() <-chan *Error { return a.failed }

// Extensions are the names under which extensions have registered.
func (a *API) Extensions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, name := range a.extensions {
		names = append(names, name)
	}
	return names
}

// Invoke hands an event to whoever asks next and waits for what becomes of it:
// the reply, or the error that the function reported. err says that there was
// neither: the function let its deadline pass, or ctx ended. A deadline begins
// when Invoke is called.
func (a *API) Invoke(ctx context.Context, payload []byte, c Call) (reply []byte, failure *Error, err error) {
	if len(payload) > MaxPayload {
		return nil, nil, fmt.Errorf("the payload has %d bytes, and Lambda takes %d", len(payload), MaxPayload)
	}
	f := newFlight(payload, c)
	if err := a.admit(f); err != nil {
		return nil, nil, err
	}
	defer a.forget(f)
	late := time.NewTimer(time.Until(f.end))
	defer late.Stop()
	select {
	case a.pending <- f:
	case <-late.C:
		return nil, nil, fmt.Errorf("no function asked for an invocation: %w", ErrTimeout)
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-a.closed:
		return nil, nil, ErrClosed
	}
	select {
	case o := <-f.done:
		return o.reply, o.err, nil
	case <-late.C:
		return nil, nil, ErrTimeout
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-a.closed:
		return nil, nil, ErrClosed
	}
}

func newFlight(payload []byte, c Call) *flight {
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.TraceID == "" {
		c.TraceID = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
	}
	if c.FunctionARN == "" {
		c.FunctionARN = "arn:aws:lambda:us-east-1:123456789012:function:function"
	}
	return &flight{id: c.ID, payload: payload, call: c, end: time.Now().Add(c.Timeout), done: make(chan outcome, 1)}
}

func (a *API) admit(f *flight) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flights[f.id] != nil {
		return fmt.Errorf("an invocation of the id %s is under way already", f.id)
	}
	a.flights[f.id] = f
	return nil
}

func (a *API) forget(f *flight) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.flights, f.id)
}

// settle gives an invocation its outcome; it is false for one that has its
// outcome already, or that nobody waits for.
func (a *API) settle(id string, o outcome) bool {
	a.mu.Lock()
	f := a.flights[id]
	delete(a.flights, id)
	a.mu.Unlock()
	if f == nil {
		return false
	}
	f.done <- o
	return true
}

// Close ends all calls under way. The function sees its next call fail.
func (a *API) Close() {
	a.closing.Do(func() {
		close(a.closed)
		_ = a.server.Close()
	})
	<-a.served
}

// trailing is the error that a function reports after it began to send a reply.
func trailing(t http.Header) *Error {
	kind := t.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return nil
	}
	e := &Error{Type: kind}
	if body, err := base64.StdEncoding.DecodeString(t.Get("Lambda-Runtime-Function-Error-Body")); err == nil {
		_ = json.Unmarshal(body, e) // the type alone is an error too
	}
	return e
}
