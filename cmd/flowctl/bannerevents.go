package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/nodes/events"
)

// onLambdaOnly says why nothing comes from a source here.
const onLambdaOnly = "on AWS Lambda only; flowctl invoke tries it"

// handed is the row of a source that is handed events, nil for other nodes.
func (b banner) handed(flow string, config any) []string {
	row := func(kind, what string) []string { return []string{kind, what + " (flow " + flow + ")"} }
	switch in := config.(type) {
	case *events.ScheduleIn:
		return row("schedule", b.schedule(in))
	case *events.SNSIn:
		return row("sns", "topic "+in.Topic.Name+": "+onLambdaOnly)
	case *events.S3In:
		return row("s3", "bucket "+in.Bucket.Name+": "+onLambdaOnly)
	case *events.EventIn:
		bus := "default bus"
		if in.Bus != "" {
			bus = "bus " + in.Bus
		}
		return row("event", bus+": "+onLambdaOnly)
	case *events.InvokeIn:
		return row("invoke", onLambdaOnly)
	}
	return nil
}

// schedule says when a source runs its flow, and when next.
func (b banner) schedule(in *events.ScheduleIn) string {
	when := "cron " + in.Cron
	due, err := in.FirstDue(b.now)
	if err != nil {
		return when + ": " + err.Error()
	}
	if in.Cron == "" {
		when, due = "every "+in.Every.String(), due.Local() // as the log has it
	}
	return fmt.Sprintf("%s, next %s", when, due.Format("2006-01-02 15:04 MST"))
}

// call is a command that hands a source an event, "" for other nodes.
func (b banner) call(flow, node string, config any) string {
	var event any
	switch in := config.(type) {
	case *events.ScheduleIn:
		event = map[string]any{"time": b.now.UTC().Format(time.RFC3339)}
	case *events.SNSIn:
		event = map[string]any{"body": b.sampleValue(in.Body, "hello")}
	case *events.S3In:
		event = map[string]any{"bucket": in.Bucket.Name, "key": in.Prefix + "sample" + in.Suffix}
	case *events.EventIn:
		event = map[string]any{"body": b.sampleValue(in.Body, map[string]any{})}
	case *events.InvokeIn:
		event = b.sampleValue(in.Body, map[string]any{})
	default:
		return ""
	}
	text, err := json.Marshal(event)
	if err != nil {
		return ""
	}
	parts := []string{"echo", quoted(string(text)), "|", self(os.Args[0]), "invoke"}
	if b.path != "." {
		parts = append(parts, quoted(b.path))
	}
	return strings.Join(append(parts, "--flow", flow, "--source", node, "--event", "-"), " ")
}
