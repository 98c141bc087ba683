package fault_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb"
	"github.com/flowctl-dev/flowctl/internal/local/fault"
	"github.com/flowctl-dev/flowctl/internal/local/sqs"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// standIns are SQS and DynamoDB with faults in front, and SDK clients that do
// not try again.
type standIns struct {
	url    string
	sqs    *sdk.Client
	dynamo *ddb.Client
	queue  string
}

func start(t *testing.T, texts ...string) *standIns {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	var rules []fault.Rule
	for _, text := range texts {
		r, err := fault.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	injector := fault.New(fault.Options{Seed: 1, Rules: rules})
	db, err := store.Open(t.TempDir(), store.Options{Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	queues, err := sqs.New(sqs.Options{Store: db, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := dynamodb.New(dynamodb.Options{Store: db, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(awsjson.NewHandler(quiet, injector.Wrap(queues), injector.Wrap(tables)))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		if err := errors.Join(queues.Close(), tables.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
	s := &standIns{url: server.URL, sqs: sdk.NewFromConfig(cfg), dynamo: ddb.NewFromConfig(cfg)}
	injector.Hold()
	out, err := s.sqs.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	s.queue = *out.QueueUrl
	_, err = s.dynamo.CreateTable(t.Context(), &ddb.CreateTableInput{
		TableName: aws.String("drivers"), BillingMode: ddbtypes.BillingModePayPerRequest,
		KeySchema:            []ddbtypes.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: ddbtypes.KeyTypeHash}},
		AttributeDefinitions: []ddbtypes.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: ddbtypes.ScalarAttributeTypeS}},
	})
	if err != nil {
		t.Fatal(err)
	}
	injector.Release()
	return s
}

func (s *standIns) put(t *testing.T, id string) error {
	_, err := s.dynamo.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("drivers"),
		Item: map[string]ddbtypes.AttributeValue{"id": &ddbtypes.AttributeValueMemberS{Value: id}}})
	return err
}

func (s *standIns) items(t *testing.T) int32 {
	t.Helper()
	out, err := s.dynamo.Scan(t.Context(), &ddb.ScanInput{TableName: aws.String("drivers")})
	if err != nil {
		t.Fatal(err)
	}
	return out.Count
}

func (s *standIns) send(t *testing.T, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if _, err := s.sqs.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &s.queue, MessageBody: &b}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *standIns) receive(t *testing.T, most int32) []types.Message {
	t.Helper()
	out, err := s.sqs.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: &s.queue, MaxNumberOfMessages: most,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func bodies(messages []types.Message) (all []string) {
	for _, m := range messages {
		all = append(all, *m.Body)
	}
	return all
}

func TestRulesKnowTheOperationsOfTheStandIns(t *testing.T) {
	db, err := store.Open(t.TempDir(), store.Options{Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	queues, err := sqs.New(sqs.Options{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := dynamodb.New(dynamodb.Options{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	for service, operations := range map[string][]string{"sqs": queues.Operations(), "dynamodb": tables.Operations()} {
		for _, op := range operations {
			if _, err := fault.Parse(service + "." + op + ":error=1%"); err != nil {
				t.Error(err)
			}
		}
		_, err := fault.Parse(service + ".:error=1%")
		listed := strings.Split(err.Error()[strings.Index(err.Error(), "one of ")+len("one of "):], ", ")
		if !slices.Equal(listed, operations) {
			t.Errorf("rules of %s know\n%v\nthe stand-in has\n%v", service, listed, operations)
		}
	}
	if err := errors.Join(queues.Close(), tables.Close(), db.Close()); err != nil {
		t.Error(err)
	}
}

func TestThrottledOperationsFailAsTheServicesDo(t *testing.T) {
	s := start(t, "dynamodb.PutItem:throttle=100%", "dynamodb.ListTables:throttle=100%", "sqs.SendMessage:throttle=100%")
	if _, ok := errors.AsType[*ddbtypes.ProvisionedThroughputExceededException](s.put(t, "a")); !ok {
		t.Error("PutItem is not refused for want of capacity")
	}
	if _, err := s.dynamo.ListTables(t.Context(), nil); err == nil || codeOf(err) != "ThrottlingException" {
		t.Errorf("ListTables: %v", err)
	}
	_, err := s.sqs.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &s.queue, MessageBody: aws.String("x")})
	if _, ok := errors.AsType[*types.RequestThrottled](err); !ok {
		t.Errorf("SendMessage: %v", err)
	}
	if s.items(t) != 0 || len(s.receive(t, 10)) != 0 {
		t.Error("a throttled operation was done")
	}
	resp := s.post(t, "AmazonSQS.SendMessage", `{"QueueUrl":"`+s.queue+`","MessageBody":"x"}`)
	if resp.StatusCode != http.StatusForbidden || resp.Header.Get("x-amzn-query-error") != "RequestThrottled;Sender" {
		t.Errorf("%s, x-amzn-query-error %q", resp.Status, resp.Header.Get("x-amzn-query-error"))
	}
	resp = s.post(t, "DynamoDB_20120810.ListTables", `{}`)
	if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("X-Amz-Crc32") == "" {
		t.Errorf("%s, X-Amz-Crc32 %q", resp.Status, resp.Header.Get("X-Amz-Crc32"))
	}
}

func (s *standIns) post(t *testing.T, target, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func TestFailedOperationsAreFaultsOfTheServer(t *testing.T) {
	s := start(t, "dynamodb.PutItem:error=100%", "sqs.SendMessage:error=100%")
	if _, ok := errors.AsType[*ddbtypes.InternalServerError](s.put(t, "a")); !ok {
		t.Error("PutItem gives no InternalServerError")
	}
	_, err := s.sqs.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &s.queue, MessageBody: aws.String("x")})
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "InternalFailure" {
		t.Errorf("SendMessage: %v", err)
	}
	if s.items(t) != 0 || len(s.receive(t, 10)) != 0 {
		t.Error("a failed operation was done")
	}
}

func TestDroppedOperationsAreNotDoneAndThoseWithoutReplyAre(t *testing.T) {
	s := start(t, "dynamodb.PutItem:drop=100%", "sqs.SendMessage:drop-reply=100%")
	if err := s.put(t, "a"); err == nil || codeOf(err) != "" {
		t.Errorf("PutItem: %v, want a broken connection", err)
	}
	if n := s.items(t); n != 0 {
		t.Errorf("%d items", n)
	}
	_, err := s.sqs.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &s.queue, MessageBody: aws.String("x")})
	if err == nil || codeOf(err) != "" {
		t.Errorf("SendMessage: %v, want a broken connection", err)
	}
	if got := bodies(s.receive(t, 10)); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the queue has %q", got)
	}
}

func TestADuplicateComesWithTheNextReceiveEvenAfterTheDelete(t *testing.T) {
	s := start(t, "sqs.ReceiveMessage:duplicate=100%")
	s.send(t, `{"a":"<&>"}`)
	first := s.receive(t, 1)
	if len(first) != 1 {
		t.Fatalf("%d messages", len(first))
	}
	if _, err := s.sqs.DeleteMessage(t.Context(), &sdk.DeleteMessageInput{QueueUrl: &s.queue, ReceiptHandle: first[0].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	again := s.receive(t, 1)
	if len(again) != 1 || *again[0].MessageId != *first[0].MessageId || *again[0].Body != *first[0].Body {
		t.Fatalf("no copy, but %v", again)
	}
	if got := again[0].Attributes["ApproximateReceiveCount"]; got != "2" {
		t.Errorf("ApproximateReceiveCount %s", got)
	}
	if _, err := s.sqs.DeleteMessage(t.Context(), &sdk.DeleteMessageInput{QueueUrl: &s.queue, ReceiptHandle: again[0].ReceiptHandle}); err != nil {
		t.Errorf("deleting the copy: %v", err)
	}
	if rest := s.receive(t, 10); len(rest) != 0 {
		t.Errorf("a third time: %q", bodies(rest))
	}
}

func TestDuplicatesComeBesideNewMessages(t *testing.T) {
	s := start(t, "sqs.ReceiveMessage:duplicate=100%")
	s.send(t, "a", "b", "c")
	if got := bodies(s.receive(t, 2)); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("%q", got)
	}
	if got := bodies(s.receive(t, 10)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
	if got := bodies(s.receive(t, 10)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("%q", got)
	}
}

func TestDuplicatesOfAPurgedQueueAreGone(t *testing.T) {
	s := start(t, "sqs.ReceiveMessage:duplicate=100%")
	s.send(t, "a")
	s.receive(t, 1)
	if _, err := s.sqs.PurgeQueue(t.Context(), &sdk.PurgeQueueInput{QueueUrl: aws.String("http://localhost/000000000000/orders/")}); err != nil {
		t.Fatal(err)
	}
	if got := bodies(s.receive(t, 10)); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestFIFOQueuesGiveNoDuplicates(t *testing.T) {
	s := start(t, "sqs.ReceiveMessage:duplicate=100%")
	out, err := s.sqs.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: aws.String("orders.fifo"),
		Attributes: map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}})
	if err != nil {
		t.Fatal(err)
	}
	s.queue = *out.QueueUrl
	if _, err := s.sqs.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &s.queue, MessageBody: aws.String("x"), MessageGroupId: aws.String("g")}); err != nil {
		t.Fatal(err)
	}
	if got := bodies(s.receive(t, 10)); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%q", got)
	}
	if got := bodies(s.receive(t, 10)); len(got) != 0 {
		t.Errorf("a second time: %q", got)
	}
}

func TestWrongReceivesAreTheServicesToRefuse(t *testing.T) {
	s := start(t, "sqs.ReceiveMessage:duplicate=100%")
	s.send(t, "a")
	s.receive(t, 1)
	for _, body := range []string{`{"QueueUrl":"` + s.queue + `","MaxNumberOfMessages":11}`, `{"QueueUrl":7}`, `[`} {
		if resp := s.post(t, "AmazonSQS.ReceiveMessage", body); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", body, resp.Status)
		}
	}
	if got := bodies(s.receive(t, 10)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the copy was lost: %q", got)
	}
}
