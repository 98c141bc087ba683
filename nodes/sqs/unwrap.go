package sqs

import (
	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
)

// The services whose messages may come inside those of a queue.
const (
	unwrapSNS         = "sns"
	unwrapS3          = "s3"
	unwrapEventBridge = "eventbridge"
)

// wrapped is `event` behind sqs.in with unwrap.
type wrapped struct {
	event
	envelope map[string]any // nil for none
}

var _ expr.Record = (*wrapped)(nil)

// unwrapped makes the message of what is inside a delivery, nil for one that
// asks for nothing to be done.
func (c *In) unwrapped(d *Delivery) (*engine.Message, error) {
	var err error
	inside := &wrapped{event: event{Delivery: d}}
	switch c.Unwrap {
	case unwrapSNS:
		err = c.unwrapSNS(inside)
	case unwrapEventBridge:
		err = c.unwrapEventBridge(inside)
	case unwrapS3:
		var changes []any
		if changes, err = unwrapChanges(d.Body); err == nil && len(changes) == 0 {
			return nil, nil
		}
		inside.body = map[string]any{"records": changes}
	}
	if err != nil {
		if engine.CodeOf(err) == envelope.CodeWrong {
			err = engine.Fail(engine.Permanent, "invalid_body", "the message's body cannot be unwrapped"+unwrapHints[c.Unwrap], err)
		}
		return nil, err
	}
	return newMessage(d, inside, inside.Attributes), nil
}

var unwrapHints = map[string]string{unwrapSNS: " (if the subscription delivers raw messages, remove unwrap)"}

// unwrapSNS takes the message out of a topic's notification. The attributes of
// both are one; the queue's own win.
func (c *In) unwrapSNS(inside *wrapped) error {
	n, err := envelope.ParseNotification([]byte(inside.Body))
	if err != nil {
		return err
	}
	merged := *inside.Delivery
	merged.Attributes = n.Texts()
	for name, text := range inside.Attributes {
		merged.Attributes[name] = text
	}
	inside.Delivery, inside.envelope = &merged, n.Fields()
	inside.body, err = c.body(*n.Message)
	return err
}

func (c *In) unwrapEventBridge(inside *wrapped) error {
	e, err := envelope.ParseEvent([]byte(inside.Body))
	if err != nil {
		return err
	}
	inside.envelope = e.Fields()
	inside.body, err = c.document(e.Body())
	return err
}

func unwrapChanges(body string) ([]any, error) {
	all, err := envelope.ParseChanges([]byte(body))
	if err != nil {
		return nil, err
	}
	changes := make([]any, len(all))
	for i, each := range all {
		changes[i] = each.Fields()
	}
	return changes, nil
}

// checkUnwrap finds what does not go with unwrap.
func (c *In) checkUnwrap() []engine.Finding {
	var found []engine.Finding
	if c.Unwrap == unwrapS3 && c.Body.Name != "" {
		found = append(found, engine.Finding{Field: "body", Message: "unwrap: s3 says already what the body is", Hint: "leave out body"})
	}
	if (c.Unwrap == unwrapS3 || c.Unwrap == unwrapEventBridge) && c.Format != formatJSON && c.Format != "" {
		found = append(found, engine.Finding{Field: "format", Message: "with unwrap: " + c.Unwrap + " the body is JSON", Hint: "leave out format"})
	}
	return found
}

// envelopeType types event.envelope; ok is false where there is none.
func (c *In) envelopeType() (t expr.Type, ok bool) {
	switch c.Unwrap {
	case unwrapSNS:
		return envelope.NotificationType, true
	case unwrapEventBridge:
		return envelope.EventType, true
	}
	return expr.Null, false
}

// Field implements expr.Record.
func (w *wrapped) Field(name string) (any, error) {
	if name == "envelope" && w.envelope != nil {
		return w.envelope, nil
	}
	return w.event.Field(name)
}

// Fields implements expr.Record.
func (w *wrapped) Fields() (map[string]any, error) {
	all, err := w.event.Fields()
	if err == nil && w.envelope != nil {
		all["envelope"] = w.envelope
	}
	return all, err
}
