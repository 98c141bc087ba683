package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	fakeclock "github.com/flowctl-dev/flowctl/internal/local/clock"
	local "github.com/flowctl-dev/flowctl/internal/local/sqs"
	"github.com/flowctl-dev/flowctl/internal/local/store"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// sandbox is the stand-in on loopback behind a front that can misbehave, and
// the clients that nodes use.
type sandbox struct {
	*sdk.Client
	t        testing.TB
	services *engine.Services
	clients  *awsclient.Clients
	clock    *fakeclock.Fake // of the stand-in; nil: the machine's
	server   *httptest.Server
	front    *front
}

func open(t testing.TB) *sandbox { return openWith(t, nil, store.Options{Relaxed: true}) }

// openStill has a stand-in whose time stands still until the test moves it.
func openStill(t testing.TB) *sandbox {
	return openWith(t, fakeclock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), store.Options{Relaxed: true})
}

func openWith(t testing.TB, c *fakeclock.Fake, o store.Options) *sandbox {
	t.Helper()
	s := &sandbox{t: t, clock: c, services: &engine.Services{}, front: &front{}}
	db, err := store.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(s.front)
	quiet := slog.New(slog.DiscardHandler)
	options := local.Options{Store: db, Log: quiet, Endpoint: s.server.URL}
	if c != nil {
		options.Clock = c
	}
	service, err := local.New(options)
	if err != nil {
		t.Fatal(err)
	}
	s.front.next = awsjson.NewHandler(quiet, service)
	s.clients = awsclient.New(awsclient.Options{LocalEndpoint: s.server.URL})
	engine.Provide(s.services, s.clients)
	if s.Client, err = Client(ctx, s.clients, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.clients.CloseIdle()
		s.server.CloseClientConnections()
		if err := errors.Join(service.Close(), db.Close()); err != nil {
			t.Error(err)
		}
		s.server.Close()
	})
	return s
}

// queue is a resource, created in the stand-in.
func (s *sandbox) queue(name string, change func(*Queue)) (engine.Ref[Queue], string) {
	s.t.Helper()
	q := enginetest.Config[Queue](s.t)
	if change != nil {
		change(q)
	}
	url, err := Create(ctx, s.Client, name, q)
	if err != nil {
		s.t.Fatal(err)
	}
	return engine.Ref[Queue]{Name: name, Resource: q}, url
}

func fifo(q *Queue) { q.FIFO, q.ContentDedup = true, true }

// put stores messages without the node under test.
func (s *sandbox) put(url string, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		if _, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sandbox) putIn(url, group string, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		if _, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageGroupId: &group}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// take receives what is visible now.
func (s *sandbox) take(url string) []types.Message {
	s.t.Helper()
	out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Messages
}

func (s *sandbox) remove(url string, m types.Message) {
	s.t.Helper()
	if _, err := s.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
		s.t.Fatal(err)
	}
}

// counts gives visible/in flight/delayed.
func (s *sandbox) counts(url string) string {
	s.t.Helper()
	a := s.attributes(url)
	return a["ApproximateNumberOfMessages"] + "/" + a["ApproximateNumberOfMessagesNotVisible"] + "/" + a["ApproximateNumberOfMessagesDelayed"]
}

func (s *sandbox) attributes(url string) map[string]string {
	s.t.Helper()
	out, err := s.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Attributes
}

func texts(messages []types.Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, *m.Body)
	}
	return strings.Join(all, " ")
}

// front stands before the service and does what a hook says.
type front struct {
	next http.Handler
	mu   sync.Mutex
	hook func(*call)
	ops  []string // of the calls so far
	// polls are the receives that have come to the service, ended those of them
	// that it is done with; changed is closed when that changes.
	polls, ended int
	changed      chan struct{}
}

// count notes in what has become of a receive.
func (f *front) count(op string, in *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op != "ReceiveMessage" {
		return
	}
	*in++
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// until waits for n receives to have come to the service, and all but open of
// them to have ended. A receive that is broken off takes messages until the
// service has noticed; one that is broken off on its way, even later.
func (f *front) until(n, open int) {
	for {
		f.mu.Lock()
		if f.polls >= n && f.polls-f.ended == open {
			f.mu.Unlock()
			return
		}
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		changed := f.changed
		f.mu.Unlock()
		<-changed
	}
}

// call is a request as a hook sees it. The hook may wait, change what the service
// is asked, and set one of the misdeeds.
type call struct {
	op   string
	body []byte
	ctx  context.Context
	// fail answers with this error instead of asking the service.
	fail *awsjson.Error
	// dropBefore closes the connection without asking the service; dropAfter
	// asks it and loses the answer.
	dropBefore, dropAfter bool
	// rewrite changes the service's answer.
	rewrite func([]byte) []byte
	// after runs once the service has answered.
	after func()
}

func (c *call) entries() []map[string]any {
	var in struct{ Entries []map[string]any }
	if err := json.Unmarshal(c.body, &in); err != nil {
		panic(err)
	}
	return in.Entries
}

func (f *front) set(hook func(*call)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook, f.ops = hook, nil
}

func (f *front) calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, o := range f.ops {
		if o == op {
			n++
		}
	}
	return n
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c := &call{op: op, body: body, ctx: r.Context()}
	f.mu.Lock()
	hook := f.hook
	f.ops = append(f.ops, op)
	f.mu.Unlock()
	if hook != nil {
		hook(c)
	}
	switch {
	case c.dropBefore:
		panic(http.ErrAbortHandler)
	case c.fail != nil:
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(max(c.fail.Status, 400))
		text, _ := json.Marshal(map[string]string{"__type": c.fail.Type, "message": c.fail.Message})
		_, _ = w.Write(text)
		return
	}
	f.count(op, &f.polls)
	defer f.count(op, &f.ended)
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	answer := httptest.NewRecorder()
	f.next.ServeHTTP(answer, r)
	if c.after != nil {
		c.after()
	}
	if c.dropAfter {
		panic(http.ErrAbortHandler)
	}
	text := answer.Body.Bytes()
	if c.rewrite != nil {
		text = c.rewrite(text)
	}
	for name, values := range answer.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(text)
}

// stillClock is the source's clock in tests.
type stillClock struct{ *fakeclock.Fake }

func (c stillClock) now() time.Duration { return c.Monotonic() }

func (c stillClock) after(d time.Duration, f func()) timer { return c.AfterFunc(d, f) }

// tellingClock tells of every timer that is set.
type tellingClock struct {
	stillClock
	set chan struct{}
}

func (c tellingClock) after(d time.Duration, f func()) timer {
	t := c.stillClock.after(d, f)
	c.set <- struct{}{}
	return t
}

// running is a source at work.
type running struct {
	*source
	s    *sandbox
	stop context.CancelFunc
	cut  context.CancelCauseFunc
	done chan error
}

// in makes a source of a queue, to be changed and started.
func (s *sandbox) in(queue engine.Ref[Queue], change func(*In)) *source {
	s.t.Helper()
	c := enginetest.Config[In](s.t)
	c.Queue = queue
	if change != nil {
		change(c)
	}
	if found := c.check(); len(found) > 0 {
		s.t.Fatalf("%+v", found)
	}
	src := enginetest.Source(s.t, inKind, c, s.services).(*source)
	if s.clock != nil {
		src.clock = stillClock{s.clock}
	}
	return src
}

// start runs the source until the test ends or stops it.
func (s *sandbox) start(src *source, deliver engine.Handler) *running {
	work, cut := context.WithCancelCause(ctx)
	taking, stop := context.WithCancel(engine.WithWork(ctx, work))
	r := &running{source: src, s: s, stop: stop, cut: cut, done: make(chan error, 1)}
	go func() { r.done <- src.Run(taking, deliver) }()
	s.t.Cleanup(func() {
		stop()
		cut(engine.ErrGrace)
		<-r.done
	})
	return r
}

// end stops the source and waits for it.
func (r *running) end() {
	r.s.t.Helper()
	r.stop()
	err := <-r.done
	r.done <- nil
	if err != nil {
		r.s.t.Fatal(err)
	}
}

func field(t testing.TB, m *engine.Message, name string) any {
	t.Helper()
	v, err := m.Env.Event.Field(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// textOf is a message's body as it came.
func textOf(m *engine.Message) string { return m.Origin.(*Delivery).Body }

// logs keeps what is logged, as lines of level and message.
type logs struct {
	mu    sync.Mutex
	lines []string
}

func (l *logs) Enabled(context.Context, slog.Level) bool { return true }
func (l *logs) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logs) WithGroup(string) slog.Handler            { return l }
func (l *logs) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.Level.String()+" "+r.Message)
	return nil
}

func (l *logs) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func purge(url string) *sdk.PurgeQueueInput { return &sdk.PurgeQueueInput{QueueUrl: &url} }
