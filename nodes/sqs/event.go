package sqs

import (
	"strconv"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
)

// Delivery is one delivery of a message, as a poll or a Lambda event brings it.
// It is the Origin of the engine's message, and must not change after Message
// took it.
type Delivery struct {
	MessageID string
	Body      string
	// Attributes are the message's own, bytes in base64.
	Attributes map[string]string
	// System are the service's attributes under the service's names, such as
	// ApproximateReceiveCount.
	System map[string]string
}

// ReceiveCount is how many times the message was received, this time included;
// 1 where the service does not say.
func (d *Delivery) ReceiveCount() int {
	if n, err := strconv.Atoi(d.System["ApproximateReceiveCount"]); err == nil && n > 0 {
		return n
	}
	return 1
}

// Message makes the message of a flow behind sqs.in; nil without an error is a
// delivery to acknowledge without a run. The error is a permanent one: the body
// breaks its schema, it is no JSON though a schema is named, or it is not what
// unwrap says.
func (c *In) Message(d *Delivery) (*engine.Message, error) {
	if c.Unwrap != "" {
		return c.unwrapped(d)
	}
	body, err := c.body(d.Body)
	if err != nil {
		return nil, err
	}
	return newMessage(d, &event{d, body}, d.Attributes), nil
}

func newMessage(d *Delivery, event expr.Record, attributes map[string]string) *engine.Message {
	correlation := attributes[correlationAttribute]
	if correlation == "" {
		correlation = d.MessageID
	}
	m := engine.NewMessage(event, correlation)
	m.Attempt = d.ReceiveCount()
	m.Origin = d
	return m
}

func (c *In) body(text string) (any, error) {
	switch c.Format {
	case formatText:
		return text, nil
	case formatBytes:
		return []byte(text), nil
	}
	return c.document(value.NewDoc([]byte(text)))
}

func (c *In) document(doc *value.Doc) (any, error) {
	if c.Body.Validate == nil {
		return doc, nil
	}
	v, err := doc.Value()
	if err != nil {
		return nil, engine.Fail(engine.Permanent, "invalid_body", "the message's body is not JSON", err)
	}
	if err := c.Body.Validate(v); err != nil {
		return nil, engine.Fail(engine.Permanent, "invalid_body", "the message's body breaks the schema "+c.Body.Name, err)
	}
	return doc, nil
}

// event is `event` behind sqs.in.
type event struct {
	*Delivery
	body any
}

var _ expr.Record = (*event)(nil)

func (c *In) eventType() expr.Type {
	body := c.Body.Type
	switch c.Format {
	case formatText:
		body = expr.String
	case formatBytes:
		body = expr.Bytes
	}
	if c.Unwrap == unwrapS3 {
		body = expr.Object(map[string]expr.Type{"records": expr.List(envelope.ChangeType)})
	}
	fields := map[string]expr.Type{
		"body": body, "message_id": expr.String, "attributes": expr.OpenObject(nil, expr.String),
		"sent_at": expr.Time, "first_received_at": expr.Time, "receive_count": expr.Int, "sender_id": expr.String,
		"group": expr.String, "dedup": expr.String, "sequence_number": expr.String,
		"dead_letter_source": expr.String, "trace_header": expr.String,
	}
	if t, ok := c.envelopeType(); ok {
		fields["envelope"] = t
	}
	return expr.Object(fields)
}

// systemFields are the event's fields that are attributes of the service.
var systemFields = map[string]string{
	"sender_id": "SenderId", "group": "MessageGroupId", "dedup": "MessageDeduplicationId", "sequence_number": "SequenceNumber",
	"dead_letter_source": "DeadLetterQueueSourceArn", "trace_header": "AWSTraceHeader",
}

var timeFields = map[string]string{"sent_at": "SentTimestamp", "first_received_at": "ApproximateFirstReceiveTimestamp"}

// Field implements expr.Record. What the service did not send is null.
func (e *event) Field(name string) (any, error) {
	switch name {
	case "body":
		return e.body, nil
	case "message_id":
		return e.MessageID, nil
	case "attributes":
		all := make(map[string]any, len(e.Attributes))
		for name, text := range e.Attributes {
			all[name] = text
		}
		return all, nil
	case "receive_count":
		return e.ReceiveCount(), nil
	}
	if from, ok := timeFields[name]; ok {
		ms, err := strconv.ParseInt(e.System[from], 10, 64)
		if err != nil {
			return nil, nil
		}
		return time.UnixMilli(ms).UTC(), nil
	}
	if text := e.System[systemFields[name]]; text != "" {
		return text, nil
	}
	return nil, nil
}

var eventFields = func() []string {
	names := []string{"body", "message_id", "attributes", "receive_count"}
	for _, set := range []map[string]string{systemFields, timeFields} {
		for name := range set {
			names = append(names, name)
		}
	}
	return names
}()

// Fields implements expr.Record.
func (e *event) Fields() (map[string]any, error) {
	all := make(map[string]any, len(eventFields))
	for _, name := range eventFields {
		v, err := e.Field(name)
		if err != nil {
			return nil, err
		}
		all[name] = v
	}
	return all, nil
}
