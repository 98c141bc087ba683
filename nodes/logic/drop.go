package logic

import (
	"context"
	"log/slog"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Drop is the config of a `drop` node.
type Drop struct {
	Reason expr.Value[string] `yaml:"reason" doc:"Why the message is not needed, for the log at level debug. An expression that fails here is logged and changes nothing."`
}

var dropSpec = engine.Spec[Drop]{
	Type: "drop",
	Doc: "Ends the branch on purpose and counts as done: the source acknowledges the message, and an HTTP caller gets 204 if nothing else answers. " +
		"It says to readers and to the linter that nothing was forgotten here.",
	New:    newDrop,
	Traits: engine.Traits{Ends: true},
	Examples: []engine.Example{
		{Doc: "For messages that need no work.", YAML: `{type: drop}`},
		{Doc: "With the reason in the log.", YAML: `{type: drop, reason: "status ${{ event.body.status }} needs no work"}`},
	},
}

type dropNode struct {
	log    *slog.Logger
	config *Drop
}

func newDrop(c *Drop, d engine.Deps) (engine.Node, error) { return &dropNode{d.Log, c}, nil }

// Do implements engine.Node.
func (n *dropNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	if !n.log.Enabled(ctx, slog.LevelDebug) {
		return engine.Next, nil
	}
	reason, err := n.config.Reason.Get(&m.Env)
	if err != nil {
		reason = failed(err)
	}
	n.log.DebugContext(ctx, "message dropped", append(m.LogAttrs(), "reason", cut(reason))...)
	return engine.Next, nil
}
