package sqs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Send is the config of sqs.send.
type Send struct {
	Queue      engine.Ref[Queue]          `yaml:"queue,required" doc:"The sqs.queue resource to send to."`
	Body       expr.Value[[]byte]         `yaml:"body,required" doc:"What the message says: a text as it is, anything else as JSON. SQS carries text only; other bytes must be encoded, for example with toBase64."`
	Attributes expr.Value[map[string]any] `yaml:"attributes" doc:"Message attributes: texts, numbers and bytes by name, at most 10. One that is null is left out. Unless there is a correlation_id among them or no room, the run's correlation id is added under that name."`
	Delay      expr.Value[time.Duration]  `yaml:"delay" doc:"How long the message is hidden before it can be received, up to 15m, rounded up to seconds. Not on a FIFO queue."`
	Group      expr.Value[string]         `yaml:"group" doc:"Message group. On a FIFO queue, which needs it, the messages of a group keep their order; on a standard queue groups share the receivers fairly."`
	Dedup      expr.Value[string]         `yaml:"dedup" doc:"FIFO only: a message with the same dedup as one of the last 5 minutes is taken and dropped. A queue without content_dedup needs it."`
}

var sendKind = engine.Define(engine.Spec[Send]{
	Type: "sqs.send",
	Doc: `Sends a message to an SQS queue. The message leaves by ` + "`next`" + ` once the service has confirmed that it is stored.

Messages that are sent to one queue at the same time share a call, up to ten; none waits for others to come. A message that
SQS cannot take (no text, too large, a bad attribute) is a permanent error; one that it could not take now, a retryable one.
When a retryable error is told the message may have been stored all the same: on a FIFO queue ` + "`dedup`" + ` makes sending again harmless.`,
	New:    func(c *Send, d engine.Deps) (engine.Node, error) { return newSendNode(c, d) },
	Output: (*Send).output,
	Check:  (*Send).check,
	IAM:    (*Send).iam,
	Examples: []engine.Example{
		{Doc: "The body of what came in, as it is.", YAML: `{type: sqs.send, queue: orders, body: "${{ event.body }}"}`},
		{Doc: "A text with attributes, visible in a minute.", YAML: "type: sqs.send\nqueue: orders\nbody: \"order ${{ event.body.id }}\"\nattributes: {kind: order, priority: 3}\ndelay: 1m\n"},
		{Doc: "In order per customer.", YAML: `{type: sqs.send, queue: orders_fifo, body: "${{ event.body }}", group: "${{ event.body.customer_id }}", dedup: "${{ event.body.id }}"}`},
	},
})

func (c *Send) output() expr.Type {
	fields := map[string]expr.Type{"message_id": expr.String, "md5": expr.String}
	if c.fifo() {
		fields["sequence_number"] = expr.String
	}
	return expr.Object(fields)
}

func (c *Send) fifo() bool { return c.Queue.Resource != nil && c.Queue.Resource.IsFIFO() }

func (c *Send) check() []engine.Finding {
	if c.Queue.Resource == nil {
		return nil
	}
	var found []engine.Finding
	add := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: field, Message: message, Hint: hint})
	}
	switch {
	case !c.fifo() && c.Dedup.Given():
		add("dedup", "only a FIFO queue drops duplicates", fmt.Sprintf("leave it out, or give the resource %s fifo: true", c.Queue.Name))
	case c.fifo() && !c.Group.Given():
		add("group", "a message to a FIFO queue needs a group", "give what must stay in order, such as group: ${{ event.body.customer }}")
	case c.fifo() && !c.Dedup.Given() && !c.Queue.Resource.ContentDedup:
		add("dedup", "a message to this FIFO queue needs dedup", fmt.Sprintf("give an id of the message, or give the resource %s content_dedup: true", c.Queue.Name))
	}
	if c.fifo() && c.Delay.Given() {
		add("delay", "a message to a FIFO queue cannot have a delay of its own", fmt.Sprintf("leave it out, or give the resource %s a delay", c.Queue.Name))
	}
	if t := c.Delay.Tree(); t != nil && t.Kind == expr.KindText && !strings.Contains(t.Text, "${{") {
		if d, err := time.ParseDuration(t.Text); err == nil && (d < 0 || d > maxDelay) {
			add("delay", fmt.Sprintf("%s is out of range", t.Text), "give 0s to 15m; for longer, write a schedule or pass the message on again")
		}
	}
	if t := c.Body.Tree(); t != nil && t.Kind == expr.KindText && t.Text == "" {
		add("body", "SQS takes no empty body", "")
	}
	return found
}

// sendNode is a sqs.send in a flow.
type sendNode struct {
	*Send
	sender  *sender
	maxSize int
	log     *slog.Logger
}

var _ engine.Node = (*sendNode)(nil)

func newSendNode(c *Send, d engine.Deps) (*sendNode, error) {
	a, err := addressOf(c.Queue, d)
	if err != nil {
		return nil, err
	}
	n := &sendNode{Send: c, maxSize: int(c.Queue.Resource.MaxSize), log: d.Log}
	n.sender = senderOf(a)
	if n.maxSize <= 0 || c.Queue.Resource.URL.Given() {
		n.maxSize = maxBytes
	}
	return n, nil
}

// Do sends and waits for the service's answer.
func (n *sendNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	o, err := n.outgoing(ctx, m)
	if err != nil {
		return engine.Next, err
	}
	sent, err := n.sender.deliver(ctx, o)
	if err != nil {
		return engine.Next, err
	}
	if n.log.Enabled(ctx, slog.LevelDebug) {
		n.log.DebugContext(ctx, "message sent", append(m.LogAttrs(), "queue", n.Queue.Name, "message_id", aws.ToString(sent.MessageId))...)
	}
	m.SetOutput(&receipt{sent, n.fifo()})
	return engine.Next, nil
}

func (n *sendNode) outgoing(ctx context.Context, m *engine.Message) (*outgoing, error) {
	body, err := n.Body.Get(&m.Env)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, invalid("the body is empty, which SQS does not take")
	}
	text := string(body)
	if err := checkText("the body", text); err != nil {
		return nil, err
	}
	o := &outgoing{size: len(text)}
	o.entry.MessageBody = &text
	for _, set := range []func(*outgoing, *engine.Message) error{n.setAttributes, n.setDelay, n.setGroup} {
		if err := set(o, m); err != nil {
			return nil, err
		}
	}
	if o.size > n.maxSize {
		return nil, engine.Fail(engine.Permanent, "too_large", fmt.Sprintf("the message has %d bytes with its attributes, the queue %q takes %d", o.size, n.Queue.Name, n.maxSize), nil)
	}
	if trace := traceOf(ctx, m); trace != "" {
		o.entry.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: &trace},
		}
	}
	return o, nil
}

func (n *sendNode) setAttributes(o *outgoing, m *engine.Message) error {
	given, err := n.Attributes.Get(&m.Env)
	if err != nil {
		return err
	}
	attributes := make(map[string]types.MessageAttributeValue, len(given)+1)
	set := func(name string, v any) error {
		a, size, err := attributeOf(name, v)
		attributes[name], o.size = a, o.size+size
		return err
	}
	for name, v := range given {
		if v == nil {
			continue
		}
		if err := set(name, v); err != nil {
			return err
		}
	}
	if len(attributes) > maxAttributes {
		return invalid("the message has %d attributes, SQS takes %d", len(attributes), maxAttributes)
	}
	// A correlation id came from outside once: what SQS does not carry is left behind.
	if _, own := attributes[correlationAttribute]; !own && len(attributes) < maxAttributes && m.Correlation != "" && checkText("", m.Correlation) == nil {
		if err := set(correlationAttribute, m.Correlation); err != nil {
			return err
		}
	}
	if len(attributes) > 0 {
		o.entry.MessageAttributes = attributes
	}
	return nil
}

func (n *sendNode) setDelay(o *outgoing, m *engine.Message) error {
	if !n.Delay.Given() {
		return nil
	}
	d, err := n.Delay.Get(&m.Env)
	if err != nil {
		return err
	}
	if d < 0 || d > maxDelay {
		return invalid("a delay of %s is out of range: SQS takes 0s to 15m", d)
	}
	o.entry.DelaySeconds = int32((d + time.Second - 1) / time.Second)
	return nil
}

func (n *sendNode) setGroup(o *outgoing, m *engine.Message) error {
	for _, f := range []struct {
		what string
		from *expr.Value[string]
		into **string
	}{{"group", &n.Group, &o.entry.MessageGroupId}, {"dedup", &n.Dedup, &o.entry.MessageDeduplicationId}} {
		if !f.from.Given() {
			continue
		}
		id, err := f.from.Get(&m.Env)
		if err != nil {
			return err
		}
		if err := checkID(f.what, id); err != nil {
			return err
		}
		*f.into = &id
	}
	return nil
}

// receipt is the node's output.
type receipt struct {
	types.SendMessageBatchResultEntry
	fifo bool
}

var _ expr.Record = (*receipt)(nil)

// Field implements expr.Record.
func (r *receipt) Field(name string) (any, error) {
	switch {
	case name == "message_id":
		return aws.ToString(r.MessageId), nil
	case name == "md5":
		return aws.ToString(r.MD5OfMessageBody), nil
	case name == "sequence_number" && r.fifo:
		return aws.ToString(r.SequenceNumber), nil
	}
	return nil, nil
}

// Fields implements expr.Record.
func (r *receipt) Fields() (map[string]any, error) {
	all := map[string]any{"message_id": aws.ToString(r.MessageId), "md5": aws.ToString(r.MD5OfMessageBody)}
	if r.fifo {
		all["sequence_number"] = aws.ToString(r.SequenceNumber)
	}
	return all, nil
}

// lambdaTrace is the key under which aws-lambda-go leaves an invocation's trace
// header.
const lambdaTrace = "x-amzn-trace-id"

// traceOf is the X-Ray trace header that the message came with, "" if none.
func traceOf(ctx context.Context, m *engine.Message) string {
	trace := ""
	if d, ok := m.Origin.(*Delivery); ok {
		trace = d.System["AWSTraceHeader"]
	}
	if trace == "" {
		trace, _ = ctx.Value(lambdaTrace).(string)
	}
	if !strings.HasPrefix(trace, "Root=") {
		return "" // the service refuses messages for anything else
	}
	return trace
}
