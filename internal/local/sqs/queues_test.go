package sqs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestCreateQueueIsIdempotentForTheSameAttributes(t *testing.T) {
	s := open(t)
	dead := s.create("dead")
	policy := fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"3"}`, s.arn(dead))
	url := s.create("work", "DelaySeconds", "5", "RedrivePolicy", policy)
	if url != s.server.URL+"/000000000000/work" {
		t.Errorf("url %s", url)
	}
	same := strings.Replace(policy, `"3"`, "3", 1)
	for _, attributes := range [][]string{nil, {"DelaySeconds", "5"}, {"VisibilityTimeout", "30"}, {"RedrivePolicy", same}} {
		if again := s.create("work", attributes...); again != url {
			t.Errorf("%v gave %s", attributes, again)
		}
	}
	for _, attribute := range []string{"DelaySeconds", "VisibilityTimeout"} {
		_, err := s.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("work"), Attributes: map[string]string{attribute: "6"}})
		wantError(t, err, "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute "+attribute)
	}
}

func TestCreateQueueRefusals(t *testing.T) {
	s := open(t)
	fifo := s.create("dead.fifo")
	closed := s.create("closed", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
	redrive := func(arn, count string) string {
		return fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%s}`, arn, count)
	}
	const invalid = "InvalidParameterValue"
	tests := []struct {
		name          string
		attributes    []string
		code, message string
	}{
		{"a b", nil, invalid, "1 to 80 in length"},
		{strings.Repeat("a", 81), nil, invalid, "1 to 80 in length"},
		{"a.b", nil, invalid, "1 to 80 in length"},
		{"work", []string{"FifoQueue", "true"}, invalid, "must end with .fifo"},
		{"work", []string{"FifoQueue", "false"}, "InvalidAttributeName", "Unknown Attribute FifoQueue."},
		{"work", []string{"ContentBasedDeduplication", "true"}, "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."},
		{"work", []string{"Nonsense", "1"}, "InvalidAttributeName", "Unknown Attribute Nonsense."},
		{"work", []string{"QueueArn", "x"}, "InvalidAttributeName", "Unknown Attribute QueueArn."},
		{"work", []string{"VisibilityTimeout", "43201"}, "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."},
		{"work", []string{"VisibilityTimeout", "-1"}, "InvalidAttributeValue", "VisibilityTimeout"},
		{"work", []string{"DelaySeconds", "901"}, "InvalidAttributeValue", "DelaySeconds"},
		{"work", []string{"DelaySeconds", "soon"}, "InvalidAttributeValue", "DelaySeconds"},
		{"work", []string{"MaximumMessageSize", "1048577"}, "InvalidAttributeValue", "MaximumMessageSize"},
		{"work", []string{"MessageRetentionPeriod", "59"}, "InvalidAttributeValue", "MessageRetentionPeriod"},
		{"work", []string{"ReceiveMessageWaitTimeSeconds", "21"}, "InvalidAttributeValue", "ReceiveMessageWaitTimeSeconds"},
		{"work", []string{"Policy", "{"}, "InvalidAttributeValue", "Policy"},
		{"work.fifo", []string{"FifoQueue", "true", "DeduplicationScope", "world"}, "InvalidAttributeValue", "DeduplicationScope"},
		{"work.fifo", []string{"FifoQueue", "true", "FifoThroughputLimit", "perMessageGroupId"}, "InvalidAttributeValue", "needs DeduplicationScope"},
		{"work.fifo", nil, invalid, "1 to 80 in length"},
		{"work", []string{"RedrivePolicy", "{"}, invalid, "not a valid JSON map"},
		{"work", []string{"RedrivePolicy", "{}"}, invalid, "mandatory attribute: maxReceiveCount."},
		{"work", []string{"RedrivePolicy", `{"maxReceiveCount":1}`}, invalid, "mandatory attribute: deadLetterTargetArn."},
		{"work", []string{"RedrivePolicy", redrive("dummy", "42")}, invalid, "Invalid value for deadLetterTargetArn."},
		{"work", []string{"RedrivePolicy", redrive(s.arn(closed), "0")}, invalid, "maxReceiveCount"},
		{"work", []string{"RedrivePolicy", redrive("arn:aws:sqs:us-east-1:000000000000:none", "1")}, invalid, "Dead letter target does not exist."},
		{"work", []string{"RedrivePolicy", redrive(s.arn(fifo), "1")}, invalid, "same type"},
		{"work", []string{"RedrivePolicy", redrive(s.arn(closed), "1")}, invalid, "RedriveAllowPolicy"},
		{"work", []string{"RedriveAllowPolicy", `{"redrivePermission":"sometimes"}`}, invalid, "redrivePermission"},
		{"work", []string{"RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`}, invalid, "sourceQueueArns"},
		{"work", []string{"KmsMasterKeyId", "k", "SqsManagedSseEnabled", "true"}, "InvalidAttributeName", "one type of server-side encryption"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.name, test.attributes), func(t *testing.T) {
			_, err := s.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: &test.name, Attributes: pairs(test.attributes)})
			wantError(t, err, test.code, test.message)
		})
	}
}

func TestQueueAttributes(t *testing.T) {
	s := open(t)
	standard := map[string]string{
		"QueueArn": "arn:aws:sqs:us-east-1:000000000000:work", "ApproximateNumberOfMessages": "0",
		"ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
		"CreatedTimestamp": "1772366400", "LastModifiedTimestamp": "1772366400", "VisibilityTimeout": "30",
		"MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "DelaySeconds": "0",
		"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true",
	}
	url := s.create("work")
	if got := s.attributes(url); !maps.Equal(got, standard) {
		t.Errorf("standard: %v", got)
	}
	fifo := maps.Clone(standard)
	maps.Copy(fifo, map[string]string{"QueueArn": "arn:aws:sqs:us-east-1:000000000000:work.fifo", "FifoQueue": "true",
		"ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"})
	if got := s.attributes(s.create("work.fifo")); !maps.Equal(got, fifo) {
		t.Errorf("FIFO: %v", got)
	}
	out, err := s.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url})
	if err != nil || len(out.Attributes) != 0 {
		t.Errorf("none asked for: %v, %v", out, err)
	}
	out, err = s.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"DelaySeconds", "FifoQueue"}})
	if err != nil || !maps.Equal(out.Attributes, map[string]string{"DelaySeconds": "0"}) {
		t.Errorf("by name: %v, %v", out, err)
	}
	_, err = s.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"Nonsense"}})
	wantError(t, err, "InvalidAttributeName", "Unknown Attribute Nonsense.")
}

func TestSetQueueAttributes(t *testing.T) {
	s := open(t)
	dead := s.create("dead")
	url, fifo := s.create("work"), s.create("work.fifo")
	set := func(url string, attributes ...string) error {
		_, err := s.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: &url, Attributes: pairs(attributes)})
		return err
	}
	policy := fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":7}`, s.arn(dead))
	if err := set(url, "VisibilityTimeout", "69", "RedrivePolicy", policy, "Policy", `{"Version":"2012-10-17"}`); err != nil {
		t.Fatal(err)
	}
	s.restart()
	got := s.attributes(url)
	if got["VisibilityTimeout"] != "69" || got["RedrivePolicy"] != policy || got["Policy"] != `{"Version":"2012-10-17"}` {
		t.Errorf("attributes %v", got)
	}
	if err := set(url, "RedrivePolicy", "", "Policy", ""); err != nil {
		t.Fatal(err)
	}
	if got := s.attributes(url); got["RedrivePolicy"] != "" || got["Policy"] != "" || got["VisibilityTimeout"] != "69" {
		t.Errorf("attributes %v", got)
	}
	if err := set(url, "KmsMasterKeyId", "key"); err != nil {
		t.Fatal(err)
	}
	if got := s.attributes(url); got["SqsManagedSseEnabled"] != "false" || got["KmsDataKeyReusePeriodSeconds"] != "300" {
		t.Errorf("attributes %v", got)
	}
	wantError(t, set(url, "FifoQueue", "true"), "InvalidAttributeName", "Unknown Attribute FifoQueue.")
	wantError(t, set(fifo, "FifoQueue", "false"), "InvalidAttributeValue", "Modifying queue type is not supported.")
	wantError(t, set(url, "DelaySeconds", "-1"), "InvalidAttributeValue", "DelaySeconds")
	if err := set(fifo, "DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId"); err != nil {
		t.Error(err)
	}
}

func TestListQueuesByPrefixAndPage(t *testing.T) {
	s := open(t)
	for _, name := range []string{"b-2", "a-1", "b-1", "c-1", "b-3"} {
		s.create(name)
	}
	names := func(urls []string) string {
		var out []string
		for _, url := range urls {
			out = append(out, url[strings.LastIndex(url, "/")+1:])
		}
		return strings.Join(out, " ")
	}
	all, err := s.ListQueues(ctx, &sdk.ListQueuesInput{})
	if err != nil || names(all.QueueUrls) != "a-1 b-1 b-2 b-3 c-1" || all.NextToken != nil {
		t.Errorf("all: %v, %v", all, err)
	}
	var pages []string
	pager := sdk.NewListQueuesPaginator(s.Client, &sdk.ListQueuesInput{QueueNamePrefix: aws.String("b-"), MaxResults: aws.Int32(2)})
	for pager.HasMorePages() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, names(page.QueueUrls))
	}
	if !slices.Equal(pages, []string{"b-1 b-2", "b-3"}) {
		t.Errorf("pages %q", pages)
	}
	_, err = s.ListQueues(ctx, &sdk.ListQueuesInput{MaxResults: aws.Int32(1001)})
	wantError(t, err, "InvalidParameterValue", "between 1 and 1000")
	_, err = s.ListQueues(ctx, &sdk.ListQueuesInput{MaxResults: aws.Int32(1), NextToken: aws.String("%")})
	wantError(t, err, "InvalidParameterValue", "next token")
}

func TestQueueIsFoundByURLsOfAnyHost(t *testing.T) {
	s := open(t)
	url := s.create("orders")
	s.send(url, "x")
	for _, other := range []string{"https://sqs.eu-west-1.amazonaws.com/123456789012/orders", "http://localhost:9999/orders/", "orders"} {
		if got := s.counts(other); got != "1/0/0" {
			t.Errorf("%s: counts %s", other, got)
		}
	}
	out, err := s.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("orders")})
	if err != nil || *out.QueueUrl != url {
		t.Errorf("%v, %v", out, err)
	}
	_, err = s.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("none")})
	wantError(t, err, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	if _, ok := err.(interface{ Unwrap() error }); !ok {
		t.Errorf("error %T", err)
	}
}

func TestTags(t *testing.T) {
	s := open(t)
	out, err := s.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("work"), Tags: map[string]string{"a": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	tags := func() string {
		t.Helper()
		got, err := s.ListQueueTags(ctx, &sdk.ListQueueTagsInput{QueueUrl: out.QueueUrl})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(got.Tags)
	}
	if _, err := s.TagQueue(ctx, &sdk.TagQueueInput{QueueUrl: out.QueueUrl, Tags: map[string]string{"b": "2", "c": ""}}); err != nil {
		t.Fatal(err)
	}
	if got := tags(); got != "map[a:1 b:2 c:]" {
		t.Errorf("tags %s", got)
	}
	if _, err := s.UntagQueue(ctx, &sdk.UntagQueueInput{QueueUrl: out.QueueUrl, TagKeys: []string{"a", "c", "none"}}); err != nil {
		t.Fatal(err)
	}
	s.restart()
	if got := tags(); got != "map[b:2]" {
		t.Errorf("tags %s", got)
	}
	many := make(map[string]string)
	for i := range 50 {
		many[fmt.Sprint(i)] = ""
	}
	_, err = s.TagQueue(ctx, &sdk.TagQueueInput{QueueUrl: out.QueueUrl, Tags: many})
	wantError(t, err, "InvalidParameterValue", "Too many tags added for queue work.")
}

func TestDeletedQueueIsGoneWithItsMessages(t *testing.T) {
	s := open(t)
	url := s.create("work")
	s.send(url, "old")
	if _, err := s.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: &url}); err != nil {
		t.Fatal(err)
	}
	_, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("x")})
	wantError(t, err, "AWS.SimpleQueueService.NonExistentQueue", "")
	s.create("work", "DelaySeconds", "0")
	s.none(url)
	s.restart()
	s.none(url)
}

func TestReceiveRefusals(t *testing.T) {
	s := open(t)
	url := s.create("work")
	tests := []struct {
		name          string
		in            sdk.ReceiveMessageInput
		code, message string
	}{
		{"eleven messages", sdk.ReceiveMessageInput{MaxNumberOfMessages: 11}, "InvalidParameterValue",
			"Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{"wait of 21 s", sdk.ReceiveMessageInput{WaitTimeSeconds: 21}, "InvalidParameterValue", "WaitTimeSeconds"},
		{"negative visibility", sdk.ReceiveMessageInput{VisibilityTimeout: -1}, "InvalidParameterValue", "VisibilityTimeout"},
		{"unknown attribute", sdk.ReceiveMessageInput{MessageSystemAttributeNames: []types.MessageSystemAttributeName{"Nonsense"}}, "InvalidAttributeName", "Nonsense"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.in.QueueUrl = &url
			_, err := s.ReceiveMessage(ctx, &test.in)
			wantError(t, err, test.code, test.message)
		})
	}
}

func TestQueuesOfOlderDataFoldersAreRead(t *testing.T) {
	for old, want := range map[string]string{
		`{"maxReceiveCount": "3", "deadLetterTargetArn": "arn:b:sqs:c:d:dead"}`: `{"deadLetterTargetArn":"arn:b:sqs:c:d:dead","maxReceiveCount":3}`,
		`{"deadLetterTargetArn": "arn:b:sqs:c:d:dead"}`:                         `{"deadLetterTargetArn":"arn:b:sqs:c:d:dead","maxReceiveCount":10}`,
	} {
		got := upgraded(map[string]string{"RedrivePolicy": old, "DelaySeconds": "5"})
		if got["RedrivePolicy"] != want || got["DelaySeconds"] != "5" {
			t.Errorf("%s: %v, want %s", old, got, want)
		}
	}
	plain := map[string]string{"DelaySeconds": "5"}
	if got := upgraded(plain); len(got) != 1 || got["DelaySeconds"] != "5" {
		t.Errorf("%v", got)
	}
}
