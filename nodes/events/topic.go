package events

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Topic is the config of the resource sns.topic.
type Topic struct {
	ARN       expr.Value[string] `yaml:"arn" doc:"ARN of a topic that exists already, such as arn:aws:sns:eu-west-1:123456789012:orders. It may read env; empty text counts as not given. Nothing is created then."`
	TopicName string             `yaml:"name" doc:"Name of the topic in the account. Without it, it is the resource's name."`
}

var topicKind = engine.DefineResource(engine.ResourceSpec[Topic]{
	Type: "sns.topic",
	Doc: `A topic of Amazon SNS. The packaged app creates it unless ` + "`arn`" + ` is given.

There is no local stand-in for topics: ` + "`flowctl invoke`" + ` hands events to the flows behind them.`,
	Check: (*Topic).check,
	Examples: []engine.Example{
		{Doc: "A topic of the app.", YAML: `{type: sns.topic}`},
		{Doc: "A topic that exists already.", YAML: `{type: sns.topic, arn: "arn:aws:sns:eu-west-1:123456789012:orders"}`},
	},
})

// Outside is the ARN of a topic that the author named and that the app does not
// create; "" when the topic is the app's own. It may be called once the
// resource's expressions are compiled.
func (t *Topic) Outside() (string, error) { return t.ARN.Get(new(expr.Env)) }

// Name is the topic's name in the account, for a resource of the given name.
func (t *Topic) Name(resource string) string {
	if t.TopicName != "" {
		return t.TopicName
	}
	return resource
}

// The length is compared beside the pattern: a repetition that is bounded so
// high takes long to compile, and every start of a function pays for it.
var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (t *Topic) check() []engine.Finding {
	var found []engine.Finding
	add := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: field, Message: message, Hint: hint})
	}
	switch {
	case strings.HasSuffix(t.TopicName, ".fifo"):
		add("name", "a FIFO topic cannot call a function", "use a standard topic, or subscribe a FIFO queue to the topic and receive with sqs.in and unwrap: sns")
	case t.TopicName != "" && (len(t.TopicName) > 256 || !topicName.MatchString(t.TopicName)):
		add("name", fmt.Sprintf("%q cannot be the name of a topic", t.TopicName), "use at most 256 letters, digits, - and _")
	}
	if t.ARN.Given() && t.TopicName != "" {
		add("name", "the topic has an arn already", "give arn for a topic that exists, or name for one of this app")
	}
	if arn := literal(&t.ARN); arn != "" && !strings.HasPrefix(arn, "arn:") {
		add("arn", fmt.Sprintf("%q is not the ARN of a topic", arn), "it looks like arn:aws:sns:REGION:ACCOUNT:NAME")
	}
	return found
}

// literal is what an author gave as a plain text, "" for expressions.
func literal(v *expr.Value[string]) string {
	t := v.Tree()
	if t == nil || t.Kind != expr.KindText || strings.Contains(t.Text, "${{") {
		return ""
	}
	return t.Text
}
