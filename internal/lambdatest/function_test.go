package lambdatest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// invocationTimeout is a function's timeout where a test is not about it.
const invocationTimeout = 30 * time.Second

// function is a process that serves invocations under a Runtime API.
type function struct {
	*process
	api *runtimeapi.API
	// broker says that the flow has connections to a broker.
	broker bool
}

// functionOptions say what a function is. The zero value of a field is left
// out of its environment.
type functionOptions struct {
	program *program
	// path is the app's folder, flow the flow that the function runs.
	path, flow string
	account    *account
	// parallel is how many invocations the process takes at a time, 1 for 0.
	parallel string
	env      []string
}

// startFunction starts a function and waits until its init is over.
func startFunction(t testing.TB, o functionOptions) *function {
	t.Helper()
	f := launch(t, o)
	select {
	case <-f.api.Started():
	case failed := <-f.api.InitFailed():
		t.Fatalf("the function's init failed: %v\n%s", failed, f.log())
	case <-f.ended:
		t.Fatalf("the function ended: %v\n%s", f.err, f.log())
	case <-time.After(patience):
		t.Fatalf("the function asks for no invocation:\n%s", f.log())
	}
	return f
}

// launch starts a function without waiting for anything.
func launch(t testing.TB, o functionOptions) *function {
	t.Helper()
	api := runtimeapi.New()
	env := append(plainEnv(api.Env("function", o.path)...), lambda.EnvFlow+"="+o.flow,
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
	if o.account != nil {
		env = append(env, "AWS_ENDPOINT_URL="+o.account.endpoint)
		addresses := o.account.addresses()
		for _, name := range slices.Sorted(maps.Keys(addresses)) {
			env = append(env, lambda.EnvResource(name)+"="+addresses[name])
		}
	}
	if o.parallel != "" {
		env = append(env, "AWS_LAMBDA_MAX_CONCURRENCY="+o.parallel)
	}
	p := o.program
	if p == nil {
		p = bootstrap
	}
	f := &function{process: startProcess(t, p.file(t), append(env, o.env...), nil, nil), api: api}
	t.Cleanup(func() {
		f.kill()
		api.Close()
	})
	return f
}

// invoke calls the function and gives its reply; an error of the function is a
// failure of the test.
func (f *function) invoke(payload []byte, timeout time.Duration) []byte {
	f.t.Helper()
	reply, failure, err := f.api.Invoke(context.Background(), payload, runtimeapi.Call{Timeout: timeout})
	if err != nil || failure != nil {
		f.t.Fatalf("invocation: %v %v\n%s", err, failure, f.tail())
	}
	return reply
}

// tail is the end of the log, for messages.
func (f *function) tail() string {
	lines := strings.Split(f.log(), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}
