package logic

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Log is the config of a `log` node.
type Log struct {
	Level   string                     `yaml:"level" enum:"debug,info,warn,error" default:"info" doc:"How important the line is. Lines below the level that the process logs at cost nothing: their expressions are not evaluated."`
	Message expr.Value[string]         `yaml:"message,required" doc:"The line's text."`
	Fields  map[string]expr.Value[any] `yaml:"fields" doc:"Further values of the line, by name. Objects and lists are written as JSON; a value longer than 16 KiB is cut."`
}

var logSpec = engine.Spec[Log]{
	Type: "log",
	Doc: "Writes a line to the log. The line also names the flow, the node, the run and its correlation id. " +
		"Logging never fails a message: an expression that fails is logged with its error in place of its value.",
	New:   newLog,
	Check: checkLog,
	Examples: []engine.Example{
		{Doc: "A warning.", YAML: `{type: log, level: warn, message: "no driver free in ${{ event.body.area_code }}"}`},
		{Doc: "With fields that a log search can filter by.", YAML: `
type: log
message: order taken
fields:
  customer: "${{ event.body.customer_id }}"
  body: "${{ event.body }}"
next: done
`},
	},
}

// reserved are the names that every line of a run already has.
var reserved = []string{"time", "level", "msg", "flow", "node", "run", "correlation"}

func checkLog(c *Log) []engine.Finding {
	var out []engine.Finding
	for _, name := range value.Keys(c.Fields) {
		if slices.Contains(reserved, name) {
			out = append(out, engine.Finding{Field: "fields." + name, Message: fmt.Sprintf("every line has a field %q already", name), Hint: "give yours another name"})
		}
	}
	return out
}

type logField struct {
	name string
	expr.Value[any]
}

type logNode struct {
	log     *slog.Logger
	level   slog.Level
	message *expr.Value[string]
	fields  []logField
}

func newLog(c *Log, d engine.Deps) (engine.Node, error) {
	n := &logNode{log: d.Log, message: &c.Message}
	if err := n.level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fmt.Errorf("level: %q is not one of debug, info, warn, error", c.Level)
	}
	for _, name := range value.Keys(c.Fields) {
		n.fields = append(n.fields, logField{name, c.Fields[name]})
	}
	return n, nil
}

// Do implements engine.Node.
func (n *logNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	if !n.log.Enabled(ctx, n.level) {
		return engine.Next, nil
	}
	attrs := m.LogAttrs()
	for i := range n.fields {
		v, err := n.fields[i].Get(&m.Env)
		if err != nil {
			attrs = append(attrs, slog.String(n.fields[i].name, failed(err)))
			continue
		}
		attrs = append(attrs, slog.Any(n.fields[i].name, loggable(v)))
	}
	text, err := n.message.Get(&m.Env)
	if err != nil {
		text = failed(err)
	}
	n.log.Log(ctx, n.level, cut(text), attrs...)
	return engine.Next, nil
}

func failed(err error) string { return "!(" + err.Error() + ")" }

// maxLogged bounds, in bytes, one value of a line.
const maxLogged = 16 << 10

func cut(text string) string {
	if len(text) <= maxLogged {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:maxLogged], ""), len(text))
}

// loggable gives v in a form that every slog handler writes as a reader of
// JSON expects.
func loggable(v any) any {
	switch v := v.(type) {
	case string:
		return cut(v)
	case nil, bool, int, float64:
		return v
	}
	opened, err := open(v)
	if err != nil {
		return failed(err)
	}
	if s, ok := opened.(string); ok {
		return cut(s)
	}
	b, err := value.Append(nil, opened)
	if err != nil {
		return failed(err)
	}
	if len(b) > maxLogged {
		return cut(string(b))
	}
	return jsonText(b)
}

// jsonText is JSON that goes into a JSON log as it is, and into a text log as
// text.
type jsonText []byte

// MarshalJSON implements json.Marshaler.
func (t jsonText) MarshalJSON() ([]byte, error) { return t, nil }

// MarshalText implements encoding.TextMarshaler.
func (t jsonText) MarshalText() ([]byte, error) { return t, nil }
