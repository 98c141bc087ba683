// Package sqs joins flows to Amazon SQS: the queue as a resource, sqs.send and
// sqs.in.
//
// Limits and names are those of the SQS API reference, version 2012-11-05.
package sqs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// What the service takes at most.
const (
	maxBatch      = 10
	maxBytes      = 1 << 20 // of a message and of a batch, attributes included
	maxAttributes = 10
	maxDelay      = 15 * time.Minute
	maxVisibility = 12 * time.Hour
	maxWait       = 20 * time.Second
)

// correlationAttribute carries engine.Message.Correlation from flow to flow.
const correlationAttribute = "correlation_id"

// Kinds are the node types of the family.
func Kinds() []*engine.Kind { return []*engine.Kind{sendKind, inKind} }

// Resources are the resource types of the family.
func Resources() []*engine.Kind { return []*engine.Kind{queueKind} }

// client is the SDK's, with the checksums left to us: the SDK's check fails a
// whole batch for one message.
type client struct{ *sdk.Client }

func clientOf(ctx context.Context, c *awsclient.Clients, local bool) (*client, error) {
	return awsclient.Shared(c, ctx, local, func(cfg aws.Config) *client {
		return &client{sdk.NewFromConfig(cfg, func(o *sdk.Options) { o.DisableMessageChecksumValidation = true })}
	})
}
