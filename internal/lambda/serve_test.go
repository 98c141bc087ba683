package lambda

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

const answering = "nodes:\n  in: {type: http.in, method: GET, path: /x, next: work}\n  work: {type: test.hook, next: out}\n  out: {type: http.response, status: 201, body: {id: \"${{ run.id }}\"}}"

func TestARequestIsAnsweredByTheFlowsRoutes(t *testing.T) {
	fail := errors.New("canary: the inner text")
	for _, c := range []struct {
		about, path string
		do          func() error
		want        []string
	}{
		{"a run that answers", "/x", func() error { return nil }, []string{`"statusCode":201`, `"X-Correlation-Id":"c-1"`}},
		{"a run that fails for now", "/x", func() error { return fail }, []string{`"statusCode":503`, `"Retry-After":"1"`, `\"run\":`}},
		{"a run that fails for good", "/x", func() error { return engine.Fail(engine.Permanent, "bad", "canary", nil) }, []string{`"statusCode":500`, `\"run\":`}},
		{"a node that panics", "/x", func() error { panic("canary") }, []string{`"statusCode":500`, `\"run\":`}},
		{"no route", "/y", nil, []string{`"statusCode":404`}},
	} {
		f := app{flow: answering, do: func(context.Context, []byte) error { return c.do() }}.function(t)
		reply, err := f.Invoke(t.Context(), get(c.path, map[string]string{"x-correlation-id": "c-1"}))
		if err != nil || strings.Contains(string(reply), "canary") {
			t.Errorf("%s: %s, %v", c.about, reply, err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(reply), want) {
				t.Errorf("%s: %s; want %s in it", c.about, reply, want)
			}
		}
	}
}

// They are for the health checks of a load balancer whose target is the function.
func TestHealthIsAnsweredAsTheLocalServerDoes(t *testing.T) {
	f := app{flow: answering}.function(t)
	for path, want := range map[string]string{"/healthz": `{\"status\":\"up\"}`, "/readyz": `{\"status\":\"ready\"}`} {
		reply, err := f.Invoke(t.Context(), get(path, nil))
		if err != nil || !strings.Contains(string(reply), `"statusCode":200`) || !strings.Contains(string(reply), want) {
			t.Errorf("%s: %s, %v", path, reply, err)
		}
	}
}

func TestARequestThatCannotBeReadFails(t *testing.T) {
	f := app{flow: answering}.function(t)
	for _, event := range []string{
		`{"version":"2.0","rawPath":"/x","body":1,"requestContext":{"domainName":"d","http":{"method":"GET","path":"/x"}}}`,
		`{"version":"2.0","rawPath":"/x","body":"%%%","isBase64Encoded":true,"requestContext":{"domainName":"d","http":{"method":"GET","path":"/x"}}}`,
	} {
		var e *Error
		if reply, err := f.Invoke(t.Context(), []byte(event)); !errors.As(err, &e) || e.Code != CodeMalformedEvent {
			t.Errorf("%s: %s, %v", event, reply, err)
		}
	}
}

// The server and the engine make answers of panics; what comes through both
// must not end the process either.
func TestAPanicThatComesThroughIsAnAnswer(t *testing.T) {
	f := app{flow: answering}.function(t)
	f.server = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("canary") })
	reply, err := f.Invoke(t.Context(), get("/x", nil))
	if err != nil || !strings.Contains(string(reply), `"statusCode":500`) || strings.Contains(string(reply), "canary") {
		t.Errorf("%s, %v", reply, err)
	}
}

func TestAPanicThatComesThroughARunFailsIt(t *testing.T) {
	f := app{flow: fromJobs, resources: jobs}.function(t)
	deliver := f.guarded(func(context.Context, *engine.Message) error { panic("on purpose") })
	if err := deliver(t.Context(), engine.NewMessage(expr.Fields{}, "")); engine.CodeOf(err) != "panic" || engine.ClassOf(err) != engine.Permanent {
		t.Error(err)
	}
}

func TestASourceThatPanicsOnAnEventRefusesIt(t *testing.T) {
	f := app{flow: "nodes:\n  call: {type: invoke.in, next: work}\n  work: {type: test.hook}"}.function(t)
	f.sources[0].invoked = panicking{}
	var e *Error
	if _, err := f.Invoke(t.Context(), []byte("{}")); !errors.As(err, &e) || e.Code != "panic" {
		t.Error(err)
	}
}

type panicking struct{ engine.Invoked }

func (panicking) Messages([]byte) ([]*engine.Message, error) { panic("on purpose") }
