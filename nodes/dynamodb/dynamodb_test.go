package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	local "github.com/flowctl-dev/flowctl/internal/local/dynamodb"
	"github.com/flowctl-dev/flowctl/internal/local/store"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a DynamoDB stand-in behind a real HTTP server, and the services
// that nodes reach it by.
type server struct {
	t        testing.TB
	services *engine.Services
	client   *sdk.Client

	mu       sync.Mutex
	requests []request
	// before sees every request first and answers it if it returns true.
	before func(w http.ResponseWriter, r request) bool
}

// request is one call that reached the server.
type request struct {
	op   string
	body map[string]any
}

func newServer(t testing.TB, o ...func(*awsclient.Options)) *server {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	service, err := local.New(local.Options{Store: db, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t}
	front := httptest.NewServer(s.front(awsjson.NewHandler(log, service)))
	options := awsclient.Options{LocalEndpoint: front.URL}
	for _, f := range o {
		f(&options)
	}
	clients := awsclient.New(options)
	s.services = &engine.Services{}
	engine.Provide(s.services, clients)
	if s.client, err = Client(context.Background(), clients, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		clients.CloseIdle()
		front.Close()
		if err := service.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// front shows every request to the test before the stand-in gets it.
func (s *server) front(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		seen := request{op: op}
		if err := json.Unmarshal(body, &seen.body); err != nil {
			s.t.Errorf("request body: %v", err)
		}
		s.mu.Lock()
		s.requests = append(s.requests, seen)
		before := s.before
		s.mu.Unlock()
		if before != nil && before(w, seen) {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		inner.ServeHTTP(w, r)
	})
}

func (s *server) intercept(f func(w http.ResponseWriter, r request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// took gives the requests of an operation since the last call, and forgets all.
func (s *server) took(op string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []request
	for _, r := range s.requests {
		if r.op == op {
			out = append(out, r)
		}
	}
	s.requests = nil
	return out
}

// refuse answers with an error of the service.
func refuse(w http.ResponseWriter, status int, kind, message string) bool {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
	return true
}

// table makes the table and fills it.
func (s *server) table(name string, t *Table, items ...map[string]any) engine.Ref[Table] {
	s.t.Helper()
	ctx := context.Background()
	if _, err := Create(ctx, s.client, name, t); err != nil {
		s.t.Fatal(err)
	}
	if err := Seed(ctx, s.client, name, items); err != nil {
		s.t.Fatal(err)
	}
	return engine.Ref[Table]{Name: name, Resource: t}
}

// item reads an item without the nodes' help, nil if there is none.
func (s *server) item(table string, key map[string]any) map[string]any {
	s.t.Helper()
	k, err := marshalItem(key)
	if err != nil {
		s.t.Fatal(err)
	}
	reply, err := s.client.GetItem(context.Background(), &sdk.GetItemInput{TableName: &table, Key: k, ConsistentRead: aws.Bool(true)})
	if err != nil {
		s.t.Fatal(err)
	}
	if reply.Item == nil {
		return nil
	}
	m, err := unmarshalItem(reply.Item)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// flow is a node in a flow of its own, with a node "other" behind every wire
// that leads there.
type flow struct {
	t       testing.TB
	handler engine.Handler

	mu   sync.Mutex
	last engine.Step
}

// Record implements engine.Recorder.
func (f *flow) Record(s engine.Step) {
	if s.Node == "node" {
		f.mu.Lock()
		f.last = s
		f.mu.Unlock()
	}
}

type entry struct{}

func (entry) Run(context.Context, engine.Handler) error { return nil }

var (
	entryKind = engine.Define(engine.Spec[struct{}]{Type: "test.in",
		Source: func(*struct{}, engine.Deps) (engine.Source, error) { return entry{}, nil }})
	otherKind = engine.Define(engine.Spec[struct{}]{Type: "test.other", New: func(*struct{}, engine.Deps) (engine.Node, error) {
		return engine.NodeFunc(func(context.Context, *engine.Message) (engine.Port, error) { return engine.Next, nil }), nil
	}})
	toOther = engine.Wire{Targets: []string{"other"}}
)

// node makes a node whose config has been checked.
func node[C any](s *server, spec engine.Spec[C], config *C) *flow {
	s.t.Helper()
	for _, f := range spec.Check(config) {
		s.t.Fatalf("%s: %s: %s (%s)", spec.Type, f.Field, f.Message, f.Hint)
	}
	f := &flow{t: s.t}
	app, err := engine.Build(&engine.Plan{Name: "test", Flows: []*engine.FlowPlan{{Name: "flow", Nodes: []*engine.NodePlan{
		{Name: "in", Slot: 0, Kind: entryKind, Config: &struct{}{}, Next: []string{"node"}},
		{Name: "node", Slot: 1, Kind: engine.Define(spec), Config: config, Wires: enginetest.Wires(config)},
		{Name: "other", Slot: 2, Kind: otherKind, Config: &struct{}{}},
	}}}}, engine.Options{Services: s.services, Recorder: f, Log: slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := app.Close(context.Background()); err != nil {
			s.t.Error(err)
		}
	})
	if f.handler, err = app.Flow("flow").Handler("in"); err != nil {
		s.t.Fatal(err)
	}
	return f
}

// try sends a message through the node: it gives the port by which it left, or
// the error.
func (f *flow) try(ctx context.Context, event map[string]any) (port string, output any, err error) {
	err = f.handler(ctx, engine.NewMessage(expr.Fields(event), ""))
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last.Port, f.last.Output, err
}

// do is try for a message that must get through.
func (f *flow) do(event map[string]any) (port string, output map[string]any) {
	f.t.Helper()
	port, out, err := f.try(context.Background(), event)
	if err != nil {
		f.t.Fatal(err)
	}
	output, ok := out.(map[string]any)
	if !ok {
		f.t.Fatalf("the output is %#v", out)
	}
	return port, output
}

// fail is try for a message that must not get through.
func (f *flow) fail(event map[string]any, class engine.Class, code, text string) {
	f.t.Helper()
	_, _, err := f.try(context.Background(), event)
	if err == nil {
		f.t.Fatalf("no error, want %s", code)
	}
	if engine.ClassOf(err) != class || engine.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		f.t.Fatalf("got %s %s: %v; want %s %s: …%s…", engine.ClassOf(err), engine.CodeOf(err), err, class, code, text)
	}
}

// key is a table's key from names and types, in order.
func key(t testing.TB, entries ...string) KeySchema {
	t.Helper()
	var k KeySchema
	for i := 0; i < len(entries); i += 2 {
		if err := k.SetEntry(entries[i], entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func object(t testing.TB, text string) expr.Value[map[string]any] {
	t.Helper()
	return enginetest.Expr[map[string]any](t, text)
}

func anyOf(t testing.TB, text string) expr.Value[any] {
	t.Helper()
	return enginetest.Expr[any](t, text)
}

// values are constants and expressions by name.
func values(t testing.TB, entries map[string]any) map[string]expr.Value[any] {
	t.Helper()
	out := map[string]expr.Value[any]{}
	for name, v := range entries {
		if text, ok := v.(string); ok && strings.HasPrefix(text, "${{") {
			out[name] = anyOf(t, text)
		} else {
			out[name] = expr.Of(v)
		}
	}
	return out
}
