package sqs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Queue is the config of the resource sqs.queue.
type Queue struct {
	URL            expr.Value[string] `yaml:"url" doc:"Address of a queue that exists already, such as https://sqs.eu-west-1.amazonaws.com/123456789012/orders. It may read env; empty text counts as not given. Nothing is created then, and name is not used."`
	QueueName      string             `yaml:"name" doc:"Name of the queue in the account or in the local stand-in. Without it, it is the resource's name. A FIFO queue's name gets .fifo at its end if it has not."`
	FIFO           bool               `yaml:"fifo" doc:"The queue keeps the order of messages within a group and drops duplicates of the last 5 minutes."`
	ContentDedup   bool               `yaml:"content_dedup" doc:"FIFO only: a message without dedup is a duplicate if its body is the same."`
	HighThroughput bool               `yaml:"high_throughput" doc:"FIFO only: duplicates are looked for within a group only, which lifts the limit of 300 calls a second for the queue to one for each group."`
	Visibility     engine.Duration    `yaml:"visibility" default:"30s" doc:"How long a received message is hidden from other receivers, in whole seconds up to 12h. sqs.in prolongs it while it works on the message."`
	Delay          engine.Duration    `yaml:"delay" doc:"How long a new message is hidden, in whole seconds up to 15m."`
	Retention      engine.Duration    `yaml:"retention" default:"96h" doc:"How long a message is kept before it is dropped, from 1m to 336h."`
	MaxSize        engine.Size        `yaml:"max_size" default:"1MiB" doc:"Size of the largest message, from 1KiB to 1MiB, attributes included."`
	KMSKey         string             `yaml:"kms_key" doc:"Id, ARN or alias of the KMS key that encrypts the queue. Without it SQS uses a key of its own."`
	DeadLetter     DeadLetter         `yaml:"dead_letter" doc:"Where messages go that failed too often. Every queue has such a place unless it is switched off."`
}

// DeadLetter says what becomes of messages that fail again and again.
type DeadLetter struct {
	After int    `yaml:"after" doc:"How many times a message is received before it goes to the dead-letter queue, 1 to 1000; 5 if not given."`
	Queue string `yaml:"queue" doc:"Name of the dead-letter queue in the account; if it is that of another queue of the app, messages go there, and sqs.in may take them. Without it, it is the queue's name and -dead; it keeps messages for 14 days."`
	Off   bool   `yaml:"off" doc:"The queue has no dead-letter queue: a message that always fails comes again until its retention ends."`
}

const (
	fifoSuffix          = ".fifo"
	deadSuffix          = "-dead"
	defaultAfter        = 5
	deadLetterRetention = 14 * 24 * time.Hour
)

var queueKind = engine.DefineResource(engine.ResourceSpec[Queue]{
	Type: "sqs.queue",
	Doc: `A queue of Amazon SQS. Several nodes may send to it and receive from it.

` + "`flowctl run`" + ` serves it from the local stand-in unless ` + "`url`" + ` is given, and creates it there with its dead-letter queue.
The packaged app creates both in the account.`,
	Check:     (*Queue).check,
	CheckName: (*Queue).checkName,
	Examples: []engine.Example{
		{Doc: "A standard queue; after five failed deliveries a message goes to the queue orders-dead.", YAML: `{type: sqs.queue}`},
		{Doc: "A FIFO queue.", YAML: `{type: sqs.queue, fifo: true, content_dedup: true, visibility: 2m, dead_letter: {after: 3}}`},
		{Doc: "A queue that exists already.", YAML: `{type: sqs.queue, url: "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"}`},
	},
})

// IsFIFO reports whether the queue is a FIFO queue, as far as the file tells.
func (q *Queue) IsFIFO() bool {
	if q.FIFO || strings.HasSuffix(q.QueueName, fifoSuffix) {
		return true
	}
	return q.URL.Given() && q.URL.Tree().Kind == expr.KindText && strings.HasSuffix(q.URL.Tree().Text, fifoSuffix)
}

// Name is the queue's name in the account, for a resource of the given name.
func (q *Queue) Name(resource string) string {
	name := q.QueueName
	if name == "" {
		name = resource
	}
	return q.suffixed(name)
}

func (q *Queue) suffixed(name string) string {
	if q.IsFIFO() && !strings.HasSuffix(name, fifoSuffix) {
		name += fifoSuffix
	}
	return name
}

// DeadLetterName is the name of the dead-letter queue, "" if there is none.
func (q *Queue) DeadLetterName(resource string) string {
	switch {
	case q.DeadLetter.Off:
		return ""
	case q.DeadLetter.Queue != "":
		return q.suffixed(q.DeadLetter.Queue)
	}
	return q.suffixed(strings.TrimSuffix(q.Name(resource), fifoSuffix) + deadSuffix)
}

// Attributes are the queue's attributes as CreateQueue takes them. The ARN is
// that of the dead-letter queue, "" if there is none.
func (q *Queue) Attributes(deadLetterARN string) map[string]string {
	a := map[string]string{
		"VisibilityTimeout":      seconds(q.Visibility),
		"DelaySeconds":           seconds(q.Delay),
		"MessageRetentionPeriod": seconds(q.Retention),
		"MaximumMessageSize":     strconv.FormatInt(int64(q.MaxSize), 10),
	}
	q.addKind(a)
	if deadLetterARN != "" {
		a["RedrivePolicy"] = q.redrive(deadLetterARN)
	}
	return a
}

// DeadLetterAttributes are the attributes of the dead-letter queue that goes
// with the queue.
func (q *Queue) DeadLetterAttributes() map[string]string {
	a := map[string]string{"MessageRetentionPeriod": seconds(engine.Duration(deadLetterRetention))}
	q.addKind(a)
	return a
}

func (q *Queue) addKind(a map[string]string) {
	if q.KMSKey != "" {
		a["KmsMasterKeyId"] = q.KMSKey
	}
	if !q.IsFIFO() {
		return
	}
	a["FifoQueue"] = "true"
	a["ContentBasedDeduplication"] = strconv.FormatBool(q.ContentDedup)
	if q.HighThroughput {
		a["DeduplicationScope"], a["FifoThroughputLimit"] = "messageGroup", "perMessageGroupId"
	}
}

// After is how many times a message is received before it goes to the
// dead-letter queue.
func (q *Queue) After() int {
	if q.DeadLetter.After == 0 {
		return defaultAfter
	}
	return q.DeadLetter.After
}

func (q *Queue) redrive(arn string) string {
	text, err := json.Marshal(map[string]string{"deadLetterTargetArn": arn, "maxReceiveCount": strconv.Itoa(q.After())})
	if err != nil {
		panic(err) // two strings can always be marshalled
	}
	return string(text)
}

func seconds(d engine.Duration) string { return strconv.FormatInt(int64(d.Std()/time.Second), 10) }

// The length is compared beside the pattern: a repetition that is bounded so
// high takes long to compile, and every start of a function pays for it.
var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.fifo)?$`)

func (q *Queue) check() []engine.Finding {
	var found []engine.Finding
	add := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: field, Message: message, Hint: hint})
	}
	for _, n := range []struct{ field, name string }{{"name", q.QueueName}, {"dead_letter.queue", q.DeadLetter.Queue}} {
		if n.name != "" && (len(strings.TrimSuffix(n.name, fifoSuffix)) > 75 || !queueName.MatchString(n.name)) {
			add(n.field, fmt.Sprintf("%q cannot be the name of a queue", n.name), "use at most 75 letters, digits, - and _; a FIFO queue's name ends in .fifo")
		}
	}
	if q.URL.Given() && q.QueueName != "" {
		add("name", "the queue has a url already", "give url for a queue that exists, or name for one of this app")
	}
	found = append(found, q.checkRanges()...)
	if !q.IsFIFO() {
		for _, o := range []struct {
			field string
			on    bool
		}{{"content_dedup", q.ContentDedup}, {"high_throughput", q.HighThroughput}} {
			if o.on {
				add(o.field, "only a FIFO queue has this", "add fifo: true, or leave it out")
			}
		}
	}
	if q.DeadLetter.Off && (q.DeadLetter.After != 0 || q.DeadLetter.Queue != "") {
		add("dead_letter.off", "the dead-letter queue is switched off and described at once", "leave out off, or after and queue")
	}
	if q.DeadLetter.After < 0 || q.DeadLetter.After > 1000 {
		add("dead_letter.after", "a message can be received 1 to 1000 times", "")
	}
	return found
}

const maxNameLength = 80

// checkName looks how long the names of the queues are that flowctl creates.
func (q *Queue) checkName(resource string) []engine.Finding {
	if q.URL.Given() {
		return nil
	}
	if q.DeadLetterName(resource) == q.Name(resource) {
		return []engine.Finding{{Field: "dead_letter.queue", Message: fmt.Sprintf("the queue %s cannot be its own dead-letter queue", q.Name(resource)), Hint: "give another name, or leave it out"}}
	}
	for _, name := range []string{q.Name(resource), q.DeadLetterName(resource)} {
		if len(name) > maxNameLength {
			return []engine.Finding{{Message: fmt.Sprintf("the queue would be called %s, which has %d characters; SQS takes %d", name, len(name), maxNameLength),
				Hint: "rename the resource, or give shorter names with `name` and `dead_letter.queue`"}}
		}
	}
	return nil
}

func (q *Queue) checkRanges() []engine.Finding {
	var found []engine.Finding
	for _, d := range []struct {
		field    string
		value    engine.Duration
		min, max time.Duration
	}{
		{"visibility", q.Visibility, 0, maxVisibility},
		{"delay", q.Delay, 0, maxDelay},
		{"retention", q.Retention, time.Minute, deadLetterRetention},
	} {
		if f := wholeSeconds(d.field, d.value, d.min, d.max); f != nil {
			found = append(found, *f)
		}
	}
	if q.MaxSize < 1<<10 || q.MaxSize > maxBytes {
		found = append(found, engine.Finding{Field: "max_size", Message: fmt.Sprintf("%s is out of range", q.MaxSize), Hint: "give 1KiB to 1MiB"})
	}
	return found
}

// wholeSeconds says what is wrong with a duration that the service takes in
// seconds.
func wholeSeconds(field string, d engine.Duration, least, most time.Duration) *engine.Finding {
	switch {
	case d.Std() < least || d.Std() > most:
		return &engine.Finding{Field: field, Message: fmt.Sprintf("%s is out of range", d), Hint: fmt.Sprintf("give %s to %s", engine.Duration(least), engine.Duration(most))}
	case d.Std()%time.Second != 0:
		return &engine.Finding{Field: field, Message: fmt.Sprintf("%s is not a whole number of seconds", d), Hint: "SQS counts in seconds"}
	}
	return nil
}
