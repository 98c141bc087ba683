package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// terminal is an input at which nobody types until the test ends.
type terminal struct {
	asked func()
	end   chan struct{}
}

func (t terminal) Read([]byte) (int, error) {
	t.asked()
	<-t.end
	return 0, io.EOF
}

func TestCtrlCEndsACommandThatWaitsForItsInput(t *testing.T) {
	for _, args := range [][]string{
		{"invoke", "../../examples/taxi", "--flow", "dispatch", "--event", "-"},
		{"mqtt", "pub", "orders/new"},
	} {
		t.Run(args[0], func(t *testing.T) {
			ctx, ctrlC := context.WithCancel(t.Context())
			defer ctrlC()
			in := terminal{asked: sync.OnceFunc(ctrlC), end: make(chan struct{})}
			defer close(in.end)
			root := newRoot()
			root.SetArgs(args)
			root.SetIn(in)
			var words strings.Builder
			root.SetErr(&words)
			ended := make(chan error, 1)
			go func() { ended <- root.ExecuteContext(ctx) }()
			select {
			case err := <-ended:
				if code := report(root, err); code != exitInterrupted || !strings.Contains(words.String(), "interrupted") {
					t.Errorf("it ended with %d and said %q", code, words.String())
				}
			case <-t.Context().Done():
				t.Fatal("it waits on")
			}
		})
	}
}

func TestOfLinesThatCannotBeReadToTheirEndNothingIsTaken(t *testing.T) {
	broken := errors.New("broken")
	var lines []string
	err := eachLine(io.MultiReader(strings.NewReader("one\ntw"), iotest.ErrReader(broken)), func(_ int, line []byte) error {
		lines = append(lines, string(line))
		return nil
	})
	if !errors.Is(err, broken) || !slices.Equal(lines, []string{"one"}) {
		t.Errorf("got the lines %q and the error %v", lines, err)
	}
}

func TestCtrlCEndsACommandThatWaitsForAService(t *testing.T) {
	ctx, ctrlC := context.WithCancel(t.Context())
	defer ctrlC()
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client leave
		ctrlC()
		<-r.Context().Done()
	}))
	defer service.Close()
	root := newRoot()
	root.SetArgs([]string{"queue", "ls", "--endpoint", service.URL})
	root.SetErr(io.Discard)
	if code := report(root, root.ExecuteContext(ctx)); code != exitInterrupted {
		t.Errorf("it ended with %d", code)
	}
}
