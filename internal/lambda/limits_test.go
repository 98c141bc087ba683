package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

// under runs a test on a clock of its own, which goes on when all wait: what is
// measured is exact.
func under(t *testing.T, timeout time.Duration, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		test(t, ctx)
	})
}

func TestWhatIsNotDoneNearTheDeadlineIsListed(t *testing.T) {
	for _, c := range []struct {
		about          string
		timeout        time.Duration
		margin         time.Duration
		hangs          bool // deaf to the context
		arn, resources string
		want           []string
		begun          int32
	}{
		{"nodes that heed their context", 10 * time.Second, 500 * time.Millisecond, false, queueARN, jobs, ids(2, 3, 4, 5), 5},
		{"nodes that hang", 10 * time.Second, 500 * time.Millisecond, true, queueARN, jobs, ids(2, 3, 4, 5), 5},
		{"nodes that hang, long timeout", 10 * time.Minute, 30 * time.Second, true, queueARN, jobs, ids(2, 3, 4, 5), 5},
		{"nodes that hang, short timeout", time.Second, 500 * time.Millisecond, true, queueARN, jobs, ids(2, 3, 4, 5), 5},
		{"a group behind one that hangs", 10 * time.Second, 500 * time.Millisecond, true, fifoARN, fifoJobs, ids(2, 3, 4, 5), 3},
	} {
		t.Run(c.about, func(t *testing.T) {
			under(t, c.timeout, func(t *testing.T, ctx context.Context) {
				var begun, returned atomic.Int32
				release := make(chan struct{})
				flow := strings.Replace(fromJobs, "queue: jobs", "queue: jobs, max_in_flight: 3", 1)
				records := numbered(6)
				if c.arn == fifoARN {
					for i := range records {
						records[i].group = "g"
					}
				}
				f := app{flow: flow, resources: c.resources, do: func(ctx context.Context, body []byte) error {
					begun.Add(1)
					defer returned.Add(1)
					switch n := numberOf(body); {
					case n < 2:
						return nil
					case c.hangs:
						<-release
					default:
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				}}.function(t)
				reply, err := f.Invoke(ctx, batchOf(c.arn, records...))
				end, _ := ctx.Deadline()
				if left := time.Until(end); left < c.margin || left > c.margin+200*time.Millisecond {
					t.Errorf("the reply left %s before the deadline, want %s and little more", left, c.margin)
				}
				if err != nil || !slices.Equal(failures(t, reply), c.want) {
					t.Errorf("%s, %v; want %v", reply, err, c.want)
				}
				if !c.hangs && returned.Load() != begun.Load() {
					t.Errorf("%d nodes that heed their context have not returned", begun.Load()-returned.Load())
				}
				close(release)
				synctest.Wait()
				if begun.Load() != c.begun {
					t.Errorf("%d messages were begun, want %d", begun.Load(), c.begun)
				}
			})
		})
	}
}

func TestARequestNearTheDeadlineIsAnsweredWithTheRunsID(t *testing.T) {
	const flow = "nodes:\n  in: {type: http.in, method: GET, path: /x, next: work}\n  work: {type: test.hook, next: out}\n  out: {type: http.response}"
	for about, hangs := range map[string]bool{"a node that heeds its context": false, "a node that hangs": true} {
		t.Run(about, func(t *testing.T) {
			under(t, 10*time.Second, func(t *testing.T, ctx context.Context) {
				release := make(chan struct{})
				defer close(release)
				f := app{flow: flow, do: func(ctx context.Context, _ []byte) error {
					if !hangs {
						<-ctx.Done()
						return ctx.Err()
					}
					<-release
					return nil
				}}.function(t)
				reply, err := f.Invoke(ctx, get("/x", map[string]string{"x-correlation-id": "c-1"}))
				if end, _ := ctx.Deadline(); time.Until(end) < leastMargin {
					t.Errorf("the reply left %s before the deadline", time.Until(end))
				}
				var got struct {
					StatusCode int
					Headers    map[string]string
					Body       string
				}
				if err != nil || json.Unmarshal(reply, &got) != nil {
					t.Fatal(string(reply), err)
				}
				var answer struct{ Error, Run string }
				if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
					t.Fatal(err)
				}
				correlation := got.Headers["X-Correlation-Id"] + got.Headers["x-correlation-id"]
				if got.StatusCode != 504 || len(answer.Run) != 16 || answer.Error != "the request was not done in time" || correlation != "c-1" {
					t.Errorf("%s", reply)
				}
			})
		})
	}
}

func TestACallNearTheDeadlineFails(t *testing.T) {
	const flow = "nodes:\n  in: {type: invoke.in, next: work}\n  work: {type: test.hook}"
	for about, hangs := range map[string]bool{"a node that heeds its context": false, "a node that hangs": true} {
		t.Run(about, func(t *testing.T) {
			under(t, 10*time.Second, func(t *testing.T, ctx context.Context) {
				release := make(chan struct{})
				defer close(release)
				f := app{flow: flow, do: func(ctx context.Context, _ []byte) error {
					if !hangs {
						<-ctx.Done()
						return ctx.Err()
					}
					<-release
					return nil
				}}.function(t)
				_, err := f.Invoke(ctx, []byte(`{}`))
				var e *Error
				if !errors.As(err, &e) || e.Code != engine.CodeDeadline {
					t.Errorf("%v", err)
				}
				if end, _ := ctx.Deadline(); time.Until(end) < leastMargin {
					t.Errorf("the error came %s before the deadline", time.Until(end))
				}
			})
		})
	}
}

func TestAnInvocationThatIsLateAlreadyBeginsNothing(t *testing.T) {
	under(t, 400*time.Millisecond, func(t *testing.T, ctx context.Context) {
		f := app{flow: fromJobs, resources: jobs, do: func(context.Context, []byte) error {
			t.Error("a message was run")
			return nil
		}}.function(t)
		reply, err := f.Invoke(ctx, batchOf(queueARN, numbered(2)...))
		if err != nil || !slices.Equal(failures(t, reply), ids(0, 1)) {
			t.Errorf("%s, %v", reply, err)
		}
	})
}

func TestAnEventThatIsLateAlreadyBeginsNothing(t *testing.T) {
	under(t, 400*time.Millisecond, func(t *testing.T, ctx context.Context) {
		f := app{flow: "nodes:\n  in: {type: invoke.in, next: work}\n  work: {type: test.hook}", do: func(context.Context, []byte) error {
			t.Error("a message was run")
			return nil
		}}.function(t)
		_, err := f.Invoke(ctx, []byte(`{}`))
		var e *Error
		if !errors.As(err, &e) || e.Code != engine.CodeDeadline {
			t.Errorf("%v", err)
		}
	})
}

// get is an event of an HTTP API, payload format 2.0.
func get(path string, headers map[string]string) []byte {
	return must(json.Marshal(map[string]any{"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
		"requestContext": map[string]any{"domainName": "id.execute-api.us-east-1.amazonaws.com", "stage": "$default",
			"http": map[string]any{"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}}, "isBase64Encoded": false}))
}
