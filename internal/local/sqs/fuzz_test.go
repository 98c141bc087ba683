package sqs

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

// FuzzCall gives any operation any body: it must answer with JSON or an API error, and go on working.
func FuzzCall(f *testing.F) {
	s := open(f)
	url := s.create("work")
	s.create("work.fifo")
	dead := s.create("dead")
	s.send(url, "x")
	handle := *s.one(url).ReceiptHandle
	seeds := map[string][]string{
		"CreateQueue":             {`{"QueueName":"a","Attributes":{"DelaySeconds":"1","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\",\"maxReceiveCount\":3}"},"tags":{"a":"b"}}`},
		"SendMessage":             {`{"QueueUrl":"work","MessageBody":"x","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AA=="}}}`, `{"QueueUrl":"work.fifo","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d"}`},
		"SendMessageBatch":        {`{"QueueUrl":"work","Entries":[{"Id":"a","MessageBody":"x"}]}`},
		"ReceiveMessage":          {`{"QueueUrl":"work","MaxNumberOfMessages":10,"VisibilityTimeout":0,"AttributeNames":["All"],"MessageAttributeNames":["a.*"]}`},
		"DeleteMessage":           {`{"QueueUrl":"work","ReceiptHandle":"` + handle + `"}`},
		"ChangeMessageVisibility": {`{"QueueUrl":"work","ReceiptHandle":"` + handle + `","VisibilityTimeout":3}`},
		"SetQueueAttributes":      {`{"QueueUrl":"work","Attributes":{"RedriveAllowPolicy":"{\"redrivePermission\":\"byQueue\"}"}}`},
		"ListQueues":              {`{"MaxResults":1,"NextToken":"AAAA"}`},
		"CancelMessageMoveTask":   {`{"TaskHandle":"` + base64Text(`{"taskId":"x","sourceArn":"`+s.arn(dead)+`"}`) + `"}`},
		"StartMessageMoveTask":    {`{"SourceArn":"` + s.arn(dead) + `"}`},
	}
	var operations []string
	for op := range s.service.operations {
		operations = append(operations, op)
	}
	slices.Sort(operations)
	for op, list := range seeds {
		for _, body := range list {
			f.Add(uint8(slices.Index(operations, op)), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, op uint8, body []byte) {
		var wait struct{ WaitTimeSeconds *int }
		if json.Unmarshal(body, &wait) == nil && wait.WaitTimeSeconds != nil && *wait.WaitTimeSeconds > 0 {
			return // would wait for the clock
		}
		reply, err := s.service.Call(t.Context(), operations[int(op)%len(operations)], body)
		if err == nil && !json.Valid(reply) {
			t.Errorf("reply %q", reply)
		}
		if _, ok := errors.AsType[*awsjson.Error](err); err != nil && !ok {
			t.Errorf("error %v", err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(appendContent(nil, &content{body: "x", group: "g", attrs: []attribute{{"a", "String", "v"}}}))
	f.Add([]byte{recordVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseContent(b)
		if err != nil {
			return
		}
		again, err := parseContent(appendContent(nil, c))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzHandle(f *testing.F) {
	f.Add(handle{1, 2, 3}.String())
	f.Add("AQ==")
	f.Fuzz(func(t *testing.T, text string) {
		if h, ok := parseHandle(text); ok {
			if again, ok := parseHandle(h.String()); !ok || again != h {
				t.Errorf("%+v became %+v", h, again)
			}
		}
	})
}

func TestProgressRecordGoesThroughUnchanged(t *testing.T) {
	p := progress{due: 1, received: 2, first: 3, receipt: 1 << 63, count: 5, inFlight: true}
	b := appendProgress(nil, p)
	if got, err := parseProgress(b); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
	if len(b) != progressSize {
		t.Errorf("%d bytes", len(b))
	}
	for _, bad := range [][]byte{nil, b[1:], append(bytes.Clone(b), 0), append([]byte{2}, b[1:]...)} {
		if _, err := parseProgress(bad); err == nil {
			t.Errorf("%x was accepted", bad)
		}
	}
}
