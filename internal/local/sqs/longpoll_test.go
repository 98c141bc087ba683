package sqs

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
)

// TestALongPollHearsOfAMessageThatIsDueLater: what is delayed or hidden after
// the poll began ends it when its time comes, not when the poll's does.
func TestALongPollHearsOfAMessageThatIsDueLater(t *testing.T) {
	s := open(t)
	url := s.create("orders")
	got := make(chan string, 1)
	go func() {
		out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
		switch {
		case err != nil:
			got <- err.Error()
		case len(out.Messages) == 0:
			got <- "nothing"
		default:
			got <- aws.ToString(out.Messages[0].Body)
		}
	}()
	s.clock.AwaitTimers(2)
	if _, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("delayed"), DelaySeconds: 3}); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(3 * time.Second)
	select {
	case body := <-got:
		if body != "delayed" {
			t.Errorf("the poll gave %s", body)
		}
	case <-time.After(30 * time.Second): // of the machine's clock: the fake one stands still
		s.clock.Advance(20 * time.Second)
		t.Errorf("the poll did not hear of the message before its own end, then gave %s", <-got)
	}
}
