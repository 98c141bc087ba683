package local

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/internal/local/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const freePort = "127.0.0.1:0"

func start(t *testing.T, o Options) (*Local, error) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Log = slog.New(slog.DiscardHandler)
	l, err := Start(t.Context(), o)
	if err == nil {
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return l, err
}

// call makes an AWS call and gives the reply, or the error of the connection.
func call(t *testing.T, l *Local, target string) string {
	t.Helper()
	return request(t, l, target, "{}", nil)
}

// request is call with a body and further headers.
func request(t *testing.T, l *Local, target, body string, headers map[string]string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.AWSEndpoint(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Host = r.Header.Get("Host")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(reply)
}

const (
	listQueues = "AmazonSQS.ListQueues"
	listTables = "DynamoDB_20120810.ListTables"
)

func TestOnlyTheNamedStandInsRun(t *testing.T) {
	for _, c := range []struct {
		name           string
		o              Options
		queues, tables string // parts of the replies
	}{
		{"both", Options{AWSAddr: freePort}, "{}", `"TableNames"`},
		{"SQS", Options{AWSAddr: freePort, NoDynamoDB: true}, "{}", "is not served here; services: AmazonSQS"},
		{"DynamoDB", Options{AWSAddr: freePort, NoSQS: true, Relaxed: true}, "is not served here; services: DynamoDB_20120810", `"TableNames"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := start(t, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := call(t, l, listQueues); !strings.Contains(got, c.queues) {
				t.Errorf("SQS: %s", got)
			}
			if got := call(t, l, listTables); !strings.Contains(got, c.tables) {
				t.Errorf("DynamoDB: %s", got)
			}
			if l.MQTTAddr() != "" || l.WebSocketAddr() != "" {
				t.Error("a broker runs")
			}
		})
	}
	l, err := start(t, Options{MQTTAddr: freePort, Broker: Broker{WebSocketAddr: freePort}})
	if err != nil {
		t.Fatal(err)
	}
	if l.AWSEndpoint() != "" || l.MQTTAddr() == "" || l.WebSocketAddr() == "" {
		t.Errorf("AWS %q, MQTT %q, WebSocket %q", l.AWSEndpoint(), l.MQTTAddr(), l.WebSocketAddr())
	}
}

func injector(t *testing.T, text string) *fault.Injector {
	t.Helper()
	r, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return fault.New(fault.Options{Rules: []fault.Rule{r}})
}

func TestFaultsReachTheirStandIn(t *testing.T) {
	l, err := start(t, Options{AWSAddr: freePort, Faults: injector(t, "sqs.ListQueues:error=100%")})
	if err != nil {
		t.Fatal(err)
	}
	if got := call(t, l, listQueues); !strings.Contains(got, "InternalFailure") {
		t.Errorf("SQS: %s", got)
	}
	if got := call(t, l, listTables); !strings.Contains(got, "TableNames") {
		t.Errorf("DynamoDB: %s", got)
	}
}

func TestFaultsOfWhatDoesNotRunAreAnError(t *testing.T) {
	for text, o := range map[string]Options{
		"mqtt.*:drop=1%":     {AWSAddr: freePort},
		"sqs.*:error=1%":     {AWSAddr: freePort, NoSQS: true},
		"dynamodb.*:drop=1%": {MQTTAddr: freePort},
	} {
		o.Faults = injector(t, text)
		if _, err := start(t, o); err == nil || !strings.Contains(err.Error(), "can have no effect") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestADelayedCallDoesNotHoldUpTheClose(t *testing.T) {
	began := make(chan struct{})
	r, err := fault.Parse("sqs.ListQueues:drop=100%,delay=1h")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(signal{slog.DiscardHandler, began})
	l, err := Start(t.Context(), Options{Dir: t.TempDir(), AWSAddr: freePort, Log: slog.New(slog.DiscardHandler),
		Faults: fault.New(fault.Options{Rules: []fault.Rule{r}, Log: log})})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		call(t, l, listQueues)
	}()
	<-began
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	<-answered
}

// signal closes a channel at the first record.
type signal struct {
	slog.Handler
	seen chan struct{}
}

func (s signal) Enabled(context.Context, slog.Level) bool { return true }

func (s signal) Handle(context.Context, slog.Record) error {
	close(s.seen)
	return nil
}

func TestTakenAddressesSayWhoseTheyAre(t *testing.T) {
	taken, err := net.Listen("tcp", freePort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	for what, o := range map[string]Options{
		"the AWS endpoint":    {AWSAddr: addr},
		"the MQTT broker":     {MQTTAddr: addr},
		"MQTT over WebSocket": {MQTTAddr: freePort, Broker: Broker{WebSocketAddr: addr}},
	} {
		_, err := start(t, o)
		var a *AddrError
		if !errors.As(err, &a) || a.What != what || a.Addr != addr || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestABrokersDataFolderThatCannotBeUsedIsNoMatterOfAddresses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mqtt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := start(t, Options{Dir: dir, MQTTAddr: freePort})
	var a *AddrError
	if err == nil || errors.As(err, &a) || !strings.Contains(err.Error(), "data folder") {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	l, err := start(t, Options{AWSAddr: freePort})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Error(err)
	}
	_ = l.aws.Close() // as if the listener had broken
	if err := l.Run(context.WithoutCancel(ctx)); err == nil || !strings.Contains(err.Error(), "the AWS endpoint ended") {
		t.Error(err)
	}
}

func TestAddressesLeadBackToWhoListensOnAll(t *testing.T) {
	l, err := start(t, Options{AWSAddr: "0.0.0.0:0", MQTTAddr: "0.0.0.0:0"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(l.AWSEndpoint(), "http://127.0.0.1:") || !strings.HasPrefix(l.MQTTAddr(), "127.0.0.1:") {
		t.Errorf("%s and %s", l.AWSEndpoint(), l.MQTTAddr())
	}
	request(t, l, "AmazonSQS.CreateQueue", `{"QueueName":"work"}`, nil)
	for host, want := range map[string]string{"": l.AWSEndpoint(), "host.docker.internal:14566": "http://host.docker.internal:14566"} {
		headers := map[string]string{"Host": host}
		for target, body := range map[string]string{
			"CreateQueue": `{"QueueName":"work"}`, "GetQueueUrl": `{"QueueName":"work"}`, "ListQueues": `{}`,
		} {
			if got := request(t, l, "AmazonSQS."+target, body, headers); !strings.Contains(got, `"`+want+`/000000000000/work"`) {
				t.Errorf("%s at %q: %s", target, host, got)
			}
		}
	}
}

func TestMessagesCarryTheTraceOfTheirRequest(t *testing.T) {
	l, err := start(t, Options{AWSAddr: freePort})
	if err != nil {
		t.Fatal(err)
	}
	request(t, l, "AmazonSQS.CreateQueue", `{"QueueName":"work"}`, nil)
	request(t, l, "AmazonSQS.SendMessage", `{"QueueUrl":"work","MessageBody":"a"}`, map[string]string{"X-Amzn-Trace-Id": "Root=1-request"})
	if got := request(t, l, "AmazonSQS.ReceiveMessage", `{"QueueUrl":"work","MessageSystemAttributeNames":["AWSTraceHeader"]}`, nil); !strings.Contains(got, `"AWSTraceHeader":"Root=1-request"`) {
		t.Errorf("received %s", got)
	}
}
