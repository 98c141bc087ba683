package logic

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Switch is the config of a `switch` node.
type Switch struct {
	Value   expr.Bare   `yaml:"value" doc:"The expression whose value the cases' is are compared with, written without ${{ }}: event.body.kind. It is evaluated once per message. Not needed where every case has a when."`
	Cases   []Case      `yaml:"cases,required" doc:"The cases, tried from the first to the last."`
	Match   string      `yaml:"match" enum:"first,all" default:"first" doc:"first: the message leaves by the first case that holds, and by no other. all: it leaves by every case that holds, as a fan-out whose branches must all settle; a node that several of them lead to gets it once."`
	Default engine.Wire `yaml:"default" doc:"Where the message goes when no case holds. Without it such a message fails with the permanent error no_case."`
}

// Case is one way out of a Switch.
type Case struct {
	When expr.Condition  `yaml:"when" doc:"A condition, written without ${{ }}, that must give true or false: event.body.amount > 100. Either when or is."`
	Is   expr.Value[any] `yaml:"is" doc:"What the switch's value must equal, as == in an expression compares: numbers by their exact value, a text never equals a number. A list means any one of its elements."`
	Next engine.Wire     `yaml:"next,required" doc:"Where the message goes when the case holds."`
}

var switchSpec = engine.Spec[Switch]{
	Type: "switch",
	Doc: "Sends a message one of several ways. The cases are tried in order and the first that holds takes the message, or all that hold with `match: all`. " +
		"A case compares the switch's `value` with `is`, or has a condition of its own in `when`; both kinds can be mixed. " +
		"A message that no case takes goes to `default`, and fails if that is not wired: nothing is dropped without being asked for.",
	New:    newSwitch,
	Check:  checkSwitch,
	Verify: verifySwitch,
	Traits: engine.Traits{OnlyPorts: true},
	Examples: []engine.Example{
		{Doc: "By a value; a list takes any of its elements.", YAML: `
type: switch
value: event.body.status
cases:
  - {is: [new, reopened], next: done}
  - {is: closed, next: other}
default: other
`},
		{Doc: "By conditions.", YAML: `
type: switch
cases:
  - {when: event.body.amount > 100, next: other}
default: done
`},
		{Doc: "To everybody concerned.", YAML: `
type: switch
match: all
cases:
  - {when: event.body.amount > 100, next: done}
  - {when: event.body.status == "new", next: other}
default: done
`},
	},
}

func checkSwitch(c *Switch) []engine.Finding {
	var out []engine.Finding
	if len(c.Cases) == 0 {
		out = append(out, engine.Finding{Field: "cases", Message: "a switch needs at least one case", Hint: "add one, for example {is: open, next: NODE}"})
	}
	compares := false
	for i := range c.Cases {
		field := fmt.Sprintf("cases[%d]", i)
		when, is := c.Cases[i].When.Given(), c.Cases[i].Is.Given()
		compares = compares || is
		switch {
		case when && is:
			out = append(out, engine.Finding{Field: field, Message: "a case has either `when` or `is`, this one has both", Hint: "put the comparison into `when`, or make two cases of it"})
		case !when && !is:
			out = append(out, engine.Finding{Field: field, Message: "the case says neither `is` nor `when`", Hint: "write what the value must equal (is: …) or a condition (when: …); use `default` for everything else"})
		case is && !c.Value.Given():
			out = append(out, engine.Finding{Field: field + ".is", Message: "`is` has nothing to compare with: the switch has no `value`", Hint: "add value: EXPRESSION to the switch, for example value: event.body.kind"})
		}
	}
	if c.Value.Given() && !compares && len(c.Cases) > 0 {
		out = append(out, engine.Finding{Field: "value", Message: "no case compares with `value`", Hint: "write the cases with `is`, or leave `value` out"})
	}
	return out
}

// choice is a Case made ready. candidates are the constants of `is`; dynamic is
// set where `is` must be evaluated for each message.
type choice struct {
	when       *expr.Condition
	dynamic    *expr.Value[any]
	candidates []any
	port       engine.Port
}

type switchNode struct {
	config  *Switch
	choices []choice
	// texts finds the first choice that a text constant selects.
	texts map[string]int
	// others are the choices that a text value must still be tried against, in
	// order: conditions and whatever is evaluated per message.
	others []int
}

func newSwitch(c *Switch, _ engine.Deps) (engine.Node, error) {
	n := &switchNode{config: c, texts: map[string]int{}}
	for i := range c.Cases {
		each := &c.Cases[i]
		ch := choice{port: each.Next.Port()}
		constant, fixed := each.Is.Const()
		switch {
		case each.When.Given():
			ch.when = &each.When
		case !fixed:
			ch.dynamic = &each.Is
		default:
			ch.candidates = alternatives(constant)
		}
		n.add(ch)
	}
	return n, nil
}

func (n *switchNode) add(ch choice) {
	i := len(n.choices)
	n.choices = append(n.choices, ch)
	if ch.when != nil || ch.dynamic != nil {
		n.others = append(n.others, i)
	}
	for _, c := range ch.candidates {
		text, ok := c.(string)
		if _, earlier := n.texts[text]; ok && !earlier {
			n.texts[text] = i
		}
	}
}

// alternatives are the values that `is` stands for: a list for each of its
// elements.
func alternatives(is any) []any {
	if list, ok := is.([]any); ok {
		return list
	}
	return []any{is}
}

// verifySwitch finds the cases that can never hold since their constants are of
// another type than the value, such as 5 for the text of a query parameter.
func verifySwitch(c *Switch) []engine.Finding {
	var out []engine.Finding
	for i := range c.Cases {
		constant, fixed := c.Cases[i].Is.Const()
		if !fixed || !c.Cases[i].Is.Given() {
			continue
		}
		for _, alternative := range alternatives(constant) {
			if f := impossible(c.Value.Type(), alternative); f.Message != "" {
				f.Field = fmt.Sprintf("cases[%d].is", i)
				out = append(out, f)
			}
		}
	}
	return out
}

func impossible(t expr.Type, constant any) engine.Finding {
	_, isText := constant.(string)
	hint := ""
	switch t.String() {
	case "string":
		if isText || constant == nil {
			return engine.Finding{}
		}
		hint = "put it in quotes"
	case "integer", "number":
		if !isText {
			return engine.Finding{}
		}
		hint = "remove the quotes"
	case "boolean":
		if _, isBool := constant.(bool); isBool || constant == nil {
			return engine.Finding{}
		}
		hint = "write true or false, without quotes"
	default:
		return engine.Finding{}
	}
	return engine.Finding{Message: fmt.Sprintf("the value is %s and never equals %s, which is %s", t.Article(), shown(constant), value.Kind(constant)), Hint: hint}
}

// Do implements engine.Node.
func (n *switchNode) Do(_ context.Context, m *engine.Message) (engine.Port, error) {
	if n.config.Match == matchAll {
		return n.all(m)
	}
	if !n.config.Value.Given() {
		return n.search(&m.Env, nil)
	}
	v, err := n.config.Value.Get(&m.Env)
	if err != nil {
		return 0, err
	}
	if text, ok := v.(string); ok {
		return n.lookUp(&m.Env, text)
	}
	return n.search(&m.Env, v)
}

const matchAll = "all"

// all sends the message by every choice that holds.
func (n *switchNode) all(m *engine.Message) (engine.Port, error) {
	var v any
	if n.config.Value.Given() {
		var err error
		if v, err = n.config.Value.Get(&m.Env); err != nil {
			return 0, err
		}
	}
	var ports []engine.Port
	for i := range n.choices {
		holds, err := n.choices[i].holds(&m.Env, v)
		if err != nil {
			return 0, err
		}
		if holds {
			ports = append(ports, n.choices[i].port)
		}
	}
	if len(ports) == 0 {
		return n.otherwise(v)
	}
	return m.Fork(ports), nil
}

// lookUp finds the choice for a text without trying the constants one by one.
func (n *switchNode) lookUp(env *expr.Env, text string) (engine.Port, error) {
	found, ok := n.texts[text]
	if !ok {
		found = len(n.choices)
	}
	for _, i := range n.others {
		if i > found {
			break
		}
		if holds, err := n.choices[i].holds(env, text); err != nil || holds {
			return n.choices[i].port, err
		}
	}
	if ok {
		return n.choices[found].port, nil
	}
	return n.otherwise(text)
}

// search tries the choices one by one.
func (n *switchNode) search(env *expr.Env, v any) (engine.Port, error) {
	for i := range n.choices {
		if holds, err := n.choices[i].holds(env, v); err != nil || holds {
			return n.choices[i].port, err
		}
	}
	return n.otherwise(v)
}

func (n *switchNode) otherwise(v any) (engine.Port, error) {
	if n.config.Default.Wired() {
		return n.config.Default.Port(), nil
	}
	what := "no case's condition holds"
	if n.config.Value.Given() {
		what = "no case is for the value " + shown(v)
	}
	return 0, engine.Fail(engine.Permanent, "no_case", what+" and the switch has no default; add a case for it, or wire `default` to a node (a `drop` node to ignore such messages)", nil)
}

func (c *choice) holds(env *expr.Env, v any) (bool, error) {
	if c.when != nil {
		return c.when.Holds(env)
	}
	candidates := c.candidates
	if c.dynamic != nil {
		is, err := c.dynamic.Get(env)
		if err != nil {
			return false, err
		}
		if is, err = open(is); err != nil {
			return false, c.dynamic.Failed(err)
		}
		list, ok := is.([]any)
		if !ok {
			return expr.Equal(v, is), nil
		}
		candidates = list
	}
	for _, candidate := range candidates {
		if expr.Equal(v, candidate) {
			return true, nil
		}
	}
	return false, nil
}

// open gives what == compares: documents decoded, records as objects.
func open(v any) (any, error) {
	if r, ok := v.(expr.Record); ok {
		return r.Fields()
	}
	return value.Plain(v)
}

// shownRunes bounds how much of a value an error shows.
const shownRunes = 80

func shown(v any) string {
	b, err := value.Append(nil, v)
	if err != nil {
		return value.Kind(v)
	}
	text := strings.ToValidUTF8(string(b), "\uFFFD")
	if utf8.RuneCountInString(text) > shownRunes {
		text = string([]rune(text)[:shownRunes]) + "…"
	}
	return text
}
