package sqs

import (
	"context"
	"fmt"
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
	s.clock.AwaitTimerIn(3 * time.Second)
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

// unwatched is a context that tells when somebody asks for its end.
type unwatched struct {
	context.Context
	asked bool
}

func (c *unwatched) Done() <-chan struct{} {
	c.asked = true
	return c.Context.Done()
}

func TestOnlyALongPollHasItsConnectionWatched(t *testing.T) {
	s := open(t)
	url := s.create("orders")
	call := func(wait int) bool {
		t.Helper()
		c := &unwatched{Context: t.Context()}
		if _, err := s.service.Call(c, "ReceiveMessage", fmt.Appendf(nil, `{"QueueUrl":%q,"WaitTimeSeconds":%d}`, url, wait)); err != nil {
			t.Fatal(err)
		}
		return c.asked
	}
	if call(0) {
		t.Error("a short poll of an empty queue has")
	}
	s.send(url, "here")
	if call(20) {
		t.Error("a poll that finds a message has")
	}
	go func() {
		s.clock.AwaitTimers(2) // the sweeper's and the poll's
		s.clock.Advance(time.Second)
	}()
	if !call(1) {
		t.Error("a long poll has not")
	}
}

// TestAPollWhoseClientLeavesLetsAnotherOneHaveTheMessage: the one was woken for a message and its client left before it
// came to take it.
func TestAPollWhoseClientLeavesLetsAnotherOneHaveTheMessage(t *testing.T) {
	s := open(t)
	url := s.create("orders")
	q, err := s.service.named("orders")
	if err != nil {
		t.Fatal(err)
	}
	r := &reception{max: 1, visibility: time.Minute, deadline: s.service.time.now().after(20 * time.Second)}
	leaving, leave := context.WithCancel(ctx)
	var waiters [2]*waiter
	for i, c := range []context.Context{leaving, ctx} {
		if _, waiters[i], _, err = s.service.poll(c, q, r); err != nil || waiters[i] == nil {
			t.Fatalf("poll %d does not wait: %v", i, err)
		}
	}
	s.send(url, "a")
	<-waiters[0].wake
	leave()
	if _, _, _, err := s.service.poll(leaving, q, r); err == nil {
		t.Fatal("the poll went on without its client")
	}
	select {
	case <-waiters[1].wake:
	default:
		t.Error("the other poll was not woken")
	}
}
