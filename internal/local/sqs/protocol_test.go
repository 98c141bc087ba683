package sqs

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestErrorsOnTheWire checks what clients of other languages look at: status, __type and x-amzn-query-error.
func TestErrorsOnTheWire(t *testing.T) {
	s := open(t)
	s.create("work")
	s.create("work.fifo")
	tests := []struct {
		op, body string
		status   int
		kind     string
		query    string
	}{
		{"SendMessage", `{"QueueUrl":"http://x/0/none","MessageBody":"x"}`, 400, "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender"},
		{"SendMessage", `{"MessageBody":"x"}`, 400, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter;Sender"},
		{"SendMessage", `{"QueueUrl":"work"}`, 400, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter;Sender"},
		{"SendMessage", `{"QueueUrl":"work","MessageBody":"x","DelaySeconds":-1}`, 400, "com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue;Sender"},
		{"SendMessage", `{"QueueUrl":"work","MessageBody":"x","DelaySeconds":"1"}`, 400, "com.amazon.coral.service#SerializationException", ""},
		{"SendMessage", `{"QueueUrl":"work","MessageBody":"x","MessageAttributes":{"a":{"DataType":"String","StringListValues":["x"]}}}`, 400,
			"com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation;Sender"},
		{"SendMessage", `not json`, 400, "com.amazon.coral.service#SerializationException", ""},
		{"CreateQueue", `{"QueueName":"work","Attributes":{"DelaySeconds":"7"}}`, 400, "com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists;Sender"},
		{"CreateQueue", `{}`, 400, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter;Sender"},
		{"SendMessageBatch", `{"QueueUrl":"work"}`, 400, "com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest;Sender"},
		{"ChangeMessageVisibility", `{"QueueUrl":"work","ReceiptHandle":"x"}`, 400, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter;Sender"},
		{"DeleteMessage", `{"QueueUrl":"work"}`, 400, "com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter;Sender"},
		{"DeleteMessage", `{"QueueUrl":"work","ReceiptHandle":"x"}`, 400, "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender"},
		{"ListMessageMoveTasks", `{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:none"}`, 404, "com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException;Sender"},
		{"SendMessage", `{"QueueUrl":"work","MessageBody":"a","MessageAttributes":{"a":{"DataType":"String","StringListValues":["b"]}}}`, 400, "com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation;Sender"},
		{"Nonsense", `{}`, 400, "com.amazon.coral.service#UnknownOperationException", "InvalidAction;Sender"},
	}
	for _, test := range tests {
		t.Run(test.op+test.body, func(t *testing.T) {
			resp, body := s.raw(test.op, test.body)
			var reply struct {
				Type    string `json:"__type"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal(body, &reply); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || reply.Type != test.kind || reply.Message == "" || resp.Header.Get("x-amzn-query-error") != test.query {
				t.Errorf("%d %s %q", resp.StatusCode, body, resp.Header.Get("x-amzn-query-error"))
			}
		})
	}
}

func (s *sandbox) raw(op, body string, header ...string) (*http.Response, []byte) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.server.URL, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AmazonSQS."+op)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, b
}

func TestMessagesCarryTheTraceOfTheirRequest(t *testing.T) {
	s := open(t)
	url := s.create("work")
	const own = `"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=own"}}`
	s.raw("SendMessage", `{"QueueUrl":"work","MessageBody":"a"}`, traceID, "Root=request")
	s.raw("SendMessageBatch", `{"QueueUrl":"work","Entries":[{"Id":"b","MessageBody":"b"},{"Id":"c","MessageBody":"c",`+own+`}]}`,
		traceID, "Root=batch")
	s.raw("SendMessage", `{"QueueUrl":"work","MessageBody":"d"}`)
	var got []string
	for _, m := range s.receive(url, 10) {
		got = append(got, *m.Body+" "+m.Attributes[traceHeader])
	}
	if want := []string{"a Root=request", "b Root=batch", "c Root=own", "d "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestValuesOfAWrongTypeAreNamed(t *testing.T) {
	s := open(t)
	s.create("work")
	for body, want := range map[string]string{
		`{"QueueUrl":5}`:                                    "NUMBER_VALUE can not be converted to a String",
		`{"QueueUrl":true}`:                                 "TRUE_VALUE can not be converted to a String",
		`{"QueueUrl":"work","MessageBody":false}`:           "FALSE_VALUE can not be converted to a String",
		`{"QueueUrl":"work","DelaySeconds":"5"}`:            "STRING_VALUE can not be converted to an Integer",
		`{"QueueUrl":"work","DelaySeconds":1.5}`:            "DECIMAL_VALUE can not be converted to an Integer",
		`{"QueueUrl":{}}`:                                   "Start of structure or map found where not expected",
		`{"QueueUrl":[]}`:                                   "Unrecognized collection type class java.lang.String",
		`{"QueueUrl":"work","MessageAttributes":[]}`:        "Unexpected field type",
		`{"QueueUrl":"work","MessageAttributes":{"a":"b"}}`: "Unexpected field type",
		`{"MessageAttributes":{"a":{"BinaryValue":"?"}}}`:   "only base-64-encoded strings are convertible to bytes",
		`{"QueueUrl":"work","MessageBody":"a"`:              "the request body is not a JSON object: unexpected end of JSON input",
	} {
		_, reply := s.raw("SendMessage", body)
		var e struct{ Message string }
		if err := json.Unmarshal(reply, &e); err != nil || e.Message != want {
			t.Errorf("%s: %s, want %s", body, reply, want)
		}
	}
}

func TestRepliesHoldOnlyWhatThereIs(t *testing.T) {
	s := open(t)
	s.create("work")
	for op, want := range map[string]string{
		"ReceiveMessage": `{}`, "ListQueueTags": `{}`, "GetQueueAttributes": `{}`, "ListDeadLetterSourceQueues": `{"queueUrls":[]}`,
	} {
		if resp, body := s.raw(op, `{"QueueUrl":"work"}`); resp.StatusCode != 200 || string(body) != want {
			t.Errorf("%s: %d %s, want %s", op, resp.StatusCode, body, want)
		}
	}
	_, body := s.raw("DeleteMessageBatch", `{"QueueUrl":"work","Entries":[{"Id":"a","ReceiptHandle":"x"}]}`)
	if !strings.HasPrefix(string(body), `{"Failed":[{"Id":"a",`) {
		t.Errorf("%s", body)
	}
	_, body = s.raw("SendMessage", `{"QueueUrl":"work","MessageBody":"<&>"}`)
	var reply map[string]string
	if err := json.Unmarshal(body, &reply); err != nil || len(reply) != 2 {
		t.Errorf("%s", body)
	}
	if _, body := s.raw("ReceiveMessage", `{"QueueUrl":"work"}`); !strings.Contains(string(body), `"Body":"<&>"`) {
		t.Errorf("%s", body)
	}
}
