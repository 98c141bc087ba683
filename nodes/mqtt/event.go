package mqtt

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// event is `event` behind mqtt.in.
type event struct {
	client.Message
	body any
}

var _ expr.Record = (*event)(nil)

// message makes the message of a flow. The error is a permanent one.
func (c *In) message(arrived client.Message) (*engine.Message, error) {
	body, err := c.body(arrived.Payload)
	if err != nil {
		return nil, err
	}
	m := engine.NewMessage(&event{arrived, body}, "")
	m.Attempt = arrived.Attempt
	return m, nil
}

func invalidBody(message string, err error) error {
	return engine.Fail(engine.Permanent, "invalid_body", message, err)
}

func (c *In) body(payload []byte) (any, error) {
	switch c.Format {
	case formatBytes:
		return payload, nil
	case formatText:
		if !utf8.Valid(payload) {
			return nil, invalidBody("the payload is not text in UTF-8; set format: bytes", nil)
		}
		return string(payload), nil
	}
	if len(payload) == 0 {
		return nil, c.validate(nil)
	}
	doc := value.NewDoc(payload)
	if c.Body.Validate == nil {
		if json.Valid(payload) {
			return doc, nil
		}
		_, err := doc.Value()
		return nil, invalidBody("the payload is not JSON; if it is not meant to be, set format: text or bytes", err)
	}
	v, err := doc.Value()
	if err != nil {
		return nil, invalidBody("the payload is not JSON", err)
	}
	return doc, c.validate(v)
}

func (c *In) validate(v any) error {
	if c.Body.Validate == nil {
		return nil
	}
	if err := c.Body.Validate(v); err != nil {
		return invalidBody("the payload breaks the schema "+c.Body.Name, err)
	}
	return nil
}

func (c *In) eventType() expr.Type {
	body := c.Body.Type
	switch c.Format {
	case formatText:
		body = expr.String
	case formatBytes:
		body = expr.Bytes
	}
	return expr.Object(map[string]expr.Type{
		"body": body, "topic": expr.String, "qos": expr.Int, "retain": expr.Bool, "duplicate": expr.Bool,
	})
}

// Field implements expr.Record.
func (e *event) Field(name string) (any, error) {
	switch name {
	case "body":
		return e.body, nil
	case "topic":
		return e.Topic, nil
	case "qos":
		return int(e.QoS), nil
	case "retain":
		return e.Retained, nil
	case "duplicate":
		return e.Duplicate, nil
	}
	return nil, nil
}

// Fields implements expr.Record.
func (e *event) Fields() (map[string]any, error) {
	return map[string]any{"body": e.body, "topic": e.Topic, "qos": int(e.QoS), "retain": e.Retained, "duplicate": e.Duplicate}, nil
}
