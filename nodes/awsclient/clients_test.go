package awsclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSQS(cfg aws.Config) *sqs.Client { return sqs.NewFromConfig(cfg) }

// service answers every call with the handler; the clients' calls are bounded by timeout.
func service(t *testing.T, timeout time.Duration, h http.HandlerFunc) (*Clients, *sqs.Client) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := New(Options{LocalEndpoint: server.URL, AttemptTimeout: timeout})
	t.Cleanup(c.CloseIdle)
	client, err := Shared(c, context.Background(), true, newSQS)
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// silence reads the request, so that the server notices when its client goes, and says nothing.
func silence(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestCallToAServiceThatFallsSilentIsTriedAgain(t *testing.T) {
	var calls atomic.Int32
	_, client := service(t, 300*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			silence(r)
			return
		}
		answer(w, 200, `{"QueueUrl":"http://queue"}`)
	})
	out, err := client.GetQueueUrl(context.Background(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	if err != nil || *out.QueueUrl != "http://queue" {
		t.Fatalf("%+v, %v", out, err)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

func TestAnswerThatStallsInTheMiddleIsTriedAgain(t *testing.T) {
	var calls atomic.Int32
	_, client := service(t, 300*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Content-Length", "1000")
			answer(w, 200, `{"QueueUrl":`)
			w.(http.Flusher).Flush()
			silence(r)
			return
		}
		answer(w, 200, `{"QueueUrl":"http://queue"}`)
	})
	if _, err := client.GetQueueUrl(context.Background(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")}); err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

func TestServiceThatIsAlwaysSilentIsATimeoutAfterThreeAttempts(t *testing.T) {
	var calls atomic.Int32
	_, client := service(t, 30*time.Millisecond, func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		silence(r)
	})
	_, err := client.GetQueueUrl(context.Background(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	failed := Fail(`looking up the queue "q"`, err)
	if engine.ClassOf(failed) != engine.Retryable || engine.CodeOf(failed) != "timeout" {
		t.Errorf("class %s, code %s: %v", engine.ClassOf(failed), engine.CodeOf(failed), err)
	}
	if want := `looking up the queue "q": no complete answer within 30ms`; failed.Error() != want {
		t.Errorf("error %q, want %q", failed, want)
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
}

func TestAttemptTimeoutCanBeSetForALongPoll(t *testing.T) {
	_, client := service(t, time.Hour, func(_ http.ResponseWriter, r *http.Request) { silence(r) })
	ctx := WithAttemptTimeout(context.Background(), 20*time.Millisecond)
	_, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: aws.String("http://q")}, func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
	late, ok := errors.AsType[*AttemptTimeoutError](err)
	if !ok || late.After != 20*time.Millisecond {
		t.Errorf("error %v, want the attempt's timeout of 20ms", err)
	}
}

func TestFailureIsToldBeforeTheDeadlineInsteadOfTriedAgain(t *testing.T) {
	var calls atomic.Int32
	_, client := service(t, time.Second, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		answer(w, 503, `{"__type":"ServiceUnavailable","message":"come back later"}`)
	})
	ctx, cancel := context.WithTimeout(context.Background(), leftForRetry-50*time.Millisecond)
	defer cancel()
	_, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	if class, code := Classify(err); class != engine.Retryable || code != "unavailable" {
		t.Errorf("%s %s: %v", class, code, err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
}

func TestEndOfTheCallersContextIsNotTakenForAnAttemptsTimeout(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	_, client := service(t, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		silence(r)
	})
	_, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	if class, code := Classify(err); class != engine.Retryable || code != "stopped" {
		t.Errorf("%s %s: %v", class, code, err)
	}
}

func TestSharedMakesOneClientOfAKind(t *testing.T) {
	c := New(Options{LocalEndpoint: "http://127.0.0.1:1"})
	var built atomic.Int32
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			_, err := Shared(c, context.Background(), true, func(cfg aws.Config) *sqs.Client {
				built.Add(1)
				return sqs.NewFromConfig(cfg)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := built.Load(); n != 1 {
		t.Errorf("built %d times", n)
	}
}

func TestSharedTriesAgainAfterAnError(t *testing.T) {
	loads := 0
	c := New(Options{LoadConfig: func(context.Context) (aws.Config, error) {
		if loads++; loads == 1 {
			return aws.Config{}, errors.New("the profile cannot be read")
		}
		return aws.Config{Region: "eu-west-1"}, nil
	}})
	if _, err := Shared(c, context.Background(), false, newSQS); err == nil || !strings.Contains(err.Error(), "the profile cannot be read") {
		t.Fatalf("error %v", err)
	}
	client, err := Shared(c, context.Background(), false, newSQS)
	if err != nil || client.Options().Region != "eu-west-1" {
		t.Fatalf("%v", err)
	}
}

func TestWhoWaitsForTheConfigurationCanGiveUp(t *testing.T) {
	loading, goOn := make(chan struct{}), make(chan struct{})
	c := New(Options{LoadConfig: func(context.Context) (aws.Config, error) {
		close(loading)
		<-goOn
		return aws.Config{Region: "eu-west-1"}, nil
	}})
	first := make(chan error)
	go func() {
		_, err := Shared(c, context.Background(), false, newSQS)
		first <- err
	}()
	<-loading
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Shared(c, ctx, false, newSQS); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestLocalSideNeedsNoAccountAndIgnoresTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": "http://192.0.2.1", "AWS_ENDPOINT_URL_SQS": "http://192.0.2.1",
		"AWS_PROFILE": "there-is-none", "AWS_REGION": "xx-nowhere-1", "AWS_MAX_ATTEMPTS": "1"} {
		t.Setenv(name, value)
	}
	var authorization atomic.Value
	_, client := service(t, time.Second, func(w http.ResponseWriter, r *http.Request) {
		authorization.Store(r.Header.Get("Authorization"))
		answer(w, 200, `{}`)
	})
	if _, err := client.ListQueues(context.Background(), &sqs.ListQueuesInput{}); err != nil {
		t.Fatal(err)
	}
	if got := authorization.Load().(string); !strings.Contains(got, "Credential=local/") || !strings.Contains(got, "/us-east-1/") {
		t.Errorf("signed with %q", got)
	}
}

func TestConfigurationsThatCannotWorkSayWhatToDo(t *testing.T) {
	t.Run("no region", func(t *testing.T) {
		c := New(Options{LoadConfig: func(context.Context) (aws.Config, error) { return aws.Config{}, nil }})
		_, err := Shared(c, context.Background(), false, newSQS)
		if err == nil || !strings.Contains(err.Error(), "set AWS_REGION") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no account", func(t *testing.T) {
		_, err := Shared(New(Options{}), context.Background(), false, newSQS)
		if engine.CodeOf(err) != "config" || engine.ClassOf(err) != engine.Permanent || !strings.Contains(err.Error(), "no AWS account") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no stand-ins", func(t *testing.T) {
		if _, err := Shared(New(Options{}), context.Background(), true, newSQS); err == nil {
			t.Error("no error")
		}
	})
}

func TestNothingIsLoadedBeforeItIsNeeded(t *testing.T) {
	c := New(Options{LoadConfig: func(context.Context) (aws.Config, error) {
		t.Error("the configuration was loaded")
		return aws.Config{}, nil
	}})
	c.CloseIdle()
	if c.LocalEndpoint() != "" {
		t.Error("a local endpoint out of nowhere")
	}
}

func TestHTTPClientOfTheConfigurationIsKeptAndBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { silence(r) }))
	defer server.Close()
	own := &counting{}
	c := New(Options{AttemptTimeout: 20 * time.Millisecond, LoadConfig: func(context.Context) (aws.Config, error) {
		return aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: own,
			Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, nil
	}})
	client, err := Shared(c, context.Background(), false, newSQS)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ListQueues(context.Background(), &sqs.ListQueuesInput{})
	if _, code := Classify(err); code != "timeout" || own.calls.Load() != attempts {
		t.Errorf("%d calls, code %s: %v", own.calls.Load(), code, err)
	}
}

// net/http looks for the end of a request's body when the SDK may have closed it already.
func TestARequestsBodyThatWasClosedIsAtItsEnd(t *testing.T) {
	var late error
	c := New(Options{LoadConfig: func(context.Context) (aws.Config, error) {
		return aws.Config{Region: "eu-west-1", HTTPClient: doing(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil || len(body) == 0 {
				t.Errorf("body %q, %v", body, err)
			}
			r.Body.Close()
			_, late = io.Copy(io.Discard, r.Body)
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
		}), Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, nil
	}})
	client, err := Shared(c, context.Background(), false, newSQS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ListQueues(context.Background(), &sqs.ListQueuesInput{}); err != nil || late != nil {
		t.Errorf("%v; reading on: %v", err, late)
	}
}

type doing func(*http.Request) (*http.Response, error)

func (f doing) Do(r *http.Request) (*http.Response, error) { return f(r) }

type counting struct{ calls atomic.Int32 }

func (c *counting) Do(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

func ExampleShared() {
	c := New(Options{LocalEndpoint: "http://127.0.0.1:4566"})
	client, err := Shared(c, context.Background(), true, func(cfg aws.Config) *sqs.Client { return sqs.NewFromConfig(cfg) })
	fmt.Println(*client.Options().BaseEndpoint, err)
	// Output: http://127.0.0.1:4566 <nil>
}
