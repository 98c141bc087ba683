package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// asFunction makes the test binary a function of the flow below: one that keeps
// what it was called with beyond the calls, as a node that has not ended by the
// deadline does.
const asFunction = "LAMBDA_TEST_FUNCTION"

const keeping = `
nodes:
  queue: {type: sqs.in, queue: jobs, next: keep}
  keep: {type: test.hook, body: "${{ event.body }}"}
  call: {type: invoke.in, next: told}
  told: {type: test.hook, body: told, next: reply}
  reply: {type: invoke.reply, value: "${{ event.body }}"}
  route: {type: http.in, method: POST, path: /keep, next: posted}
  posted: {type: test.hook, body: "${{ event.body }}", next: done}
  done: {type: http.response}`

// bodies is what a process was called with.
type bodies struct {
	mu   sync.Mutex
	kept [][]byte
}

func runAsFunction() {
	if os.Getenv(asFunction) == "" {
		return
	}
	b := &bodies{}
	tb := &fatal{}
	f := app{flow: keeping, resources: jobs, do: func(_ context.Context, body []byte) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.kept = append(b.kept, body) // the slice itself
		return nil
	}}.function(tb)
	runtime.Start(&teller{f, b})
}

// fatal is a testing.TB for where there is no test.
type fatal struct{ testing.TB }

func (*fatal) Helper()          {}
func (*fatal) Fatal(why ...any) { panic(fmt.Sprint(why...)) }

// teller tells on the call "tell" what was kept so far.
type teller struct {
	*Function
	*bodies
}

func (f *teller) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if string(payload) != `"tell"` {
		return f.Function.Invoke(ctx, payload)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var texts []string
	for _, k := range f.kept {
		texts = append(texts, string(k))
	}
	return json.Marshal(texts)
}

// startFunction runs the function of this file until the test ends.
func startFunction(t *testing.T, env ...string) *runtimeapi.API {
	t.Helper()
	api := runtimeapi.New()
	cmd := exec.Command(os.Args[0])
	cmd.Env = slices.Concat(api.Env("work", t.TempDir()), env, []string{asFunction + "=1"})
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		api.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return api
}

// The library gives the same bytes to one invocation after the other.
func TestNothingOfAPayloadIsKeptPastTheReply(t *testing.T) {
	api := startFunction(t)
	call := func(payload []byte) []byte {
		t.Helper()
		reply, failure, err := api.Invoke(t.Context(), payload, runtimeapi.Call{Timeout: time.Minute})
		if failure != nil || err != nil {
			t.Fatal(failure, err)
		}
		return reply
	}
	var want []string
	for i, size := range []int{5000, 20, 300, 60000, 1} {
		body := fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat(string(rune('a'+i)), size))
		want = append(want, body, body)
		call(batchOf(queueARN, record{fmt.Sprint(i), body, ""}))
		call(must(json.Marshal(map[string]any{"version": "2.0", "rawPath": "/keep", "headers": map[string]string{"content-type": "application/json"}, "body": body,
			"requestContext": map[string]any{"domainName": "x.execute-api.us-east-1.amazonaws.com", "stage": "$default", "http": map[string]any{"method": "POST", "path": "/keep", "sourceIp": "192.0.2.1"}}})))
	}
	var got []string
	if err := json.Unmarshal(call([]byte(`"tell"`)), &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("kept\n%.300v\nwant\n%.300v", got, want)
	}
}

func TestErrorsReachLambdaWithCodeAndText(t *testing.T) {
	api := startFunction(t)
	_, failure, err := api.Invoke(t.Context(), batchOf(queueARN, record{"", "{}", ""}), runtimeapi.Call{Timeout: time.Minute})
	if err != nil || failure == nil || !strings.Contains(failure.Message, "record 1 of 1 has no messageId") {
		t.Errorf("%v, %v", failure, err)
	}
	if reply, failure, err := api.Invoke(t.Context(), []byte(`{"still":"alive"}`), runtimeapi.Call{Timeout: time.Minute}); string(reply) != `{"still":"alive"}` {
		t.Error(failure, err)
	}
}
