package sqs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var ctx = context.Background()

func TestMessageIsHiddenWhileInFlightAndGoneOnceDeleted(t *testing.T) {
	s := open(t)
	url := s.create("work")
	sent := s.send(url, "hello")
	if got := s.counts(url); got != "1/0/0" {
		t.Errorf("counts %s after send", got)
	}
	m := s.one(url)
	if *m.Body != "hello" || *m.MessageId != *sent.MessageId || *m.MD5OfBody != "5d41402abc4b2a76b9719d911017c592" {
		t.Errorf("received %+v", m)
	}
	s.none(url)
	if got := s.counts(url); got != "0/1/0" {
		t.Errorf("counts %s in flight", got)
	}
	s.delete(url, m)
	s.delete(url, m) // deleting twice is no error
	s.clock.Advance(time.Hour)
	s.none(url)
	if got := s.counts(url); got != "0/0/0" {
		t.Errorf("counts %s after delete", got)
	}
}

func TestMessageComesBackWhenItsVisibilityTimeoutEnds(t *testing.T) {
	s := open(t)
	url := s.create("work", "VisibilityTimeout", "10")
	s.send(url, "a")
	first := s.one(url)
	if first.Attributes["ApproximateReceiveCount"] != "1" {
		t.Errorf("first receive: %v", first.Attributes)
	}
	s.clock.Advance(9 * time.Second)
	s.none(url)
	s.clock.Advance(time.Second)
	second := s.one(url)
	if second.Attributes["ApproximateReceiveCount"] != "2" ||
		second.Attributes["ApproximateFirstReceiveTimestamp"] != first.Attributes["ApproximateFirstReceiveTimestamp"] ||
		*second.ReceiptHandle == *first.ReceiptHandle {
		t.Errorf("second receive: %+v", second)
	}
}

func TestChangeMessageVisibility(t *testing.T) {
	s := open(t)
	url := s.create("work", "VisibilityTimeout", "10")
	s.send(url, "a")
	m := s.one(url)
	if err := s.hide(url, m, 100); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(99 * time.Second)
	s.none(url)
	if err := s.hide(url, m, 0); err != nil {
		t.Fatal(err)
	}
	again := s.one(url)

	t.Run("by the handle of an older receive", func(t *testing.T) {
		if err := s.hide(url, m, 10); err != nil {
			t.Fatal(err)
		}
		s.none(url)
	})
	t.Run("beyond 12 hours from the receive is refused", func(t *testing.T) {
		s.clock.Advance(time.Second)
		wantError(t, s.hide(url, again, 43200), "InvalidParameterValue", "beyond the limit [43200 seconds]")
	})
	t.Run("of a message that is visible again changes nothing", func(t *testing.T) {
		s.clock.Advance(10 * time.Second)
		if err := s.hide(url, again, 5); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("of a deleted message is refused", func(t *testing.T) {
		last := s.one(url)
		s.delete(url, last)
		wantError(t, s.hide(url, last, 5), "InvalidParameterValue", "Message does not exist")
	})
	t.Run("with a handle that is none is refused", func(t *testing.T) {
		err := s.hide(url, types.Message{ReceiptHandle: aws.String("nonsense")}, 5)
		wantError(t, err, "ReceiptHandleIsInvalid", `"nonsense"`)
	})
	t.Run("out of range is refused", func(t *testing.T) {
		wantError(t, s.hide(url, again, 43201), "InvalidParameterValue", "Must be between 0 and 43200")
	})
}

func TestDelay(t *testing.T) {
	s := open(t)
	url := s.create("work", "DelaySeconds", "10")
	s.send(url, "queue's delay")
	_, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("own delay"), DelaySeconds: 30})
	if err != nil {
		t.Fatal(err)
	}
	s.none(url)
	if got := s.counts(url); got != "0/0/2" {
		t.Errorf("counts %s", got)
	}
	s.clock.Advance(10 * time.Second)
	s.want(url, "queue's delay")
	s.clock.Advance(20 * time.Second)
	s.want(url, "own delay")
}

func TestMessagesAreDroppedAfterTheRetentionPeriod(t *testing.T) {
	s := open(t)
	url := s.create("work", "MessageRetentionPeriod", "60")
	s.send(url, "old")
	s.clock.Advance(30 * time.Second)
	s.send(url, "young")
	s.clock.Advance(30 * time.Second)
	s.want(url, "young")
	if got := s.counts(url); got != "0/1/0" {
		t.Errorf("counts %s", got)
	}
	s.clock.Advance(2 * time.Minute) // the sweep removes what nobody asks for
	s.restart()
	if n := len(s.service.queues["work"].messages); n != 0 {
		t.Errorf("%d messages after restart", n)
	}
}

func TestLongPollWakesWhenAMessageArrives(t *testing.T) {
	s := open(t)
	url := s.create("work", "ReceiveMessageWaitTimeSeconds", "20")
	got := make(chan []types.Message)
	go func() { got <- s.receive(url, 1) }()
	s.clock.AwaitTimers(2) // the sweep's and the poll's
	s.send(url, "now")
	if m := <-got; len(m) != 1 || *m[0].Body != "now" {
		t.Fatalf("received %v", bodies(m))
	}
}

func TestLongPollWakesWhenADelayOrAVisibilityTimeoutEnds(t *testing.T) {
	s := open(t)
	url := s.create("work", "DelaySeconds", "5", "VisibilityTimeout", "7")
	s.send(url, "a")
	poll := func() <-chan []types.Message {
		got := make(chan []types.Message, 1)
		go func() {
			out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
			if err != nil {
				t.Error(err)
			}
			got <- out.Messages
		}()
		s.clock.AwaitTimers(2)
		return got
	}
	for _, wait := range []time.Duration{5 * time.Second, 7 * time.Second} {
		got := poll()
		s.clock.Advance(wait)
		if m := <-got; len(m) != 1 {
			t.Fatalf("received %d messages after %v", len(m), wait)
		}
	}
}

func TestLongPollEnds(t *testing.T) {
	s := open(t)
	url := s.create("work")
	poll := func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() {
			out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
			if err == nil && len(out.Messages) > 0 {
				err = fmt.Errorf("received %q", bodies(out.Messages))
			}
			done <- err
		}()
		s.clock.AwaitTimers(2)
		return done
	}
	t.Run("empty at its deadline", func(t *testing.T) {
		done := poll(ctx)
		s.clock.Advance(20 * time.Second)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("when its client leaves, without taking a message", func(t *testing.T) {
		leaving, leave := context.WithCancel(ctx)
		done := poll(leaving)
		leave()
		<-done
		// The server notices by itself: its waiter is gone once no poll's timer is left.
		for s.waiters("work") > 0 {
			s.none(url)
		}
		s.send(url, "for somebody else")
		s.delete(url, s.one(url))
	})
	t.Run("with an error when its queue is deleted", func(t *testing.T) {
		done := poll(ctx)
		if _, err := s.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: &url}); err != nil {
			t.Fatal(err)
		}
		wantError(t, <-done, "AWS.SimpleQueueService.NonExistentQueue", "does not exist")
	})
	t.Run("empty when the service closes", func(t *testing.T) {
		url = s.create("other")
		done := poll(ctx)
		if err := s.service.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (s *sandbox) waiters(name string) int {
	q, err := s.service.named(name)
	if err != nil {
		s.t.Fatal(err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiters)
}

func TestStandardQueueDeletesByAnyHandleOfTheMessage(t *testing.T) {
	s := open(t)
	url := s.create("work", "VisibilityTimeout", "5")
	s.send(url, "a")
	old := s.one(url)
	s.clock.Advance(5 * time.Second)
	s.one(url)
	s.delete(url, old)
	s.clock.Advance(5 * time.Second)
	s.none(url)
	other := s.create("other")
	_, err := s.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &other, ReceiptHandle: old.ReceiptHandle})
	wantError(t, err, "ReceiptHandleIsInvalid", "is not valid for this queue")
}

func TestHandlesOfStandardQueuesExpire(t *testing.T) {
	s := open(t)
	url := s.create("work")
	s.send(url, "a")
	first := s.one(url)
	s.clock.Advance(12 * time.Hour)
	second := s.one(url)
	s.clock.Advance(12*time.Hour + time.Second)
	for _, m := range []types.Message{first, second} {
		_, err := s.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
		wantError(t, err, "InvalidParameterValue", "The receipt handle has expired.")
	}
	s.one(url)
	s.delete(url, first)
	s.none(url)
}

func TestRedriveAfterMaxReceiveCount(t *testing.T) {
	s := open(t)
	dead := s.create("dead")
	url := s.create("work", "VisibilityTimeout", "1",
		"RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"2"}`, s.arn(dead)))
	sent := s.send(url, "poison")
	s.send(url, "fine")
	s.want(url, "poison", "fine")
	s.clock.Advance(time.Second)
	for _, m := range s.want(url, "poison", "fine") {
		if *m.Body == "fine" {
			s.delete(url, m)
		}
	}
	s.none(dead)
	s.clock.Advance(time.Second)
	s.none(url) // the third receive moves it
	m := s.one(dead)
	if *m.Body != "poison" || *m.MessageId != *sent.MessageId {
		t.Errorf("dead letter %+v", m)
	}
	for name, want := range map[string]string{
		"DeadLetterQueueSourceArn": s.arn(url), "ApproximateReceiveCount": "3",
		"SentTimestamp":                    fmt.Sprint(began.UnixMilli()),
		"ApproximateFirstReceiveTimestamp": fmt.Sprint(began.UnixMilli()),
	} {
		if m.Attributes[name] != want {
			t.Errorf("%s = %q, want %q", name, m.Attributes[name], want)
		}
	}
	if a, b := s.counts(url), s.counts(dead); a != "0/0/0" || b != "0/1/0" {
		t.Errorf("counts %s and %s", a, b)
	}
	out, err := s.ListDeadLetterSourceQueues(ctx, &sdk.ListDeadLetterSourceQueuesInput{QueueUrl: &dead})
	if err != nil || len(out.QueueUrls) != 1 || out.QueueUrls[0] != url {
		t.Errorf("sources %v, %v", out, err)
	}
}

func TestDeadLetterQueueCountsItsOwnReceivesForItsOwnRedrive(t *testing.T) {
	s := open(t)
	last := s.create("last")
	policy := func(url string) string {
		return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":2}`, s.arn(url))
	}
	dead := s.create("dead", "VisibilityTimeout", "1", "RedrivePolicy", policy(last))
	url := s.create("work", "VisibilityTimeout", "1", "RedrivePolicy", policy(dead))
	s.send(url, "poison")
	for _, queue := range []string{url, dead} {
		for range 2 {
			s.want(queue, "poison")
			s.clock.Advance(time.Second)
		}
		s.none(queue)
	}
	if m := s.one(last); m.Attributes["ApproximateReceiveCount"] != "5" || m.Attributes["DeadLetterQueueSourceArn"] != s.arn(dead) {
		t.Errorf("%v", m.Attributes)
	}
}

func TestLongPollMovesDeadLettersAndGoesOnWaiting(t *testing.T) {
	s := open(t)
	dead := s.create("dead")
	url := s.create("work", "VisibilityTimeout", "1",
		"RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, s.arn(dead)))
	s.send(url, "poison")
	s.one(url)
	done := make(chan []types.Message)
	go func() {
		out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
		if err != nil {
			t.Error(err)
		}
		done <- out.Messages
	}()
	s.clock.AwaitTimers(2)
	s.clock.Advance(time.Second)
	s.clock.AwaitTimers(2)
	s.send(url, "next")
	if got := <-done; len(got) != 1 || *got[0].Body != "next" {
		t.Errorf("received %q", bodies(got))
	}
	s.want(dead, "poison")
}

func TestMessagesGoOnBeingReceivedWhenTheDeadLetterQueueIsDeleted(t *testing.T) {
	s := open(t)
	dead := s.create("dead")
	url := s.create("work", "VisibilityTimeout", "1",
		"RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, s.arn(dead)))
	s.send(url, "a")
	if _, err := s.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: &dead}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.want(url, "a")
		s.clock.Advance(time.Second)
	}
}

func TestPurgeQueueEmptiesItOnceAMinute(t *testing.T) {
	s := open(t)
	url := s.create("work")
	s.send(url, "a")
	s.send(url, "b")
	s.receive(url, 1)
	purge := func() error {
		_, err := s.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: &url})
		return err
	}
	if err := purge(); err != nil {
		t.Fatal(err)
	}
	if got := s.counts(url); got != "0/0/0" {
		t.Errorf("counts %s", got)
	}
	wantError(t, purge(), "AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on work is allowed every 60 seconds.")
	s.send(url, "c")
	s.clock.Advance(time.Minute)
	if err := purge(); err != nil {
		t.Fatal(err)
	}
	s.none(url)
}

func TestReceiveGivesAtMostWhatIsAskedForInRoughOrder(t *testing.T) {
	s := open(t)
	url := s.create("work")
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("m%02d", i))
		s.send(url, want[i])
	}
	var got []string
	for _, n := range []int{10, 10, 10} {
		some := s.receive(url, n)
		if len(some) > n {
			t.Fatalf("%d messages", len(some))
		}
		got = append(got, bodies(some)...)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("received %v", got)
	}
}

func TestTooManyMessagesInFlight(t *testing.T) {
	s := open(t)
	s.service.limit = 2
	url := s.create("work")
	for range 3 {
		s.send(url, "a")
	}
	if got := s.receive(url, 10); len(got) != 2 {
		t.Fatalf("received %d", len(got))
	}
	_, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url})
	wantError(t, err, "OverLimit", "2 messages in flight")

	fifo := s.create("work.fifo", "ContentBasedDeduplication", "true")
	for _, group := range []string{"a", "b", "c"} {
		s.sendTo(fifo, group, group, "")
	}
	if got := s.receive(fifo, 10); len(got) != 2 {
		t.Fatalf("received %d", len(got))
	}
	s.none(fifo) // FIFO queues give nothing instead of an error
}

func TestEverythingAtOnce(t *testing.T) {
	s := open(t)
	dead := s.create("dead")
	url := s.create("work", "VisibilityTimeout", "0",
		"RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":2}`, s.arn(dead)))
	var clients sync.WaitGroup
	const rounds = 40
	for range 3 {
		clients.Go(func() {
			for i := range rounds {
				s.send(url, fmt.Sprint(i))
			}
		})
		clients.Go(func() {
			for range rounds {
				s.receive(url, 3)
				s.clock.Advance(time.Millisecond)
			}
		})
	}
	clients.Go(func() {
		for i := range rounds {
			_, err := s.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: &url,
				Attributes: map[string]string{"DelaySeconds": "0", "MaximumMessageSize": fmt.Sprint(2000 + i)}})
			if err != nil {
				t.Error(err)
			}
		}
	})
	clients.Go(func() {
		for range rounds {
			// Deleted and made again while others read and move messages.
			if _, err := s.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: &dead}); err != nil {
				t.Error(err)
			}
			s.create("dead")
		}
	})
	clients.Wait()
	s.restart()
	a := s.attributes(url)
	if left := a["ApproximateNumberOfMessages"]; left == "" || a["MaximumMessageSize"] != fmt.Sprint(2000+rounds-1) {
		t.Errorf("attributes %v", a)
	}
}
