package engine

import (
	"crypto/rand"
	"encoding/base32"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Message is one message on its way through a flow. Its values are shared
// between branches: a node gives a new value with SetOutput or SetVar and never
// edits one it has read. A Message belongs to one goroutine at a time.
type Message struct {
	// ID names the run in logs and answers.
	ID string
	// Correlation is one id for everything that one request from outside led
	// to: sources take it over from what they receive, nodes pass it on.
	Correlation string
	// Attempt counts the deliveries of this message from 1, where the source
	// knows it.
	Attempt int
	// Origin is the source's own handle on the message, such as the HTTP
	// exchange that http.response answers. Other families leave it alone.
	Origin any
	// Env is what expressions read.
	Env expr.Env

	flow    *Flow
	at      *step
	way     []*step
	forks   []Port
	tracing bool
	// caught says that the flow's own catch already runs, so that its failures
	// go back to the source.
	caught bool
	// failure is the one that the latest catch chain deals with.
	failure *Error
}

// NewMessage makes a message for a source to deliver. An empty correlation
// makes the message the first of its kind: the run's id stands for it.
func NewMessage(event expr.Record, correlation string) *Message {
	m := &Message{ID: NewID(), Correlation: correlation, Attempt: 1}
	if m.Correlation == "" {
		m.Correlation = m.ID
	}
	m.Env.Event = event
	return m
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID is a random id of 16 letters and digits, 80 bits, fit for log lines,
// URLs and message attributes.
func NewID() string {
	var b [10]byte
	rand.Read(b[:])
	var text [16]byte
	idEncoding.Encode(text[:], b[:])
	return string(text[:])
}

// SetOutput makes v what expressions behind the current node read as
// nodes.NAME.
func (m *Message) SetOutput(v any) { m.Env.Nodes[m.at.slot] = v }

// SetVar makes v the variable at slot, as the loader numbered it.
func (m *Message) SetVar(slot int, v any) { m.Env.Vars[slot] = v }

// Fork sends the message by several ports at once, as a fan-out to all that is
// behind them: a node's Do returns what Fork gives. No ports end the branch.
func (m *Message) Fork(ports []Port) Port {
	m.forks = ports
	return forked
}

// Flow is the name of the flow that the message runs through.
func (m *Message) Flow() string {
	if m.flow == nil {
		return ""
	}
	return m.flow.name
}

// Node is the name of the node that the message is at.
func (m *Message) Node() string {
	if m.at == nil {
		return ""
	}
	return m.at.name
}

// Way lists the nodes that the message came through, as far as the flow keeps
// it: only while runs are logged.
func (m *Message) Way() string {
	names := make([]string, len(m.way))
	for i, s := range m.way {
		names[i] = s.name
	}
	return strings.Join(names, " > ")
}

// LogAttrs identify the run in a log line, as slog arguments.
func (m *Message) LogAttrs() []any {
	return []any{"flow", m.Flow(), "node", m.Node(), "run", m.ID, "correlation", m.Correlation}
}

// branch is the message for one of several parallel branches.
func (m *Message) branch() *Message {
	b := *m
	b.Env.Nodes = slices.Clone(m.Env.Nodes)
	b.Env.Vars = slices.Clone(m.Env.Vars)
	b.way = slices.Clip(m.way)
	return &b
}

// run is what expressions read as `run`.
type run struct{ m *Message }

// RunType types `run` in expressions.
var RunType = expr.Object(map[string]expr.Type{
	"id": expr.String, "correlation": expr.String, "flow": expr.String, "attempt": expr.Int,
})

func (r run) Field(name string) (any, error) {
	switch name {
	case "id":
		return r.m.ID, nil
	case "correlation":
		return r.m.Correlation, nil
	case "flow":
		return r.m.Flow(), nil
	case "attempt":
		return r.m.Attempt, nil
	}
	return nil, nil
}

func (r run) Fields() (map[string]any, error) {
	return map[string]any{"id": r.m.ID, "correlation": r.m.Correlation, "flow": r.m.Flow(), "attempt": r.m.Attempt}, nil
}
