package awsclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/flowctl-dev/flowctl/engine"
)

func TestClassifyKnowsTheErrorsOfTheServices(t *testing.T) {
	for _, c := range []struct {
		err   error
		class engine.Class
		code  string
	}{
		{&sqstypes.QueueDoesNotExist{}, engine.Permanent, "not_found"},
		{&sqstypes.QueueDoesNotExist{ErrorCodeOverride: aws.String("AWS.SimpleQueueService.NonExistentQueue")}, engine.Permanent, "not_found"},
		{&sqstypes.OverLimit{}, engine.Retryable, "throttled"},
		{&sqstypes.RequestThrottled{}, engine.Retryable, "throttled"},
		{&sqstypes.InvalidMessageContents{}, engine.Permanent, "invalid_message_contents"},
		{&sqstypes.ReceiptHandleIsInvalid{}, engine.Permanent, "receipt_handle_is_invalid"},
		{&ddbtypes.ResourceNotFoundException{}, engine.Permanent, "not_found"},
		{&ddbtypes.ConditionalCheckFailedException{}, engine.Permanent, "conditional_check_failed"},
		{&ddbtypes.ProvisionedThroughputExceededException{}, engine.Retryable, "throttled"},
		{&ddbtypes.InternalServerError{}, engine.Retryable, "unavailable"},
		{&ddbtypes.TransactionConflictException{}, engine.Retryable, "transaction_conflict"},
		{&smithy.GenericAPIError{Code: "ThrottlingException", Fault: smithy.FaultClient}, engine.Retryable, "throttled"},
		{&smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}, engine.Permanent, "access_denied"},
		{&smithy.GenericAPIError{Code: "com.amazon.coral.validate#ValidationException", Fault: smithy.FaultClient}, engine.Permanent, "validation"},
		{&smithy.GenericAPIError{Code: "ExpiredTokenException", Fault: smithy.FaultClient}, engine.Retryable, "credentials"},
		{&smithy.GenericAPIError{Code: "SomethingNew"}, engine.Retryable, "something_new"},
		{&smithy.GenericAPIError{}, engine.Retryable, "error"},
		{fmt.Errorf("call: %w", context.DeadlineExceeded), engine.Retryable, "timeout"},
		{fmt.Errorf("call: %w", context.Canceled), engine.Retryable, "stopped"},
		{&AttemptTimeoutError{time.Second}, engine.Retryable, "timeout"},
		{errors.New("who knows"), engine.Retryable, "error"},
	} {
		class, code := Classify(fmt.Errorf("operation error: %w", c.err))
		if class != c.class || code != c.code {
			t.Errorf("%T %v: %s %s, want %s %s", c.err, c.err, class, code, c.class, c.code)
		}
	}
}

func TestClassifyOfWhatAServerAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		class  engine.Class
		code   string
	}{
		{"an error without a body", 500, ``, engine.Retryable, "unavailable"},
		{"a gateway's page", 502, `<html>bad gateway</html>`, engine.Retryable, "unavailable"},
		{"an unknown code of the service's fault", 503, `{"__type":"Whatever"}`, engine.Retryable, "unavailable"},
		{"an unknown code of the caller's fault", 400, `{"__type":"com.amazonaws.sqs#InvalidSomething","message":"no"}`, engine.Permanent, "invalid_something"},
		{"too many requests", 429, `{"__type":"Slowly"}`, engine.Retryable, "throttled"},
		{"an answer that is no JSON", 200, `{`, engine.Retryable, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, client := service(t, time.Second, func(w http.ResponseWriter, _ *http.Request) { answer(w, c.status, c.body) })
			_, err := client.GetQueueUrl(context.Background(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")},
				func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
			class, code := Classify(err)
			if class != c.class || code != c.code {
				t.Errorf("%s %s, want %s %s: %v", class, code, c.class, c.code, err)
			}
		})
	}
}

func TestClassifyOfABrokenConnection(t *testing.T) {
	_, client := service(t, time.Second, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := client.ListQueues(context.Background(), &sqs.ListQueuesInput{})
	if class, code := Classify(err); class != engine.Retryable || code != "unreachable" {
		t.Errorf("%s %s: %v", class, code, err)
	}
}

func TestClassifyOfMissingCredentials(t *testing.T) {
	c := New(Options{LoadConfig: func(context.Context) (aws.Config, error) {
		return aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String("http://127.0.0.1:1"),
			Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("", "", ""))}, nil
	}})
	client, err := Shared(c, context.Background(), false, newSQS)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ListQueues(context.Background(), &sqs.ListQueuesInput{})
	failed := Fail("listing queues", err)
	if engine.CodeOf(failed) != "credentials" || !strings.Contains(failed.Error(), "set AWS_PROFILE") {
		t.Errorf("%v", failed)
	}
}

func TestFailTellsTheServicesTextAndKeepsTheChain(t *testing.T) {
	_, client := service(t, time.Second, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-amzn-RequestId", "r-1")
		answer(w, 400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`)
	})
	_, err := client.GetQueueUrl(context.Background(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	failed := Fail(`looking up the queue "q"`, err)
	want := `looking up the queue "q": The specified queue does not exist. (QueueDoesNotExist, request r-1)`
	if failed.Error() != want {
		t.Errorf("error %q\nwant  %q", failed, want)
	}
	if _, ok := errors.AsType[*sqstypes.QueueDoesNotExist](failed); !ok || engine.ClassOf(failed) != engine.Permanent {
		t.Errorf("%#v", failed)
	}
}

func TestFailTellsTheStatusOfAnAnswerThatSaysNothing(t *testing.T) {
	for status, want := range map[int]string{
		301: "sending: the answer is 301 Moved Permanently and says nothing more, which is not how the service answers; look whether its address is right",
		503: "sending: the answer is 503 Service Unavailable and says nothing more",
	} {
		_, client := service(t, time.Second, func(w http.ResponseWriter, _ *http.Request) { answer(w, status, "") })
		_, err := client.ListQueues(context.Background(), &sqs.ListQueuesInput{}, func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
		if got := Fail("sending", err).Error(); got != want {
			t.Errorf("error %q\nwant  %q", got, want)
		}
	}
}

func TestClassifyCodeOfABatchEntry(t *testing.T) {
	for _, c := range []struct {
		code   string
		sender bool
		class  engine.Class
		want   string
	}{
		{"InvalidParameterValue", true, engine.Permanent, "invalid_parameter_value"},
		{"InternalError", false, engine.Retryable, "unavailable"},
		{"RequestThrottled", true, engine.Retryable, "throttled"},
	} {
		if class, code := ClassifyCode(c.code, c.sender); class != c.class || code != c.want {
			t.Errorf("%s: %s %s, want %s %s", c.code, class, code, c.class, c.want)
		}
	}
}
