package lambda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/internal/lambda/event"
)

// Lambda calls a process several times at once where
// AWS_LAMBDA_MAX_CONCURRENCY says so.
func TestTenThousandInvocationsSixteenAtATimeEachGetTheirOwnReply(t *testing.T) {
	const invocations, parallel = 10_000, 16
	var runs atomic.Int64
	f := app{flow: everything + direct, resources: everythingsResources, do: func(_ context.Context, body []byte) error {
		if runs.Add(1)%1000 == 0 {
			return errors.New("on purpose")
		}
		return nil
	}}.function(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > invocations {
					return
				}
				if err := invokeSomething(ctx, f, i); err != nil {
					if !strings.Contains(err.Error(), "on purpose") {
						t.Error(err)
						return
					}
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if want := runs.Load() / 1000; failed.Load() != want || runs.Load() < invocations {
		t.Errorf("%d of %d runs failed, want %d", failed.Load(), runs.Load(), want)
	}
}

// invokeSomething makes one of several kinds of calls and checks that the reply
// is its own. A run that fails on purpose is the error.
func invokeSomething(ctx context.Context, f *Function, i int) error {
	switch i % 3 {
	case 0:
		want := fmt.Sprintf(`{"call":%d}`, i)
		reply, err := f.Invoke(ctx, []byte(want))
		if err == nil && string(reply) != want {
			return fmt.Errorf("the call %s got %s", want, reply)
		}
		return err
	case 1:
		id := fmt.Sprint("m-", i)
		reply, err := f.Invoke(ctx, batchOf(queueARN, record{id, "text", ""}))
		if err == nil && string(reply) == `{"batchItemFailures":[{"itemIdentifier":"`+id+`"}]}` {
			return errors.New("on purpose")
		}
		if err == nil && string(reply) != `{"batchItemFailures":[]}` {
			return fmt.Errorf("the batch %s got %s", id, reply)
		}
		return err
	}
	correlation := fmt.Sprint("c-", i)
	reply, err := f.Invoke(ctx, get("/any", map[string]string{"x-correlation-id": correlation}))
	if err != nil {
		return err
	}
	if strings.Contains(string(reply), `"statusCode":503`) {
		return errors.New("on purpose")
	}
	if !strings.Contains(string(reply), correlation) || !strings.Contains(string(reply), `"statusCode":200`) {
		return fmt.Errorf("the request %s got %s", correlation, reply)
	}
	return nil
}

func TestCloseWaitsForRequestsAsLongAsItMay(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	f := app{flow: "nodes:\n  in: {type: http.in, method: GET, path: /x, next: work}\n  work: {type: test.hook, next: out}\n  out: {type: http.response}",
		do: func(context.Context, []byte) error {
			close(begun)
			<-release
			return nil
		}}.function(t)
	answered := make(chan error, 1)
	go func() {
		reply, err := f.Invoke(context.Background(), get("/x", nil))
		if err == nil && !strings.Contains(string(reply), "200") {
			err = errors.New(string(reply))
		}
		answered <- err
	}()
	<-begun
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Close(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("closing with a request under way: %v", err)
	}
	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := f.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if reply, err := f.Invoke(t.Context(), get("/x", nil)); err != nil || !strings.Contains(string(reply), "503") {
		t.Errorf("after Close: %s, %v", reply, err)
	}
}

func TestAnAnswerThatLambdaDoesNotPassOnIsAnError(t *testing.T) {
	large := strings.Repeat("x", event.MaxReply)
	const flow = `
nodes:
  call: {type: invoke.in, next: reply}
  reply: {type: invoke.reply, value: "${{ event.body }}"}
  route: {type: http.in, method: POST, path: /x, format: text, max_body: 6MiB, next: out}
  out: {type: http.response, body: "${{ event.body + event.body }}"}`
	var log bytes.Buffer
	f := app{flow: flow, log: slog.New(slog.NewTextHandler(&log, nil))}.function(t)
	var e *Error
	if _, err := f.Invoke(t.Context(), []byte(`"`+large+`"`)); !errors.As(err, &e) || e.Code != CodeReplyTooLarge {
		t.Errorf("%v", err)
	}
	half := slices.Repeat([]byte("x"), event.MaxReply/2)
	request := fmt.Appendf(nil, `{"version":"2.0","rawPath":"/x","headers":{"content-type":"text/plain"},"body":"%s","requestContext":{"domainName":"d","http":{"method":"POST","path":"/x"}}}`, half)
	reply, err := f.Invoke(t.Context(), request)
	if err != nil || !strings.Contains(string(reply), `"statusCode":500`) || !strings.Contains(string(reply), "too large") {
		t.Errorf("%.300s, %v", reply, err)
	}
	if told := log.String(); !regexp.MustCompile(`level=ERROR msg="the answer to a request was not passed on whole" flow=work run=\w+ omitted="?\[the whole reply: it has \d+ bytes`).MatchString(told) {
		t.Errorf("the log does not tell of the answer:\n%.3000s", told)
	}
}

func TestCookiesThatALoadBalancerCannotSendAreLogged(t *testing.T) {
	var log bytes.Buffer
	f := app{flow: "nodes:\n  in: {type: http.in, method: GET, path: /x, next: out}\n  out: {type: http.response, headers: {Set-Cookie: [a=1, b=2]}}",
		log: slog.New(slog.NewTextHandler(&log, nil))}.function(t)
	reply, err := f.Invoke(t.Context(), []byte(`{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"GET","path":"/x","headers":{"host":"h"},"body":"","isBase64Encoded":false}`))
	if err != nil || !strings.Contains(string(reply), `"Set-Cookie":"b=2"`) {
		t.Errorf("%s, %v", reply, err)
	}
	if told := log.String(); !strings.Contains(told, "all but the last of 2 Set-Cookie headers; switch multi-value headers on") {
		t.Errorf("the log does not tell of the cookies:\n%s", told)
	}
}
