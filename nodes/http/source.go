package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Source is an http.in in its place: one route of the Server.
type Source struct {
	config   *In
	flow     string
	name     string
	log      *slog.Logger
	server   *Server
	params   []string
	schema   engine.Schema
	format   format
	maxBody  int64
	deadline time.Duration
	cors     *crossOrigin

	once   sync.Once
	opened chan struct{} // closed by the first Open

	mu      sync.Mutex
	session *session
	closed  bool
}

var (
	_ engine.Source = (*Source)(nil)
	_ engine.Closer = (*Source)(nil)
	_ http.Handler  = (*Source)(nil)
)

// session is the time from Open to its end.
type session struct {
	deliver engine.Handler
	base    func(*http.Request) context.Context
	// active counts the requests under way; idle is closed when the last of
	// them has left after the session's end. Source.mu guards them.
	active int
	ended  bool
	idle   chan struct{}
}

func newSource(c *In, d engine.Deps) (engine.Source, error) {
	server, err := engine.Service[*Server](d)
	if err != nil {
		return nil, err
	}
	s := &Source{config: c, flow: d.Flow, name: d.Node, log: d.Log, server: server, params: paramNames(c.Path), schema: c.Body,
		format: formats[c.Format], maxBody: int64(c.MaxBody), deadline: c.Deadline.Std(), cors: newCrossOrigin(&c.CORS), opened: make(chan struct{})}
	if s.maxBody == 0 {
		s.maxBody = server.options.MaxBody
	}
	if err := server.add(s); err != nil {
		return nil, fmt.Errorf("the route %s cannot be served: %w", pattern(c.Method, c.Path), err)
	}
	return s, nil
}

// takes reports whether requests of the method are this route's.
func (s *Source) takes(method string) bool {
	return s.config.Method == method || s.config.Method == http.MethodGet && method == http.MethodHead
}

// lastAnswers is how long callers have, once the work is cut off, to take their
// answers.
const lastAnswers = time.Second

// Run implements engine.Source. Requests that come before it or after ctx ended
// are answered with 503. Callers that are slow to send their request or to take
// its answer do not hold it up for long once the work is cut off.
func (s *Source) Run(ctx context.Context, deliver engine.Handler) error {
	work := engine.Work(ctx)
	end := s.Open(deliver, func(*http.Request) context.Context { return work })
	<-ctx.Done()
	s.server.SetReady(false)
	ended := make(chan struct{})
	go func() { end(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-work.Done():
	}
	patience := time.NewTimer(lastAnswers)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
		s.server.hangUp()
		<-ended
	}
	return nil
}

// Open makes the source take requests; each runs under the context that base
// gives for its request, and for no longer than the source's deadline. The
// function returned ends that: it makes the source refuse further requests and
// waits for those under way. Run is Open for a server that stops; a Lambda
// adapter opens its sources once, with (*http.Request).Context as base.
func (s *Source) Open(deliver engine.Handler, base func(*http.Request) context.Context) (end func()) {
	current := &session{deliver: deliver, base: base, idle: make(chan struct{})}
	s.mu.Lock()
	s.session, s.closed = current, false
	s.mu.Unlock()
	s.once.Do(func() { close(s.opened) })
	return sync.OnceFunc(func() {
		s.mu.Lock()
		if s.session == current {
			s.session, s.closed = nil, true
		}
		if current.ended = true; current.active == 0 {
			close(current.idle)
		}
		s.mu.Unlock()
		<-current.idle
	})
}

// enter counts a request in, or gives nil and why not.
func (s *Source) enter() (*session, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		if s.closed {
			return nil, &refusal{status: http.StatusServiceUnavailable, message: "the server is stopping", hangUp: true}
		}
		return nil, &refusal{status: http.StatusServiceUnavailable, message: "the server is starting"}
	}
	s.session.active++
	return s.session, nil
}

func (s *Source) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session != nil
}

func (s *Source) leave(from *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from.active--; from.active == 0 && from.ended {
		close(from.idle)
	}
}

// Close implements engine.Closer: the route is no longer served.
func (s *Source) Close(context.Context) error {
	s.server.remove(s)
	return nil
}

// ServeHTTP answers a request of the route, once the run is done. It reads the
// path's parameters with r.PathValue, so it must be reached through the Server.
func (s *Source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.cors != nil {
		if s.config.Method == anyMethod && isPreflight(r) {
			preflight{s}.ServeHTTP(w, r)
			return
		}
		s.cors.mark(w.Header(), r)
	}
	current, refused := s.enter()
	if refused != nil {
		echoCorrelation(w.Header(), r)
		writeRefusal(w, *refused, "")
		return
	}
	defer s.leave(current)
	e := &exchange{request: r, source: s}
	m := engine.NewMessage(e, correlation(r.Header))
	m.Origin = e
	w.Header()[correlationHeader] = []string{m.Correlation}
	if refused := s.receive(e); refused != nil {
		s.logRefusal(r, m, refused)
		writeRefusal(w, *refused, m.ID)
		return
	}
	ctx, cancel := context.WithTimeout(current.base(r), s.deadline)
	err := s.run(ctx, current.deliver, m)
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	cancel()
	settle(w, e, m, err, late)
}

// logRefusal leaves a trace of the run's id that the caller gets, at the level
// of the runs that are done.
func (s *Source) logRefusal(r *http.Request, m *engine.Message, refused *refusal) {
	s.log.InfoContext(r.Context(), "request refused", "flow", s.flow, "source", s.name, "run", m.ID, "correlation", m.Correlation,
		"method", r.Method, "path", clipped(r.URL.Path), "status", refused.status, "reason", refused.message)
}

// clipped is a text for a log line: callers may send long ones.
func clipped(text string) string {
	const longest = 200
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// receive completes the event, or says why there is no run.
func (s *Source) receive(e *exchange) *refusal {
	if !wellFormed(e.request.URL.RawQuery) {
		return badRequest("the query of the URL is malformed: a %% must be followed by two hexadecimal digits, and ; must be written %%3B")
	}
	raw, refused := readBody(e.request, s.maxBody)
	if refused != nil {
		return refused
	}
	if e.raw = raw; raw == nil {
		e.raw = []byte{} // which is not null
	}
	e.body, refused = s.body(e.request, raw)
	return refused
}

// run delivers the message. The engine makes errors of its nodes' panics; a
// panic that comes through would leave the caller without an answer.
func (s *Source) run(ctx context.Context, deliver engine.Handler, m *engine.Message) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.ErrorContext(ctx, "a run panicked", append(m.LogAttrs(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))...)
			err = engine.Fail(engine.Permanent, "panic", "the run panicked", nil)
		}
	}()
	return deliver(ctx, m)
}

// settle answers by how the run ended. late says that the deadline has passed.
func settle(w http.ResponseWriter, e *exchange, m *engine.Message, err error, late bool) {
	if err == nil {
		if response, ok := e.Response(); ok {
			writeResponse(w, response)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	refused := refusal{status: http.StatusInternalServerError, message: "the request failed"}
	switch {
	case late || engine.CodeOf(err) == engine.CodeDeadline:
		refused = refusal{status: http.StatusGatewayTimeout, message: "the request was not done in time"}
	case engine.ClassOf(err) == engine.Retryable:
		refused = refusal{status: http.StatusServiceUnavailable, message: "the request could not be done now; try again later"}
	default:
		if reason := unreadableBody(e.body, err); reason != "" {
			refused = refusal{status: http.StatusBadRequest, message: reason}
		}
	}
	writeRefusal(w, refused, m.ID)
}

// unreadableBody says why the body could not be read, where that is what
// failed the run: a document that passed the first check may still break what
// the values of flowctl promise, such as that no key stands twice.
func unreadableBody(body any, err error) string {
	var syntax *value.SyntaxError
	doc, isDoc := body.(*value.Doc)
	if !isDoc || !errors.As(err, &syntax) {
		return ""
	}
	if _, bad := doc.Value(); bad != nil {
		return "the body is " + bad.Error()
	}
	return ""
}
