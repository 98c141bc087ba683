package sqs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func text(kind, value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: &kind, StringValue: &value}
}

func TestSendMessageRefusals(t *testing.T) {
	s := open(t)
	standard, fifo := s.create("work"), s.create("work.fifo")
	small := s.create("small", "MaximumMessageSize", "1024")
	body := aws.String("x")
	with := func(name string, v types.MessageAttributeValue) map[string]types.MessageAttributeValue {
		return map[string]types.MessageAttributeValue{name: v}
	}
	many := make(map[string]types.MessageAttributeValue)
	for i := range 11 {
		many[fmt.Sprint("a", i)] = text("String", "x")
	}
	const invalid = "InvalidParameterValue"
	tests := []struct {
		name          string
		in            sdk.SendMessageInput
		code, message string
	}{
		{"no such queue", sdk.SendMessageInput{QueueUrl: aws.String("http://127.0.0.1/0/none"), MessageBody: body},
			"AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."},
		{"empty body", sdk.SendMessageInput{MessageBody: aws.String("")}, "MissingParameter", "MessageBody"},
		{"control character", sdk.SendMessageInput{MessageBody: aws.String("a\x01")}, "InvalidMessageContents", "'#x1'"},
		{"U+FFFF", sdk.SendMessageInput{MessageBody: aws.String("é\uffff")}, "InvalidMessageContents", "'#xFFFF'"},
		{"over 1 MiB", sdk.SendMessageInput{MessageBody: aws.String(strings.Repeat("x", 1<<20+1))}, invalid, "Message must be shorter than 1048576 bytes."},
		{"over the queue's size", sdk.SendMessageInput{QueueUrl: &small, MessageBody: aws.String(strings.Repeat("x", 1025))}, invalid, "shorter than 1024 bytes."},
		{"attributes count for the size", sdk.SendMessageInput{QueueUrl: &small, MessageBody: aws.String(strings.Repeat("x", 1000)),
			MessageAttributes: with("name", text("String", strings.Repeat("y", 15)))}, invalid, "shorter than 1024 bytes."},
		{"delay too long", sdk.SendMessageInput{MessageBody: body, DelaySeconds: 901}, invalid, "DelaySeconds must be >= 0 and <= 900."},
		{"eleven attributes", sdk.SendMessageInput{MessageBody: body, MessageAttributes: many}, invalid, "[11] exceeds the allowed maximum [10]"},
		{"empty attribute", sdk.SendMessageInput{MessageBody: body, MessageAttributes: with("ErrorDetails", text("String", ""))}, invalid,
			"Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."},
		{"attribute of unknown type", sdk.SendMessageInput{MessageBody: body, MessageAttributes: with("a", text("Strin", "x"))}, invalid, "Binary, Number, String"},
		{"attribute that is no number", sdk.SendMessageInput{MessageBody: body, MessageAttributes: with("a", text("Number", "one"))}, invalid, "to a number"},
		{"attribute with a control character", sdk.SendMessageInput{MessageBody: body, MessageAttributes: with("a", text("String", "\x00"))}, invalid, "'#x0'"},
		{"attribute named AWS.", sdk.SendMessageInput{MessageBody: body, MessageAttributes: with("AWS.x", text("String", "x"))}, invalid, "must not start with AWS."},
		{"attribute name with two periods", sdk.SendMessageInput{MessageBody: body, MessageAttributes: with("a..b", text("String", "x"))}, invalid, "two in a row"},
		{"unknown system attribute", sdk.SendMessageInput{MessageBody: body, MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"SenderId": {DataType: aws.String("String"), StringValue: body}}}, invalid, "only AWSTraceHeader"},
		{"deduplication id on a standard queue", sdk.SendMessageInput{MessageBody: body, MessageDeduplicationId: body}, invalid, "not valid for this queue type"},
		{"group id with a space", sdk.SendMessageInput{MessageBody: body, MessageGroupId: aws.String("a b")}, invalid, "1 to 128 in length"},
		{"FIFO without group", sdk.SendMessageInput{QueueUrl: &fifo, MessageBody: body, MessageDeduplicationId: body}, "MissingParameter", "MessageGroupId"},
		{"FIFO without deduplication", sdk.SendMessageInput{QueueUrl: &fifo, MessageBody: body, MessageGroupId: body}, invalid, "ContentBasedDeduplication enabled"},
		{"FIFO with a delay", sdk.SendMessageInput{QueueUrl: &fifo, MessageBody: body, MessageGroupId: body, MessageDeduplicationId: body, DelaySeconds: 2}, invalid,
			"Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.in.QueueUrl == nil {
				test.in.QueueUrl = &standard
			}
			_, err := s.SendMessage(ctx, &test.in)
			wantError(t, err, test.code, test.message)
		})
	}
	for _, url := range []string{standard, fifo, small} {
		s.none(url)
	}
}

func TestLargestMessageGoesThroughUnchanged(t *testing.T) {
	s := open(t)
	url := s.create("work")
	body := strings.Repeat("a\t\n\r é😀<&>\"\\", 1<<20/17)
	body += strings.Repeat("z", 1<<20-len(body))
	s.send(url, body)
	if m := s.one(url); *m.Body != body {
		t.Error("the body has changed")
	}
}

func TestAttributesAndTheirDigests(t *testing.T) {
	s := open(t)
	url := s.create("work")
	out, err := s.SendMessage(ctx, &sdk.SendMessageInput{
		QueueUrl: &url, MessageBody: aws.String("msg"), MessageGroupId: aws.String("tenant-1"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"Help.Me": text("String", "Me"), "Hello": text("String", "There"), "General": text("String", "Kenobi"),
		},
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Digests as the real service gave them for these very attributes.
	const all = "4c360f3fdafd970e05fae2f149d997f5"
	if *out.MD5OfMessageAttributes != all || *out.MD5OfMessageBody != "6e2baaf3b97dbeef01c0043275f9a0e7" {
		t.Errorf("digests %s %s", *out.MD5OfMessageAttributes, *out.MD5OfMessageBody)
	}
	if out.MD5OfMessageSystemAttributes == nil || len(*out.MD5OfMessageSystemAttributes) != 32 {
		t.Errorf("system digest %v", out.MD5OfMessageSystemAttributes)
	}
	tests := []struct {
		name   string
		ask    []string
		digest string
		names  string
	}{
		{"none", nil, "", ""},
		{"All", []string{"All"}, all, "General Hello Help.Me"},
		{"*", []string{"*"}, all, "General Hello Help.Me"},
		{".*", []string{".*"}, all, "General Hello Help.Me"},
		{"two names", []string{"Hello", "General"}, "fca026605781cb4126a1e9044df24232", "General Hello"},
		{"one that is there", []string{"Hello", "Nobody"}, "a311262e065454b75da111d535b8dacd", "Hello"},
		{"prefix", []string{"Hel.*"}, "83fee93c1bcd8b9a5a923ffacdc636c7", "Hello Help.Me"},
		{"none that is there", []string{"Foo"}, "", ""},
		{"illegal names", []string{"AWS."}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, MessageAttributeNames: test.ask, VisibilityTimeout: 0,
				//lint:ignore SA1019 older clients still use it
				AttributeNames: []types.QueueAttributeName{"All"}})
			if err != nil || len(got.Messages) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			m := got.Messages[0]
			if err := s.hide(url, m, 0); err != nil {
				t.Fatal(err)
			}
			if aws.ToString(m.MD5OfMessageAttributes) != test.digest || len(m.MessageAttributes) != len(strings.Fields(test.names)) {
				t.Errorf("digest %q of %v", aws.ToString(m.MD5OfMessageAttributes), m.MessageAttributes)
			}
			for _, name := range strings.Fields(test.names) {
				if m.MessageAttributes[name].StringValue == nil {
					t.Errorf("%s is missing", name)
				}
			}
			if m.Attributes["AWSTraceHeader"] != "Root=1-5759e988-bd862e3fe1be46a994272793" || m.Attributes["MessageGroupId"] != "tenant-1" {
				t.Errorf("system attributes %v", m.Attributes)
			}
		})
	}
}

func TestBinaryAndNumberAttributes(t *testing.T) {
	s := open(t)
	url := s.create("work")
	trace := []byte("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")
	send := func(attrs map[string]types.MessageAttributeValue) types.Message {
		t.Helper()
		out, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("test"), MessageAttributes: attrs})
		if err != nil {
			t.Fatal(err)
		}
		m := s.one(url)
		if *out.MD5OfMessageAttributes != *m.MD5OfMessageAttributes {
			t.Errorf("digests %s and %s", *out.MD5OfMessageAttributes, *m.MD5OfMessageAttributes)
		}
		return m
	}
	m := send(map[string]types.MessageAttributeValue{"attr1": {DataType: aws.String("Binary"), BinaryValue: trace}})
	if *m.MD5OfMessageAttributes != "8cbe4db156db8a94db8b801b7addb984" || string(m.MessageAttributes["attr1"].BinaryValue) != string(trace) {
		t.Errorf("binary: %+v", m)
	}
	// The 38 digits of the longest number, and custom labels behind the type.
	number := "99999999999999999999999999999999999999"
	m = send(map[string]types.MessageAttributeValue{"n": text("Number.big", number), "e": text("Number", "-1.5e-10"),
		"png": {DataType: aws.String("Binary.png"), BinaryValue: []byte{0, 255}}})
	if *m.MessageAttributes["n"].StringValue != number || *m.MessageAttributes["n"].DataType != "Number.big" ||
		len(m.MessageAttributes["png"].BinaryValue) != 2 {
		t.Errorf("attributes %+v", m.MessageAttributes)
	}
}

func TestSendMessageBatchReportsEachEntry(t *testing.T) {
	s := open(t)
	url := s.create("work", "MaximumMessageSize", "1024")
	out, err := s.SendMessageBatch(ctx, &sdk.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("good"), MessageBody: aws.String("a")},
		{Id: aws.String("bad"), MessageBody: aws.String("\x02")},
		{Id: aws.String("long"), MessageBody: aws.String(strings.Repeat("x", 1025))},
		{Id: aws.String("late"), MessageBody: aws.String("b"), DelaySeconds: 900},
		{Id: aws.String("later"), MessageBody: aws.String("c"), DelaySeconds: 901},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Successful) != 2 || *out.Successful[0].Id != "good" || *out.Successful[1].Id != "late" {
		t.Errorf("successful %+v", out.Successful)
	}
	codes := make(map[string]string)
	for _, f := range out.Failed {
		codes[*f.Id] = *f.Code
		if !f.SenderFault {
			t.Errorf("%s is not the sender's fault", *f.Id)
		}
	}
	if fmt.Sprint(codes) != "map[bad:InvalidMessageContents later:InvalidParameterValue long:InvalidParameterValue]" {
		t.Errorf("failed %v", codes)
	}
	if got := s.counts(url); got != "1/0/1" {
		t.Errorf("counts %s", got)
	}
}

func TestBatchRefusals(t *testing.T) {
	s := open(t)
	url, fifo := s.create("work"), s.create("work.fifo")
	entries := func(ids ...string) []types.SendMessageBatchRequestEntry {
		out := []types.SendMessageBatchRequestEntry{}
		for _, id := range ids {
			out = append(out, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: aws.String("x")})
		}
		return out
	}
	half := entries("a", "b")
	for i := range half {
		half[i].MessageBody = aws.String(strings.Repeat("x", 1<<19+i))
	}
	eleven := strings.Fields("0 1 2 3 4 5 6 7 8 9 10")
	grouped := entries("a")
	grouped[0].MessageGroupId = aws.String("g")
	tests := []struct {
		name, url     string
		entries       []types.SendMessageBatchRequestEntry
		code, message string
	}{
		{"empty", url, entries(), "AWS.SimpleQueueService.EmptyBatchRequest", "SendMessageBatchRequestEntry"},
		{"eleven", url, entries(eleven...), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "You have sent 11."},
		{"same id", url, entries("a", "b", "a"), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id a repeated."},
		{"bad id", url, entries("a:b"), "AWS.SimpleQueueService.InvalidBatchEntryId", "at most 80"},
		{"long id", url, entries(strings.Repeat("a", 81)), "AWS.SimpleQueueService.InvalidBatchEntryId", "at most 80"},
		{"over 1 MiB", url, half, "AWS.SimpleQueueService.BatchRequestTooLong", "You have sent 1048577 bytes."},
		{"FIFO without group", fifo, entries("a"), "InvalidParameterValue", "MessageGroupId"},
		{"FIFO without deduplication", fifo, grouped, "InvalidParameterValue", "ContentBasedDeduplication"},
		{"no such queue", "none", entries("a"), "AWS.SimpleQueueService.NonExistentQueue", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.SendMessageBatch(ctx, &sdk.SendMessageBatchInput{QueueUrl: &test.url, Entries: test.entries})
			wantError(t, err, test.code, test.message)
		})
	}
	_, err := s.DeleteMessageBatch(ctx, &sdk.DeleteMessageBatchInput{QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{}})
	wantError(t, err, "AWS.SimpleQueueService.EmptyBatchRequest", "DeleteMessageBatchRequestEntry")
}

func TestDeleteAndVisibilityBatchesReportEachEntry(t *testing.T) {
	s := open(t)
	url := s.create("work")
	for range 3 {
		s.send(url, "x")
	}
	got := s.receive(url, 10)
	visible, err := s.ChangeMessageVisibilityBatch(ctx, &sdk.ChangeMessageVisibilityBatchInput{QueueUrl: &url,
		Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: aws.String("now"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 0},
			{Id: aws.String("far"), ReceiptHandle: got[1].ReceiptHandle, VisibilityTimeout: 43201},
			{Id: aws.String("bad"), ReceiptHandle: aws.String("x"), VisibilityTimeout: 1},
		}})
	if err != nil {
		t.Fatal(err)
	}
	if len(visible.Successful) != 1 || *visible.Successful[0].Id != "now" || len(visible.Failed) != 2 ||
		*visible.Failed[0].Code != "InvalidParameterValue" || *visible.Failed[1].Code != "ReceiptHandleIsInvalid" {
		t.Errorf("%+v", visible)
	}
	if got := s.counts(url); got != "1/2/0" {
		t.Errorf("counts %s", got)
	}
	deleted, err := s.DeleteMessageBatch(ctx, &sdk.DeleteMessageBatchInput{QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: got[1].ReceiptHandle},
		{Id: aws.String("b"), ReceiptHandle: got[2].ReceiptHandle},
		{Id: aws.String("c"), ReceiptHandle: aws.String("x")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(deleted.Successful) != 2 || len(deleted.Failed) != 1 || *deleted.Failed[0].Code != "ReceiptHandleIsInvalid" {
		t.Errorf("%+v", deleted)
	}
	if got := s.counts(url); got != "1/0/0" {
		t.Errorf("counts %s", got)
	}
}
