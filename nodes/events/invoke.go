package events

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// answerForm is the form of answer that invoke.in takes and invoke.reply gives.
const answerForm = "invoke"

// InvokeIn is the config of invoke.in.
type InvokeIn struct {
	Body engine.Schema `yaml:"body" doc:"Schema of the payload. A call that breaks it fails before any node sees it. It types event.body."`
}

var invokeKind = engine.Define(engine.Spec[InvokeIn]{
	Type: "invoke.in",
	Doc: `Takes direct calls of the packaged flow: by a person, a task of AWS Step Functions, a rule of AWS IoT. The payload is any JSON value and is ` + "`event.body`" + `.

The caller gets what invoke.reply gives, null where none was reached, and an error if the run fails.

A flow may have it beside other sources: it then takes what is no event of theirs. ` + "`flowctl run`" + ` calls nothing; ` + "`flowctl invoke`" + ` makes a call whose payload is the given file.`,
	Source:  newInvoke,
	Event:   func(c *InvokeIn) expr.Type { return expr.Object(map[string]expr.Type{"body": c.Body.Type}) },
	Traits:  engine.Traits{Answer: answerForm, Acknowledges: true},
	Trigger: func(*InvokeIn) engine.Trigger { return engine.DirectTrigger{} },
	Examples: []engine.Example{
		{Doc: "Any payload.", YAML: `{type: invoke.in, next: done}`},
		{Doc: "A payload of a known form.", YAML: `{type: invoke.in, body: Order, next: done}`},
	},
})

type invokeSource struct {
	handed
	*InvokeIn
}

var _ engine.Invoked = (*invokeSource)(nil)

func newInvoke(c *InvokeIn, _ engine.Deps) (engine.Source, error) {
	return &invokeSource{InvokeIn: c}, nil
}

// Messages implements engine.Invoked. An empty payload is null.
func (s *invokeSource) Messages(payload []byte) ([]*engine.Message, error) {
	if payload = bytes.Clone(bytes.TrimSpace(payload)); len(payload) == 0 {
		payload = []byte("null")
	}
	doc := value.NewDoc(payload)
	if !json.Valid(payload) {
		_, err := doc.Value()
		return nil, engine.Fail(engine.Permanent, "invalid_body", "the payload is not JSON", err)
	}
	b, err := document(s.Body, doc)
	if err != nil {
		return nil, err
	}
	m := engine.NewMessage(expr.Fields{"body": b}, "")
	m.Origin = &Answer{}
	return []*engine.Message{m}, nil
}

// Reply implements engine.Invoked.
func (s *invokeSource) Reply(done []*engine.Message) ([]byte, error) {
	for _, m := range done {
		if a, ok := m.Origin.(*Answer); ok {
			return a.JSON(), nil
		}
	}
	return []byte("null"), nil
}

// Caller waits for an answer in JSON: what invoke.reply needs to find in
// Message.Origin. It is safe for concurrent use.
type Caller interface {
	// Reply sets the answer. A second one is a permanent error.
	Reply(answer []byte) error
}

// Answer is a Caller that keeps its answer. The zero Answer waits for one.
type Answer struct {
	mu     sync.Mutex
	answer []byte
}

var _ Caller = (*Answer)(nil)

// Reply implements Caller.
func (a *Answer) Reply(answer []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answer != nil {
		return engine.Fail(engine.Permanent, "already_answered", "the call has an answer already; let only one invoke.reply be reached on each way through the flow", nil)
	}
	a.answer = answer
	return nil
}

// JSON is the answer, null as long as there is none.
func (a *Answer) JSON() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answer == nil {
		return []byte("null")
	}
	return a.answer
}

// Reply is the config of invoke.reply.
type Reply struct {
	Value expr.Value[any] `yaml:"value,required" doc:"The answer: any value, which goes out as JSON."`
}

var replyKind = engine.Define(engine.Spec[Reply]{
	Type: "invoke.reply",
	Doc: "Answers the call that the run began with at invoke.in. " +
		"The caller gets it when the whole run is done, nodes behind this one and parallel branches included; if the run fails after all, it gets an error instead. " +
		"A call has one answer: a second invoke.reply on the same way is an error.",
	New:    func(c *Reply, _ engine.Deps) (engine.Node, error) { return engine.NodeFunc(c.do), nil },
	Traits: engine.Traits{Answer: answerForm, Replies: true},
	Examples: []engine.Example{
		{Doc: "An object.", YAML: `{type: invoke.reply, value: {accepted: true, at: "${{ event.body }}"}}`},
		{Doc: "A value as it is.", YAML: `{type: invoke.reply, value: "${{ event.body }}"}`},
	},
})

func (c *Reply) do(_ context.Context, m *engine.Message) (engine.Port, error) {
	caller, ok := m.Origin.(Caller)
	if !ok {
		return 0, engine.Fail(engine.Permanent, "no_request", "nobody waits for an answer here: the message did not come from an invoke.in; remove this node or lead the message another way", nil)
	}
	v, err := c.Value.Get(&m.Env)
	if err != nil {
		return 0, err
	}
	answer, err := answerJSON(v)
	if err != nil {
		return 0, engine.Fail(engine.Permanent, "bad_value", "the answer cannot be written as JSON", err)
	}
	return engine.Next, caller.Reply(answer)
}

// answerJSON writes a value. A document that was never looked into may turn out
// to be none.
func answerJSON(v any) ([]byte, error) {
	v, err := expr.Plain(v)
	if err != nil {
		return nil, err
	}
	return value.Append(nil, v)
}
