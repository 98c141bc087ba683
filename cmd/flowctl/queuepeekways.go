package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	localsqs "github.com/flowctl-dev/flowctl/internal/local/sqs"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const peekPage = 100

// peekStandIn shows up to n messages by the stand-in's own operation, for which
// the SDK has no call.
func peekStandIn(ctx context.Context, endpoint, url string, n int, show func(peekedMessage) error) (shown int, err error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for after := uint64(0); shown < n; {
		reply, err := peekOnce(ctx, client, endpoint, url, min(n-shown, peekPage), after)
		if err != nil {
			return shown, err
		}
		for _, m := range reply.Messages {
			if err := show(standInMessage(m)); err != nil {
				return shown, err
			}
			shown++
		}
		if after = reply.NextToken; after == 0 {
			break
		}
	}
	return shown, nil
}

func peekOnce(ctx context.Context, client *http.Client, endpoint, url string, n int, after uint64) (*localsqs.PeekReply, error) {
	body, err := json.Marshal(map[string]any{"QueueUrl": url, "MaxNumberOfMessages": n, "After": strconv.FormatUint(after, 10)})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+localsqs.PeekOperation)
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, peekFailure(endpoint, url, answer)
	}
	var reply localsqs.PeekReply
	if err := json.Unmarshal(answer, &reply); err != nil {
		return nil, notStandIn(endpoint, url)
	}
	return &reply, nil
}

func peekFailure(endpoint, url string, answer []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &e) == nil && strings.HasSuffix(e.Type, "#QueueDoesNotExist") {
		return fmt.Errorf("there is no queue %s", url)
	}
	if e.Type == "" || strings.Contains(e.Type, "Unknown") || strings.Contains(e.Type, "InvalidAction") {
		return notStandIn(endpoint, url)
	}
	return fmt.Errorf("looking into the queue %q: %s (%s)", path.Base(url), e.Message, e.Type)
}

// heldWhilePeeking is for how long messages are received, in seconds: enough to
// print them, and no more than a consumer can wait if we are killed.
const heldWhilePeeking = 30

// receiveBack receives up to n messages, shows them and gives them back. While
// one is held the service gives others, so that none is shown twice.
func (q *queues) receiveBack(ctx context.Context, url string, n int, show func(peekedMessage) error) (shown int, err error) {
	seen := map[string]bool{}
	var held []types.ChangeMessageVisibilityBatchRequestEntry
	defer func() {
		// They are given back also when the command is stopped.
		if back := q.giveBack(context.WithoutCancel(ctx), url, held); err == nil {
			err = back
		}
	}()
	for shown < n {
		out, err := q.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: int32(min(n-shown, 10)), WaitTimeSeconds: 1, VisibilityTimeout: heldWhilePeeking,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			MessageAttributeNames:       []string{"All"},
		})
		if err != nil {
			return shown, awsclient.Fail(fmt.Sprintf("receiving from the queue %q", path.Base(url)), err)
		}
		if len(out.Messages) == 0 {
			return shown, nil
		}
		for _, m := range out.Messages {
			if seen[*m.MessageId] {
				return shown, nil // the first ones are back before the last was reached
			}
			seen[*m.MessageId] = true
			id := strconv.Itoa(len(held))
			held = append(held, types.ChangeMessageVisibilityBatchRequestEntry{Id: &id, ReceiptHandle: m.ReceiptHandle})
			if err := show(receivedMessage(m)); err != nil {
				return shown, err
			}
			shown++
		}
	}
	return shown, nil
}

func (q *queues) giveBack(ctx context.Context, url string, held []types.ChangeMessageVisibilityBatchRequestEntry) error {
	for len(held) > 0 {
		n := min(len(held), 10)
		out, err := q.ChangeMessageVisibilityBatch(ctx, &sdk.ChangeMessageVisibilityBatchInput{QueueUrl: &url, Entries: held[:n]})
		if err == nil && len(out.Failed) > 0 {
			err = fmt.Errorf("%s", *out.Failed[0].Code)
		}
		if err != nil {
			return fmt.Errorf("%s could not be given back and will be back in %d s at the latest: %w", count(len(held), "message"), heldWhilePeeking, err)
		}
		held = held[n:]
	}
	return nil
}
