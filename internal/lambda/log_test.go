package lambda

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/flowctl-dev/flowctl/internal/redact"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

// lines are the lines of a JSON log.
func lines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func invocation(ctx context.Context) context.Context {
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	//lint:ignore SA1029 the key is aws-lambda-go's
	return context.WithValue(ctx, "x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
}

func TestEveryLineOfARunTellsWhoseItIs(t *testing.T) {
	var out strings.Builder
	const flow = `
nodes:
  in: {type: sqs.in, queue: jobs, next: say}
  say: {type: log, level: info, message: hello, next: work}
  work: {type: test.hook, body: "${{ event.body }}"}`
	f := app{flow: flow, resources: jobs, log: NewLog(&out, env(map[string]string{"AWS_LAMBDA_LOG_LEVEL": "debug"}), &redact.Secrets{}), do: func(_ context.Context, body []byte) error {
		if numberOf(body) == 1 {
			panic("on purpose")
		}
		return nil
	}}.function(t)
	if _, err := f.Invoke(ColdStart(invocation(t.Context())), batchOf(queueARN, numbered(2)...)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, line := range lines(t, out.String()) {
		message, _ := line["message"].(string)
		seen[message] = true
		for key, want := range map[string]any{"requestId": "request-1", "traceId": "1-5759e988-bd862e3fe1be46a994272793", "cold_start": true, "flow": "work"} {
			if line[key] != want {
				t.Errorf("%s: %s is %v, want %v", message, key, line[key], want)
			}
		}
		ofRun := []string{"run", "correlation"}
		switch message {
		case "hello", "a node panicked; the message fails, the process goes on":
			ofRun = append(ofRun, "node")
		case "some messages of the batch are not done; they come again":
			ofRun = nil
		}
		for _, key := range append(ofRun, "timestamp", "level") {
			if v, _ := line[key].(string); v == "" {
				t.Errorf("%s: no %s: %v", message, key, line)
			}
		}
	}
	for _, message := range []string{"hello", "run done", "run failed", "a node panicked; the message fails, the process goes on", "some messages of the batch are not done; they come again"} {
		if !seen[message] {
			t.Errorf("no line %q:\n%s", message, &out)
		}
	}
}

func TestALaterInvocationIsNoColdStart(t *testing.T) {
	var out strings.Builder
	log := NewLog(&out, env(nil), &redact.Secrets{})
	log.InfoContext(invocation(t.Context()), "later")
	log.Info("outside")
	got := lines(t, out.String())
	if _, cold := got[0]["cold_start"]; cold || got[0]["requestId"] != "request-1" {
		t.Errorf("%v", got[0])
	}
	if _, has := got[1]["requestId"]; has {
		t.Errorf("%v", got[1])
	}
}

func TestTheLogObeysLambdasSettings(t *testing.T) {
	for _, c := range []struct {
		level string
		want  []string
	}{
		{"", []string{"INFO", "WARN", "ERROR", "FATAL"}},
		{"TRACE", []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}},
		{"debug", []string{"DEBUG", "INFO", "WARN", "ERROR", "FATAL"}},
		{"INFO", []string{"INFO", "WARN", "ERROR", "FATAL"}},
		{"WARN", []string{"WARN", "ERROR", "FATAL"}},
		{"ERROR", []string{"ERROR", "FATAL"}},
		{"FATAL", []string{"FATAL"}},
	} {
		var out strings.Builder
		log := NewLog(&out, env(map[string]string{"AWS_LAMBDA_LOG_LEVEL": c.level}), &redact.Secrets{})
		for _, l := range []slog.Level{levelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, levelFatal} {
			log.Log(t.Context(), l, "x")
		}
		var got []string
		for _, line := range lines(t, out.String()) {
			got = append(got, line["level"].(string))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.level, got, c.want)
		}
	}
	var text strings.Builder
	secrets := &redact.Secrets{}
	secrets.Hide("canary")
	NewLog(&text, env(map[string]string{"AWS_LAMBDA_LOG_FORMAT": "Text"}), secrets).With("a", 1).WithGroup("g").InfoContext(invocation(t.Context()), "m", "b", "a canary")
	if got := text.String(); !strings.Contains(got, `level=INFO message=m a=1 g.b="a [secret]"`) {
		t.Error(got)
	}
}
