package sqs

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// serveUntilKilled is the child process of the test below: a service over the folder, its address on standard output.
func serveUntilKilled(dir string) error {
	db, err := store.Open(dir, store.Options{})
	if err != nil {
		return err
	}
	service, err := New(Options{Store: db})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, awsjson.NewHandler(slog.New(slog.DiscardHandler), service))
}

// ledger is what the clients know of each message.
type ledger struct {
	mu       sync.Mutex
	sent     map[string]bool
	deleting map[string]bool // asked for, perhaps without an answer
	deleted  map[string]bool
	acks     chan struct{}
}

func (l *ledger) note(set map[string]bool, body string) {
	l.mu.Lock()
	set[body] = true
	l.mu.Unlock()
	select {
	case l.acks <- struct{}{}:
	default:
	}
}

// work sends, receives and deletes until the server is gone.
func (l *ledger) work(client *sdk.Client, url, name string) {
	ctx := context.Background()
	for i := 0; ; i++ {
		body := fmt.Sprint(name, "-", i)
		if _, err := client.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			return
		}
		l.note(l.sent, body)
		if i%2 == 0 {
			continue
		}
		out, err := client.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url})
		if err != nil {
			return
		}
		for _, m := range out.Messages {
			l.note(l.deleting, *m.Body)
			if _, err := client.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return
			}
			l.note(l.deleted, *m.Body)
		}
	}
}

func TestKilledAtAnyMomentNothingAcknowledgedIsLost(t *testing.T) {
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	l := &ledger{sent: make(map[string]bool), deleting: make(map[string]bool), deleted: make(map[string]bool)}
	for round := range 6 {
		client, kill := startChild(t, dir)
		out, err := client.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("work"),
			Attributes: map[string]string{"VisibilityTimeout": "1"}})
		if err != nil {
			t.Fatal(err)
		}
		l.acks = make(chan struct{}, 10_000)
		var clients sync.WaitGroup
		for c := range 6 {
			clients.Go(func() { l.work(client, *out.QueueUrl, fmt.Sprint(round, "-", c)) })
		}
		for range 50 + r.IntN(200) {
			<-l.acks
		}
		kill()
		clients.Wait()
	}
	client, kill := startChild(t, dir)
	defer kill()
	found := drainQueue(t, client, "work")
	for body := range l.sent {
		if !found[body] && !l.deleting[body] {
			t.Errorf("%s was acknowledged and is lost", body)
		}
	}
	for body := range l.deleted {
		if found[body] {
			t.Errorf("%s was deleted and is back", body)
		}
	}
	t.Logf("%d sent, %d deleted, %d found", len(l.sent), len(l.deleted), len(found))
}

// startChild gives a client of a new child process, and what kills that.
func startChild(t *testing.T, dir string) (*sdk.Client, func()) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "SQS_TEST_SERVE="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child did not start: %v", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	client := sdk.New(sdk.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://" + strings.TrimSpace(address)),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:   &http.Client{Transport: transport},
		Retryer:      aws.NopRetryer{},
	})
	return client, func() {
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = child.Wait() // tells only that it was killed
		transport.CloseIdleConnections()
	}
}

// drainQueue gives the bodies of all messages, those in flight too once their visibility timeout of a second has ended.
func drainQueue(t *testing.T, client *sdk.Client, url string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	for {
		a, err := client.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		left := a.Attributes["ApproximateNumberOfMessages"] + a.Attributes["ApproximateNumberOfMessagesNotVisible"]
		if left == "00" {
			return found
		}
		out, err := client.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 5})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			found[*m.Body] = true
			if _, err := client.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
