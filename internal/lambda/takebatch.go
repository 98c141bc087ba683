package lambda

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/lambda/event"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// queueEvent is a batch of messages as Lambda's event source mapping for SQS
// brings it.
type queueEvent struct {
	Records []queueRecord `json:"Records"`
}

type queueRecord struct {
	MessageID         string                    `json:"messageId"`
	Body              string                    `json:"body"`
	Attributes        map[string]string         `json:"attributes"`
	MessageAttributes map[string]queueAttribute `json:"messageAttributes"`
	SourceARN         string                    `json:"eventSourceARN"`
}

type queueAttribute struct {
	StringValue *string `json:"stringValue"`
	BinaryValue string  `json:"binaryValue"` // in base64
}

// fifoSuffix ends the name of every FIFO queue and of no other.
const fifoSuffix = ".fifo"

// readBatch reads a batch and tells the ARN of its queue. A record without an
// id cannot be told apart in the reply, so that the batch fails whole.
func readBatch(payload []byte) (records []*sqs.Delivery, arn string, err error) {
	var e queueEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, "", fail(CodeMalformedEvent, "the Amazon SQS batch is malformed: %v", err)
	}
	for i, r := range e.Records {
		if r.MessageID == "" {
			return nil, "", fail(CodeMalformedEvent, "the Amazon SQS batch is malformed: record %d of %d has no messageId", i+1, len(e.Records))
		}
		if r.SourceARN != e.Records[0].SourceARN {
			return nil, "", fail(CodeMalformedEvent, "the Amazon SQS batch is malformed: it has messages of two queues, %s and %s", e.Records[0].SourceARN, r.SourceARN)
		}
		records = append(records, r.delivery())
		arn = r.SourceARN
	}
	return records, arn, nil
}

func (r *queueRecord) delivery() *sqs.Delivery {
	d := &sqs.Delivery{MessageID: r.MessageID, Body: r.Body, System: r.Attributes}
	if len(r.MessageAttributes) > 0 {
		d.Attributes = make(map[string]string, len(r.MessageAttributes))
		for name, a := range r.MessageAttributes {
			if a.StringValue != nil {
				d.Attributes[name] = *a.StringValue
			} else {
				d.Attributes[name] = a.BinaryValue
			}
		}
	}
	return d
}

// queueSource finds the source that receives from the queue of an ARN. What the
// flow declares decides: a batch of another queue is refused as far as the
// queue of the source is known, since the flow was not made for its messages.
func (f *Function) queueSource(arn string) (*source, error) {
	queue := lastPart(arn, ":")
	var unsure []*source
	for _, s := range f.which(isQueue) {
		switch {
		case s.address != "" && lastPart(s.address, "/") == queue:
			return s, nil
		case s.address == "" && s.queue.Queue.Resource.Name(s.queue.Queue.Name) == queue:
			return s, nil
		case s.address == "" || queue == "":
			unsure = append(unsure, s)
		}
	}
	if len(unsure) == 1 {
		return unsure[0], nil
	}
	e := f.misfit(event.SQS)
	e.Message = fmt.Sprintf("the queue %s is none of the flow's: %s", arn, e.Message)
	return nil, e
}

func lastPart(text, separator string) string {
	return text[strings.LastIndex(text, separator)+1:]
}

// batchReply is what the event source mapping reads with
// ReportBatchItemFailures: all messages but these are deleted.
type batchReply struct {
	Failures []batchFailure `json:"batchItemFailures"`
}

type batchFailure struct {
	ID string `json:"itemIdentifier"`
}
