package http

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

func TestAHeaderMayTakeTenThousandTwoHundredAndFortyBytes(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "GET", "/x")))
	const before, after = "GET /x HTTP/1.1\r\nHost: h\r\nX-Pad: ", "\r\n\r\n"
	for _, tt := range []struct {
		name string
		size int
		want string
	}{
		{"the most", MaxHeader, "HTTP/1.1 204"},
		{"one more", MaxHeader + 1, "HTTP/1.1 431"},
		{"more than the server reads", 8 * MaxHeader, "HTTP/1.1 431"},
	} {
		pad := strings.Repeat("p", tt.size-len(before)-len(after))
		got := send(t, r, "GET /x HTTP/1.1\nHost: h\nX-Pad: "+pad+"\n\n")
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %.200s", tt.name, got)
		}
		if tt.size == MaxHeader+1 && !strings.Contains(got, `{"error":"the request line and the header are larger than 10240 bytes"}`) {
			t.Errorf("%s: %.400s", tt.name, got)
		}
	}
}

func TestListenSaysThatAnAddressIsInUse(t *testing.T) {
	r := serve(t, ServerOptions{})
	other := NewServer(ServerOptions{})
	if other.Addr() != nil {
		t.Errorf("an address before Listen: %v", other.Addr())
	}
	if err := other.Serve(); err == nil {
		t.Error("Serve before Listen gave no error")
	}
	err := other.Listen(r.Addr().String())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), r.Addr().String()) || !strings.Contains(err.Error(), "another port") {
		t.Errorf("error %v", err)
	}
	if err := other.Listen("127.0.0.1:notaport"); err == nil || errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a malformed address: %v", err)
	}
}

func TestShutdownBeforeServeFreesTheAddress(t *testing.T) {
	first, second := NewServer(ServerOptions{}), NewServer(ServerOptions{})
	if err := first.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := first.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Listen(first.Addr().String()); err != nil {
		t.Error(err)
	}
	if err := second.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestABodyThatDoesNotComeInTimeIsRefused(t *testing.T) {
	ran := false
	r := serve(t, ServerOptions{ReadTimeout: 50 * time.Millisecond}, flowOf(in(t, "POST", "/x"), func(context.Context, *engine.Message) error {
		ran = true
		return nil
	}))
	got := send(t, r, "POST /x HTTP/1.1\nHost: h\nContent-Length: 10\n\nhalf")
	if !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "Connection: close") || !strings.Contains(got, `{"error":"the body did not arrive in time","run":"ID"}`) || ran {
		t.Errorf("ran: %v, got %s", ran, got)
	}
}

func TestABodyThatBreaksOffDoesNotRunTheFlow(t *testing.T) {
	ran := false
	r := serve(t, ServerOptions{}, flowOf(in(t, "POST", "/x"), func(context.Context, *engine.Message) error {
		ran = true
		return nil
	}))
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || ran {
		t.Errorf("ran: %v, got %s, %v", ran, answer, err)
	}
}

func TestTheRunGoesOnWhenTheCallerGoesAway(t *testing.T) {
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	r := serve(t, ServerOptions{}, flowOf(in(t, "POST", "/x"), func(ctx context.Context, m *engine.Message) error {
		close(began)
		<-goOn
		ended <- ctx.Err()
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "POST", r.url+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	c := client(t)
	go func() {
		response, err := c.Do(request)
		if err == nil {
			response.Body.Close()
		}
		gone <- err
	}()
	<-began
	cancel()
	if err := <-gone; err == nil {
		t.Error("the caller got an answer")
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the run's context ended with the caller: %v", err)
	}
}

func TestARunThatPassesItsDeadlineIsAnsweredWith504(t *testing.T) {
	for name, do := range map[string]func(context.Context, *engine.Message) error{
		"the error of the context": func(ctx context.Context, _ *engine.Message) error { <-ctx.Done(); return ctx.Err() },
		"a permanent error": func(ctx context.Context, _ *engine.Message) error {
			<-ctx.Done()
			return engine.Fail(engine.Permanent, "x", "x", nil)
		},
	} {
		r := serve(t, ServerOptions{}, flowOf(in(t, "GET", "/x", func(c *In) { c.Deadline = engine.Duration(20 * time.Millisecond) }), do))
		if got := send(t, r, "GET /x HTTP/1.1\nHost: h\n\n"); !strings.HasPrefix(got, "HTTP/1.1 504 ") || !strings.Contains(got, `{"error":"the request was not done in time","run":"ID"}`) {
			t.Errorf("%s: %s", name, got)
		}
		r.stop()
	}
}

func TestAnAnswerThatWasReadyInTimeIsSentThoughTheDeadlinePassed(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "GET", "/x", func(c *In) { c.Deadline = engine.Duration(20 * time.Millisecond) }),
		respond(t, 200, "done"), func(ctx context.Context, _ *engine.Message) error { <-ctx.Done(); return nil }))
	if got := send(t, r, "GET /x HTTP/1.1\nHost: h\n\n"); !strings.HasSuffix(got, "done") {
		t.Error(got)
	}
}

func TestStoppingUnderLoadAnswersEveryRequestThatWasTaken(t *testing.T) {
	const callers = 16
	var taken, done atomic.Int64
	enough := make(chan struct{})
	r := serve(t, ServerOptions{}, flowOf(in(t, "POST", "/x"), func(context.Context, *engine.Message) error {
		if taken.Add(1) == 500 {
			close(enough)
		}
		return nil
	}, respond(t, 200, "done"), func(context.Context, *engine.Message) error { done.Add(1); return nil }))
	var answered, unavailable atomic.Int64
	var wg sync.WaitGroup
	c := client(t)
	for range callers {
		wg.Go(func() {
			for {
				response, err := c.Post(r.url+"/x", "text/plain", strings.NewReader("x"))
				if err != nil {
					return // the listener is closed: the request was not taken
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				switch {
				case response.StatusCode == http.StatusOK && err == nil && string(body) == "done":
					answered.Add(1)
				case response.StatusCode == http.StatusServiceUnavailable && err == nil:
					unavailable.Add(1)
				default:
					t.Errorf("status %d, body %q, error %v", response.StatusCode, body, err)
				}
			}
		})
	}
	<-enough
	r.stop()
	wg.Wait()
	if taken.Load() != done.Load() || done.Load() != answered.Load() {
		t.Errorf("%d requests were taken, %d done, %d answered", taken.Load(), done.Load(), answered.Load())
	}
}

func TestAServerThatWaitsForItsSourcesAnswersWhoCameEarly(t *testing.T) {
	server := NewServer(ServerOptions{})
	app, err := engine.Build(plan(t, []flow{flowOf(in(t, "GET", "/x"), respond(t, 200, "here"))}), engine.Options{Services: provided(server), Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	early, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if _, err := io.WriteString(early, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	server.AwaitOpen(ended) // which gives up
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() {
		server.AwaitOpen(t.Context())
		served <- server.Serve()
	}()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ran <- app.Run(ctx) }()
	if got, err := io.ReadAll(early); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 OK") {
		t.Errorf("%s, %v", got, err)
	}
	cancel()
	if err := errors.Join(<-ran, server.Shutdown(context.Background()), <-served, app.Close(context.Background())); err != nil {
		t.Error(err)
	}
}

func TestAStoppingSourceRefusesNewRequestsAndFinishesTheOld(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	server := NewServer(ServerOptions{})
	app, err := engine.Build(plan(t, []flow{flowOf(in(t, "GET", "/x"), func(context.Context, *engine.Message) error {
		close(began)
		<-goOn
		return nil
	}, respond(t, 200, "old"))}), engine.Options{Services: provided(server), Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	server.SetReady(true)
	if w := get("/x"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "starting") || w.Header().Get("Retry-After") != "1" || w.Header().Get("Connection") != "" {
		t.Errorf("before Run: %d %s %v", w.Code, w.Body, w.Header())
	}
	if w := get("/readyz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("readyz before Run: %d", w.Code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- app.Run(ctx) }()
	(&running{Server: server}).awaitReady()
	old := make(chan *httptest.ResponseRecorder)
	go func() { old <- get("/x") }()
	<-began
	cancel()
	for server.allOpen() {
		runtime.Gosched() // until Run has closed the source
	}
	if w := get("/x"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "stopping") || w.Header().Get("Connection") != "close" {
		t.Errorf("after the end of Run's context: %d %s %v", w.Code, w.Body, w.Header())
	}
	if w := get("/readyz"); w.Code != http.StatusServiceUnavailable || w.Body.String() != `{"error":"not ready"}` {
		t.Errorf("readyz after the end of Run's context: %d %s", w.Code, w.Body)
	}
	if w := get("/healthz"); w.Code != http.StatusOK {
		t.Errorf("healthz after the end of Run's context: %d", w.Code)
	}
	select {
	case err := <-ran:
		t.Errorf("Run returned before its request was done: %v", err)
	default:
	}
	close(goOn)
	if w := <-old; w.Code != http.StatusOK || w.Body.String() != "old" {
		t.Errorf("the request under way: %d %s", w.Code, w.Body)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	if err := app.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if w := get("/x"); w.Code != http.StatusNotFound {
		t.Errorf("after Close: %d", w.Code)
	}
}

func TestWorkThatIsCutOffAtTheEndOfTheGracePeriodIsAnsweredWith503(t *testing.T) {
	began := make(chan struct{})
	server := NewServer(ServerOptions{})
	app, err := engine.Build(plan(t, []flow{flowOf(in(t, "GET", "/x"), func(ctx context.Context, _ *engine.Message) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	})}), engine.Options{Services: provided(server)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- app.Run(ctx) }()
	server.SetReady(true)
	(&running{Server: server}).awaitReady()
	answer := make(chan *httptest.ResponseRecorder)
	go func() {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
		answer <- w
	}()
	<-began
	cancel()
	if w := <-answer; w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := <-ran; !errors.Is(err, engine.ErrGrace) {
		t.Errorf("Run: %v", err)
	}
}

func TestAPanicThatComesThroughTheFlowIsAnsweredWith500(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "GET", "/x")))
	end := r.sources[0].Open(func(context.Context, *engine.Message) error { panic("inner secret") }, (*http.Request).Context)
	defer end()
	if got := send(t, r, "GET /x HTTP/1.1\nHost: h\n\n"); !strings.HasPrefix(got, "HTTP/1.1 500 ") || strings.Contains(got, "secret") {
		t.Error(got)
	}
}

func TestManyRequestsOnOneConnection(t *testing.T) {
	r := serve(t, ServerOptions{}, flowOf(in(t, "POST", "/x"), echo(t, "event.body")))
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i := range 200 {
		body := fmt.Sprintf("body %d", i)
		fmt.Fprintf(conn, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(got) != body {
			t.Fatalf("%q, %v; want %q", got, err, body)
		}
	}
}

func TestRoutesOfTheOptionsAreServed(t *testing.T) {
	extra := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	r := serve(t, ServerOptions{Routes: map[string]http.Handler{"GET /_extra/": extra}}, flowOf(in(t, "GET", "/{all...}"), respond(t, 200, "flow")))
	for path, want := range map[string]string{"/_extra/x": "HTTP/1.1 418", "/other": "HTTP/1.1 200"} {
		if got := send(t, r, "GET "+path+" HTTP/1.1\nHost: h\n\n"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("two routes that are one were taken")
		}
	}()
	NewServer(ServerOptions{Routes: map[string]http.Handler{"GET /healthz": extra, "GET /a/{x}": extra, "GET /a/{y}": extra}})
}
