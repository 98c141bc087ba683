package lambda

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
)

func TestTheAccountIsTheOneOfTheEnvironment(t *testing.T) {
	cfg, err := Account(env(map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:2", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}))(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || who.AccessKeyID != "id" || who.SecretAccessKey != "key" || who.SessionToken != "token" || cfg.Region != "eu-west-1" || aws.ToString(cfg.BaseEndpoint) != "http://127.0.0.1:1" {
		t.Errorf("%+v, %+v, %v", cfg, who, err)
	}
	o := sdk.NewFromConfig(cfg).Options()
	if aws.ToString(o.BaseEndpoint) != "http://127.0.0.1:2" || o.EndpointOptions.UseFIPSEndpoint != aws.FIPSEndpointStateEnabled || o.EndpointOptions.UseDualStackEndpoint != aws.DualStackEndpointStateEnabled {
		t.Errorf("%+v, %s", o.EndpointOptions, aws.ToString(o.BaseEndpoint))
	}
	ignoring, err := Account(env(map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
		"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}))(t.Context())
	if err != nil || ignoring.BaseEndpoint != nil || sdk.NewFromConfig(ignoring).Options().BaseEndpoint != nil {
		t.Errorf("%+v, %v", ignoring, err)
	}
	plain, err := Account(env(map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}))(t.Context())
	if o := sdk.NewFromConfig(plain).Options(); err != nil || o.BaseEndpoint != nil || o.EndpointOptions.UseFIPSEndpoint != aws.FIPSEndpointStateUnset {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestWithoutCredentialsTheErrorSaysWhatIsMissing(t *testing.T) {
	_, err := Account(env(map[string]string{"AWS_REGION": "eu-west-1"}))(t.Context())
	if err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Error(err)
	}
}

func TestCredentialsThatLastForATimeAreHadFromTheirAddress(t *testing.T) {
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	answer, status := `{"AccessKeyId":"id","SecretAccessKey":"canary-key","Token":"token","Expiration":"`+expires.Format(time.RFC3339)+`"}`, http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "let me in" && a != "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("let me in\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, token := range []map[string]string{{}, {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in"}, {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file}} {
		token["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.URL
		cfg, err := Account(env(token))(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := cfg.Credentials.Retrieve(t.Context())
		if err != nil || got.AccessKeyID != "id" || got.SecretAccessKey != "canary-key" || got.SessionToken != "token" || !got.CanExpire || got.Expires.After(expires) {
			t.Errorf("%v: %+v, %v", token, got, err)
		}
	}
	for _, bad := range []struct {
		lease  leased
		answer string
		status int
		want   string
	}{
		{leased{url: server.URL, token: "wrong"}, answer, http.StatusOK, "403"},
		{leased{url: server.URL, tokenFile: file + "-gone"}, answer, http.StatusOK, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"},
		{leased{url: "http://127.0.0.1:1"}, answer, http.StatusOK, "asking for credentials"},
		{leased{url: "%"}, answer, http.StatusOK, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		{leased{url: server.URL}, answer, http.StatusInternalServerError, "500"},
		{leased{url: server.URL}, `{"AccessKeyId":"canary-key"}`, http.StatusOK, "not of the expected form"},
		{leased{url: server.URL}, `"canary-key`, http.StatusOK, "not of the expected form"},
	} {
		answer, status = bad.answer, bad.status
		if _, err := bad.lease.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), bad.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%+v: %v, want %s", bad.lease, err, bad.want)
		}
	}
}
