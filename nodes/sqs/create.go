package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// Create makes the queue of a resource, and its dead-letter queue before it. A
// queue that is there already takes over the attributes; its messages stay. It
// is not for queues that are given by their URL.
func Create(ctx context.Context, c *sdk.Client, resource string, q *Queue) (url string, err error) {
	arn := ""
	if name := q.DeadLetterName(resource); name != "" {
		dead, err := ensure(ctx, c, name, q.DeadLetterAttributes(), q.DeadLetter.Queue == "")
		if err != nil {
			return "", err
		}
		if arn, err = arnOf(ctx, c, name, dead); err != nil {
			return "", err
		}
	}
	return ensure(ctx, c, q.Name(resource), q.Attributes(arn), true)
}

// ensure creates a queue if there is none of that name; else, if it is ours, it
// brings its attributes up to date.
func ensure(ctx context.Context, c *sdk.Client, name string, attributes map[string]string, ours bool) (url string, err error) {
	out, err := c.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: &name})
	if err == nil {
		if !ours {
			return *out.QueueUrl, nil
		}
		return *out.QueueUrl, update(ctx, c, name, *out.QueueUrl, attributes)
	}
	if !isMissing(err) {
		return "", awsclient.Fail(fmt.Sprintf("looking up the queue %q", name), err)
	}
	created, err := c.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		return "", awsclient.Fail(fmt.Sprintf("creating the queue %q", name), err)
	}
	return *created.QueueUrl, nil
}

func update(ctx context.Context, c *sdk.Client, name, url string, attributes map[string]string) error {
	settable := maps.Clone(attributes)
	delete(settable, "FifoQueue") // of the name, and never changed
	if _, ok := settable["RedrivePolicy"]; !ok {
		settable["RedrivePolicy"] = ""
	}
	if _, err := c.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: &url, Attributes: settable}); err != nil {
		return awsclient.Fail(fmt.Sprintf("changing the attributes of the queue %q", name), err)
	}
	return nil
}

func arnOf(ctx context.Context, c *sdk.Client, name, url string) (string, error) {
	out, err := c.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn}})
	if err != nil {
		return "", awsclient.Fail(fmt.Sprintf("reading the ARN of the queue %q", name), err)
	}
	return out.Attributes[string(types.QueueAttributeNameQueueArn)], nil
}

func isMissing(err error) bool {
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); ok {
		return true
	}
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "AWS.SimpleQueueService.NonExistentQueue"
}

// Client is an SDK client with the settings of that of the nodes, for the local
// stand-in or for the account. It leaves the check of MD5 sums to its caller.
func Client(ctx context.Context, c *awsclient.Clients, local bool) (*sdk.Client, error) {
	return awsclient.Shared(c, ctx, local, newSDKClient)
}
