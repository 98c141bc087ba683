package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// running is a server under test.
type running struct {
	*Server
	addr  string
	log   *lockedBuffer
	ended chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func serve(t *testing.T, h http.HandlerFunc) *running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := new(lockedBuffer)
	s := &running{New(h, slog.New(slog.NewTextHandler(log, nil))), ln.Addr().String(), log, make(chan error, 1)}
	go func() { s.ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("connections are left: %v", err)
		}
		if err := <-s.ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return s
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	w.Header().Set("X-Method", r.Method)
	fmt.Fprintf(w, "%s %s %s", r.Host, r.URL, body)
}

func dial(t *testing.T, s *running) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRequestsAreAnsweredAsHTTPHasIt sends the bytes of a client and reads replies until there are none.
func TestRequestsAreAnsweredAsHTTPHasIt(t *testing.T) {
	const get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
	tests := []struct {
		name, request string
		// replies are the statuses and bodies; the connection must be closed behind the last if closed is set.
		replies []string
		closed  bool
	}{
		{"a request", get, []string{"200 h /a "}, false},
		{"requests sent ahead", get + strings.ReplaceAll(get, "/a", "/b") + get, []string{"200 h /a ", "200 h /b ", "200 h /a "}, false},
		{"body with a length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + get, []string{"200 h / abc", "200 h /a "}, false},
		{"body in chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + get,
			[]string{"200 h / abcde", "200 h /a "}, false},
		{"empty body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" + get, []string{"200 h / ", "200 h /a "}, false},
		{"empty lines before requests", "\r\n" + get + "\r\n\r\n" + get, []string{"200 h /a ", "200 h /a "}, false},
		{"empty line behind a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc\r\n" + get, []string{"200 h / abc", "200 h /a "}, false},
		{"head", "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get, []string{"200 ", "200 h /a "}, false},
		{"the client asks to close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + get, []string{"200 h / "}, true},
		{"HTTP/1.0 closes", "GET / HTTP/1.0\r\nHost: h\r\n\r\n" + get, []string{"200 h / "}, true},
		{"HTTP/1.0 keeps alive when asked to", "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n" + get,
			[]string{"200 h / ", "200 h /a "}, false},
		{"not HTTP", "hello\r\n\r\n", []string{"400 400 Bad Request: malformed HTTP request \"hello\"\n"}, true},
		{"no host", "GET / HTTP/1.1\r\n\r\n", []string{"400 400 Bad Request: the request has no Host header\n"}, true},
		{"IPv6 host", "GET /a HTTP/1.1\r\nHost: [::1]:4566\r\n\r\n", []string{"200 [::1]:4566 /a "}, false},
		{"a host that is none", "GET / HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n", []string{"400 400 Bad Request: the Host header \"h X: y\" names no host\n"}, true},
		{"two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", []string{"400 400 Bad Request: too many Host headers\n"}, true},
		{"a request in a body whose length is hidden", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 37\r\n\r\n" + get,
			[]string{"400 400 Bad Request: the header name \"Content-Length \" has characters that no name may have\n"}, true},
		{"HTTP/1.0 is not told to go on", "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", []string{"200 h / abc"}, true},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
			[]string{"400 400 Bad Request: protocol HTTP/2.0 is not served here, only HTTP/1.1\n"}, true},
		{"endless head", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", maxHeader+8<<10) + "\r\n\r\n",
			[]string{"431 431 Request Header Fields Too Large: the request's head is too large\n"}, true},
		{"bad length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", []string{"400 400 Bad Request: bad Content-Length \"x\"\n"}, true},
		{"bad chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
			[]string{"418 invalid byte in chunk length\n"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, serve(t, echo))
			if _, err := io.WriteString(c, test.request); err != nil {
				t.Fatal(err)
			}
			method, _, _ := strings.Cut(test.request, " ")
			r := bufio.NewReader(c)
			for i, want := range test.replies {
				asked := &http.Request{Method: http.MethodGet}
				if i == 0 {
					asked.Method = method
				}
				if got := readReply(t, r, asked); got != want {
					t.Errorf("reply %d is %q, want %q", i+1, got, want)
				}
			}
			if !test.closed {
				return
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
				t.Errorf("the connection is not closed: %d, %v", n, err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// readReply gives a reply as "STATUS BODY".
func readReply(t *testing.T, r *bufio.Reader, asked *http.Request) string {
	t.Helper()
	reply, err := http.ReadResponse(r, asked)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.ParseTime(reply.Header.Get("Date")); err != nil && reply.StatusCode == http.StatusOK {
		t.Errorf("Date: %v", err)
	}
	return fmt.Sprintf("%d %s", reply.StatusCode, body)
}

func TestAClientThatWaitsToSendItsBodyIsToldTo(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		echo(w, r)
	})
	const head = "POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	c := dial(t, s)
	fmt.Fprintf(c, head, "/yes")
	r := bufio.NewReader(c)
	if got := readReply(t, r, nil); got != "100 " {
		t.Fatalf("before the body came %q", got)
	}
	io.WriteString(c, "abc")
	if got := readReply(t, r, nil); got != "200 h /yes abc" {
		t.Errorf("then %q", got)
	}
	// A refusal spares the client the body, and the connection ends, since the body may come or not.
	fmt.Fprintf(c, head, "/no")
	if got := readReply(t, r, nil); got != "403 " {
		t.Errorf("a refusal is %q", got)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after a refusal: %v", err)
	}
}

func TestBodiesThatTheHandlerLeavesAreReadUpToALimit(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "done") })
	client := func(size int) (reply string, kept bool) {
		c := dial(t, s)
		go fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%sGET / HTTP/1.1\r\nHost: h\r\n\r\n", size, strings.Repeat("x", size))
		r := bufio.NewReader(c)
		reply = readReply(t, r, nil)
		_, err := http.ReadResponse(r, nil)
		return reply, err == nil
	}
	if reply, kept := client(maxDrain - 1); reply != "200 done" || !kept {
		t.Errorf("%q, next request answered: %v", reply, kept)
	}
	if reply, kept := client(4 * maxDrain); reply != "200 done" || kept {
		t.Errorf("%q, next request answered: %v", reply, kept)
	}
}

// TestTheContextEndsWhenTheClientGoes has a handler wait for it, with and without a body, and with a request sent ahead.
func TestTheContextEndsWhenTheClientGoes(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		done := r.Context().Done() // before the body has been read, and again after it
		io.Copy(io.Discard, r.Body)
		began <- struct{}{}
		select {
		case <-done:
			<-r.Context().Done()
			ended <- r.Context().Err()
		case <-time.After(patience):
			ended <- errors.New("it did not end")
		}
	})
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
	} {
		c := dial(t, s)
		io.WriteString(c, request)
		<-began
		c.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%q: %v", request, err)
		}
	}
}

func TestAHandlerThatWaitedLeavesTheConnectionUsable(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		began <- struct{}{}
		select {
		case <-release:
			io.WriteString(w, r.URL.Path)
		case <-ctx.Done():
			w.WriteHeader(http.StatusGone)
		}
	})
	c := dial(t, s)
	r := bufio.NewReader(c)
	for i := range 5 {
		fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
		<-began
		// The first byte of the next request is what watching for the client's end reads.
		fmt.Fprintf(c, "GET /%d/ahead HTTP/1.1\r\nHost: h\r\n\r\n", i)
		release <- struct{}{}
		if got, want := readReply(t, r, nil), fmt.Sprintf("200 /%d", i); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		<-began
		release <- struct{}{}
		if got, want := readReply(t, r, nil), fmt.Sprintf("200 /%d/ahead", i); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestPanicsEndTheirConnectionOnly(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/panic":
			panic("a mistake")
		}
		io.WriteString(w, "fine")
	})
	for _, path := range []string{"/abort", "/panic"} {
		c := dial(t, s)
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	c := dial(t, s)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := readReply(t, bufio.NewReader(c), nil); got != "200 fine" {
		t.Errorf("another client got %q", got)
	}
	if log := s.log.String(); !strings.Contains(log, "a mistake") || strings.Count(log, "panic while") != 1 {
		t.Errorf("log: %s", log)
	}
}

func TestShutdownWaitsForRepliesAndClosesIdleConnections(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			began <- struct{}{}
			<-release
		}
		io.WriteString(w, "done")
	})
	waiting, used, fresh := dial(t, s), dial(t, s), dial(t, s)
	usedReplies := bufio.NewReader(used)
	io.WriteString(used, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	readReply(t, usedReplies, nil)
	io.WriteString(waiting, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	ended := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ended <- s.Shutdown(ctx)
	}()
	for name, r := range map[string]io.Reader{"used": usedReplies, "fresh": fresh} {
		if _, err := r.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("the idle connection %s was not closed: %v", name, err)
		}
	}
	if c, err := net.Dial("tcp", s.addr); err == nil {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection was accepted")
		}
		c.Close()
	}
	select {
	case err := <-ended:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(release)
	r := bufio.NewReader(waiting)
	reply, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK || string(body) != "done" || !reply.Close {
		t.Errorf("the waiting client got %s, %q, %v; told that the connection ends: %v", reply.Status, body, err, reply.Close)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("its connection: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestShutdownGivesUpWithItsContextAndCloseEndsTheRest(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	c := dial(t, s)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	s.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request's context: %v", err)
	}
}

// TestIdleConnectionsKeepNoLargeReplies looks at what is held between two requests.
func TestIdleConnectionsKeepNoLargeReplies(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	c := newConn(New(h, slog.New(slog.DiscardHandler)), server)
	defer c.net.Close()
	go func() {
		_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_, _ = io.Copy(io.Discard, client)
	}()
	if !c.serveOne() {
		t.Fatal("the connection ended")
	}
	if held := cap(c.out.out) + cap(c.out.body) + c.buf.Size(); held > 1<<18 {
		t.Errorf("an idle connection holds %d bytes", held)
	}
}

func TestAHeaderIsOneLine(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Text", "one\r\nX-Other: two")
		w.Header().Add("X-Many", "1")
		w.Header().Add("X-Many", "2")
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusTeapot) // too late
	})
	c := dial(t, s)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if got := reply.Header.Get("X-Text"); got != "one  X-Other: two" || reply.Header.Get("X-Other") != "" {
		t.Errorf("header %v", reply.Header)
	}
	if got := reply.Header.Values("X-Many"); strings.Join(got, ",") != "1,2" || reply.StatusCode != http.StatusAccepted {
		t.Errorf("%d %v", reply.StatusCode, got)
	}
}

// FuzzConnection sends any bytes: the server answers or closes, and serves the next client.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcPOST"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		client, server := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer server.Close()
			newConn(New(http.HandlerFunc(echo), slog.New(slog.DiscardHandler)), server).serve()
		}()
		go func() {
			defer client.Close()
			_, _ = client.Write(data)
		}()
		r := bufio.NewReader(client)
		for {
			reply, err := http.ReadResponse(r, nil)
			if err != nil {
				break
			}
			if _, err := io.Copy(io.Discard, reply.Body); err != nil {
				break
			}
		}
		client.Close()
		<-ended
	})
}

// BenchmarkServers compares with net/http's server what a short request costs, the client's part included.
func BenchmarkServers(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{"application/x-amz-json-1.0"}
		_, _ = io.WriteString(w, `{"Item":{"id":{"S":"1"}}}`)
	})
	type server interface {
		Serve(net.Listener) error
		Close() error
	}
	for name, start := range map[string]func() server{
		"http1":    func() server { return New(h, slog.New(slog.DiscardHandler)) },
		"net-http": func() server { return &http.Server{Handler: h} },
	} {
		b.Run(name, func(b *testing.B) {
			s := start()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ended := make(chan error)
			go func() { ended <- s.Serve(ln) }()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) { ask(b, pb, ln.Addr().String()) })
			b.StopTimer()
			_ = s.Close()
			<-ended
		})
	}
}

// ask sends requests over one connection, one after the other.
func ask(b *testing.B, pb *testing.PB, addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return
	}
	defer c.Close()
	request := []byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
	reply := make([]byte, 4096)
	for pb.Next() {
		if _, err := c.Write(request); err != nil {
			b.Error(err)
		}
		if _, err := c.Read(reply); err != nil {
			b.Error(err)
		}
	}
}
