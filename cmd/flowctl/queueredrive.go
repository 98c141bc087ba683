package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const redriveHelp = `Move the messages of a dead-letter queue back to the queues they came from, or to
the queue --to, and wait until that is done (StartMessageMoveTask). Messages in
flight stay. Ctrl-C stops the waiting, not the move.`

// redriveFlags are the flags of queue redrive.
type redriveFlags struct {
	to   string
	rate int32
}

func newQueueRedriveCommand(s *serviceTarget) *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use:     "redrive QUEUE",
		Short:   "Move dead letters back",
		Long:    redriveHelp,
		Example: `  flowctl queue redrive passengers-dead`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.rate < 0 || f.rate > 500 {
				return usageError{fmt.Errorf("--rate is from 1 to 500 messages a second, not %d", f.rate)}
			}
			return withQueues(cmd, s, func(ctx context.Context, q *queues) error {
				return q.redrive(ctx, args[0], f)
			})
		},
	}
	cmd.Flags().StringVar(&f.to, "to", "", "the `QUEUE` to move to (default: where each message came from)")
	cmd.Flags().Int32Var(&f.rate, "rate", 0, "move at most this `NUMBER` of messages a second (default: as fast as the service does)")
	return cmd
}

func (q *queues) redrive(ctx context.Context, name string, f redriveFlags) error {
	url, err := q.url(ctx, name)
	if err != nil {
		return err
	}
	attributes, err := q.attributes(ctx, url)
	if err != nil {
		return err
	}
	if err := q.checkDeadLetterQueue(ctx, url, attributes); err != nil {
		return err
	}
	arn := attributes[string(types.QueueAttributeNameQueueArn)]
	in := &sdk.StartMessageMoveTaskInput{SourceArn: &arn}
	if f.rate > 0 {
		in.MaxNumberOfMessagesPerSecond = &f.rate
	}
	if f.to != "" {
		if in.DestinationArn, err = q.arn(ctx, f.to); err != nil {
			return err
		}
	}
	if _, err := q.StartMessageMoveTask(ctx, in); err != nil {
		return awsclient.Fail(fmt.Sprintf("moving the messages of the queue %q", path.Base(url)), err)
	}
	task, err := q.awaitMove(ctx, arn)
	if err != nil {
		return err
	}
	return q.tellMove(path.Base(url), task)
}

func (q *queues) arn(ctx context.Context, name string) (*string, error) {
	url, err := q.url(ctx, name)
	if err != nil {
		return nil, err
	}
	attributes, err := q.attributes(ctx, url)
	return aws.String(attributes[string(types.QueueAttributeNameQueueArn)]), err
}

// checkDeadLetterQueue says which queue was meant when the name of a source of
// dead letters was given.
func (q *queues) checkDeadLetterQueue(ctx context.Context, url string, attributes map[string]string) error {
	out, err := q.ListDeadLetterSourceQueues(ctx, &sdk.ListDeadLetterSourceQueuesInput{QueueUrl: &url})
	if err != nil {
		return awsclient.Fail(fmt.Sprintf("looking for the sources of the queue %q", path.Base(url)), err)
	}
	if len(out.QueueUrls) > 0 {
		return nil
	}
	hint := ""
	if r := redriveOf(attributes); r.target != "" {
		hint = fmt.Sprintf("; its own are in %s: `flowctl queue redrive %s`", arnName(r.target), arnName(r.target))
	}
	return fmt.Errorf("no queue sends its dead letters to %q%s", path.Base(url), hint)
}

// How often redrive looks whether a move is done.
const (
	movePoll     = 50 * time.Millisecond
	movePollMost = 2 * time.Second
)

// awaitMove waits for the end of the queue's newest move.
func (q *queues) awaitMove(ctx context.Context, arn string) (types.ListMessageMoveTasksResultEntry, error) {
	for pause := movePoll; ; pause = min(2*pause, movePollMost) {
		out, err := q.ListMessageMoveTasks(ctx, &sdk.ListMessageMoveTasksInput{SourceArn: &arn, MaxResults: aws.Int32(1)})
		if err != nil && ctx.Err() == nil {
			return types.ListMessageMoveTasksResultEntry{}, awsclient.Fail("looking for the end of the move", err)
		}
		if err == nil && len(out.Results) > 0 {
			if s := aws.ToString(out.Results[0].Status); s != "RUNNING" && s != "CANCELLING" {
				return out.Results[0], nil
			}
		}
		select {
		case <-ctx.Done():
			return types.ListMessageMoveTasksResultEntry{}, errors.New("stopped waiting; the move goes on in the service")
		case <-time.After(pause):
		}
	}
}

// movedMessages is what --output json tells of a move.
type movedMessages struct {
	Queue  string `json:"queue"`
	Status string `json:"status"`
	Moved  int64  `json:"moved"`
}

func (q *queues) tellMove(name string, task types.ListMessageMoveTasksResultEntry) error {
	status := strings.ToLower(aws.ToString(task.Status))
	if q.target.json() {
		if err := jsonLine(q.out, movedMessages{name, status, task.ApproximateNumberOfMessagesMoved}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(q.out, "moved %s out of %s\n", count(int(task.ApproximateNumberOfMessagesMoved), "message"), name)
	}
	if status == "completed" {
		return nil
	}
	return fmt.Errorf("the move %s: %s", status, aws.ToString(task.FailureReason))
}
