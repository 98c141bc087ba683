package envelope

import (
	"maps"
	"slices"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Notification is a message of an SNS topic, as the documentation of Amazon SNS
// has it under "HTTP/HTTPS notification JSON format".
type Notification struct {
	Type              string
	MessageID         string `json:"MessageId"`
	TopicARN          string `json:"TopicArn"`
	Subject           string
	Message           *string
	Timestamp         string
	MessageAttributes map[string]Attribute
}

// Attribute is an attribute of a message. Type is String, String.Array, Number
// or Binary; binary values are in base64.
type Attribute struct{ Type, Value string }

// NotificationType types Fields: what comes with the message besides its body
// and attributes.
var NotificationType = expr.Object(map[string]expr.Type{
	"topic": expr.String, "subject": expr.String, "message_id": expr.String, "time": expr.Time,
})

// ParseNotification reads a notification that stands alone, as in a queue that
// is subscribed to a topic.
func ParseNotification(data []byte) (*Notification, error) {
	const what = "an Amazon SNS notification"
	var n Notification
	if err := decode(data, &n, what); err != nil {
		return nil, err
	}
	if n.Type != "Notification" || n.Message == nil {
		return nil, Wrong("it is not %s", what)
	}
	return &n, nil
}

// ParseNotifications reads the event with which SNS calls a Lambda function.
func ParseNotifications(payload []byte) ([]*Notification, error) {
	const what = "an event of Amazon SNS"
	var event struct {
		Records []struct {
			EventSource string
			Sns         *Notification
		}
	}
	if err := decode(payload, &event, what); err != nil {
		return nil, err
	}
	var all []*Notification
	for _, r := range event.Records {
		if r.EventSource != "aws:sns" || r.Sns == nil || r.Sns.Message == nil {
			return nil, Wrong("it is not %s", what)
		}
		all = append(all, r.Sns)
	}
	if len(all) == 0 {
		return nil, Wrong("it is not %s", what)
	}
	return all, nil
}

// Fields are what came with the message, as NotificationType types it.
func (n *Notification) Fields() map[string]any {
	return map[string]any{"topic": n.TopicARN, "subject": orNull(n.Subject), "message_id": n.MessageID, "time": instant(n.Timestamp)}
}

// Texts are the attributes' values as they came.
func (n *Notification) Texts() map[string]string {
	texts := make(map[string]string, len(n.MessageAttributes))
	for name, a := range n.MessageAttributes {
		texts[name] = a.Value
	}
	return texts
}

// Filtered are the attributes as a filter policy looks at them: numbers as
// numbers, arrays as lists; binary ones it does not see.
func (n *Notification) Filtered() map[string]any {
	all := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(n.MessageAttributes)) {
		switch a := n.MessageAttributes[name]; a.Type {
		case "Binary":
		case "Number", "String.Array":
			if v, err := value.Decode([]byte(a.Value)); err == nil {
				all[name] = v
			}
		default:
			all[name] = a.Value
		}
	}
	return all
}
