package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	sqssdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
	"github.com/flowctl-dev/flowctl/internal/local"
)

// mapping does what an event source mapping of an SQS queue does, with
// ReportBatchItemFailures: it receives batches, calls the function with them,
// deletes what did not fail and leaves the rest to the queue.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html:
// an empty or missing list and a null reply are a success of the whole batch;
// an error, invalid JSON, an identifier that is empty or not of the batch are a
// failure of the whole. It differs from the service in that failed messages are
// made visible at once instead of after the visibility timeout, so that tests
// end soon.
type mapping struct {
	t       testing.TB
	account *account
	queue   string
	batch   int
	invoke  func(ctx context.Context, payload []byte) ([]byte, error)

	mu       sync.Mutex
	calls    int
	failures []string // of whole batches
}

// mapQueue runs a mapping with some pollers until the test ends or stop is
// called.
func mapQueue(t testing.TB, a *account, queue string, batch, pollers int, f *function) (m *mapping, stop func()) {
	t.Helper()
	m = &mapping{t: t, account: a, queue: queue, batch: batch, invoke: func(ctx context.Context, payload []byte) ([]byte, error) {
		reply, failure, err := f.api.Invoke(ctx, payload, runtimeapi.Call{Timeout: invocationTimeout})
		if failure != nil {
			return nil, failure
		}
		return reply, err
	}}
	ctx, cancel := context.WithCancel(context.Background())
	var polling sync.WaitGroup
	for range pollers {
		polling.Go(func() { m.run(ctx) })
	}
	stop = sync.OnceFunc(func() { cancel(); polling.Wait() })
	t.Cleanup(stop)
	return m, stop
}

func (m *mapping) run(ctx context.Context) {
	for ctx.Err() == nil {
		out, err := m.account.sqs.ReceiveMessage(ctx, &sqssdk.ReceiveMessageInput{QueueUrl: m.url(), MaxNumberOfMessages: int32(m.batch), WaitTimeSeconds: 1,
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"}})
		if err != nil {
			if ctx.Err() == nil {
				m.t.Errorf("receiving from %s: %v", m.queue, err)
			}
			return
		}
		if len(out.Messages) == 0 {
			continue
		}
		if err := m.process(ctx, out.Messages); err != nil && ctx.Err() == nil {
			m.t.Errorf("queue %s: %v", m.queue, err)
			return
		}
	}
}

func (m *mapping) url() *string { return aws.String(m.account.queueURL(m.queue)) }

// process hands a batch to the function and settles it.
func (m *mapping) process(ctx context.Context, batch []sqstypes.Message) error {
	payload, err := json.Marshal(sqsEvent(m.queue, batch))
	if err != nil {
		return err
	}
	reply, err := m.invoke(ctx, payload)
	failed, whole := failedOf(reply, batch)
	if err != nil {
		whole = err
	}
	m.mu.Lock()
	m.calls++
	if whole != nil {
		m.failures = append(m.failures, whole.Error())
	}
	m.mu.Unlock()
	return m.settle(context.WithoutCancel(ctx), batch, func(id string) bool { return whole != nil || failed[id] })
}

// failedOf are the identifiers that a reply lists; whole says why all of the
// batch counts as failed.
func failedOf(reply []byte, batch []sqstypes.Message) (failed map[string]bool, whole error) {
	var r *struct {
		Failures []struct {
			ID *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(reply, &r); err != nil {
		return nil, fmt.Errorf("the reply is no valid one: %w: %s", err, reply)
	}
	failed = map[string]bool{}
	if r == nil {
		return failed, nil
	}
	own := map[string]bool{}
	for _, m := range batch {
		own[*m.MessageId] = true
	}
	for _, f := range r.Failures {
		if f.ID == nil || !own[*f.ID] {
			return nil, fmt.Errorf("the reply names what is not in the batch: %s", reply)
		}
		failed[*f.ID] = true
	}
	return failed, nil
}

func (m *mapping) settle(ctx context.Context, batch []sqstypes.Message, failed func(id string) bool) error {
	done := &sqssdk.DeleteMessageBatchInput{QueueUrl: m.url()}
	again := &sqssdk.ChangeMessageVisibilityBatchInput{QueueUrl: m.url()}
	for _, d := range batch {
		if failed(*d.MessageId) {
			again.Entries = append(again.Entries, sqstypes.ChangeMessageVisibilityBatchRequestEntry{Id: d.MessageId, ReceiptHandle: d.ReceiptHandle})
		} else {
			done.Entries = append(done.Entries, sqstypes.DeleteMessageBatchRequestEntry{Id: d.MessageId, ReceiptHandle: d.ReceiptHandle})
		}
	}
	if len(done.Entries) > 0 {
		out, err := m.account.sqs.DeleteMessageBatch(ctx, done)
		if err != nil {
			return err
		}
		for _, f := range out.Failed {
			return fmt.Errorf("%s cannot be deleted: %s", *f.Id, aws.ToString(f.Message))
		}
	}
	if len(again.Entries) > 0 {
		out, err := m.account.sqs.ChangeMessageVisibilityBatch(ctx, again)
		if err != nil {
			return err
		}
		for _, f := range out.Failed {
			return fmt.Errorf("%s cannot be made visible: %s", *f.Id, aws.ToString(f.Message))
		}
	}
	return nil
}

// whole are the failures of whole batches, which no test expects.
func (m *mapping) whole() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.failures) == 0 {
		return nil
	}
	return errors.New(strings.Join(m.failures, "\n"))
}

// sqsEvent is the event that AWS Lambda makes of received messages.
func sqsEvent(queue string, batch []sqstypes.Message) events.SQSEvent {
	e := events.SQSEvent{}
	for _, m := range batch {
		r := events.SQSMessage{MessageId: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Md5OfBody: *m.MD5OfBody,
			Md5OfMessageAttributes: aws.ToString(m.MD5OfMessageAttributes), Attributes: m.Attributes,
			MessageAttributes: map[string]events.SQSMessageAttribute{}, EventSource: "aws:sqs", AWSRegion: local.Region,
			EventSourceARN: "arn:aws:sqs:" + local.Region + ":" + local.Account + ":" + queue}
		for name, a := range m.MessageAttributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{DataType: *a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue,
				StringListValues: []string{}, BinaryListValues: [][]byte{}}
		}
		e.Records = append(e.Records, r)
	}
	return e
}
