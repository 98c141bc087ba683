package sqs

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestGroupGivesNothingMoreWhileOneOfItsMessagesIsInFlight(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true", "VisibilityTimeout", "10")
	for _, m := range []string{"a1", "b1", "a2", "b2", "a3"} {
		s.sendTo(url, m, m[:1], "")
	}
	first := s.receive(url, 2) // as many as possible of the first group
	if got := bodies(first); strings.Join(got, " ") != "a1 a2" {
		t.Fatalf("received %v", got)
	}
	s.want(url, "b1", "b2")
	s.none(url)
	s.delete(url, first[0])
	s.none(url) // a2 is still in flight
	s.delete(url, first[1])
	s.want(url, "a3")
	s.clock.Advance(10 * time.Second)
	s.want(url, "b1", "b2", "a3")
}

func TestOrderIsKeptWhenAMessageComesBack(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true", "VisibilityTimeout", "10")
	for _, m := range []string{"a1", "a2", "a3"} {
		s.sendTo(url, m, "a", "")
	}
	first := s.receive(url, 1)
	if err := s.hide(url, first[0], 0); err != nil {
		t.Fatal(err)
	}
	s.want(url, "a1", "a2", "a3")
}

func TestDeduplication(t *testing.T) {
	tests := []struct {
		name       string
		attributes []string
		sends      [][3]string // body, group, deduplication id
		want       string
	}{
		{"by id", nil, [][3]string{{"x", "g", "1"}, {"y", "g", "1"}, {"x", "g", "2"}}, "x x"},
		{"by content", []string{"ContentBasedDeduplication", "true"}, [][3]string{{"x", "g", ""}, {"x", "g", ""}, {"y", "g", ""}}, "x y"},
		{"an id goes before the content", []string{"ContentBasedDeduplication", "true"}, [][3]string{{"x", "g", "1"}, {"x", "g", "2"}}, "x x"},
		{"over all groups by default", nil, [][3]string{{"x", "g", "1"}, {"y", "h", "1"}}, "x"},
		{"in the group for scope messageGroup", []string{"DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId"},
			[][3]string{{"x", "g", "1"}, {"y", "h", "1"}, {"z", "g", "1"}}, "x y"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			url := s.create("work.fifo", test.attributes...)
			for _, m := range test.sends {
				s.sendTo(url, m[0], m[1], m[2])
			}
			s.want(url, strings.Fields(test.want)...)
		})
	}
}

func TestDuplicateIsAnsweredLikeTheFirstForFiveMinutes(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo")
	first := s.sendTo(url, "x", "g", "1")
	s.delete(url, s.one(url)) // being deleted does not make it forgotten
	s.clock.Advance(5*time.Minute - time.Millisecond)
	s.restart()
	again := s.sendTo(url, "x", "g", "1")
	if *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
		t.Errorf("duplicate: %s %s, first: %s %s", *again.MessageId, *again.SequenceNumber, *first.MessageId, *first.SequenceNumber)
	}
	s.none(url)
	s.clock.Advance(time.Millisecond)
	late := s.sendTo(url, "x", "g", "1")
	if *late.MessageId == *first.MessageId || *late.SequenceNumber <= *first.SequenceNumber || len(*late.SequenceNumber) != 20 {
		t.Errorf("sent anew: %s %s", *late.MessageId, *late.SequenceNumber)
	}
	s.want(url, "x")
}

func TestConcurrentDuplicatesAreDeliveredOnce(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo")
	ids := make([]string, 16)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() { ids[i] = *s.sendTo(url, "x", "g", "same").MessageId })
	}
	group.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("ids %v", ids)
		}
	}
	s.want(url, "x")
}

func TestSequenceNumbersGoOnAfterARestart(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true")
	first := s.sendTo(url, "a", "g", "")
	s.delete(url, s.one(url))
	s.restart()
	second := s.sendTo(url, "b", "g", "")
	if *second.SequenceNumber <= *first.SequenceNumber {
		t.Errorf("%s after %s", *second.SequenceNumber, *first.SequenceNumber)
	}
	m := s.one(url)
	for name, want := range map[string]string{"SequenceNumber": *second.SequenceNumber, "MessageGroupId": "g",
		"MessageDeduplicationId": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"} {
		if m.Attributes[name] != want {
			t.Errorf("%s = %q, want %q", name, m.Attributes[name], want)
		}
	}
}

func TestFIFOHandleExpiresWithTheVisibilityTimeout(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true", "VisibilityTimeout", "5")
	s.sendTo(url, "a", "g", "")
	m := s.one(url)
	s.clock.Advance(5 * time.Second)
	remove := func() error {
		_, err := s.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
		return err
	}
	wantError(t, remove(), "InvalidParameterValue", "The receipt handle has expired.")
	wantError(t, s.hide(url, m, 5), "InvalidParameterValue", "The receipt handle has expired.")
	again := s.one(url)
	wantError(t, remove(), "InvalidParameterValue", "The receipt handle has expired.")
	s.delete(url, again)
	s.delete(url, again)
}

func TestGroupThatWasPurgedKeepsItsOrderAfterwards(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true")
	s.sendTo(url, "purged", "g", "")
	if _, err := s.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: &url}); err != nil {
		t.Fatal(err)
	}
	s.sendTo(url, "a", "g", "")
	s.want(url, "a")
	s.sendTo(url, "b", "g", "")
	s.none(url)
}

func TestFIFORedriveUnblocksTheGroup(t *testing.T) {
	s := open(t)
	dead := s.create("dead.fifo")
	url := s.create("work.fifo", "ContentBasedDeduplication", "true", "VisibilityTimeout", "5",
		"RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, s.arn(dead)))
	sent := s.sendTo(url, "poison", "g", "")
	s.sendTo(url, "next", "g", "")
	s.receive(url, 1)
	s.clock.Advance(5 * time.Second)
	s.want(url, "next")
	m := s.one(dead)
	if *m.Body != "poison" || *m.MessageId != *sent.MessageId || m.Attributes["MessageGroupId"] != "g" ||
		m.Attributes["DeadLetterQueueSourceArn"] != s.arn(url) {
		t.Errorf("dead letter %+v", m)
	}
}

func TestReceiveRequestAttemptRepeatsAReceiveWhoseReplyWasLost(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true", "VisibilityTimeout", "10")
	s.sendTo(url, "a", "g", "")
	s.sendTo(url, "b", "h", "")
	attempt := func(id string) []types.Message {
		t.Helper()
		out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, ReceiveRequestAttemptId: &id})
		if err != nil {
			t.Fatal(err)
		}
		return out.Messages
	}
	first := attempt("1")
	again := attempt("1")
	if len(again) != 1 || *again[0].Body != "a" || *again[0].ReceiptHandle != *first[0].ReceiptHandle {
		t.Errorf("repeated: %v", bodies(again))
	}
	s.delete(url, again[0])
	if got := attempt("1"); len(got) != 1 || *got[0].Body != "b" {
		t.Errorf("after a delete: %v", bodies(got))
	}
	standard := s.create("work")
	_, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &standard, ReceiveRequestAttemptId: aws.String("1")})
	wantError(t, err, "InvalidParameterValue", "not valid for this queue type")
}

func TestQueueDelayOfAFIFOQueueKeepsTheOrder(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true", "DelaySeconds", "10")
	s.sendTo(url, "a", "g", "")
	s.clock.Advance(5 * time.Second)
	s.sendTo(url, "b", "g", "")
	s.none(url)
	s.clock.Advance(5 * time.Second)
	got := s.want(url, "a")
	s.clock.Advance(5 * time.Second)
	s.none(url)
	s.delete(url, got[0])
	s.want(url, "b")
}

func TestConcurrentConsumersSeeEachGroupInOrder(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo", "ContentBasedDeduplication", "true")
	const groups, each = 8, 12
	for i := range each {
		for g := range groups {
			s.sendTo(url, fmt.Sprintf("%d-%02d", g, i), fmt.Sprint(g), "")
		}
	}
	var mu sync.Mutex
	seen := make(map[string][]string)
	left := groups * each
	var consumers sync.WaitGroup
	for range 6 {
		consumers.Go(func() {
			for {
				mu.Lock()
				done := left == 0
				mu.Unlock()
				if done {
					return
				}
				for _, m := range s.receive(url, 3) {
					group := m.Attributes["MessageGroupId"]
					mu.Lock()
					seen[group] = append(seen[group], *m.Body)
					left--
					mu.Unlock()
					s.delete(url, m)
				}
			}
		})
	}
	consumers.Wait()
	for group, got := range seen {
		for i, body := range got {
			if want := fmt.Sprintf("%s-%02d", group, i); body != want {
				t.Fatalf("group %s: %v", group, got)
			}
		}
	}
}

func TestWhatIsSentAgainAfterTheIntervalIsRememberedThroughARestart(t *testing.T) {
	s := open(t)
	url := s.create("work.fifo")
	s.clock.Advance(sweepInterval / 2) // so that no sweep comes between the first one's end and the second
	first := s.sendTo(url, "a", "g", "d")
	s.clock.Advance(deduplicationInterval)
	second := s.sendTo(url, "a", "g", "d") // forgets the first one too
	s.restart()
	third := s.sendTo(url, "a", "g", "d")
	if *first.MessageId == *second.MessageId || *third.MessageId != *second.MessageId {
		t.Errorf("messages %s, %s and %s", *first.MessageId, *second.MessageId, *third.MessageId)
	}
	s.clock.Advance(deduplicationInterval)
	s.counts(url)
	s.restart()
	if n := len(s.service.queues["work.fifo"].dedup.entries); n != 0 {
		t.Errorf("%d are still remembered", n)
	}
}
