package lambdatest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// canaryCore is in every secret of the tests, and in nothing that a program may
// write. Each run has its own.
var canaryCore = func() string {
	b := make([]byte, 8)
	rand.Read(b)
	return "canary-" + hex.EncodeToString(b)
}()

// canary is a secret of this run. It has characters that JSON, URLs and Go's
// quotes write differently.
func canary(name string) string { return name + `"<` + canaryCore + `>&\ü` }

// checkForCanaries fails the test if a text holds a secret.
func checkForCanaries(t testing.TB, what, text string) {
	t.Helper()
	if i := strings.Index(text, canaryCore); i >= 0 {
		t.Errorf("%s shows a secret: …%s…", what, text[max(0, i-200):min(len(text), i+len(canaryCore)+40)])
	}
}

// keeper is AWS Systems Manager and AWS Secrets Manager as far as functions ask
// them.
type keeper struct {
	t   testing.TB
	url string

	mu     sync.Mutex
	values map[string]string
	asked  int
}

func newKeeper(t testing.TB, values map[string]string) *keeper {
	k := &keeper{t: t, values: values}
	s := httptest.NewServer(k)
	t.Cleanup(s.Close)
	k.url = s.URL
	return k
}

func (k *keeper) set(name, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.values[name] = text
}

// ServeHTTP answers GetParameter and GetSecretValue.
func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name, SecretID string
		WithDecryption bool
	}
	target := r.Header.Get("X-Amz-Target")
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.Contains(r.Header.Get("Authorization"), "Credential=local/") {
		k.t.Errorf("%s: %v, Authorization %q", target, err, r.Header.Get("Authorization"))
	}
	k.mu.Lock()
	k.asked++
	text, ok := k.values[in.Name+in.SecretID]
	k.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var out any
	switch {
	case !ok:
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"__type": "ParameterNotFound"}
	case target == "AmazonSSM.GetParameter" && in.WithDecryption:
		out = map[string]any{"Parameter": map[string]any{"Name": in.Name, "Type": "SecureString", "Value": text, "Version": 1}}
	case target == "secretsmanager.GetSecretValue":
		out = map[string]any{"Name": in.SecretID, "SecretString": text}
	default:
		k.t.Errorf("asked for %s of %+v", target, in)
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		k.t.Error(err)
	}
}

// keys are the secrets of testdata/secrets, kept in both services.
func (k *keeper) env(mqtt string) []string {
	return []string{"AWS_ENDPOINT_URL_SSM=" + k.url, "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + k.url, "MQTT_URL=" + mqtt,
		lambda.EnvSecret("SIGNING_KEY") + "=ssm:/secrets/prod/SIGNING_KEY", lambda.EnvSecret("MQTT_PASSWORD") + "=secretsmanager:secrets/broker#password",
		lambda.EnvSecret("BROKER") + "=ssm:arn:aws:ssm:us-east-1:000000000000:parameter/broker", "AWS_LAMBDA_LOG_LEVEL=TRACE"}
}

const (
	keyParameter    = "/secrets/prod/SIGNING_KEY"
	passwordSecret  = "secrets/broker"
	brokerParameter = "arn:aws:ssm:us-east-1:000000000000:parameter/broker"
)

func passwordJSON(t testing.TB, password string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"username": "flow", "password": password})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func secrets(t testing.TB) map[string]string {
	return map[string]string{keyParameter: canary("key"), passwordSecret: passwordJSON(t, canary("password")), brokerParameter: "mqtt://127.0.0.1:1"}
}

func TestSecretsAreUsedAndNeverShown(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, secrets(t))
	f := startFunction(t, functionOptions{path: "testdata/secrets", flow: "hook", env: k.env("mqtt://127.0.0.1:1")})
	ask := gateway(t, eventV2, func(string) *function { return f })
	mac := hmac.New(sha256.New, []byte(canary("key")))
	mac.Write([]byte("hello"))
	signature := hex.EncodeToString(mac.Sum(nil))
	for _, c := range []struct {
		path, signature string
		want            int
	}{
		{"/hook", signature, 200}, {"/hook", signature[1:] + "0", 401}, {"/careless", "", 500}, {"/wrong", "", 500},
	} {
		got := ask(request{method: "POST", path: c.path, header: [][2]string{{"X-Signature", c.signature}}, body: []byte("hello")})
		if got.status != c.want {
			t.Errorf("%s: %s, want %d", c.path, got.line(), c.want)
		}
		checkForCanaries(t, "the answer of "+c.path, got.line()+fmt.Sprint(got.header))
	}
	f.stop(terminate) // so that all of its log is read
	for _, shown := range []string{"the key is ", "with the key ", "https://api.example.com/?key="} {
		if !strings.Contains(f.log(), shown) {
			t.Errorf("the log has no %q: the test tests nothing\n%s", shown, f.tail())
		}
	}
}

func TestAFailedInitShowsNoSecret(t *testing.T) {
	t.Parallel()
	broken := secrets(t)
	broken[brokerParameter] = "mqtt://flow:" + canaryCore + "@broker.example.com:port/%zz"
	noJSON := secrets(t)
	noJSON[passwordSecret] = `{"password":` + canary("x")
	noKey := secrets(t)
	noKey[passwordSecret] = `{"pass":"` + canaryCore + `"}`
	missing := secrets(t)
	delete(missing, keyParameter)
	for name, c := range map[string]struct {
		values map[string]string
		flow   string
		// named is what the message has to name.
		named string
	}{
		"an address that is none":         {broken, "elsewhere", "other"},
		"a secret that is no JSON":        {noJSON, "publish", "MQTT_PASSWORD"},
		"a secret without the key":        {noKey, "publish", "MQTT_PASSWORD"},
		"a parameter that does not exist": {missing, "hook", "SIGNING_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, c.values)
			f := launch(t, functionOptions{path: "testdata/secrets", flow: c.flow, env: k.env("mqtt://127.0.0.1:1")})
			<-f.ended
			if f.cmd.ProcessState.ExitCode() == 0 {
				t.Errorf("the init succeeds")
			}
			select {
			case failed := <-f.api.InitFailed():
				checkForCanaries(t, "the error of the init", failed.Error())
				t.Logf("init error: %v", failed)
			default:
				t.Errorf("Lambda was not told why the init failed\n%s", f.tail())
			}
			if !strings.Contains(f.log(), c.named) {
				t.Errorf("the log does not name %s:\n%s", c.named, f.tail())
			}
		})
	}
}

// attempt invokes the function with one message and reports whether it was done.
func attempt(t testing.TB, f *function, id string) bool {
	t.Helper()
	reply, failure, err := f.api.Invoke(context.Background(), batchEvent(t, "work", []record{{id: id}}), runtimeapi.Call{Timeout: invocationTimeout})
	if err != nil || failure != nil {
		t.Fatalf("invocation: %v %v\n%s", err, failure, f.tail())
	}
	checkForCanaries(t, "the reply", string(reply))
	return len(listed(t, reply)) == 0
}

func TestAPasswordThatIsReplacedCostsOneAttemptAtMost(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, secrets(t))
	b := newBroker(t, "flow", canary("password"))
	f := startFunction(t, functionOptions{path: "testdata/secrets", flow: "publish", env: k.env(b.url())})
	for i := range 20 {
		if !attempt(t, f, fmt.Sprint("before-", i)) {
			t.Fatalf("attempt %d failed before anything happened\n%s", i, f.tail())
		}
	}
	b.stop()
	b.password = canary("second")
	k.set(passwordSecret, passwordJSON(t, b.password))
	b.start()
	failures := 0
	for i := range 20 {
		if !attempt(t, f, fmt.Sprint("after-", i)) {
			failures++
		}
	}
	if failures > 1 {
		t.Errorf("%d attempts failed after the password was replaced, want one at most\n%s", failures, f.tail())
	}
	if code := f.stop(terminate); code != 0 {
		t.Errorf("the function ended with %d\n%s", code, f.tail())
	}
}

func TestAWrongPasswordShowsNoSecret(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, secrets(t))
	b := newBroker(t, "flow", "another")
	k.set(brokerParameter, "mqtt://flow:"+canaryCore+"@"+b.addr)
	for _, flow := range []string{"publish", "elsewhere"} {
		f := startFunction(t, functionOptions{path: "testdata/secrets", flow: flow, env: k.env(b.url())})
		for i := range 3 {
			if attempt(t, f, fmt.Sprint(i)) {
				t.Errorf("%s: a broker takes a message under a wrong password", flow)
			}
		}
		f.stop(terminate) // so that all of its log is read
		if !strings.Contains(f.log(), "refuse") {
			t.Errorf("%s: the log does not tell of the refusal\n%s", flow, f.tail())
		}
	}
}

func TestFlowctlRunShowsNoSecret(t *testing.T) {
	t.Parallel()
	b := newBroker(t, "flow", "another")
	p, head := startRun(t, "testdata/secrets", plainEnv("MQTT_URL="+b.url(), "MQTT_PASSWORD="+canary("password"),
		"SIGNING_KEY="+canary("key"), "BROKER=mqtt://flow:"+canaryCore+"@"+b.addr), "--log-level", "debug")
	a := newAccount(t, load(t, "testdata/secrets"), first(awsLine, head))
	a.send("work", "", "", "{}")
	ask := serve(t, first(httpLine, head))
	for _, path := range []string{"/hook", "/careless", "/wrong"} {
		got := ask(request{method: "POST", path: path, body: []byte("hello")})
		checkForCanaries(t, "the answer of "+path, got.line()+fmt.Sprint(got.header))
	}
	eventually(t, "the broker's refusal is logged", func() bool { return strings.Contains(p.log(), "refuse") })
	p.stop(interrupt) // so that all of its log is read
	for _, shown := range []string{"the key is ", "with the key "} {
		if !strings.Contains(p.log(), shown) {
			t.Errorf("the log has no %q: the test tests nothing\n%s", shown, p.log())
		}
	}
}
