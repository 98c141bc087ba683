package main

import (
	"context"
	"errors"
	"fmt"
	"path"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

func newQueuePurgeCommand(s *serviceTarget) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:   "purge QUEUE",
		Short: "Delete all messages of a queue",
		Long: `Delete all messages of a queue, those in flight too. That cannot be undone: in the
account it needs --yes. The service takes one purge of a queue every 60 seconds.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.account && !yes {
				return usageError{errors.New("purge deletes all messages of the queue in the account, which cannot be undone; add --yes to do so")}
			}
			return withQueues(cmd, s, func(ctx context.Context, q *queues) error { return q.purge(ctx, args[0]) })
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "delete without further question; needed with --aws")
	return cmd
}

// purgedQueue is what --output json tells of a purge.
type purgedQueue struct {
	Queue  string `json:"queue"`
	Purged int    `json:"purged"`
}

func (q *queues) purge(ctx context.Context, name string) error {
	url, err := q.url(ctx, name)
	if err != nil {
		return err
	}
	attributes, err := q.attributes(ctx, url)
	if err != nil {
		return err
	}
	if _, err := q.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: &url}); err != nil {
		return awsclient.Fail(fmt.Sprintf("purging the queue %q", path.Base(url)), err)
	}
	l := listed(url, attributes)
	n := l.Messages + l.InFlight + l.Delayed
	if q.target.json() {
		return jsonLine(q.out, purgedQueue{l.Name, n})
	}
	_, err = fmt.Fprintf(q.out, "deleted %s of %s\n", count(n, "message"), l.Name)
	return err
}
