package events

import (
	"fmt"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
	"github.com/flowctl-dev/flowctl/nodes/events/pattern"
)

// SNSIn is the config of sns.in.
type SNSIn struct {
	Topic  engine.Ref[Topic]          `yaml:"topic,required" doc:"The sns.topic resource to subscribe to."`
	Filter expr.Value[map[string]any] `yaml:"filter" doc:"Filter policy over the message's attributes: each named attribute must have one of the listed values or fit one of the listed operators, such as {kind: [order, {prefix: bulk-}]}. SNS keeps other messages back."`
	Body   engine.Schema              `yaml:"body" doc:"Schema of the message. One that breaks it fails for good before any node sees it. It types event.body."`
	Format string                     `yaml:"format" enum:"json,text,bytes" default:"json" doc:"What event.body is. json: the value that the message's JSON stands for; a message that is no JSON fails when something looks inside, and at once where a schema is named. text, bytes: the message as it is."`
}

var snsKind = engine.Define(engine.Spec[SNSIn]{
	Type: "sns.in",
	Doc: `Takes the messages of an SNS topic that calls the packaged flow. A message that fails is brought again by Lambda, twice; after that it goes to the packaged
app's queue STACK-FLOW-failed. Where failed messages are to come again by themselves, let the topic send to a queue: sqs.in with ` + "`unwrap: sns`" + `.

` + "`event`" + ` has: ` + "`body`, `subject`" + ` (null without one), ` + "`message_id`, `topic`" + ` (the ARN), ` + "`attributes`" + ` (their values as texts, bytes in base64) and ` + "`time`" + `.
The attribute ` + "`correlation_id`" + ` becomes the run's correlation id, else the message id does.

` + "`flowctl run`" + ` has no stand-in for topics: there the source waits for nothing. ` + "`flowctl invoke`" + ` hands it the event of a message.`,
	Source:  newSNS,
	Event:   (*SNSIn).eventType,
	Check:   func(c *SNSIn) []engine.Finding { return checkBody(c.Body, c.Format) },
	Verify:  (*SNSIn).verify,
	Traits:  engine.Traits{Acknowledges: true},
	Trigger: (*SNSIn).trigger,
	Examples: []engine.Example{
		{Doc: "All messages of a topic.", YAML: `{type: sns.in, topic: news, body: Order, next: done}`},
		{Doc: "Some of them, as texts.", YAML: "type: sns.in\ntopic: news\nfilter:\n  kind: [order, {prefix: bulk-}]\n  size: [{numeric: [\">\", 0, \"<=\", 100]}]\nformat: text\nnext: done\n"},
	},
})

func (c *SNSIn) eventType() expr.Type {
	return expr.Object(map[string]expr.Type{
		"body": bodyType(c.Body, c.Format), "subject": expr.String, "message_id": expr.String, "topic": expr.String,
		"attributes": expr.OpenObject(nil, expr.String), "time": expr.Time,
	})
}

// maxFilters is how many attributes a filter policy may name.
const maxFilters = 5

func (c *SNSIn) filter() (*pattern.Pattern, []engine.Finding) {
	return fixed(&c.Filter, "filter", pattern.Policy{Flat: true, Subject: "a set of attributes"})
}

func (c *SNSIn) verify() []engine.Finding {
	_, found := c.filter()
	if m, _ := c.Filter.Const(); len(m) > maxFilters {
		found = append(found, engine.Finding{Field: "filter", Message: fmt.Sprintf("it names %d attributes, and SNS takes %d", len(m), maxFilters)})
	}
	return found
}

func (c *SNSIn) trigger() engine.Trigger {
	filter, _ := c.Filter.Const()
	return engine.TopicTrigger{Resource: c.Topic.Name, Filter: filter}
}

type snsSource struct {
	handed
	*SNSIn
	filter *pattern.Pattern // nil for all
	deps   engine.Deps
}

var _ engine.Invoked = (*snsSource)(nil)

func newSNS(c *SNSIn, d engine.Deps) (engine.Source, error) {
	filter, _ := c.filter()
	return &snsSource{SNSIn: c, filter: filter, deps: d}, nil
}

// Messages implements engine.Invoked.
func (s *snsSource) Messages(payload []byte) ([]*engine.Message, error) {
	all, err := envelope.ParseNotifications(payload)
	if err != nil {
		return nil, wrongEvent(s.deps, "sns.in", err)
	}
	out := make([]*engine.Message, len(all))
	for i, n := range all {
		if s.filter != nil && !s.filter.Match(n.Filtered()) {
			return nil, wrongEvent(s.deps, "sns.in", envelope.Wrong("the attributes of the message %s do not fit the filter", n.MessageID))
		}
		if out[i], err = s.message(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *snsSource) message(n *envelope.Notification) (*engine.Message, error) {
	b, err := body(s.Body, s.Format, *n.Message)
	if err != nil {
		return nil, err
	}
	event := n.Fields()
	attributes := map[string]any{}
	for name, text := range n.Texts() {
		attributes[name] = text
	}
	event["body"], event["attributes"] = b, attributes
	correlation, _ := attributes[correlationAttribute].(string)
	if correlation == "" {
		correlation = n.MessageID
	}
	return engine.NewMessage(expr.Fields(event), correlation), nil
}
