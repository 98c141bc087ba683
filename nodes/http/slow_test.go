package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

// accept gives both ends of a connection.
func accept(t *testing.T) (peer net.Conn, c *patientConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if peer, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	accepted, err := patient{l, time.Hour}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return peer, accepted.(*patientConn)
}

func TestEachWriteHasAtLeastHalfOfTheTimeout(t *testing.T) {
	_, c := accept(t)
	write := func() time.Time {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		return c.until
	}
	first := write()
	if left := time.Until(first); left < c.timeout/2 {
		t.Errorf("%s is left at first", left)
	}
	if again := write(); !again.Equal(first) {
		t.Errorf("the deadline was moved from %s to %s with nearly all of it left", first, again)
	}
	c.until = time.Now().Add(c.timeout / 4)
	if later := write(); time.Until(later) < c.timeout/2 {
		t.Errorf("the deadline was left at %s", later)
	}
	c.timeout, c.until = -time.Hour, time.Time{}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write past its deadline: %v", err)
	}
}

// TestALargeAnswerHasTheTimeoutForEachPiece makes a minute pass with every piece
// that the caller takes.
func TestALargeAnswerHasTheTimeoutForEachPiece(t *testing.T) {
	peer, c := accept(t)
	c.timeout = time.Minute
	begun, taken := time.Now(), 0
	c.now = func() time.Time {
		taken++
		return begun.Add(time.Duration(taken) * time.Minute)
	}
	const pieces = 16
	read := make(chan int64, 1)
	go func() {
		n, _ := io.CopyN(io.Discard, peer, pieces*writePiece+1)
		read <- n
	}()
	n, err := c.Write(make([]byte, pieces*writePiece+1))
	if got := <-read; err != nil || n != pieces*writePiece+1 || got != int64(n) {
		t.Errorf("%d bytes written, %d read, %v", n, got, err)
	}
	if lasted := c.until.Sub(begun); lasted < pieces*time.Minute {
		t.Errorf("the whole answer had %s", lasted)
	}
}

func TestACallerThatTakesNoneOfAnAnswerIsCutOff(t *testing.T) {
	r := serve(t, ServerOptions{WriteTimeout: 50 * time.Millisecond}, flowOf(in(t, "GET", "/x"), respond(t, 200, strings.Repeat("x", 32<<20))))
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
	// Shutdown waits for the connection, which ends only by the write timeout.
	r.stop()
	if n, _ := io.Copy(io.Discard, conn); n >= 32<<20 {
		t.Errorf("%d bytes came, all of the answer", n)
	}
}

// TestSlowCallersDoNotOutlastTheGracePeriod stops a server that would wait an
// hour for its callers.
func TestSlowCallersDoNotOutlastTheGracePeriod(t *testing.T) {
	for name, begin := range map[string]func(net.Conn) error{
		"a body that does not come": func(c net.Conn) error {
			_, err := fmt.Fprint(c, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
			return err
		},
		"an answer that is not taken": func(c net.Conn) error {
			fmt.Fprint(c, "POST /x HTTP/1.1\r\nHost: h\r\n\r\n")
			_, err := c.Read(make([]byte, 1))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := NewServer(ServerOptions{ReadTimeout: time.Hour, WriteTimeout: time.Hour})
			app, err := engine.Build(plan(t, []flow{flowOf(in(t, "POST", "/x"), respond(t, 200, strings.Repeat("x", 32<<20)))}),
				engine.Options{Services: provided(server)})
			if err := errors.Join(err, server.Listen("127.0.0.1:0")); err != nil {
				t.Fatal(err)
			}
			served, ran := make(chan error, 1), make(chan error, 1)
			ctx, stop := context.WithCancel(context.Background())
			go func() { served <- server.Serve() }()
			go func() { ran <- app.Run(ctx) }()
			server.SetReady(true)
			(&running{Server: server}).awaitReady()
			conn, err := net.Dial("tcp", server.Addr().String())
			if err == nil {
				defer conn.Close()
				err = begin(conn)
			}
			if err != nil {
				t.Error(err)
			}
			for server.underWay.Load() == 0 {
				runtime.Gosched()
			}
			stop()
			if err := <-ran; !errors.Is(err, engine.ErrGrace) {
				t.Errorf("Run: %v", err)
			}
			if err := errors.Join(server.Shutdown(context.Background()), <-served, app.Close(context.Background())); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestShutdownTellsOfRequestsThatItCutsOffAlone(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	held := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-goOn
	})
	for name, c := range map[string]struct{ sends, want string }{
		"a connection without a request": {"", ""},
		"the beginning of a request":     {"GET /held HT", ""},
		"a request":                      {"GET /held HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP requests under way were cut off (1): context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			server := NewServer(ServerOptions{Routes: map[string]http.Handler{"GET /held": held}})
			accepted := make(chan struct{}, 1)
			server.http.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					accepted <- struct{}{}
				}
			}
			if err := server.Listen("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- server.Serve() }()
			conn, err := net.Dial("tcp", server.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, c.sends)
			<-accepted
			if c.want != "" {
				<-began
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			text := ""
			if err := server.Shutdown(ctx); err != nil {
				text = err.Error()
			}
			if text != c.want {
				t.Errorf("Shutdown: %q, want %q", text, c.want)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
	close(goOn)
}
