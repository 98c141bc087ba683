package sqs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
)

// The requests and replies of the SQS API, version 2012-11-05, as the AWS JSON protocol carries them. Pointers tell a
// member that was not sent from a zero.

type (
	empty struct{}

	createQueueRequest struct {
		QueueName  string
		Attributes map[string]string
		Tags       map[string]string `json:"tags"`
	}
	queueURLReply struct {
		QueueUrl string
	}
	getQueueURLRequest struct {
		QueueName              string
		QueueOwnerAWSAccountId string
	}
	queueRequest struct {
		QueueUrl string
	}
	listQueuesRequest struct {
		QueueNamePrefix string
		NextToken       string
		MaxResults      *int
	}
	listQueuesReply struct {
		QueueUrls []string `json:",omitempty"`
		NextToken string   `json:",omitempty"`
	}
	listSourcesRequest struct {
		QueueUrl   string
		NextToken  string
		MaxResults *int
	}
	listSourcesReply struct {
		QueueUrls []string `json:"queueUrls"`
		NextToken string   `json:",omitempty"`
	}
	getAttributesRequest struct {
		QueueUrl       string
		AttributeNames []string
	}
	attributesReply struct {
		Attributes map[string]string `json:",omitempty"`
	}
	setAttributesRequest struct {
		QueueUrl   string
		Attributes map[string]string
	}
	addPermissionRequest struct {
		QueueUrl      string
		Label         string
		AWSAccountIds []string
		Actions       []string
	}
	removePermissionRequest struct {
		QueueUrl string
		Label    string
	}
	tagRequest struct {
		QueueUrl string
		Tags     map[string]string
	}
	untagRequest struct {
		QueueUrl string
		TagKeys  []string
	}
	tagsReply struct {
		Tags map[string]string `json:",omitempty"`
	}
)

type (
	// attributeValue is a user's or a system attribute of a message.
	attributeValue struct {
		DataType         string
		StringValue      *string           `json:",omitempty"`
		BinaryValue      []byte            `json:",omitempty"`
		StringListValues []json.RawMessage `json:",omitempty"`
		BinaryListValues []json.RawMessage `json:",omitempty"`
	}
	sendRequest struct {
		QueueUrl string
		sendEntry
	}
	sendBatchRequest struct {
		QueueUrl string
		Entries  []sendEntry
	}
	// sendEntry is one message to send; Id is set in a batch only.
	sendEntry struct {
		Id                      string
		MessageBody             *string
		DelaySeconds            *int
		MessageAttributes       map[string]attributeValue
		MessageSystemAttributes map[string]attributeValue
		MessageDeduplicationId  *string
		MessageGroupId          *string
	}
	sendReply struct {
		Id                           string `json:",omitempty"`
		MessageId                    string
		MD5OfMessageBody             string
		MD5OfMessageAttributes       string `json:",omitempty"`
		MD5OfMessageSystemAttributes string `json:",omitempty"`
		SequenceNumber               string `json:",omitempty"`
	}
	// batchReply is the reply to every batch; S is what is told of an entry that succeeded. The model requires both lists,
	// but the service leaves out one that is empty.
	batchReply[S any] struct {
		Successful []S           `json:",omitempty"`
		Failed     []failedEntry `json:",omitempty"`
	}
	failedEntry struct {
		Id          string
		SenderFault bool
		Code        string
		Message     string
	}
	doneEntry struct {
		Id string
	}
)

type (
	receiveRequest struct {
		QueueUrl                    string
		AttributeNames              []string
		MessageSystemAttributeNames []string
		MessageAttributeNames       []string
		MaxNumberOfMessages         *int
		VisibilityTimeout           *int
		WaitTimeSeconds             *int
		ReceiveRequestAttemptId     string
	}
	receiveReply struct {
		Messages []receivedMessage `json:",omitempty"`
	}
	receivedMessage struct {
		MessageId              string
		ReceiptHandle          string
		MD5OfBody              string
		Body                   string
		Attributes             map[string]string         `json:",omitempty"`
		MD5OfMessageAttributes string                    `json:",omitempty"`
		MessageAttributes      map[string]attributeValue `json:",omitempty"`
	}
	deleteRequest struct {
		QueueUrl string
		settleEntry
	}
	visibilityRequest struct {
		QueueUrl string
		settleEntry
	}
	settleBatchRequest struct {
		QueueUrl string
		Entries  []settleEntry
	}
	// settleEntry names a received message to delete, or to hide for VisibilityTimeout; Id is set in a batch only.
	settleEntry struct {
		Id                string
		ReceiptHandle     string
		VisibilityTimeout *int
	}
)

type (
	startMoveRequest struct {
		SourceArn                    string
		DestinationArn               string
		MaxNumberOfMessagesPerSecond *int
	}
	taskHandleReply struct {
		TaskHandle string
	}
	cancelMoveRequest struct {
		TaskHandle string
	}
	cancelMoveReply struct {
		ApproximateNumberOfMessagesMoved int64
	}
	listMovesRequest struct {
		SourceArn  string
		MaxResults *int
	}
	listMovesReply struct {
		Results []moveResult
	}
	moveResult struct {
		TaskHandle                        string `json:",omitempty"`
		Status                            string
		SourceArn                         string
		DestinationArn                    string `json:",omitempty"`
		MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
		ApproximateNumberOfMessagesMoved  int64
		ApproximateNumberOfMessagesToMove int64
		FailureReason                     string `json:",omitempty"`
		StartedTimestamp                  int64
	}
)

// operation runs one API action from its request's body to its reply's.
type operation func(ctx context.Context, body []byte) ([]byte, error)

// decoded makes an operation of a function on the typed request.
func decoded[In, Out any](run func(context.Context, *In) (Out, error)) operation {
	return func(ctx context.Context, body []byte) ([]byte, error) {
		in := new(In)
		if err := decode(body, in); err != nil {
			return nil, err
		}
		out, err := run(ctx, in)
		if err != nil {
			return nil, err
		}
		return encode(out)
	}
}

func decode(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return serializationError(wrongType(body, wrong))
	}
	if _, ok := errors.AsType[base64.CorruptInputError](err); ok {
		return serializationError("only base-64-encoded strings are convertible to bytes")
	}
	return serializationError("the request body is not a JSON object: " + err.Error())
}

// wrongType says of a value of another type than its member what the service says.
func wrongType(body []byte, e *json.UnmarshalTypeError) string {
	kind := ""
	switch e.Type.Kind() {
	case reflect.String:
		kind = "a String"
	case reflect.Int:
		kind = "an Integer"
	default:
		return "Unexpected field type"
	}
	found, number, _ := strings.Cut(e.Value, " ")
	switch {
	case found == "object":
		return "Start of structure or map found where not expected"
	case found == "array":
		return "Unrecognized collection type class java.lang." + strings.Fields(kind)[1]
	case found == "bool" && bytes.HasSuffix(body[:min(int(e.Offset), len(body))], []byte("true")):
		found = "true"
	case found == "bool":
		found = "false"
	case strings.ContainsAny(number, ".eE"):
		found = "decimal"
	}
	return strings.ToUpper(found) + "_VALUE can not be converted to " + kind
}

func encode(out any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
