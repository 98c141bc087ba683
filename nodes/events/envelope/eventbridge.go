package envelope

import (
	"encoding/json"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Event is an event of a bus: the "Event structure" of the EventBridge user
// guide.
type Event struct {
	ID         string
	Source     *string
	DetailType *string `json:"detail-type"`
	Account    string
	Region     string
	Time       string
	Resources  []string
	Detail     json.RawMessage
}

// EventType types Fields.
var EventType = expr.Object(map[string]expr.Type{
	"id": expr.String, "source": expr.String, "detail_type": expr.String, "time": expr.Time, "account": expr.String,
	"region": expr.String, "resources": expr.List(expr.String),
})

// ParseEvent reads an event of EventBridge.
func ParseEvent(data []byte) (*Event, error) {
	const what = "an event of Amazon EventBridge"
	var e Event
	if err := decode(data, &e, what); err != nil {
		return nil, err
	}
	if e.Source == nil || e.DetailType == nil {
		return nil, Wrong("it is not %s: it has no source or no detail-type", what)
	}
	return &e, nil
}

// Scheduled reports whether a schedule made the event: one of EventBridge
// Scheduler, or a rule with a schedule.
func (e *Event) Scheduled() bool {
	return *e.Source == "aws.scheduler" || *e.Source == "aws.events" && *e.DetailType == "Scheduled Event"
}

// Body is the event's detail.
func (e *Event) Body() *value.Doc { return document(e.Detail) }

// Instant is the event's time, null if it has none.
func (e *Event) Instant() any { return instant(e.Time) }

// Fields are all of the event but its detail, as EventType types them.
func (e *Event) Fields() map[string]any {
	resources := make([]any, len(e.Resources))
	for i, r := range e.Resources {
		resources[i] = r
	}
	return map[string]any{
		"id": e.ID, "source": *e.Source, "detail_type": *e.DetailType, "time": e.Instant(), "account": e.Account,
		"region": e.Region, "resources": resources,
	}
}
