package mqtt

import (
	"context"
	"errors"
	"log/slog"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// Out is the config of mqtt.out.
type Out struct {
	Broker    engine.Ref[Broker] `yaml:"broker,required" doc:"The mqtt.broker resource to publish to."`
	Topic     Topic              `yaml:"topic,required" doc:"The topic to publish to, such as orders/${{ event.id }}. A value of the message that stands inside a text cannot hold a slash or a wildcard and fills its level; an expression that is the whole topic may give levels too."`
	Payload   expr.Value[[]byte] `yaml:"payload,required" doc:"What to publish: a text as it is, bytes as they are, anything else as JSON. An empty text with retain deletes the topic's retained message."`
	QoS       int                `yaml:"qos" default:"1" doc:"1: at least once, 2: once as far as the broker is concerned; the node is done when the broker has acknowledged. 0: at most once, unconfirmed, which needs allow_loss."`
	Retain    bool               `yaml:"retain" doc:"Whether the broker keeps the message as the topic's last one and gives it to whoever subscribes later."`
	AllowLoss bool               `yaml:"allow_loss" doc:"With qos 0, says that messages may get lost without an error."`
}

var outKind = engine.Define(engine.Spec[Out]{
	Type: "mqtt.out",
	Doc: `Publishes to a topic of an MQTT broker. With QoS 1, the default, and QoS 2 the message leaves by ` + "`next`" + ` once the broker has acknowledged it.

If the connection breaks off before the acknowledgement, a message of QoS 1 is published once more on a new one; one of QoS 2 is
not, as it could arrive twice. What then fails is a retryable error, and the message may have arrived all the same: ` + "`retry`" + ` and
a source that delivers again can both make it arrive twice, at any QoS. A broker that refuses user, password or certificate is a
permanent error, and so is a topic that MQTT does not take.

MQTT 3.1.1 has no place for a correlation id; put ` + "`run.correlation`" + ` into the payload if others are to have it.`,
	New:     func(c *Out, d engine.Deps) (engine.Node, error) { return newOut(c, d) },
	Output:  func(*Out) expr.Type { return expr.Object(map[string]expr.Type{"topic": expr.String}) },
	Check:   (*Out).check,
	MayLose: (*Out).mayLose,
	Examples: []engine.Example{
		{Doc: "The body of what came in, as it is.", YAML: `{type: mqtt.out, broker: site, topic: orders, payload: "${{ event.body }}"}`},
		{Doc: "A topic for each customer, whose last message later subscribers get too.", YAML: "type: mqtt.out\nbroker: site\ntopic: customers/${{ event.body.customer }}/status\nqos: 2\nretain: true\npayload: {status: ready, at: \"${{ now() }}\"}\nnext: done\n"},
		{Doc: "Readings of which one more or less does not matter.", YAML: `{type: mqtt.out, broker: site, topic: readings, payload: "${{ event.body }}", qos: 0, allow_loss: true}`},
	},
})

func (c *Out) check() []engine.Finding {
	found := checkTopic("topic", c.Topic.Tree())
	if c.QoS < 0 || c.QoS > 2 {
		found = append(found, engine.Finding{Field: "qos", Message: qosRange(c.QoS), Hint: qosHint})
	}
	if c.AllowLoss && c.QoS != 0 {
		found = append(found, engine.Finding{Field: "allow_loss", Message: "only a message of QoS 0 may get lost", Hint: "leave it out, or set qos: 0"})
	}
	return found
}

func (c *Out) mayLose() engine.Finding {
	if c.QoS != 0 || c.AllowLoss {
		return engine.Finding{}
	}
	return engine.Finding{Field: "qos", Message: "a message of QoS 0 may get lost without an error", Hint: "use qos 1, or add allow_loss: true"}
}

// out is a mqtt.out in a flow.
type out struct {
	*Out
	client *client.Client
	log    *slog.Logger
}

var _ engine.Node = (*out)(nil)

func newOut(c *Out, d engine.Deps) (*out, error) {
	p, err := publisher(d, c.Broker)
	if err != nil {
		return nil, err
	}
	log := d.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &out{Out: c, client: p, log: log}, nil
}

// Do publishes and waits for the acknowledgement.
func (o *out) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	topic, err := o.Topic.Get(&m.Env)
	if err != nil {
		return engine.Next, err
	}
	payload, err := o.Payload.Get(&m.Env)
	if err != nil {
		return engine.Next, err
	}
	if err := o.publish(ctx, topic, payload); err != nil {
		return engine.Next, failed(err)
	}
	o.logPublished(ctx, m, topic, len(payload))
	m.SetOutput(published(topic))
	return engine.Next, nil
}

func (o *out) logPublished(ctx context.Context, m *engine.Message, topic string, size int) {
	if o.log.Enabled(ctx, slog.LevelDebug) {
		o.log.DebugContext(ctx, "published", append(m.LogAttrs(), "broker", o.Broker.Name, "topic", topic, "qos", o.QoS, "bytes", size)...)
	}
}

// publish tries a message of QoS 1 again when the connection it went out on was
// dead or died, on another one: at least once is all that it asks for. The
// client does not open one that the broker has just refused.
func (o *out) publish(ctx context.Context, topic string, payload []byte) error {
	err := o.client.Publish(ctx, topic, byte(o.QoS), o.Retain, payload)
	if err != nil && o.QoS == 1 && ctx.Err() == nil && errors.Is(err, client.ErrConnectionLost) {
		return o.client.Publish(ctx, topic, byte(o.QoS), o.Retain, payload)
	}
	return err
}

// failed gives an error of the client the class and code that flows see.
func failed(err error) error {
	class, code := engine.ClassOf(err), "unavailable"
	switch {
	case errors.Is(err, client.ErrClosed), errors.Is(err, context.Canceled):
		class, code = engine.Retryable, "stopped"
	case class == engine.Permanent:
		code = "refused"
	case errors.Is(err, client.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		code = "timeout"
	}
	return engine.Fail(class, code, "", err)
}

// published is the node's output: the topic.
type published string

var _ expr.Record = published("")

// Field implements expr.Record.
func (p published) Field(name string) (any, error) {
	if name == "topic" {
		return string(p), nil
	}
	return nil, nil
}

// Fields implements expr.Record.
func (p published) Fields() (map[string]any, error) { return map[string]any{"topic": string(p)}, nil }
