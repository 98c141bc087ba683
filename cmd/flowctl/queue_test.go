package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flowctl-dev/flowctl/internal/local"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
	nodedynamodb "github.com/flowctl-dev/flowctl/nodes/dynamodb"
	nodesqs "github.com/flowctl-dev/flowctl/nodes/sqs"
)

// standIns are running stand-ins and what to prepare them with.
type standIns struct {
	t        *testing.T
	endpoint string
	queues   *sqs.Client
	tables   *dynamodb.Client
}

func startStandIns(t *testing.T) *standIns {
	t.Helper()
	l, err := local.Start(t.Context(), local.Options{Dir: t.TempDir(), AWSAddr: "127.0.0.1:0", Relaxed: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	clients := awsclient.New(awsclient.Options{LocalEndpoint: l.AWSEndpoint()})
	t.Cleanup(func() {
		clients.CloseIdle()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &standIns{t: t, endpoint: l.AWSEndpoint()}
	if s.queues, err = nodesqs.Client(t.Context(), clients, true); err != nil {
		t.Fatal(err)
	}
	if s.tables, err = nodedynamodb.Client(t.Context(), clients, true); err != nil {
		t.Fatal(err)
	}
	return s
}

// flowctl runs a command against the stand-ins.
func (s *standIns) flowctl(stdin string, args ...string) (stdout, stderr string, err error) {
	return flowctl(s.t.Context(), stdin, append(args, "--endpoint", s.endpoint)...)
}

// flowctl runs a command to its end.
func flowctl(ctx context.Context, stdin string, args ...string) (stdout, stderr string, err error) {
	var out, words bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&words)
	err = root.ExecuteContext(ctx)
	return out.String(), words.String(), err
}

// queue makes a queue whose dead letters go to NAME-dead after two receives.
func (s *standIns) queue(name string) (url string) {
	s.t.Helper()
	url, err := nodesqs.Create(s.t.Context(), s.queues, name, &nodesqs.Queue{DeadLetter: nodesqs.DeadLetter{After: 2}, Visibility: 30e9, Retention: 96 * 3600e9, MaxSize: 1 << 20})
	if err != nil {
		s.t.Fatal(err)
	}
	return url
}

// fail receives a queue's messages until they are dead letters.
func (s *standIns) fail(url string) {
	s.t.Helper()
	for range 3 {
		out, err := s.queues.ReceiveMessage(s.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range out.Messages {
			if _, err := s.queues.ChangeMessageVisibility(s.t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *standIns) listed(name string) listedQueue {
	s.t.Helper()
	out, _, err := s.flowctl("", "queue", "ls", name, "--output", "json")
	if err != nil {
		s.t.Fatal(err)
	}
	var l listedQueue
	first, _, _ := strings.Cut(out, "\n")
	if err := json.Unmarshal([]byte(first), &l); err != nil {
		s.t.Fatalf("%q: %v", out, err)
	}
	return l
}

func TestQueueRedriveMovesDeadLettersBackAndWaits(t *testing.T) {
	s := startStandIns(t)
	url := s.queue("work")
	for _, body := range []string{"a", "b", "c"} {
		if _, _, err := s.flowctl("", "queue", "send", "work", body); err != nil {
			t.Fatal(err)
		}
	}
	s.fail(url)
	if got := s.listed("work-dead"); got.Messages != 3 {
		t.Fatalf("%d dead letters", got.Messages)
	}
	out, _, err := s.flowctl("", "queue", "peek", "work-dead", "--count", "1")
	if err != nil || !strings.Contains(out, "dead letter of work") {
		t.Errorf("%s, %v", out, err)
	}
	out, _, err = s.flowctl("", "queue", "redrive", "work-dead")
	if err != nil || out != "moved 3 messages out of work-dead\n" {
		t.Errorf("%q, %v", out, err)
	}
	if got := s.listed("work"); got.Messages != 3 {
		t.Errorf("%d messages are back", got.Messages)
	}
}

func TestQueueRedriveToAnotherQueue(t *testing.T) {
	s := startStandIns(t)
	url := s.queue("work")
	s.queue("other")
	if _, _, err := s.flowctl("", "queue", "send", url, "a"); err != nil {
		t.Fatal(err)
	}
	s.fail(url)
	out, _, err := s.flowctl("", "queue", "redrive", "work-dead", "--to", "other", "--rate", "100", "--output", "json")
	if err != nil || out != `{"queue":"work-dead","status":"completed","moved":1}`+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	if got := s.listed("other"); got.Messages != 1 {
		t.Errorf("%d messages are in the other queue", got.Messages)
	}
}

func TestQueueRedriveTellsWhatFailed(t *testing.T) {
	s := startStandIns(t)
	s.queue("work")
	_, _, err := s.flowctl("", "queue", "redrive", "work")
	if err == nil || err.Error() != "no queue sends its dead letters to \"work\"; its own are in work-dead: `flowctl queue redrive work-dead`" {
		t.Error(err)
	}
	// A message that was sent to the dead-letter queue itself has nowhere to go back to.
	if _, _, err := s.flowctl("", "queue", "send", "work-dead", "a"); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.flowctl("", "queue", "redrive", "work-dead")
	if err == nil || err.Error() != "the move failed: CouldNotDetermineMessageSource" {
		t.Error(err)
	}
}

func TestQueuePeekWithReceiveGivesMessagesBack(t *testing.T) {
	s := startStandIns(t)
	s.queue("work")
	lines := strings.Repeat("x\n", 23)
	if _, _, err := s.flowctl(lines, "queue", "send", "work", "--lines"); err != nil {
		t.Fatal(err)
	}
	out, _, err := s.flowctl("", "queue", "peek", "work", "--receive", "--count", "0", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, `"receives":1`); n != 23 {
		t.Errorf("%d messages shown", n)
	}
	if got := s.listed("work"); got.Messages != 23 || got.InFlight != 0 {
		t.Errorf("%d messages are there, %d in flight", got.Messages, got.InFlight)
	}
}

func TestQueuePeekKnowsWhatIsNotTheStandIn(t *testing.T) {
	const url = "http://127.0.0.1/000000000000/work"
	for answer, status := range map[string]int{
		`{"__type":"com.amazonaws.sqs#UnknownOperationException"}`: 400,
		`<html>`: 404,
		`[]`:     200,
	} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(answer))
		}))
		_, err := peekStandIn(t.Context(), other.URL, url, 1, func(peekedMessage) error { return nil })
		if !errors.Is(err, errNotStandIn) {
			t.Errorf("%s: %v", answer, err)
		}
		other.Close()
	}
}

func TestQueueSendSendsLinesAsTheyAre(t *testing.T) {
	s := startStandIns(t)
	s.queue("work")
	if _, _, err := s.flowctl("  two words \r\n \n\nlast\t", "queue", "send", "work", "--lines"); err != nil {
		t.Fatal(err)
	}
	out, _, err := s.flowctl("", "queue", "peek", "work", "--output", "json")
	if err != nil || strings.Count(out, "\n") != 2 || !strings.Contains(out, `"body":"  two words "`) || !strings.Contains(out, `"body":"last\t"`) {
		t.Errorf("%v, %s", err, out)
	}
}

func TestQueueSendRefusesWhatIsNoText(t *testing.T) {
	s := startStandIns(t)
	s.queue("work")
	for args, want := range map[string]string{"": "the message is not text", "--lines": "line 2: the message is not text"} {
		_, _, err := s.flowctl("ok\n\xff\xfe\n", append([]string{"queue", "send", "work"}, strings.Fields(args)...)...)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
	if got := s.listed("work"); got.Messages != 1 { // the line before
		t.Errorf("%d messages", got.Messages)
	}
}

func TestQueueSendTellsWhatTheServiceRefuses(t *testing.T) {
	s := startStandIns(t)
	s.queue("work")
	_, _, err := s.flowctl("ok\nbad \x01\n", "queue", "send", "work", "--lines")
	if err == nil || !strings.Contains(err.Error(), `the queue "work" refused 1 message: `) || !strings.HasSuffix(err.Error(), "; 1 message had been sent before") {
		t.Error(err)
	}
	if got := s.listed("work"); got.Messages != 1 {
		t.Errorf("%d messages", got.Messages)
	}
	big := strings.Repeat(strings.Repeat("x", 300<<10)+"\n", 9) // three fit into a batch
	if _, _, err := s.flowctl(big, "queue", "send", "work", "--lines"); err != nil {
		t.Error(err)
	}
	if got := s.listed("work"); got.Messages != 10 {
		t.Errorf("%d messages", got.Messages)
	}
}
