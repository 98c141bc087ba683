package mqtt

import (
	"fmt"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// The formats of a payload.
const (
	formatJSON  = "json"
	formatText  = "text"
	formatBytes = "bytes"
)

// In is the config of mqtt.in.
type In struct {
	Broker      engine.Ref[Broker]   `yaml:"broker,required" doc:"The mqtt.broker resource to receive from."`
	Topic       []expr.Value[string] `yaml:"topic,required" doc:"The topic filter to subscribe to, or a list of them: + stands for one level, # at the end for all that follow. It may read env."`
	QoS         int                  `yaml:"qos" default:"1" doc:"The most that the broker delivers at: 1 and 2 are acknowledged when everything behind the source is done, 0 is neither acknowledged nor delivered again. A message comes at the lower one of this and the QoS it was published at."`
	Body        engine.Schema        `yaml:"body" doc:"Schema of the payload. A message that breaks it fails for good before any node sees it. It types event.body."`
	Format      string               `yaml:"format" enum:"json,text,bytes" default:"json" doc:"What event.body is. json: the value that the payload's JSON stands for, null for an empty payload; one that is no JSON fails for good. text, bytes: the payload as it is."`
	MaxInFlight int                  `yaml:"max_in_flight" default:"32" doc:"How many messages are worked on at a time, 1 to 10000. With 1 they are worked on in the order in which they arrive."`
	MaxAttempts int                  `yaml:"max_attempts" doc:"How many times a message is worked on before a failure that may pass counts as one for good; 0, which is so if not given, is no bound. The count begins anew when the broker delivers again."`
	Session     string               `yaml:"session" doc:"Name of a session that the broker keeps: it collects messages of QoS 1 and 2 while the app is not running, and delivers those again that were not acknowledged. It is the client identifier at the broker, which no other client and no second copy of the app may use. Without it what comes while the app is not connected is lost, and so is what it had not finished when it ended. The broker keeps the filters too: messages of one that topic no longer has go on coming until the session gets another name."`
	DeadLetter  expr.Value[string]   `yaml:"dead_letter" doc:"Topic to which the payload of a message that fails for good is published, with QoS 1, before it is acknowledged. It may read env. Without it such a message is logged and dropped."`
}

var inKind = engine.Define(engine.Spec[In]{
	Type: "mqtt.in",
	Doc: `Receives messages from topics of an MQTT broker. A message is acknowledged once everything behind the source is done with it.

One that fails retryably is not acknowledged and is worked on again after a pause, which grows up to 30s; it holds its place among
` + "`max_in_flight`" + ` meanwhile, and ` + "`max_attempts`" + ` bounds how often. If the connection is lost before the acknowledgement, the broker delivers it again, provided
that there is a ` + "`session`" + `. One that fails for good, such as a payload that breaks its schema, goes to ` + "`dead_letter`" + ` or is dropped, and
is acknowledged: MQTT has no way of refusing it. A message may be delivered twice, at QoS 2 too.

` + "`event`" + ` has: ` + "`body`, `topic`, `qos`, `retain`" + ` (the broker had kept the message for new subscribers) and ` + "`duplicate`" + ` (it may have been
delivered before). A message that several filters match may come several times.

The source needs a process that stays, such as ` + "`flowctl run`" + `: AWS Lambda has no trigger for MQTT brokers.`,
	Source:   func(c *In, d engine.Deps) (engine.Source, error) { return newSource(c, d) },
	Event:    (*In).eventType,
	Check:    (*In).check,
	Conflict: conflict,
	Traits:   engine.Traits{Acknowledges: true},
	Examples: []engine.Example{
		{Doc: "JSON that must match a schema; nothing is missed while the app is down.", YAML: `{type: mqtt.in, broker: site, topic: orders/new, body: Order, session: orders-app, next: done}`},
		{Doc: "Texts of two kinds of topics, in the order of their arrival.", YAML: "type: mqtt.in\nbroker: site\ntopic: [drivers/+/position, \"drivers/+/status/#\"]\nformat: text\nmax_in_flight: 1\nnext: done\n"},
		{Doc: "What fails for good, or ten times, is kept elsewhere.", YAML: `{type: mqtt.in, broker: site, topic: "orders/#", session: orders-app, max_attempts: 10, dead_letter: failed/orders, next: done}`},
	},
})

const maxInFlight = 10000

func (c *In) check() []engine.Finding {
	var found []engine.Finding
	add := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: field, Message: message, Hint: hint})
	}
	if len(c.Topic) == 0 {
		add("topic", "there is no topic filter in the list", "give one, such as orders/#")
	}
	for i := range c.Topic {
		if filter := literal(&c.Topic[i]); filter != "" {
			if err := client.ValidateFilter(filter); err != nil {
				add(fmt.Sprintf("topic[%d]", i), err.Error(), "")
			}
		}
	}
	if c.QoS < 0 || c.QoS > 2 {
		add("qos", qosRange(c.QoS), qosHint)
	}
	if c.MaxInFlight < 1 || c.MaxInFlight > maxInFlight {
		add("max_in_flight", fmt.Sprintf("%d is out of range", c.MaxInFlight), "give 1 to 10000")
	}
	if c.MaxAttempts < 0 {
		add("max_attempts", fmt.Sprintf("%d is out of range", c.MaxAttempts), "give 1 or more, or leave it out for no bound")
	}
	if c.Format != formatJSON && c.Body.Name != "" {
		add("body", "a schema describes JSON, but the format is "+c.Format, "leave out one of them")
	}
	if c.Session != "" && c.QoS == 0 {
		add("session", "the broker keeps no messages of QoS 0 for a session", "use qos 1, or leave session out")
	}
	return append(found, c.checkDeadLetter()...)
}

func (c *In) checkDeadLetter() []engine.Finding {
	topic := literal(&c.DeadLetter)
	if topic == "" {
		return nil
	}
	if err := client.ValidateTopic(topic); err != nil {
		return []engine.Finding{{Field: "dead_letter", Message: err.Error()}}
	}
	for i := range c.Topic {
		if filter := literal(&c.Topic[i]); matches(unshared(filter), topic) {
			return []engine.Finding{{Field: "dead_letter", Message: loop(filter, topic), Hint: "choose a topic that the source is not subscribed to"}}
		}
	}
	return nil
}

func loop(filter, topic string) string {
	return fmt.Sprintf("the source would receive its own dead letters: its filter %q matches %q", filter, topic)
}

// unshared is the filter inside $share/NAME/FILTER, a subscription that several
// clients share. It is of MQTT 5, but brokers offer it to others as well.
func unshared(filter string) string {
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		if _, inside, ok := strings.Cut(rest, "/"); ok {
			return inside
		}
	}
	return filter
}

// matches reports whether a filter takes a topic, section 4.7.
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#")) {
		return false // MQTT-4.7.2-1
	}
	for {
		want, filters, more := strings.Cut(filter, "/")
		if want == "#" {
			return true
		}
		level, levels, deeper := strings.Cut(topic, "/")
		switch {
		case want != "+" && want != level:
			return false
		case !deeper:
			return !more || filters == "#" // a/# takes a as well
		case !more:
			return false
		}
		filter, topic = filters, levels
	}
}

// conflict: two of one session at one broker would throw each other out.
func conflict(a, b *In) string {
	if a.Session == "" || a.Session != b.Session || a.Broker.Name != b.Broker.Name {
		return ""
	}
	return fmt.Sprintf("two sources use the session %q of the broker %s; at the broker a session belongs to one client", a.Session, a.Broker.Name)
}
