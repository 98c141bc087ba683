package lambda

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/flowctl-dev/flowctl/engine"
)

// Account finds region and credentials where Lambda puts them, in the
// environment that getenv gives; for awsclient.Options. Where Lambda keeps a
// process for longer than credentials last, as on Lambda Managed Instances, the
// environment has the address at which they are to be had instead. Of the SDK's
// other settings AWS_ENDPOINT_URL, its forms for single services,
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS_USE_FIPS_ENDPOINT and
// AWS_USE_DUALSTACK_ENDPOINT are obeyed.
func Account(getenv func(string) string) func(context.Context) (aws.Config, error) {
	return func(context.Context) (aws.Config, error) {
		env := accountEnv{getenv}
		cfg := aws.Config{Region: getenv("AWS_REGION"), ConfigSources: []any{env}}
		if at := getenv("AWS_ENDPOINT_URL"); at != "" && !env.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
			cfg.BaseEndpoint = &at
		}
		provider, err := env.credentials()
		if err != nil {
			return cfg, err
		}
		cfg.Credentials = aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = time.Minute })
		return cfg, nil
	}
}

// accountEnv is the environment as a source of settings of the SDK's clients.
type accountEnv struct{ getenv func(string) string }

func (e accountEnv) credentials() (aws.CredentialsProvider, error) {
	id, key := e.getenv("AWS_ACCESS_KEY_ID"), e.getenv("AWS_SECRET_ACCESS_KEY")
	if id != "" && key != "" {
		return credentials.NewStaticCredentialsProvider(id, key, e.getenv("AWS_SESSION_TOKEN")), nil
	}
	at := e.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if at == "" {
		return nil, engine.Fail(engine.Retryable, "credentials", "the function has no credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor AWS_CONTAINER_CREDENTIALS_FULL_URI are set, which Lambda does for a function with a role", nil)
	}
	return leased{at, e.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"), e.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")}, nil
}

func (e accountEnv) isTrue(variable string) bool {
	return strings.EqualFold(e.getenv(variable), "true")
}

// GetServiceBaseEndpoint is called by the SDK's clients.
func (e accountEnv) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	at := e.getenv("AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(service), " ", "_"))
	return at, at != "", nil
}

// GetIgnoreConfiguredEndpoints is called by the SDK's clients.
func (e accountEnv) GetIgnoreConfiguredEndpoints(context.Context) (value, found bool, err error) {
	return e.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), true, nil
}

// GetUseFIPSEndpoint is called by the SDK's clients.
func (e accountEnv) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	if e.isTrue("AWS_USE_FIPS_ENDPOINT") {
		return aws.FIPSEndpointStateEnabled, true, nil
	}
	return aws.FIPSEndpointStateUnset, false, nil
}

// GetUseDualStackEndpoint is called by the SDK's clients.
func (e accountEnv) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	if e.isTrue("AWS_USE_DUALSTACK_ENDPOINT") {
		return aws.DualStackEndpointStateEnabled, true, nil
	}
	return aws.DualStackEndpointStateUnset, false, nil
}
