package mqtt

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// Topic is a config field that names a topic to publish to.
//
// Where expressions stand inside a text, as in orders/${{ event.id }}, a value
// of the message fills its level and cannot leave it: a / in it, or no text at
// all for a whole level, is a permanent error, so that nobody outside chooses
// the topic. Values of env are the operator's and may hold levels. An
// expression that is the whole field gives the whole topic.
type Topic struct {
	expr.Value[string]
	// pieces are the parts of a text with several, nil for any other.
	pieces []topicPiece
}

var _ expr.Field = (*Topic)(nil)

// topicPiece is a literal or an expression of a topic's text.
type topicPiece struct {
	expr.Value[any]
	source  string
	outside bool // its value comes with the message
	level   bool // it stands between slashes
}

// Compile makes the field ready for Get.
func (t *Topic) Compile(scope *expr.Scope) []expr.Problem {
	if problems := t.Value.Compile(scope); len(problems) > 0 {
		return problems
	}
	tree := t.Tree()
	if tree == nil || tree.Kind != expr.KindText {
		return nil
	}
	parts := split(tree.Text)
	if len(parts) < 2 {
		return nil
	}
	pieces := make([]topicPiece, len(parts))
	for i, part := range parts {
		p := &pieces[i]
		p.source = part.text
		p.Set(&expr.Tree{Kind: expr.KindText, Text: part.text, Origin: tree.Origin, Where: tree.Where})
		if problems := p.Compile(scope); len(problems) > 0 {
			return problems
		}
		p.outside = part.expression && !onlyEnv(part.text, scope)
		p.level = (i == 0 || strings.HasSuffix(parts[i-1].text, "/")) && (i == len(parts)-1 || strings.HasPrefix(parts[i+1].text, "/"))
	}
	t.pieces = pieces
	return nil
}

var ofMessage = regexp.MustCompile(`\b(event|run)\b`)

// onlyEnv reports whether an expression reads nothing of the message: it holds
// no word for it and compiles where there are no nodes, variables and failures.
func onlyEnv(text string, scope *expr.Scope) bool {
	if ofMessage.MatchString(text) {
		return false
	}
	var v expr.Value[any]
	v.Set(expr.Text(text))
	return len(v.Compile(&expr.Scope{Env: scope.Env})) == 0
}

// Get is the topic for one run. The error is permanent.
func (t *Topic) Get(env *expr.Env) (string, error) {
	topic, err := t.text(env)
	if err != nil {
		return "", err
	}
	if err := client.ValidateTopic(topic); err != nil {
		return "", engine.Fail(engine.Permanent, "invalid_topic", "", err)
	}
	return topic, nil
}

func (t *Topic) text(env *expr.Env) (string, error) {
	if t.pieces == nil {
		return t.Value.Get(env)
	}
	var topic strings.Builder
	for i := range t.pieces {
		p := &t.pieces[i]
		v, err := p.text(env)
		if err != nil {
			return "", err
		}
		if p.outside {
			if err := p.admits(v); err != nil {
				return "", err
			}
		}
		topic.WriteString(v)
	}
	return topic.String(), nil
}

// text is the piece as package expr would put it into a text.
func (p *topicPiece) text(env *expr.Env) (string, error) {
	v, err := p.Get(env)
	if err != nil {
		return "", err
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	s, err := value.Text(v)
	if err != nil {
		return "", engine.Fail(engine.Permanent, "expression", p.source, err)
	}
	return s, nil
}

func (p *topicPiece) admits(v string) error {
	i := strings.IndexAny(v, "/+#\x00")
	switch {
	case i >= 0 && v[i] == '/':
		return engine.Fail(engine.Permanent, "invalid_topic", fmt.Sprintf("the value %s of %s holds a slash and would lead to another level of the topic; to let it, make the whole topic one expression", clipped(v), p.source), nil)
	case i >= 0:
		return engine.Fail(engine.Permanent, "invalid_topic", fmt.Sprintf("the value %s of %s holds %q, which no topic can", clipped(v), p.source, v[i]), nil)
	case v == "" && p.level:
		return engine.Fail(engine.Permanent, "invalid_topic", fmt.Sprintf("the value of %s is empty and leaves a level of the topic without a name", p.source), nil)
	}
	return nil
}

// clipped quotes the start of what may be long.
func clipped(s string) string {
	const most = 100
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q…", s[:most])
}

// checkTopic finds what is wrong with a topic as it stands in the file.
func checkTopic(field string, tree *expr.Tree) []engine.Finding {
	if tree == nil || tree.Kind != expr.KindText {
		return nil
	}
	parts := split(tree.Text)
	if len(parts) == 1 && !parts[0].expression {
		if err := client.ValidateTopic(tree.Text); err != nil {
			return []engine.Finding{{Field: field, Message: err.Error()}}
		}
		return nil
	}
	for _, part := range parts {
		if !part.expression && strings.ContainsAny(part.text, "+#\x00") {
			return []engine.Finding{{Field: field, Message: fmt.Sprintf("%q holds a wildcard, which stands in the filters of subscribers only", part.text), Hint: "name the topic to publish to"}}
		}
	}
	return nil
}

// part is a literal of a text, or an expression with its ${{ and }}.
type part struct {
	text       string
	expression bool
}

const opening, closing = "${{", "}}"

// split cuts a text that package expr has compiled, or will, at its
// expressions. The parts make up the text.
func split(text string) []part {
	var parts []part
	literal := 0 // where the literal at hand begins
	for i := 0; i < len(text); {
		next := strings.Index(text[i:], opening)
		if next < 0 {
			break
		}
		start := i + next
		if start > i && text[start-1] == '$' { // $${{ is a literal
			i = start + len(opening)
			continue
		}
		n := expressionEnd(text[start+len(opening):])
		if n < 0 {
			break
		}
		end := start + len(opening) + n + len(closing)
		if start > literal {
			parts = append(parts, part{text: text[literal:start]})
		}
		parts = append(parts, part{text[start:end], true})
		i, literal = end, end
	}
	if literal < len(text) || len(parts) == 0 {
		parts = append(parts, part{text: text[literal:]})
	}
	return parts
}

// expressionEnd is the offset of the }} behind an expression, or -1. Braces and
// quotes inside it do not end it.
func expressionEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 && strings.HasPrefix(s[i:], closing) {
				return i
			}
			depth--
		case '"', '\'', '`':
			n := quoteEnd(s[i+1:], s[i])
			if n < 0 {
				return strings.Index(s, closing)
			}
			i += 1 + n
		}
	}
	return -1
}

func quoteEnd(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return i
		case s[i] == '\\' && quote != '`':
			i++
		}
	}
	return -1
}
