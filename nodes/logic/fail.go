package logic

import (
	"context"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Fail is the config of a `fail` node.
type Fail struct {
	Message expr.Value[string] `yaml:"message,required" doc:"What went wrong, for the log and for error.message in a catch chain. It is not shown to HTTP callers."`
	Class   string             `yaml:"class" enum:"permanent,retryable" default:"permanent" doc:"Whether the same message would fail again (permanent: a queue gives it up to its dead-letter queue, HTTP answers 500) or may pass later (retryable: it comes back with backoff, HTTP answers 503)."`
	Code    string             `yaml:"code" default:"fail" doc:"A short stable name of the failure, for error.code in a catch chain and in the log."`
}

var failSpec = engine.Spec[Fail]{
	Type: "fail",
	Doc: "Fails the message on purpose. The failure goes the way of any other: to the node's `catch`, the flow's `catch`, " +
		"or back to the source, which then does not acknowledge the message.",
	New:    newFail,
	Check:  checkFail,
	Traits: engine.Traits{Ends: true},
	Examples: []engine.Example{
		{Doc: "A message that can never be processed.", YAML: `{type: fail, message: "status ${{ event.body.status }} is not known"}`},
		{Doc: "A message to try again later.", YAML: `{type: fail, class: retryable, code: too_early, message: the order is not ready yet}`},
	},
}

func checkFail(c *Fail) []engine.Finding {
	if c.Code == "" || strings.ContainsFunc(c.Code, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.", r)
	}) {
		return []engine.Finding{{Field: "code", Message: "a code is made of letters, digits, `_`, `-` and `.`", Hint: "write for example not_ready"}}
	}
	return nil
}

type failNode struct {
	config *Fail
	class  engine.Class
}

func newFail(c *Fail, _ engine.Deps) (engine.Node, error) {
	n := &failNode{config: c, class: engine.Permanent}
	if c.Class == "retryable" {
		n.class = engine.Retryable
	}
	return n, nil
}

// Do implements engine.Node. A message that cannot be computed does not change
// what was asked for: class and code stay.
func (n *failNode) Do(_ context.Context, m *engine.Message) (engine.Port, error) {
	text, err := n.config.Message.Get(&m.Env)
	if err != nil {
		return 0, engine.Fail(n.class, n.config.Code, "the message of this failure could not be computed", err)
	}
	return 0, engine.Fail(n.class, n.config.Code, text, nil)
}
