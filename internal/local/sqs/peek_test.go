package sqs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

func (s *sandbox) peek(url string, n int, after uint64) *PeekReply {
	s.t.Helper()
	body := fmt.Sprintf(`{"QueueUrl":%q,"MaxNumberOfMessages":%d,"After":"%d"}`, url, n, after)
	reply, err := s.service.Call(s.t.Context(), PeekOperation, []byte(body))
	if err != nil {
		s.t.Fatal(err)
	}
	var r PeekReply
	if err := json.Unmarshal(reply, &r); err != nil {
		s.t.Fatal(err)
	}
	return &r
}

func TestPeekShowsMessagesInEveryStateAndChangesNone(t *testing.T) {
	s := open(t)
	dead := s.create("dead")
	url := s.create("q", "VisibilityTimeout", "40", "RedrivePolicy", `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"1"}`)
	body, text, seconds := "first", "blue", int32(90)
	if _, err := s.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body,
		MessageAttributes: map[string]types.MessageAttributeValue{"colour": {DataType: new("String"), StringValue: &text}}}); err != nil {
		t.Fatal(err)
	}
	s.receive(url, 1)
	s.clock.Advance(10 * time.Second)
	s.send(url, "second")
	third := "third"
	if _, err := s.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &third, DelaySeconds: seconds}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // more looks than maxReceiveCount
		got := s.peek(url, 10, 0).Messages
		if len(got) != 3 {
			t.Fatalf("%d messages", len(got))
		}
		for i, want := range []PeekedMessage{
			{Body: "first", State: "in_flight", AvailableAfterSeconds: 30},
			{Body: "second", State: "ready"},
			{Body: "third", State: "delayed", AvailableAfterSeconds: 90},
		} {
			if g := got[i]; g.Body != want.Body || g.State != want.State || g.AvailableAfterSeconds != want.AvailableAfterSeconds {
				t.Errorf("%s is %s for %vs, want %s for %vs", g.Body, g.State, g.AvailableAfterSeconds, want.State, want.AvailableAfterSeconds)
			}
		}
		if got[0].Attributes["ApproximateReceiveCount"] != "1" || got[1].Attributes["ApproximateReceiveCount"] != "0" {
			t.Errorf("receive counts %s and %s", got[0].Attributes["ApproximateReceiveCount"], got[1].Attributes["ApproximateReceiveCount"])
		}
		if _, ok := got[1].Attributes["ApproximateFirstReceiveTimestamp"]; ok {
			t.Error("a message that was never received has the time of its first receive")
		}
		if v := got[0].MessageAttributes["colour"].StringValue; v == nil || *v != "blue" {
			t.Errorf("attribute colour %v", v)
		}
	}
	if n := len(s.peek(dead, 10, 0).Messages); n != 0 {
		t.Errorf("looking has moved %d messages to the dead-letter queue", n)
	}
	if got := s.receive(url, 10); len(got) != 1 || *got[0].Body != "second" {
		t.Errorf("after the looks %d messages can be received", len(got))
	}
}

func TestPeekGoesOnWhereItEnded(t *testing.T) {
	s := open(t)
	url := s.create("q.fifo", "ContentBasedDeduplication", "true")
	for i := range 7 {
		s.sendTo(url, fmt.Sprint(i), "g", "")
	}
	s.receive(url, 2)
	var got string
	for after := uint64(0); ; {
		r := s.peek(url, 3, after)
		for _, m := range r.Messages {
			got += m.Body
		}
		if after = r.NextToken; after == 0 {
			break
		}
	}
	if got != "0123456" {
		t.Errorf("%q", got)
	}
}

func TestPeekRefusesWhatItCannotDo(t *testing.T) {
	s := open(t)
	url := s.create("q")
	for body, want := range map[string]string{
		`{"QueueUrl":"http://127.0.0.1/000000000000/none"}`:            "QueueDoesNotExist",
		fmt.Sprintf(`{"QueueUrl":%q,"MaxNumberOfMessages":0}`, url):    "InvalidParameterValueException",
		fmt.Sprintf(`{"QueueUrl":%q,"MaxNumberOfMessages":1001}`, url): "InvalidParameterValueException",
		fmt.Sprintf(`{"QueueUrl":%q,"After":"x"}`, url):                "SerializationException",
	} {
		_, err := s.service.Call(t.Context(), PeekOperation, []byte(body))
		refused, ok := errors.AsType[*awsjson.Error](err)
		if !ok || !strings.HasSuffix(refused.Type, "#"+want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
