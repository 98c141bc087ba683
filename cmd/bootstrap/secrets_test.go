package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/internal/redact"
)

// vault is AWS Systems Manager with one value under all names.
type vault struct {
	*httptest.Server
	mu    sync.Mutex
	value string
	down  bool
	asked int
}

func startVault(t *testing.T, value string) *vault {
	t.Helper()
	v := &vault{value: value}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked++
		if v.down {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"AccessDeniedException","Message":"no longer"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]string{"Value": v.value}})
	}))
	t.Cleanup(v.Close)
	return v
}

func (v *vault) set(value string, down bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.value, v.down = value, down
}

func (v *vault) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.asked
}

// The canary is the secret in every test of this file.
const canary, canary2 = "canary-pass/word+1", "canary-pass\"word\"2"

func TestASecretThatIsReplacedCostsOneFailedInvocation(t *testing.T) {
	v, b := startVault(t, canary), startBroker(t, canary)
	r := launch(t, folder(t, map[string]string{"flow.yaml": publishing}), "BROKER="+b.url(), "FLOWCTL_SECRET_PASSWORD=ssm:/app/password", "AWS_ENDPOINT_URL_SSM="+v.URL).ready()
	for range 2 {
		if _, failure := r.invoke(`{"n":1}`); failure != nil {
			t.Fatal(failure)
		}
	}
	if v.count() != 1 {
		t.Errorf("asked %d times before the secret was replaced", v.count())
	}
	v.set(canary2, false)
	b.demand(canary2)
	failures := 0
	for range 3 {
		if _, failure := r.invoke(`{"n":2}`); failure != nil {
			failures++
			if failure.Type != "refused" || strings.Contains(failure.Message, "canary") {
				t.Errorf("%+v", failure)
			}
		}
	}
	if failures != 1 || v.count() != 2 {
		t.Errorf("%d invocations failed, the secret was asked for %d times", failures, v.count())
	}
	if strings.Contains(r.log.String(), "canary") {
		t.Errorf("the log shows the secret:\n%s", r.log.String())
	}
	if !strings.Contains(r.log.String(), `"settings":["PASSWORD"]`) {
		t.Errorf("the log does not name the setting:\n%s", r.log.String())
	}
}

func TestAFunctionWhoseSecretIsNotToBeHadDoesNotStart(t *testing.T) {
	v := startVault(t, canary)
	v.set(canary, true)
	r := launch(t, folder(t, map[string]string{"flow.yaml": publishing}), "BROKER=mqtt://127.0.0.1:1", "FLOWCTL_SECRET_PASSWORD=ssm:/app/password", "AWS_ENDPOINT_URL_SSM="+v.URL)
	if err := r.ended(); err == nil {
		t.Error("the bootstrap ended well")
	}
	told := <-r.api.InitFailed()
	if want := "the secret setting PASSWORD: getting the parameter /app/password from AWS Systems Manager in us-east-1: no longer"; told.Type != "Init.access_denied" || !strings.HasPrefix(told.Message, want) {
		t.Errorf("%+v", told)
	}
}

func TestASecretInTheEnvironmentItselfIsNotLoggedEither(t *testing.T) {
	const telling = `
version: 1
env: {TOKEN: {secret: true}}
flows:
  work:
    nodes:
      call: {type: invoke.in, next: tell}
      tell: {type: log, message: "the token is ${{ env.TOKEN }}"}
`
	r := launch(t, folder(t, map[string]string{"flow.yaml": telling}), "TOKEN="+canary).ready()
	if _, failure := r.invoke(`{}`); failure != nil {
		t.Error(failure)
	}
	if log := r.log.String(); strings.Contains(log, "canary") || !strings.Contains(log, "the token is [secret]") {
		t.Errorf("%s", log)
	}
}

// inProcess is a function in this process, on a clock of the test.
type inProcess struct {
	*process
	*vault
	broker *broker
	t      *testing.T
	time   time.Time
}

func open(t *testing.T) *inProcess {
	t.Helper()
	p := &inProcess{vault: startVault(t, canary), broker: startBroker(t, canary), t: t, time: time.Now()}
	secrets := &redact.Secrets{}
	var err error
	p.process, err = start(t.Context(), options{environ: []string{"LAMBDA_TASK_ROOT=" + folder(t, map[string]string{"flow.yaml": publishing}), "BROKER=" + p.broker.url(),
		"FLOWCTL_SECRET_PASSWORD=ssm:/app/password", "AWS_ENDPOINT_URL_SSM=" + p.URL, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key"},
		log: slog.New(slog.DiscardHandler), secrets: secrets, now: func() time.Time { return p.time }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.leave()
		p.clients.CloseIdle()
	})
	return p
}

func (p *inProcess) works() bool {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	_, err := p.Invoke(ctx, []byte(`{}`))
	return err == nil
}

func (p *inProcess) expect(about string, works bool, asked int) {
	p.t.Helper()
	if got := p.works(); got != works {
		p.t.Errorf("%s: an invocation works: %v, want %v", about, got, works)
	}
	if p.count() != asked {
		p.t.Errorf("%s: the secret was asked for %d times, want %d", about, p.count(), asked)
	}
}

func TestSecretsAreFetchedAgainAtMostEveryTenSeconds(t *testing.T) {
	p := open(t)
	p.expect("at first", true, 1)
	p.broker.demand("something else")
	p.expect("the first refusal", false, 1)
	p.expect("the next invocation", false, 2)
	p.expect("one soon after", false, 2)
	p.time = p.time.Add(refetchPause - time.Millisecond)
	p.expect("one within the pause", false, 2)
	p.time = p.time.Add(time.Millisecond)
	p.expect("one after the pause", false, 3)
	p.set(canary2, false)
	p.broker.demand(canary2)
	p.time = p.time.Add(refetchPause)
	p.expect("the secret is right again", true, 4)
	p.expect("and stays so", true, 4)
	if text := p.secrets.Text(canary + " " + canary2); strings.Contains(text, "canary") {
		t.Errorf("the log would show %q", text)
	}
}

func TestAFunctionGoesOnWithTheSecretsItHasWhenNoneAreToBeHad(t *testing.T) {
	p := open(t)
	p.expect("at first", true, 1)
	p.broker.demand("for a while")
	p.expect("refused", false, 1)
	p.set("", true)
	p.broker.demand(canary)
	p.expect("the service is down", true, 2)
}

func TestInvocationsUnderWayEndOnTheFunctionTheyBeganOn(t *testing.T) {
	p := open(t)
	g := p.enter()
	p.set(canary2, false)
	p.suspect.Store(true)
	p.renew(t.Context())
	if p.current == g {
		t.Fatal("the function was not replaced")
	}
	select {
	case <-g.idle:
		t.Error("the function before is idle while an invocation is under way")
	default:
	}
	p.exit(g)
	<-g.idle
}

func TestInvocationsAtOnceSurviveAReplacedSecret(t *testing.T) {
	const parallel, each = 16, 40
	p := open(t)
	replace := sync.OnceFunc(func() {
		p.set(canary2, false)
		p.broker.demand(canary2)
	})
	var failed atomic.Int64
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for i := range each {
				if i == each/2 {
					replace()
				}
				if !p.works() {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n == 0 || n > parallel || !p.works() {
		t.Errorf("%d invocations failed, want one of each of the %d callers at most", n, parallel)
	}
}

func TestRefusalsThatAFlowCatchesRenewSecretsToo(t *testing.T) {
	v, b := startVault(t, canary), startBroker(t, canary)
	caught := strings.Replace(publishing, `"${{ event.body }}"}`, `"${{ event.body }}", catch: note}
      note: {type: log, message: not published}`, 1)
	r := launch(t, folder(t, map[string]string{"flow.yaml": caught}), "BROKER="+b.url(), "FLOWCTL_SECRET_PASSWORD=ssm:/app/password", "AWS_ENDPOINT_URL_SSM="+v.URL).ready()
	v.set(canary2, false)
	b.demand(canary2)
	for range 2 {
		if _, failure := r.invoke(`{}`); failure != nil {
			t.Error(failure)
		}
	}
	if b.count("REFUSED") != 1 || b.count("PUBLISH") != 1 {
		t.Errorf("the broker saw %v", b.seen())
	}
}
