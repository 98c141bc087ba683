package secret

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// services are AWS Systems Manager and Secrets Manager at one address.
type services struct {
	t *testing.T
	// answers are what is replied, by what the request names; the last one of a
	// name stays.
	answers map[string][]answer

	mu    sync.Mutex
	calls map[string]int
}

type answer struct {
	status int
	body   string
}

func ok(body string) answer { return answer{http.StatusOK, body} }

var signature = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=id/\d{8}/([a-z0-9-]+)/([a-z]+)/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*x-amz-date[a-z0-9;-]*x-amz-target, Signature=[0-9a-f]{64}$`)

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in struct {
		Name, SecretID string
		WithDecryption bool
	}
	if err != nil || json.Unmarshal(body, &in) != nil {
		s.t.Errorf("%s, %v", body, err)
	}
	signed := signature.FindStringSubmatch(r.Header.Get("Authorization"))
	want := map[string]string{"AmazonSSM.GetParameter": "ssm", "secretsmanager.GetSecretValue": "secretsmanager"}[r.Header.Get("X-Amz-Target")]
	if signed == nil || want == "" || signed[2] != want || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || r.Method != http.MethodPost || r.URL.Path != "/" {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, r.Header)
	}
	if want == "ssm" && !in.WithDecryption {
		s.t.Error("a parameter was asked for without decryption")
	}
	name := in.Name + in.SecretID
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[name+" "+signed[1]]++
	answers := s.answers[name]
	if len(answers) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"it is not there"}`)
		return
	}
	if len(answers) > 1 {
		s.answers[name] = answers[1:]
	}
	w.WriteHeader(answers[0].status)
	_, _ = io.WriteString(w, answers[0].body)
}

func open(t *testing.T, answers map[string][]answer) (*Store, *services) {
	t.Helper()
	s := &services{t: t, answers: answers, calls: map[string]int{}}
	server := httptest.NewServer(s)
	clients := awsclient.New(awsclient.Options{LoadConfig: func(context.Context) (aws.Config, error) {
		return aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")}, nil
	}})
	t.Cleanup(func() {
		clients.CloseIdle()
		server.Close()
	})
	return New(clients, func(string) string { return "" }), s
}

func TestValuesAreFetchedFromWhereTheReferencesSay(t *testing.T) {
	const elsewhere = "arn:aws:secretsmanager:us-east-2:123456789012:secret:shared-AbCdEf"
	store, s := open(t, map[string][]answer{
		"/app/token":       {ok(`{"Parameter":{"Name":"/app/token","Type":"SecureString","Value":"canary-1"}}`)},
		"plain":            {ok(`{"Name":"plain","SecretString":"canary-2"}`)},
		"object":           {ok(`{"SecretString":"{\"user\":\"u\",\"password\":\"canary-3\",\"port\":5432,\"list\":[1,2]}"}`)},
		"binary":           {ok(`{"SecretBinary":"Y2FuYXJ5LTQ="}`)},
		elsewhere:          {ok(`{"SecretString":"canary-5"}`)},
		"/empty":           {ok(`{"Parameter":{"Value":""}}`)},
		"/with/version":    {ok(`{}`)},
		"/with/version:3":  {ok(`{"Parameter":{"Value":"canary-6"}}`)},
		"throttled":        append(slices.Repeat([]answer{{http.StatusBadRequest, `{"__type":"ThrottlingException","Message":"slow down"}`}}, 4), ok(`{"SecretString":"canary-7"}`)),
		"/server/stumbles": {{http.StatusInternalServerError, `no JSON`}, {http.StatusServiceUnavailable, `{"__type":"InternalServerError"}`}, ok(`{"Parameter":{"Value":"canary-8"}}`)},
	})
	got, err := store.Fetch(t.Context(), map[string]string{
		"TOKEN": "ssm:/app/token", "PLAIN": "secretsmanager:plain", "USER": "secretsmanager:object#user", "PASSWORD": "secretsmanager:object#password",
		"PORT": "secretsmanager:object#port", "LIST": "secretsmanager:object#list", "BINARY": "secretsmanager:binary", "SHARED": "secretsmanager:" + elsewhere,
		"EMPTY": "ssm:/empty", "VERSION": "ssm:/with/version:3", "THROTTLED": "secretsmanager:throttled", "STUMBLES": "ssm:/server/stumbles"})
	want := map[string]string{"TOKEN": "canary-1", "PLAIN": "canary-2", "USER": "u", "PASSWORD": "canary-3", "PORT": "5432", "LIST": "[1,2]", "BINARY": "canary-4",
		"SHARED": "canary-5", "EMPTY": "", "VERSION": "canary-6", "THROTTLED": "canary-7", "STUMBLES": "canary-8"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if s.calls["object eu-west-1"] != 1 || s.calls[elsewhere+" us-east-2"] != 1 {
		t.Errorf("%v", s.calls)
	}
	if got, err := store.Fetch(t.Context(), nil); got != nil || err != nil {
		t.Errorf("nothing to fetch: %v, %v", got, err)
	}
}

func TestWhatIsNotToBeHadIsNamedWithoutAValue(t *testing.T) {
	for _, c := range []struct {
		reference string
		answer    *answer
		want      []string
		class     engine.Class
	}{
		{"ssm:/gone", nil, []string{"getting the parameter /gone from AWS Systems Manager in eu-west-1", "ParameterNotFound"}, engine.Permanent},
		{"secretsmanager:gone", &answer{http.StatusBadRequest, `{"__type":"ResourceNotFoundException","Message":"can't find it"}`}, []string{"getting the secret gone from AWS Secrets Manager in eu-west-1", "can't find it"}, engine.Permanent},
		{"ssm:/secret", &answer{http.StatusBadRequest, `{"__type":"AccessDeniedException","Message":"not authorized to perform: ssm:GetParameter"}`}, []string{"not authorized"}, engine.Permanent},
		{"secretsmanager:s#password", &answer{200, `{"SecretString":"{\"user\":\"canary\"}"}`}, []string{`the secret s in AWS Secrets Manager has no key "password"`}, engine.Retryable},
		{"secretsmanager:s#password", &answer{200, `{"SecretString":"{\"password\":null,\"user\":\"canary\"}"}`}, []string{`has no key "password"`}, engine.Retryable},
		{"secretsmanager:s#password", &answer{200, `{"SecretString":"canary"}`}, []string{"is no JSON object", "leave out #password"}, engine.Retryable},
		{"secretsmanager:s", &answer{200, `{"Name":"canary"}`}, []string{"holds no value"}, engine.Retryable},
		{"ssm:/p", &answer{200, `{"Parameter":{}}`}, []string{"holds no value"}, engine.Retryable},
		{"ssm:/p", &answer{200, `{"Parameter":{"Value":["canary"]}}`}, []string{"not JSON of the expected form"}, engine.Retryable},
		{"ssm:/p", &answer{500, `canary`}, []string{"500 Internal Server Error"}, engine.Retryable},
		{"vault:x", nil, []string{`says in no known way where the value is kept`, "ssm:NAME"}, engine.Retryable},
		{"canary, the value itself", nil, []string{"in no known way"}, engine.Retryable},
		{"ssm:", nil, []string{`"ssm:" names nothing in AWS Systems Manager`}, engine.Retryable},
		{"secretsmanager:#key", nil, []string{"names nothing in AWS Secrets Manager"}, engine.Retryable},
	} {
		answers := map[string][]answer{}
		if c.answer != nil {
			_, name, _ := strings.Cut(c.reference, ":")
			name, _, _ = strings.Cut(name, "#")
			answers[name] = []answer{*c.answer}
		}
		store, _ := open(t, answers)
		_, err := store.Fetch(t.Context(), map[string]string{"TOKEN": c.reference, "ALSO": c.reference})
		if err == nil {
			t.Errorf("%s: no error", c.reference)
			continue
		}
		for _, want := range append(c.want, "the secret setting TOKEN: ", "the secret setting ALSO: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q in it", c.reference, err, want)
			}
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error shows the value: %v", c.reference, err)
		}
		if engine.ClassOf(err) != c.class {
			t.Errorf("%s: %s, want %s", c.reference, engine.ClassOf(err), c.class)
		}
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	store, _ := open(t, map[string][]answer{"/p": {{http.StatusServiceUnavailable, `{}`}}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Fetch(ctx, map[string]string{"TOKEN": "ssm:/p"}); engine.CodeOf(err) != "stopped" {
		t.Error(err)
	}
}

func TestEndpointsAreThoseOfTheRegion(t *testing.T) {
	plain := newClient(aws.Config{}, func(string) string { return "" })
	own := newClient(aws.Config{}, func(name string) string {
		return map[string]string{"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1/"}[name]
	})
	for _, c := range []struct {
		client          *client
		service, region string
		want            string
	}{
		{plain, ssm, "eu-west-1", "https://ssm.eu-west-1.amazonaws.com/"},
		{plain, secretsManager, "us-east-2", "https://secretsmanager.us-east-2.amazonaws.com/"},
		{plain, ssm, "cn-north-1", "https://ssm.cn-north-1.amazonaws.com.cn/"},
		{plain, ssm, "us-iso-east-1", "https://ssm.us-iso-east-1.c2s.ic.gov/"},
		{plain, ssm, "us-isob-east-1", "https://ssm.us-isob-east-1.sc2s.sgov.gov/"},
		{own, ssm, "eu-west-1", "http://127.0.0.1:1/"},
		{own, secretsManager, "eu-west-1", "https://secretsmanager.eu-west-1.amazonaws.com/"},
	} {
		if got := c.client.endpoint(c.service, c.region); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.service, c.region, got, c.want)
		}
	}
}

func TestWithoutCredentialsNothingIsAsked(t *testing.T) {
	clients := awsclient.New(awsclient.Options{LoadConfig: func(context.Context) (aws.Config, error) { return aws.Config{Region: "eu-west-1"}, nil }})
	_, err := New(clients, func(string) string { return "" }).Fetch(t.Context(), map[string]string{"TOKEN": "ssm:/p"})
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != "credentials" {
		t.Error(err)
	}
}

func FuzzAReferenceIsReadOrRefused(f *testing.F) {
	for _, text := range []string{"ssm:/a", "secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:x#key", "", ":", "ssm:", "secretsmanager:#"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		again := r.Service + ":" + r.Name
		if r.Key != "" {
			again += "#" + r.Key
		}
		if r.Name == "" || again != text && again+"#" != text {
			t.Errorf("%q is read as %+v", text, r)
		}
	})
}
