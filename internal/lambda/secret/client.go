package secret

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const (
	tries       = 3
	firstPause  = 100 * time.Millisecond
	longPause   = time.Second
	mostReply   = 1 << 20 // bytes; both services keep 64 KiB at most
	contentType = "application/x-amz-json-1.1"
)

// client makes calls in an account.
type client struct {
	config aws.Config
	signer *v4.Signer
	// endpoints are the services' addresses where they are not the usual ones.
	endpoints map[string]string
}

func newClient(cfg aws.Config, getenv func(string) string) *client {
	c := &client{config: cfg, signer: v4.NewSigner(), endpoints: map[string]string{}}
	for service, variable := range map[string]string{ssm: "AWS_ENDPOINT_URL_SSM", secretsManager: "AWS_ENDPOINT_URL_SECRETS_MANAGER"} {
		if at := getenv(variable); at != "" {
			c.endpoints[service] = at
		} else if cfg.BaseEndpoint != nil {
			c.endpoints[service] = *cfg.BaseEndpoint
		}
	}
	return c
}

// get asks for a value, again where that may help. A service that asks to slow
// down is asked for as long as there is time: Parameter Store answers 40 calls a
// second of an account, and when an app gets busy more processes start than that.
func (c *client) get(ctx context.Context, r Reference) (string, error) {
	region := r.region()
	if region == "" {
		region = c.config.Region
	}
	doing := fmt.Sprintf("getting the %s %s from %s in %s", r.thing(), r.Name, r.keeper(), region)
	var before error
	for try := 1; ; try++ {
		text, err := c.ask(ctx, r, region)
		if err == nil {
			return text, nil
		}
		if ctx.Err() != nil && before != nil {
			return "", before // which says why the time did not suffice
		}
		err = awsclient.Fail(doing, err)
		before = err
		if try >= tries && engine.CodeOf(err) != "throttled" || engine.ClassOf(err) == engine.Permanent || !engine.Pause(ctx, engine.Backoff(try, firstPause, longPause)) {
			return "", err
		}
	}
}

// ask is one call: GetParameter or GetSecretValue.
func (c *client) ask(ctx context.Context, r Reference, region string) (string, error) {
	if r.Service == ssm {
		var out struct {
			Parameter struct{ Value *string }
		}
		err := c.call(ctx, ssm, region, "AmazonSSM.GetParameter", map[string]any{"Name": r.Name, "WithDecryption": true}, &out)
		if err == nil && out.Parameter.Value == nil {
			err = errors.New("the answer holds no value")
		}
		return aws.ToString(out.Parameter.Value), err
	}
	var out struct {
		SecretString *string
		SecretBinary []byte
	}
	err := c.call(ctx, secretsManager, region, "secretsmanager.GetSecretValue", map[string]any{"SecretId": r.Name}, &out)
	switch {
	case err != nil:
		return "", err
	case out.SecretString != nil:
		return *out.SecretString, nil
	case len(out.SecretBinary) > 0:
		return string(out.SecretBinary), nil
	}
	return "", errors.New("the answer holds no value")
}

func (c *client) call(ctx context.Context, service, region, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint(service, region), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("X-Amz-Target", target)
	if c.config.Credentials == nil {
		return errors.New("get identity: no credentials are configured")
	}
	who, err := c.config.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("get identity: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, who, request, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		return err
	}
	response, err := c.config.HTTPClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, mostReply))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return refusal(response, reply)
	}
	if json.Unmarshal(reply, out) != nil {
		// The error of encoding/json may show part of the secret.
		return errors.New("the answer is not JSON of the expected form")
	}
	return nil
}

// endpoint is where a service is in a region.
func (c *client) endpoint(service, region string) string {
	if at := c.endpoints[service]; at != "" {
		return strings.TrimSuffix(at, "/") + "/"
	}
	domain := "amazonaws.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		domain = "amazonaws.com.cn"
	case strings.HasPrefix(region, "us-iso-"):
		domain = "c2s.ic.gov"
	case strings.HasPrefix(region, "us-isob-"):
		domain = "sc2s.sgov.gov"
	}
	return "https://" + service + "." + region + "." + domain + "/"
}

// refusal is the service's error, in the SDK's form so that it is classified
// like all others.
func refusal(response *http.Response, reply []byte) error {
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(reply, &said) != nil || said.Type == "" {
		said.Type, said.Message = "UnknownError", "status "+response.Status
	}
	fault := smithy.FaultClient
	if response.StatusCode >= http.StatusInternalServerError {
		fault = smithy.FaultServer
	}
	return &smithy.GenericAPIError{Code: said.Type[strings.LastIndex(said.Type, "#")+1:], Message: said.Message, Fault: fault}
}
