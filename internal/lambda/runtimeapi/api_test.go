package runtimeapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// asFunction makes the test binary a function.
const asFunction = "RUNTIMEAPI_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) != "" {
		runtime.StartWithOptions(function, runtime.WithEnableSIGTERM())
	}
	goleak.VerifyTestMain(m)
}

// function gives back what it was called with, in a form by what it was told.
func function(ctx context.Context, in map[string]any) (any, error) {
	switch in["do"] {
	case "fail":
		return nil, errors.New("on purpose")
	case "panic":
		panic("on purpose")
	case "wait":
		<-ctx.Done()
		select {}
	case "stream":
		return io.MultiReader(strings.NewReader("the beginning"), iotest.ErrReader(errors.New("on purpose"))), nil
	case "long":
		return map[string]any{"text": strings.Repeat("x", runtimeapi.MaxPayload)}, nil
	}
	lc, _ := lambdacontext.FromContext(ctx)
	end, _ := ctx.Deadline()
	in["id"], in["arn"], in["trace"], in["deadline"] = lc.AwsRequestID, lc.InvokedFunctionArn, ctx.Value("x-amzn-trace-id"), end.UnixMilli()
	return in, nil
}

// start runs the function of this test until the test ends.
func start(t *testing.T, env ...string) *runtimeapi.API {
	t.Helper()
	api := runtimeapi.New()
	cmd := exec.Command(os.Args[0])
	cmd.Env = slices.Concat(api.Env("echo", t.TempDir()), env, []string{asFunction + "=1"})
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
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

func TestAFunctionGetsWhatACallBringsAndItsReplyComesBack(t *testing.T) {
	api := start(t)
	before := time.Now()
	reply, failure, err := api.Invoke(t.Context(), []byte(`{"n":1}`), runtimeapi.Call{ID: "request-1", Timeout: time.Minute, TraceID: "Root=1-2-3", FunctionARN: "arn:f"})
	if err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	var got struct {
		N              int
		ID, ARN, Trace string
		Deadline       int64
	}
	if err := json.Unmarshal(reply, &got); err != nil {
		t.Fatal(err)
	}
	if got.N != 1 || got.ID != "request-1" || got.ARN != "arn:f" || got.Trace != "Root=1-2-3" || got.Deadline < before.Add(time.Minute).UnixMilli() {
		t.Errorf("%s", reply)
	}
	select {
	case <-api.Started():
	default:
		t.Error("a function that was called has not started")
	}
	if names := api.Extensions(); !slices.Equal(names, []string{"GoLangEnableSIGTERM"}) {
		t.Errorf("extensions %v", names)
	}
}

func TestWhatAFunctionReportsIsItsError(t *testing.T) {
	api := start(t)
	for _, c := range []struct{ payload, kind, message string }{
		{`{"do":"fail"}`, "errorString", "on purpose"},
		{`{"do":"stream"}`, "errorString", "on purpose"},
		// The last one: the library ends the process.
		{`{"do":"long"}`, "Function.ResponseSizeTooLarge", "6291556"},
	} {
		reply, failure, err := api.Invoke(t.Context(), []byte(c.payload), runtimeapi.Call{Timeout: time.Minute})
		if err != nil || failure == nil || reply != nil || failure.Type != c.kind || !strings.Contains(failure.Message, c.message) {
			t.Errorf("%s: %v, %v, %d bytes", c.payload, err, failure, len(reply))
		}
	}
}

func TestAPanicIsReportedWithItsTrace(t *testing.T) {
	_, failure, err := start(t).Invoke(t.Context(), []byte(`{"do":"panic"}`), runtimeapi.Call{Timeout: time.Minute})
	if err != nil || failure == nil || failure.Message != "on purpose" || len(failure.Trace) == 0 {
		t.Errorf("%v, %+v", err, failure)
	}
}

func TestAFunctionThatDoesNotReplyTimesOut(t *testing.T) {
	api := start(t)
	<-api.Started()
	if _, _, err := api.Invoke(t.Context(), []byte(`{"do":"wait"}`), runtimeapi.Call{Timeout: 100 * time.Millisecond}); !errors.Is(err, runtimeapi.ErrTimeout) {
		t.Errorf("%v", err)
	}
}

func TestAFunctionThatAsksSeveralTimesGetsAsManyInvocations(t *testing.T) {
	const n = 8
	api := start(t, fmt.Sprintf("AWS_LAMBDA_MAX_CONCURRENCY=%d", n))
	var wg sync.WaitGroup
	for range n - 1 { // each holds one of the function's loops
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		wg.Go(func() {
			if _, _, err := api.Invoke(ctx, []byte(`{"do":"wait"}`), runtimeapi.Call{Timeout: time.Minute}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	if _, failure, err := api.Invoke(t.Context(), []byte(`{}`), runtimeapi.Call{Timeout: time.Minute}); failure != nil || err != nil {
		t.Error(failure, err)
	}
	t.Cleanup(wg.Wait)
}

func TestNobodyAskingIsSaidSo(t *testing.T) {
	api := runtimeapi.New()
	defer api.Close()
	_, _, err := api.Invoke(t.Context(), nil, runtimeapi.Call{Timeout: time.Millisecond})
	if !errors.Is(err, runtimeapi.ErrTimeout) || !strings.Contains(err.Error(), "no function asked") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := api.Invoke(ctx, nil, runtimeapi.Call{Timeout: time.Minute}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, _, err := api.Invoke(ctx, make([]byte, runtimeapi.MaxPayload+1), runtimeapi.Call{}); err == nil {
		t.Error("a payload that Lambda does not take was taken")
	}
}

func TestReportsThatTheServiceRefusesAreRefused(t *testing.T) {
	api := runtimeapi.New()
	defer api.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/2018-06-01/runtime/invocation/unknown/response", `{}`, http.StatusBadRequest},
		{"/2018-06-01/runtime/invocation/unknown/error", `{}`, http.StatusBadRequest},
		{"/2018-06-01/runtime/init/error", `no JSON`, http.StatusBadRequest},
		{"/2018-06-01/runtime/init/error", `{"errorType":"a","errorMessage":"b"}`, http.StatusAccepted},
		{"/2018-06-01/runtime/init/error", `{"errorType":"second"}`, http.StatusAccepted},
		{"/2020-01-01/extension/register", `{}`, http.StatusBadRequest},
		{"/2018-06-01/runtime/nothing", `{}`, http.StatusNotFound},
	} {
		response, err := client.Post("http://"+api.Addr()+c.path, "application/json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.path, response.Status, c.status)
		}
	}
	if e := <-api.InitFailed(); e.Type != "a" || e.Message != "b" || e.Error() != "a: b" {
		t.Errorf("%+v", e)
	}
	response, err := client.Get("http://" + api.Addr() + "/2020-01-01/extension/event/next")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("an extension that is not registered: %s", response.Status)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	api := runtimeapi.New()
	ended := make(chan error, 1)
	go func() {
		_, _, err := api.Invoke(context.Background(), nil, runtimeapi.Call{Timeout: time.Minute})
		ended <- err
	}()
	api.Close()
	if err := <-ended; !errors.Is(err, runtimeapi.ErrClosed) {
		t.Error(err)
	}
	api.Close()
}
