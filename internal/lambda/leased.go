package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	leaseTimeout = 5 * time.Second
	mostLease    = 64 << 10 // bytes of an answer
)

// leased are credentials that last for some hours and are to be had at an
// address on the machine, in the protocol of the container credential provider:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
type leased struct {
	url string
	// The token that proves who asks: itself, or the file that holds it and is
	// replaced from time to time.
	token, tokenFile string
}

// Retrieve implements aws.CredentialsProvider.
func (l leased) Retrieve(ctx context.Context) (aws.Credentials, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI: %w", err)
	}
	token := l.token
	if l.tokenFile != "" {
		text, err := os.ReadFile(l.tokenFile)
		if err != nil {
			return aws.Credentials{}, fmt.Errorf("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	// Without a proxy: the address is on the machine itself.
	client := &http.Client{Timeout: leaseTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("asking for credentials: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostLease))
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("asking for credentials: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return aws.Credentials{}, fmt.Errorf("asking for credentials: %s", response.Status)
	}
	return readLease(body)
}

func readLease(body []byte) (aws.Credentials, error) {
	var said struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      time.Time
	}
	if json.Unmarshal(body, &said) != nil || said.AccessKeyID == "" || said.SecretAccessKey == "" {
		// The error of encoding/json may show part of what was read.
		return aws.Credentials{}, errors.New("asking for credentials: the answer is not of the expected form")
	}
	return aws.Credentials{AccessKeyID: said.AccessKeyID, SecretAccessKey: said.SecretAccessKey, SessionToken: said.Token,
		CanExpire: !said.Expiration.IsZero(), Expires: said.Expiration, Source: "AWS_CONTAINER_CREDENTIALS_FULL_URI"}, nil
}
