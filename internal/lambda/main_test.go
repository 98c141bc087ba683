package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/events"
	"github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/logic"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

func TestMain(m *testing.M) {
	runAsFunction()
	goleak.VerifyTestMain(m)
}

// hook is the config of test.hook, a node that does what the test says.
type hook struct {
	Body expr.Value[[]byte] `yaml:"body" doc:"What the test's function is given."`
}

// app is a flow that a test calls as a function.
type app struct {
	flow      string // its YAML, from `nodes:` on
	resources string // theirs, one a line
	addresses map[string]string
	// do is the work of the test.hook nodes; nil does nothing.
	do  func(ctx context.Context, body []byte) error
	log *slog.Logger
}

// function builds the flow "work". The test need not close it.
func (a app) function(t testing.TB) *Function {
	t.Helper()
	f, err := a.build(t)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (a app) build(t testing.TB) (*Function, error) {
	t.Helper()
	kind := engine.Define(engine.Spec[hook]{Type: "test.hook", New: func(c *hook, _ engine.Deps) (engine.Node, error) {
		return engine.NodeFunc(func(ctx context.Context, m *engine.Message) (engine.Port, error) {
			v, err := c.Body.Get(&m.Env)
			if err != nil || a.do == nil {
				return engine.Next, err
			}
			return engine.Next, a.do(ctx, v)
		}), nil
	}})
	registry := engine.NewRegistry(slices.Concat([]*engine.Kind{kind, muteKind}, http.Kinds(), sqs.Kinds(), events.Kinds(), logic.Kinds()),
		slices.Concat(sqs.Resources(), events.Resources()))
	text := "version: 1\nschemas:\n  Order: {type: object, required: [id], properties: {id: {type: integer}}}\n"
	if a.resources != "" {
		text += "resources:\n  " + strings.ReplaceAll(strings.TrimSpace(a.resources), "\n", "\n  ") + "\n"
	}
	text += "flows:\n  work:\n    " + strings.ReplaceAll(strings.TrimSpace(a.flow), "\n", "\n    ") + "\n"
	loaded, found := flows.Parse("app.flow.yaml", []byte(text), flows.Options{Registry: registry})
	if len(found) > 0 {
		t.Fatal(found)
	}
	plan, err := loaded.Plan()
	if err != nil {
		t.Fatal(err)
	}
	server := http.NewServer(http.ServerOptions{})
	services := &engine.Services{}
	engine.Provide(services, server)
	engine.Provide(services, awsclient.New(awsclient.Options{}))
	built, err := engine.Build(plan, engine.Options{Services: services, Log: a.log})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Plan: plan.Flows[0], Flow: built.Flow("work"), Server: server, Addresses: a.addresses, Log: a.log})
}

// muteKind is a source that Lambda cannot call.
var muteKind = engine.Define(engine.Spec[struct{}]{Type: "test.mute", Source: func(*struct{}, engine.Deps) (engine.Source, error) { return muteSource{}, nil }})

type muteSource struct{}

func (muteSource) Run(context.Context, engine.Handler) error { return nil }

const (
	queueARN = "arn:aws:sqs:us-east-1:123456789012:jobs"
	fifoARN  = "arn:aws:sqs:us-east-1:123456789012:jobs.fifo"
	jobs     = "jobs: {type: sqs.queue}"
	fifoJobs = "jobs: {type: sqs.queue, fifo: true}"
	fromJobs = "nodes:\n  in: {type: sqs.in, queue: jobs, next: work}\n  work: {type: test.hook, body: \"${{ event.body }}\"}"
)

// record is a message of a batch: its id, its body and, on a FIFO queue, its
// group.
type record struct{ id, body, group string }

// batchOf is the event of a batch.
func batchOf(arn string, records ...record) []byte {
	var all []any
	for _, r := range records {
		system := map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183", "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1545082649185"}
		if r.group != "" {
			system["MessageGroupId"] = r.group
		}
		all = append(all, map[string]any{"messageId": r.id, "receiptHandle": "handle-" + r.id, "body": r.body, "attributes": system, "messageAttributes": map[string]any{},
			"md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": "us-east-1"})
	}
	return must(json.Marshal(map[string]any{"Records": all}))
}

// numbered are n records with the ids m0, m1 … and bodies {"n":0}, {"n":1} …
func numbered(n int) []record {
	var all []record
	for i := range n {
		all = append(all, record{id: fmt.Sprintf("m%d", i), body: fmt.Sprintf(`{"n":%d}`, i)})
	}
	return all
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// failures are the ids in a batch's reply, whose form is checked to the letter.
func failures(t testing.TB, reply []byte) []string {
	t.Helper()
	var got batchReply
	if err := json.Unmarshal(reply, &got); err != nil {
		t.Fatalf("%s: %v", reply, err)
	}
	want := `{"batchItemFailures":[`
	var ids []string
	for i, f := range got.Failures {
		if i > 0 {
			want += ","
		}
		want += fmt.Sprintf(`{"itemIdentifier":%q}`, f.ID)
		ids = append(ids, f.ID)
	}
	if want += "]}"; string(reply) != want {
		t.Errorf("the reply is %s, want the form %s", reply, want)
	}
	return ids
}

// numberOf is n of a body {"n":…}, -1 for any other.
func numberOf(body []byte) int {
	v := struct{ N int }{-1}
	if json.Unmarshal(body, &v) != nil {
		return -1
	}
	return v.N
}
