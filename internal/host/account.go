package host

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/dynamodb"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// credentialsTimeout bounds the search for credentials, which asks services of
// the machine last.
const credentialsTimeout = 30 * time.Second

// checkAccount looks for region and credentials of the account, so that an app
// that needs them and has none does not start and fail with every message.
func (h *Host) checkAccount(ctx context.Context) error {
	if needed, err := h.needsAccount(); err != nil || !needed {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	config, err := awsclient.Shared(h.clients, ctx, false, func(c aws.Config) aws.Config { return c })
	if err != nil {
		return err
	}
	if config.Credentials == nil {
		return nil
	}
	if _, err := config.Credentials.Retrieve(ctx); err != nil {
		return awsclient.Fail("starting with --aws", err)
	}
	return nil
}

// needsAccount reports whether a queue or table is to be looked up by its name
// in the account.
func (h *Host) needsAccount() (bool, error) {
	if !h.o.Account {
		return false, nil
	}
	for _, r := range h.resources() {
		var outside string
		var err error
		switch c := r.Config.(type) {
		case *sqs.Queue:
			outside, err = c.Outside()
		case *dynamodb.Table:
			outside, err = c.Outside()
		default:
			continue
		}
		if err != nil || outside == "" {
			return err == nil, err
		}
	}
	return false, nil
}
