package sqs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/clock"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SQS_TEST_SERVE"); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sandbox is a service over a data folder, behind HTTP, with the real SDK's client in front of it.
type sandbox struct {
	*sdk.Client
	t       testing.TB
	dir     string
	clock   *clock.Fake
	db      *store.DB
	service *Service
	server  *httptest.Server
}

func open(t testing.TB) *sandbox {
	t.Helper()
	s := &sandbox{t: t, dir: t.TempDir(), clock: clock.NewFake(began)}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *sandbox) start() {
	s.t.Helper()
	var err error
	if s.db, err = store.Open(s.dir, store.Options{}); err != nil {
		s.t.Fatal(err)
	}
	s.service, err = New(Options{Store: s.db, Clock: s.clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = httptest.NewServer(WithOrigin(awsjson.NewHandler(slog.New(slog.NewTextHandler(os.Stderr, nil)), s.service)))
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	s.Client = sdk.New(sdk.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(s.server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:   &http.Client{Transport: transport},
		Retryer:      aws.NopRetryer{},
	})
	s.t.Cleanup(transport.CloseIdleConnections)
}

func (s *sandbox) stop() {
	s.t.Helper()
	s.server.Close()
	if err := errors.Join(s.service.Close(), s.db.Close()); err != nil {
		s.t.Error(err)
	}
}

// restart ends the service and starts another one on the same folder.
func (s *sandbox) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

func (s *sandbox) create(name string, attributes ...string) string {
	s.t.Helper()
	in := &sdk.CreateQueueInput{QueueName: &name, Attributes: pairs(attributes)}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes["FifoQueue"] = "true"
	}
	out, err := s.CreateQueue(context.Background(), in)
	if err != nil {
		s.t.Fatalf("create %s: %v", name, err)
	}
	return *out.QueueUrl
}

func pairs(list []string) map[string]string {
	m := make(map[string]string)
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

func (s *sandbox) send(url, body string) *sdk.SendMessageOutput {
	s.t.Helper()
	return s.sendTo(url, body, "", "")
}

func (s *sandbox) sendTo(url, body, group, dedup string) *sdk.SendMessageOutput {
	s.t.Helper()
	in := &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body}
	if group != "" {
		in.MessageGroupId = &group
	}
	if dedup != "" {
		in.MessageDeduplicationId = &dedup
	}
	out, err := s.SendMessage(context.Background(), in)
	if err != nil {
		s.t.Fatalf("send %q: %v", body, err)
	}
	return out
}

func (s *sandbox) receive(url string, n int) []types.Message {
	s.t.Helper()
	out, err := s.ReceiveMessage(context.Background(), &sdk.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: int32(n),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		s.t.Fatalf("receive: %v", err)
	}
	return out.Messages
}

func (s *sandbox) one(url string) types.Message {
	s.t.Helper()
	got := s.receive(url, 1)
	if len(got) != 1 {
		s.t.Fatalf("received %d messages, want 1", len(got))
	}
	return got[0]
}

func (s *sandbox) none(url string) {
	s.t.Helper()
	if got := s.receive(url, 10); len(got) > 0 {
		s.t.Fatalf("received %q, want nothing", bodies(got))
	}
}

func (s *sandbox) want(url string, want ...string) []types.Message {
	s.t.Helper()
	got := s.receive(url, 10)
	if strings.Join(bodies(got), " ") != strings.Join(want, " ") {
		s.t.Fatalf("received %q, want %q", bodies(got), want)
	}
	return got
}

func (s *sandbox) delete(url string, m types.Message) {
	s.t.Helper()
	if _, err := s.DeleteMessage(context.Background(), &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
		s.t.Fatalf("delete: %v", err)
	}
}

func (s *sandbox) hide(url string, m types.Message, seconds int32) error {
	_, err := s.ChangeMessageVisibility(context.Background(), &sdk.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
	return err
}

func (s *sandbox) attributes(url string) map[string]string {
	s.t.Helper()
	out, err := s.GetQueueAttributes(context.Background(), &sdk.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Attributes
}

// counts gives visible/in flight/delayed.
func (s *sandbox) counts(url string) string {
	s.t.Helper()
	a := s.attributes(url)
	return a["ApproximateNumberOfMessages"] + "/" + a["ApproximateNumberOfMessagesNotVisible"] + "/" + a["ApproximateNumberOfMessagesDelayed"]
}

func (s *sandbox) arn(url string) string { return s.attributes(url)["QueueArn"] }

func bodies(messages []types.Message) []string {
	out := make([]string, len(messages))
	for i, m := range messages {
		out[i] = *m.Body
	}
	return out
}

// wantError checks an API error's code, as the SDK gives it, and a part of its message.
func wantError(t testing.TB, err error, code, message string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("error %v, want %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Fatalf("error %s: %s\nwant %s: ...%s...", api.ErrorCode(), api.ErrorMessage(), code, message)
	}
}
