package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// ServerOptions are what a Server is made with. The zero value of each field
// stands for its default.
type ServerOptions struct {
	// Log takes what goes wrong on connections, at level debug. The default
	// discards.
	Log *slog.Logger
	// MaxBody bounds the body of a request, in bytes, where its source does
	// not; default 1 MiB.
	MaxBody int64
	// ReadHeaderTimeout bounds how long the head of a request may take to
	// arrive, default 10 s; ReadTimeout how long all of it may, default 30 s.
	ReadHeaderTimeout, ReadTimeout time.Duration
	// WriteTimeout bounds how long a caller may take none of an answer;
	// default 30 s.
	WriteTimeout time.Duration
	// IdleTimeout bounds how long a connection waits for its next request;
	// default 60 s.
	IdleTimeout time.Duration
	// Routes are served beside those of the sources, by pattern of
	// net/http.ServeMux. A source's route is preferred to a same one here.
	Routes map[string]http.Handler
}

// MaxHeader bounds the request line and the header of a request together, in
// bytes, as API Gateway does.
const MaxHeader = 10_240

// hardHeader is where net/http stops reading a header, with an answer of its
// own; between MaxHeader and it the Server answers.
const hardHeader = 4 * MaxHeader

// Server serves the routes of all http.in sources of a process. It is a
// service that the app is built with; its zero value is not usable.
//
// Besides the routes of the sources it answers GET /healthz with 200 as long
// as it serves, and GET /readyz with 200 while SetReady says so and all its
// sources take requests, else 503.
type Server struct {
	options ServerOptions
	http    *http.Server
	ready   atomic.Bool
	routes  atomic.Pointer[routes]
	// underWay counts the requests that are being answered.
	underWay atomic.Int64

	mu       sync.Mutex
	sources  []*Source
	listener net.Listener
}

// routes are the muxes of a state of the server: all, which ends in a handler
// for what no route takes, and own, which does not and so knows why.
type routes struct{ all, own *http.ServeMux }

// NewServer makes a server that listens nowhere yet.
func NewServer(o ServerOptions) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	for _, t := range []struct {
		of       *time.Duration
		standard time.Duration
	}{{&o.ReadHeaderTimeout, 10 * time.Second}, {&o.ReadTimeout, 30 * time.Second}, {&o.WriteTimeout, 30 * time.Second}, {&o.IdleTimeout, time.Minute}} {
		if *t.of <= 0 {
			*t.of = t.standard
		}
	}
	s := &Server{options: o}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: o.ReadHeaderTimeout, ReadTimeout: o.ReadTimeout, IdleTimeout: o.IdleTimeout,
		MaxHeaderBytes: hardHeader, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	if err := s.rebuild(nil); err != nil {
		panic(fmt.Sprintf("http.ServerOptions.Routes: %v", err))
	}
	return s
}

// SetReady says whether GET /readyz may answer 200. A source that stops makes
// it false.
func (s *Server) SetReady(ready bool) { s.ready.Store(ready) }

// Listen takes the address, HOST:PORT; port 0 is any free one. The error for
// an address in use wraps syscall.EADDRINUSE.
func (s *Server) Listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another process listens on %s already; stop it or use another port: %w", addr, err)
	}
	if err != nil {
		return fmt.Errorf("the server cannot listen on %s: %w", addr, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = patient{l, s.options.WriteTimeout}
	return nil
}

// Addr is the address that Listen took, nil before.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// AwaitOpen waits until all sources are open for requests, or ctx ends. A server
// that is told to serve only then refuses nobody for being early: callers wait
// for it in the listener's queue.
func (s *Server) AwaitOpen(ctx context.Context) {
	s.mu.Lock()
	sources := s.sources
	s.mu.Unlock()
	for _, source := range sources {
		select {
		case <-source.opened:
		case <-ctx.Done():
			return
		}
	}
}

// Serve answers requests until Shutdown, and returns nil then. Listen must come
// first.
func (s *Server) Serve() error {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	if l == nil {
		return errors.New("http: Serve was called before Listen")
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown stops listening and waits for the requests under way until ctx ends,
// which cuts them off and is in the error then. Connections without a request
// are closed and are no error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.SetReady(false)
	s.mu.Lock()
	if s.listener != nil {
		// Serve may not have been called, and then nobody else closes it.
		defer s.listener.Close()
	}
	s.mu.Unlock()
	err := s.http.Shutdown(ctx)
	if err == nil {
		return nil
	}
	// To net/http a new connection that has sent nothing yet, as browsers keep
	// them in store, is as busy as a request.
	cut := s.underWay.Load()
	s.hangUp()
	if cut == 0 {
		return nil
	}
	return fmt.Errorf("HTTP requests under way were cut off (%d): %w", cut, err)
}

// hangUp closes all connections.
func (s *Server) hangUp() {
	// What a listener or a connection says of its end helps nobody any more.
	_ = s.http.Close()
}

// ServeHTTP answers a request by the routes of the sources.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.underWay.Add(1)
	defer s.underWay.Add(-1)
	if headerSize(r) > MaxHeader {
		echoCorrelation(w.Header(), r)
		writeRefusal(w, refusal{status: http.StatusRequestHeaderFieldsTooLarge, message: fmt.Sprintf("the request line and the header are larger than %d bytes", MaxHeader), hangUp: true}, "")
		return
	}
	if r.Method == http.MethodConnect || r.RequestURI == "*" {
		// No route is about a host; a ServeMux answers these in its own words.
		echoCorrelation(w.Header(), r)
		writeRefusal(w, noSuchRoute(r), "")
		return
	}
	s.routes.Load().all.ServeHTTP(w, r)
}

// headerSize is the size of the request line and the header, in bytes, as they
// were sent but for spaces around values.
func headerSize(r *http.Request) int {
	const lineEnd, separator = len("\r\n"), len(": ")
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  ") + lineEnd
	if r.Host != "" {
		n += len("Host") + separator + len(r.Host) + lineEnd
	}
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + separator + len(v) + lineEnd
		}
	}
	return n + lineEnd
}

// add serves a source's route.
func (s *Server) add(source *Source) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sources := append(slices.Clip(s.sources), source)
	if err := s.rebuild(sources); err != nil {
		return err
	}
	s.sources = sources
	return nil
}

// remove no longer serves a source's route.
func (s *Server) remove(source *Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = slices.DeleteFunc(slices.Clone(s.sources), func(each *Source) bool { return each == source })
	if err := s.rebuild(s.sources); err != nil {
		s.options.Log.Error("a route could not be removed", "error", err)
	}
}

// rebuild makes the muxes for the sources. A ServeMux cannot give up a route,
// nor register one that is less specific than all others but for conflicts.
func (s *Server) rebuild(sources []*Source) error {
	next := &routes{http.NewServeMux(), http.NewServeMux()}
	for _, mux := range []*http.ServeMux{next.all, next.own} {
		for _, source := range sources {
			if err := register(mux, pattern(source.config.Method, source.config.Path), source); err != nil {
				return err
			}
		}
		if err := addPreflights(mux, sources); err != nil {
			return err
		}
		if err := s.addBuiltIn(mux, sources); err != nil {
			return err
		}
	}
	// A route for all paths and methods leaves nothing over.
	_ = register(next.all, "/", http.HandlerFunc(s.noRoute))
	s.routes.Store(next)
	return nil
}

// addPreflights registers OPTIONS for each path whose sources allow other
// origins, unless a source takes OPTIONS there itself.
func addPreflights(mux *http.ServeMux, sources []*Source) error {
	own := map[string]bool{}
	byShape := map[string]preflight{}
	for _, source := range sources {
		key := shape(source.config.Path)
		own[key] = own[key] || source.config.Method == http.MethodOptions || source.config.Method == anyMethod
		if source.cors != nil {
			byShape[key] = append(byShape[key], source)
		}
	}
	for _, key := range value.Keys(byShape) {
		if own[key] {
			continue
		}
		group := byShape[key]
		if err := register(mux, pattern(http.MethodOptions, group[0].config.Path), group); err != nil {
			return fmt.Errorf("preflight requests of several routes cannot be told apart: %w", err)
		}
	}
	return nil
}

// addBuiltIn registers the routes that are not the sources', as far as those
// leave room for them.
func (s *Server) addBuiltIn(mux *http.ServeMux, sources []*Source) error {
	builtIn := map[string]http.Handler{"GET /healthz": http.HandlerFunc(s.healthz), "GET /readyz": http.HandlerFunc(s.readyz)}
	for pattern, h := range s.options.Routes {
		builtIn[pattern] = h
	}
	for _, pattern := range value.Keys(builtIn) {
		err := register(mux, pattern, builtIn[pattern])
		if err != nil && len(sources) == 0 {
			return err
		}
		if err != nil {
			s.options.Log.Debug("a route of the server gives way to one of the app", "route", pattern, "reason", err)
		}
	}
	return nil
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) { writeState(w, r, "up") }

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.ready.Load() && s.allOpen() {
		writeState(w, r, "ready")
		return
	}
	echoCorrelation(w.Header(), r)
	writeRefusal(w, refusal{status: http.StatusServiceUnavailable, message: "not ready"}, "")
}

func (s *Server) allOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.sources, func(each *Source) bool { return !each.isOpen() })
}

func writeState(w http.ResponseWriter, r *http.Request, state string) {
	echoCorrelation(w.Header(), r)
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Cache-Control", "no-store")
	write(w, http.StatusOK, []byte(`{"status":"`+state+`"}`))
}

// noRoute answers what no route takes: 405 where another method would do, else
// 404.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	echoCorrelation(w.Header(), r)
	h, _ := s.routes.Load().own.Handler(r)
	verdict := verdict{header: http.Header{}}
	h.ServeHTTP(&verdict, r)
	allow := verdict.header.Get("Allow")
	if verdict.status != http.StatusMethodNotAllowed || allow == "" {
		writeRefusal(w, noSuchRoute(r), "")
		return
	}
	w.Header().Set("Allow", allow)
	writeRefusal(w, refusal{status: http.StatusMethodNotAllowed, message: fmt.Sprintf("%s takes %s, not %s", shorten(r.URL.Path), allow, shorten(r.Method))}, "")
}

func noSuchRoute(r *http.Request) refusal {
	return refusal{status: http.StatusNotFound, message: fmt.Sprintf("there is no route for %s %s", shorten(r.Method), shorten(r.URL.Path))}
}

// shorten bounds what an error repeats of a request.
func shorten(text string) string {
	if len(text) > 100 {
		text = text[:100] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// verdict is a ResponseWriter that keeps what a mux says of a request that it
// has no route for.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }
func (v *verdict) WriteHeader(status int)      { v.status = status }
