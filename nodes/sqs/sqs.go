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

// client is the operations that the nodes make. They are held as functions
// because the linker keeps all methods of a type that reflection may reach,
// which of the SDK's client are many that no node needs.
type client struct {
	region                       string
	GetQueueUrl                  func(context.Context, *sdk.GetQueueUrlInput, ...func(*sdk.Options)) (*sdk.GetQueueUrlOutput, error)
	SendMessageBatch             func(context.Context, *sdk.SendMessageBatchInput, ...func(*sdk.Options)) (*sdk.SendMessageBatchOutput, error)
	ReceiveMessage               func(context.Context, *sdk.ReceiveMessageInput, ...func(*sdk.Options)) (*sdk.ReceiveMessageOutput, error)
	DeleteMessageBatch           func(context.Context, *sdk.DeleteMessageBatchInput, ...func(*sdk.Options)) (*sdk.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch func(context.Context, *sdk.ChangeMessageVisibilityBatchInput, ...func(*sdk.Options)) (*sdk.ChangeMessageVisibilityBatchOutput, error)
}

// newSDKClient makes the SDK's client with the checksums left to us: the SDK's
// check fails a whole batch for one message.
func newSDKClient(cfg aws.Config) *sdk.Client {
	return sdk.NewFromConfig(cfg, func(o *sdk.Options) { o.DisableMessageChecksumValidation = true })
}

func clientOf(ctx context.Context, c *awsclient.Clients, local bool) (*client, error) {
	return awsclient.Shared(c, ctx, local, func(cfg aws.Config) *client {
		s := newSDKClient(cfg)
		return &client{region: cfg.Region, GetQueueUrl: s.GetQueueUrl, SendMessageBatch: s.SendMessageBatch, ReceiveMessage: s.ReceiveMessage,
			DeleteMessageBatch: s.DeleteMessageBatch, ChangeMessageVisibilityBatch: s.ChangeMessageVisibilityBatch}
	})
}
