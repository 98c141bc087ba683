package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

const queueHelp = `Look into SQS queues and work on them: those of the running ` + "`flowctl run`" + ` or
` + "`flowctl local`" + `, or with --aws those of the account. A queue is given by its name or
its URL. --output json prints one JSON object a line.`

func newQueueCommand() *cobra.Command {
	s := &serviceTarget{}
	cmd := &cobra.Command{Use: "queue", Short: "List, look into, fill, redrive and purge queues", Long: queueHelp}
	s.register(cmd)
	cmd.AddCommand(newQueueLsCommand(s), newQueuePeekCommand(s), newQueueSendCommand(s), newQueueRedriveCommand(s), newQueuePurgeCommand(s))
	for _, c := range cmd.Commands() {
		c.ValidArgsFunction = completeNames(queueNames(s))
	}
	return cmd
}

// queues are the queues that a command works on, and where it prints.
type queues struct {
	*sdk.Client
	target *serviceTarget
	out    io.Writer
	words  io.Writer
}

// withQueues runs work on the target's queues.
func withQueues(cmd *cobra.Command, s *serviceTarget, work func(ctx context.Context, q *queues) error) error {
	ctx := cmd.Context()
	return s.withClients(ctx, func(clients *awsclient.Clients) error {
		c, err := sqs.Client(ctx, clients, !s.account)
		if err != nil {
			return err
		}
		return work(ctx, &queues{Client: c, target: s, out: cmd.OutOrStdout(), words: cmd.ErrOrStderr()})
	})
}

// url finds a queue by its name; a URL is taken as it is.
func (q *queues) url(ctx context.Context, name string) (string, error) {
	if strings.Contains(name, "://") {
		return name, nil
	}
	out, err := q.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: &name})
	if _, missing := errors.AsType[*types.QueueDoesNotExist](err); missing {
		return "", q.missing(ctx, name)
	}
	if err != nil {
		return "", awsclient.Fail(fmt.Sprintf("looking up the queue %q", name), err)
	}
	return *out.QueueUrl, nil
}

// missing is the error of a name that no queue has, with those that there are.
func (q *queues) missing(ctx context.Context, name string) error {
	urls, err := q.urls(ctx, "")
	if err != nil {
		return fmt.Errorf("there is no queue %q", name)
	}
	names := make([]string, len(urls))
	for i, u := range urls {
		names[i] = path.Base(u)
	}
	hint := expr.Nearest(name, names)
	if hint != "" {
		hint += " "
	}
	return fmt.Errorf("there is no queue %q; %s%s", name, hint, there("queues", names))
}

// urls are those of all queues whose names begin with prefix.
func (q *queues) urls(ctx context.Context, prefix string) ([]string, error) {
	in := &sdk.ListQueuesInput{MaxResults: aws.Int32(1000)}
	if prefix != "" {
		in.QueueNamePrefix = &prefix
	}
	var urls []string
	for pages := sdk.NewListQueuesPaginator(q.Client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awsclient.Fail("listing the queues", err)
		}
		urls = append(urls, page.QueueUrls...)
	}
	return urls, nil
}

// attributes are all of a queue's.
func (q *queues) attributes(ctx context.Context, url string) (map[string]string, error) {
	out, err := q.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if err != nil {
		return nil, awsclient.Fail(fmt.Sprintf("reading the attributes of the queue %q", path.Base(url)), err)
	}
	return out.Attributes, nil
}

// arnName is the name of the queue at the end of an ARN.
func arnName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
