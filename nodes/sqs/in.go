package sqs

import (
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

// The formats of a body.
const (
	formatJSON  = "json"
	formatText  = "text"
	formatBytes = "bytes"
)

const (
	// defaultBackoff lets a message survive more than half a minute of an
	// outage before its fifth receipt.
	defaultBackoff    = 5 * time.Second
	defaultMaxBackoff = 15 * time.Minute
	// permanentBackoff is the first pause where waiting cannot help.
	permanentBackoff = time.Second
)

// In is the config of sqs.in.
type In struct {
	Queue       engine.Ref[Queue] `yaml:"queue,required" doc:"The sqs.queue resource to receive from."`
	Body        engine.Schema     `yaml:"body" doc:"Schema of the body. A message that breaks it fails for good before any node sees it and ends in the dead-letter queue. It types event.body."`
	Format      string            `yaml:"format" enum:"json,text,bytes" default:"json" doc:"What event.body is. json: the value that the body's JSON stands for; a body that is no JSON fails when something looks inside, and at once where a schema is named. text, bytes: the body as it is."`
	Unwrap      string            `yaml:"unwrap" enum:"sns,s3,eventbridge" doc:"What the messages are wrapped in, where another service puts them into the queue: sns (a subscription without raw message delivery), s3 (the notifications of a bucket) or eventbridge (a rule whose target is the queue). Body and format are those of what is inside (see above)."`
	Batch       int               `yaml:"batch" default:"10" doc:"How many messages one call receives at most, 1 to 10."`
	MaxInFlight int               `yaml:"max_in_flight" default:"32" doc:"How many messages are worked on at a time, 1 to 10000. No more are received than can be worked on at once."`
	Wait        engine.Duration   `yaml:"wait" default:"20s" doc:"How long a call waits for a message to come, in whole seconds from 1s to 20s."`
	Visibility  engine.Duration   `yaml:"visibility" doc:"How long a received message is hidden from other receivers, in whole seconds from 2s to 12h; if not given, what the resource says. It is prolonged at half of that while the message is worked on, up to 12h from its receipt."`
	Backoff     Backoff           `yaml:"backoff" doc:"How long a message that failed is hidden before it comes again."`
}

// Backoff is the pause before a failed message comes again: doubled with each
// time it was received, of which between half and all is taken by chance.
type Backoff struct {
	Base engine.Duration `yaml:"base" doc:"Pause after the first failure, from 1s; if not given 5s, or 1s after a permanent error, as waiting does not help."`
	Max  engine.Duration `yaml:"max" doc:"Longest pause, up to 12h; 15m if not given."`
}

var inKind = engine.Define(engine.Spec[In]{
	Type: "sqs.in",
	Doc: `Receives messages from an SQS queue. A message is deleted once everything behind the source is done with it.

One that fails stays in the queue and comes again after ` + "`backoff`" + `, until the queue's ` + "`dead_letter.after`" + ` moves it to the
dead-letter queue. That holds for permanent errors too, such as a body that breaks its schema: SQS offers no shorter way, and
the pause keeps a poisoned message from taking all the attention. A message may be delivered twice.

While every message fails for a reason that may pass, such as a broker that is down, no more are received than one at a time
to see whether it works again: the others wait in the queue and do not use up their deliveries.

On a FIFO queue one message of a group is worked on at a time, in order. When one fails, those behind it that were received
with it go back to the queue and come again after it; their receive count grows too, which ` + "`batch: 1`" + ` avoids.

A message's attribute ` + "`correlation_id`" + ` becomes the run's correlation id, else its message id does. Fields of event that
SQS did not send are null: group, dedup, sequence_number, dead_letter_source, trace_header.

With ` + "`unwrap`" + `, event.body is what was wrapped and event.envelope what came with it:

- sns: the message, by format and body; event.attributes has those of both, of two with one name the queue's own. envelope has ` + "`topic`, `subject`, `message_id` and `time`" + `.
- eventbridge: the event's detail. envelope has ` + "`id`, `source`, `detail_type`, `time`, `account`, `region` and `resources`" + `.
- s3: ` + "`{records: […]}`" + `, each with the fields of the event of s3.in; there is no envelope. The test event that S3 sends when the notification is set up is deleted without a run.

A message that is not so wrapped fails for good.`,
	Source: func(c *In, d engine.Deps) (engine.Source, error) { return newSource(c, d) },
	Event:  (*In).eventType,
	Check:  (*In).check,
	IAM:    (*In).iam, Trigger: (*In).trigger,
	Traits: engine.Traits{Acknowledges: true},
	Examples: []engine.Example{
		{Doc: "Messages of a known form.", YAML: `{type: sqs.in, queue: orders, body: Order, next: done}`},
		{Doc: "Texts, few at a time, with long work and long pauses.", YAML: "type: sqs.in\nqueue: orders\nformat: text\nmax_in_flight: 4\nvisibility: 5m\nbackoff: {base: 10s, max: 1h}\nnext: done\n"},
		{Doc: "Messages of a topic that the queue is subscribed to.", YAML: `{type: sqs.in, queue: orders, unwrap: sns, body: Order, next: done}`},
		{Doc: "In order, group by group.", YAML: `{type: sqs.in, queue: orders_fifo, batch: 1, next: done}`},
	},
})

func (c *In) check() []engine.Finding {
	var found []engine.Finding
	add := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: field, Message: message, Hint: hint})
	}
	if c.Batch < 1 || c.Batch > maxBatch {
		add("batch", "a call receives 1 to 10 messages", "")
	}
	if c.MaxInFlight < 1 || c.MaxInFlight > 10000 {
		add("max_in_flight", "out of range", "give 1 to 10000")
	}
	if f := wholeSeconds("wait", c.Wait, time.Second, maxWait); f != nil {
		found = append(found, *f)
	}
	if c.Visibility != 0 {
		if f := wholeSeconds("visibility", c.Visibility, leastVisibility, maxVisibility); f != nil {
			found = append(found, *f)
		}
	}
	if c.Body.Validate != nil && c.Format != formatJSON && c.Format != "" {
		add("body", "a schema is for JSON, and format is "+c.Format, "leave out format, or body")
	}
	found = append(found, c.checkUnwrap()...)
	switch base, most := c.pauses(); {
	case base < time.Second:
		add("backoff.base", "SQS counts in seconds", "give 1s or more")
	case most > maxVisibility:
		add("backoff.max", "SQS hides a message for 12h at most", "")
	case most < base:
		add("backoff.max", "it is shorter than the first pause, "+engine.Duration(base).String(), "")
	}
	return found
}

// leastVisibility is the shortest time in which a message can be prolonged at
// half: SQS counts in seconds.
const leastVisibility = 2 * time.Second

// visibility is how long a received message is hidden.
func (c *In) visibility() time.Duration {
	v := c.Visibility.Std()
	if v == 0 && c.Queue.Resource != nil {
		v = c.Queue.Resource.Visibility.Std()
	}
	return max(v, leastVisibility)
}

// firstPause is the pause after a message's first failure.
func (c *In) firstPause(failure error) time.Duration {
	if c.Backoff.Base == 0 && engine.ClassOf(failure) == engine.Permanent {
		return permanentBackoff
	}
	base, _ := c.pauses()
	return base
}

func (c *In) longestPause() time.Duration {
	_, most := c.pauses()
	return most
}

func (c *In) pauses() (base, most time.Duration) {
	base, most = c.Backoff.Base.Std(), c.Backoff.Max.Std()
	if base == 0 {
		base = defaultBackoff
	}
	if most == 0 {
		most = max(defaultMaxBackoff, base)
	}
	return base, most
}
