package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/spf13/cobra"

	localsqs "github.com/flowctl-dev/flowctl/internal/local/sqs"
)

const peekHelp = `Show the messages of a queue, oldest first. The stand-in shows all of them, those in
flight and delayed too, and nothing changes.

The account cannot do that: there a message is seen only by receiving it. With
--receive the messages are received and given back. Meanwhile other consumers do not
get them, and each one's receive count goes up by one, which counts towards the
queue's limit after which messages go to its dead-letter queue.`

// peekFlags are the flags of queue peek.
type peekFlags struct {
	count   int
	receive bool
}

func newQueuePeekCommand(s *serviceTarget) *cobra.Command {
	var f peekFlags
	cmd := &cobra.Command{
		Use:   "peek QUEUE",
		Short: "Show messages without taking them",
		Long:  peekHelp,
		Example: `  flowctl queue peek passengers-dead
  flowctl queue peek passengers --count 0 --output json | jq .body`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.count < 0 {
				return usageError{fmt.Errorf("--count must not be negative, it is %d", f.count)}
			}
			return withQueues(cmd, s, func(ctx context.Context, q *queues) error {
				return q.peek(ctx, args[0], f)
			})
		},
	}
	cmd.Flags().IntVarP(&f.count, "count", "n", 10, "show this `NUMBER` of messages at most; 0 is all")
	cmd.Flags().BoolVar(&f.receive, "receive", false, "receive the messages and give them back; the only way with --aws")
	return cmd
}

func (q *queues) peek(ctx context.Context, name string, f peekFlags) error {
	url, err := q.url(ctx, name)
	if err != nil {
		return err
	}
	if f.count == 0 {
		f.count = math.MaxInt
	}
	if !f.receive && q.target.account {
		return q.refusePeek(ctx, url)
	}
	show := q.showMessage
	if q.target.json() {
		show = func(m peekedMessage) error { return jsonLine(q.out, m) }
	}
	shown := 0
	if f.receive {
		shown, err = q.receiveBack(ctx, url, f.count, show)
	} else {
		shown, err = peekStandIn(ctx, q.target.url(), url, f.count, show)
	}
	if err == nil && shown == 0 {
		fmt.Fprintln(q.words, "no messages")
	}
	return err
}

// refusePeek says what looking costs in the account.
func (q *queues) refusePeek(ctx context.Context, url string) error {
	attributes, err := q.attributes(ctx, url)
	if err != nil {
		return err
	}
	cost := "hides them from other consumers for a moment and counts as a receive"
	if r := redriveOf(attributes); r.target != "" {
		cost += fmt.Sprintf(", of which there may be %d before a message goes to %s", r.after, arnName(r.target))
	}
	return usageError{fmt.Errorf("in the account messages are seen only by receiving them, which %s; add --receive to do so", cost)}
}

// peekedMessage is a message as --output json shows it.
type peekedMessage struct {
	MessageID string `json:"message_id"`
	// State is ready, in_flight or delayed.
	State                 string            `json:"state"`
	AvailableAfterSeconds float64           `json:"available_after_seconds,omitempty"`
	Sent                  string            `json:"sent"`
	Receives              int               `json:"receives"`
	DeadLetterOf          string            `json:"dead_letter_of,omitempty"`
	Group                 string            `json:"group,omitempty"`
	DeduplicationID       string            `json:"deduplication_id,omitempty"`
	SequenceNumber        string            `json:"sequence_number,omitempty"`
	Attributes            map[string]string `json:"attributes,omitempty"`
	Body                  string            `json:"body"`
}

// describe fills in what the system attributes tell.
func (m *peekedMessage) describe(system map[string]string) {
	if ms, err := strconv.ParseInt(system["SentTimestamp"], 10, 64); err == nil {
		m.Sent = time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	m.Receives, _ = strconv.Atoi(system["ApproximateReceiveCount"])
	if source := system["DeadLetterQueueSourceArn"]; source != "" {
		m.DeadLetterOf = arnName(source)
	}
	m.Group, m.DeduplicationID, m.SequenceNumber = system["MessageGroupId"], system["MessageDeduplicationId"], system["SequenceNumber"]
}

// standInMessage is what the stand-in shows of a message.
func standInMessage(p localsqs.PeekedMessage) peekedMessage {
	m := peekedMessage{MessageID: p.MessageId, State: p.State, AvailableAfterSeconds: p.AvailableAfterSeconds, Body: p.Body}
	m.describe(p.Attributes)
	for name, a := range p.MessageAttributes {
		m.attribute(name, a.StringValue, a.BinaryValue)
	}
	return m
}

// receivedMessage is what a receive gave. It will be back at once.
func receivedMessage(r types.Message) peekedMessage {
	m := peekedMessage{MessageID: *r.MessageId, State: "ready", Body: *r.Body}
	m.describe(r.Attributes)
	for name, a := range r.MessageAttributes {
		m.attribute(name, a.StringValue, a.BinaryValue)
	}
	return m
}

// attribute adds a user's attribute; bytes are shown in base64.
func (m *peekedMessage) attribute(name string, text *string, bytes []byte) {
	if m.Attributes == nil {
		m.Attributes = map[string]string{}
	}
	if text != nil {
		m.Attributes[name] = *text
		return
	}
	m.Attributes[name] = base64.StdEncoding.EncodeToString(bytes)
}

// showMessage prints a message for people: a line about it, its attributes, its
// body.
func (q *queues) showMessage(m peekedMessage) error {
	state := m.State
	after := (time.Duration(m.AvailableAfterSeconds*1000) * time.Millisecond).Round(time.Second)
	switch m.State {
	case "in_flight":
		state = fmt.Sprintf("in flight, back in %s", after)
	case "delayed":
		state = fmt.Sprintf("delayed for %s", after)
	}
	line := fmt.Sprintf("%s  %s  sent %s  received %s", m.MessageID, state, m.Sent, count(m.Receives, "time"))
	if m.DeadLetterOf != "" {
		line += "  dead letter of " + m.DeadLetterOf
	}
	if m.Group != "" {
		line += "  group " + m.Group
	}
	line += "\n"
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		line += fmt.Sprintf("  %s=%s\n", name, m.Attributes[name])
	}
	_, err := io.WriteString(q.out, line+m.Body+"\n\n")
	return err
}

var errNotStandIn = errors.New("is not flowctl's stand-in, which alone can show messages without receiving them; add --receive to receive them and give them back")

func notStandIn(endpoint, url string) error {
	return fmt.Errorf("%s, where the queue %q is, %w", endpoint, path.Base(url), errNotStandIn)
}
