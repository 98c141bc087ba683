// Package events holds the sources that are handed events: schedule.in, sns.in,
// s3.in, event.in and invoke.in, with invoke.reply and the resources sns.topic
// and s3.bucket.
//
// All sources are engine.Invoked: AWS Lambda calls them. Where nothing does,
// schedule.in goes by the machine's clock and the others wait; `flowctl invoke`
// hands them events.
package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
	"github.com/flowctl-dev/flowctl/nodes/events/pattern"
)

// Kinds are the node types of the family.
func Kinds() []*engine.Kind {
	return []*engine.Kind{scheduleKind, snsKind, s3Kind, eventKind, invokeKind, replyKind}
}

// Resources are the resource types of the family.
func Resources() []*engine.Kind { return []*engine.Kind{topicKind, bucketKind} }

// correlationAttribute carries engine.Message.Correlation from flow to flow.
const correlationAttribute = "correlation_id"

// handed is what the sources have in common that nothing but a call brings
// messages to.
type handed struct{}

// Run waits for ctx to end.
func (handed) Run(ctx context.Context, _ engine.Handler) error {
	<-ctx.Done()
	return nil
}

// Reply is null: nobody waits for one.
func (handed) Reply([]*engine.Message) ([]byte, error) { return []byte("null"), nil }

// wrongEvent names an event's source beside what is wrong with it.
func wrongEvent(d engine.Deps, kind string, err error) error {
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != envelope.CodeWrong {
		return err
	}
	return engine.Fail(e.Class, e.Code, fmt.Sprintf("the event is none for %s (%s)", d.Node, kind), err)
}

// The formats of a body.
const (
	formatJSON  = "json"
	formatText  = "text"
	formatBytes = "bytes"
)

func bodyType(schema engine.Schema, format string) expr.Type {
	switch format {
	case formatText:
		return expr.String
	case formatBytes:
		return expr.Bytes
	}
	return schema.Type
}

// body is event.body of a message whose body is a text.
func body(schema engine.Schema, format, text string) (any, error) {
	switch format {
	case formatText:
		return text, nil
	case formatBytes:
		return []byte(text), nil
	}
	return document(schema, value.NewDoc([]byte(text)))
}

// document is event.body of JSON. The error is a permanent one: it breaks the
// schema, or it is no JSON though a schema is named.
func document(schema engine.Schema, doc *value.Doc) (any, error) {
	if schema.Validate == nil {
		return doc, nil
	}
	v, err := doc.Value()
	if err != nil {
		return nil, engine.Fail(engine.Permanent, "invalid_body", "the body is not JSON", err)
	}
	if err := schema.Validate(v); err != nil {
		return nil, engine.Fail(engine.Permanent, "invalid_body", "the body breaks the schema "+schema.Name, err)
	}
	return doc, nil
}

// checkBody finds a schema beside a format that it cannot describe.
func checkBody(schema engine.Schema, format string) []engine.Finding {
	if schema.Name == "" || format == formatJSON || format == "" {
		return nil
	}
	return []engine.Finding{{Field: "body", Message: "a schema describes JSON, but the format is " + format, Hint: "leave out one of them"}}
}

// fixed reads a pattern or a filter that the author gave: it is part of what is
// deployed, so that no expression can be in it. pattern is nil where none is
// given or something is wrong with it.
func fixed(v *expr.Value[map[string]any], field string, p pattern.Policy) (*pattern.Pattern, []engine.Finding) {
	if !v.Given() {
		return nil, nil
	}
	m, constant := v.Const()
	if !constant {
		return nil, []engine.Finding{{Field: field, Message: "the " + field + " is set up when the app is deployed and cannot hold expressions", Hint: "write the values themselves"}}
	}
	parsed, problems := pattern.Parse(m, p)
	var found []engine.Finding
	for _, problem := range problems {
		place := field
		if problem.Field != "" {
			place += "." + problem.Field
		}
		found = append(found, engine.Finding{Field: place, Message: problem.Message, Hint: problem.Hint})
	}
	return parsed, found
}
