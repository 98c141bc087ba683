package events

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
	"github.com/flowctl-dev/flowctl/nodes/events/pattern"
)

// EventIn is the config of event.in.
type EventIn struct {
	Bus     string                     `yaml:"bus" doc:"Name or ARN of the event bus. Without it, the account's default bus, where the events of AWS services arrive."`
	Pattern expr.Value[map[string]any] `yaml:"pattern,required" doc:"Which events to take: each named field must have one of the listed values or fit one of the listed operators, such as {source: [shop.orders], detail: {total: [{numeric: [\">\", 100]}]}}."`
	Body    engine.Schema              `yaml:"body" doc:"Schema of the event's detail. An event that breaks it fails for good before any node sees it. It types event.body."`
}

var eventKind = engine.Define(engine.Spec[EventIn]{
	Type: "event.in",
	Doc: `Takes events of an EventBridge bus that fit a pattern; a rule on the bus calls the packaged flow. An event that fails is brought again by Lambda, twice; after that
it goes to the packaged app's queue STACK-FLOW-failed.

` + "`event`" + ` has: ` + "`body`" + ` (the event's detail), ` + "`id`, `source`, `detail_type`, `time`, `account`, `region` and `resources`" + `. The id is the run's correlation id.

A pattern has the fields of the event itself: ` + "`source`, `detail-type`, `detail`, `account`, `region`, `resources`, `time`, `id`, `version`" + `. Behind each stands a list of values, or of
operators: ` + "`prefix`, `suffix`, `anything-but`, `equals-ignore-case`, `wildcard`, `numeric`, `cidr`, `exists`" + `; ` + "`$or`" + ` takes a list of patterns. An event that does not fit is refused.

` + "`flowctl run`" + ` has no stand-in for buses: there the source waits for nothing. ` + "`flowctl invoke`" + ` hands it an event.`,
	Source:  newEvent,
	Event:   (*EventIn).eventType,
	Check:   (*EventIn).check,
	Verify:  func(c *EventIn) []engine.Finding { _, found := c.pattern(); return found },
	Traits:  engine.Traits{Acknowledges: true},
	Trigger: (*EventIn).trigger,
	Examples: []engine.Example{
		{Doc: "Events of an application.", YAML: "type: event.in\nbus: shop\npattern: {source: [shop.orders], detail-type: [Order placed]}\nbody: Order\nnext: done\n"},
		{Doc: "Events of an AWS service.", YAML: "type: event.in\npattern:\n  source: [aws.ec2]\n  detail-type: [EC2 Instance State-change Notification]\n  detail: {state: [{anything-but: [pending, running]}]}\nnext: done\n"},
	},
})

// eventFields are the fields of an event of EventBridge.
var eventFields = []string{"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name"}

func (c *EventIn) eventType() expr.Type {
	fields := map[string]expr.Type{"body": c.Body.Type}
	for _, name := range envelope.EventType.FieldNames() {
		fields[name], _ = envelope.EventType.Field(name)
	}
	return expr.Object(fields)
}

func (c *EventIn) pattern() (*pattern.Pattern, []engine.Finding) {
	return fixed(&c.Pattern, "pattern", pattern.Policy{Keys: eventFields, Subject: "an event"})
}

// The length is compared beside the pattern, as in topicName.
var busName = regexp.MustCompile(`^[A-Za-z0-9/._-]+$|^arn:[a-z-]+:events:[a-z0-9-]+:\d{12}:event-bus/[A-Za-z0-9/._-]+$`)

func (c *EventIn) check() []engine.Finding {
	if c.Bus != "" && (!busName.MatchString(c.Bus) || len(c.Bus) > 256 && !strings.HasPrefix(c.Bus, "arn:")) {
		return []engine.Finding{{Field: "bus", Message: fmt.Sprintf("%q cannot be the name of an event bus", c.Bus), Hint: "use at most 256 letters, digits, /, ., - and _, or write its ARN"}}
	}
	return nil
}

func (c *EventIn) trigger() engine.Trigger {
	p, _ := c.Pattern.Const()
	return engine.PatternTrigger{Bus: c.Bus, Pattern: p}
}

type eventSource struct {
	handed
	*EventIn
	pattern *pattern.Pattern
	deps    engine.Deps
}

var _ engine.Invoked = (*eventSource)(nil)

func newEvent(c *EventIn, d engine.Deps) (engine.Source, error) {
	p, found := c.pattern()
	if p == nil {
		return nil, errors.New("the pattern is not usable: " + fmt.Sprint(found))
	}
	return &eventSource{EventIn: c, pattern: p, deps: d}, nil
}

// Messages implements engine.Invoked.
func (s *eventSource) Messages(payload []byte) ([]*engine.Message, error) {
	e, err := envelope.ParseEvent(payload)
	if err == nil {
		err = s.fits(payload)
	}
	if err != nil {
		return nil, wrongEvent(s.deps, "event.in", err)
	}
	event := e.Fields()
	if event["body"], err = document(s.Body, e.Body()); err != nil {
		return nil, err
	}
	return []*engine.Message{engine.NewMessage(expr.Fields(event), e.ID)}, nil
}

func (s *eventSource) fits(payload []byte) error {
	v, err := value.Decode(payload)
	if err != nil {
		return engine.Fail(engine.Permanent, envelope.CodeWrong, "it cannot be read", err)
	}
	if m, ok := v.(map[string]any); !ok || !s.pattern.Match(m) {
		return envelope.Wrong("it does not fit the pattern")
	}
	return nil
}
