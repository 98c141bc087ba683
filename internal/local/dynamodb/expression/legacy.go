package expression

import "github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"

// NewComparison makes the condition of the parameters that are older than expressions: a top-level attribute, the
// operator by its name there (EQ, BEGINS_WITH, NOT_NULL …), and as many values as the operator takes.
func NewComparison(name, operator string, values []item.Value) *Condition {
	path := &node{op: opPath, path: Path{{Name: name, Index: noIndex}}}
	operands := []*node{path}
	for _, v := range values {
		operands = append(operands, &node{op: opValue, value: v})
	}
	call := func(function string) *node { return &node{op: opCall, text: function, args: operands} }
	var root *node
	switch operator {
	case "NULL":
		root = call("attribute_not_exists")
	case "NOT_NULL":
		root = call("attribute_exists")
	case "CONTAINS":
		root = call("contains")
	case "NOT_CONTAINS":
		// Unlike NOT contains(…) of an expression it does not hold for an attribute that is not there.
		there := &node{op: opCall, text: "attribute_exists", args: operands[:1]}
		root = &node{op: opAnd, args: []*node{there, {op: opNot, args: []*node{call("contains")}}}}
	case "BEGINS_WITH":
		root = call("begins_with")
	case "IN":
		root = &node{op: opIn, args: operands}
	case "BETWEEN":
		root = &node{op: opBetween, args: operands}
	default:
		text := map[string]string{"EQ": "=", "NE": "<>", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}[operator]
		root = &node{op: opCompare, text: text, args: operands}
	}
	return &Condition{root: root}
}

// Join makes one condition of several, of which all or any must hold; nil when there are none.
func Join(conditions []*Condition, any bool) *Condition {
	op := opAnd
	if any {
		op = opOr
	}
	var joined *node
	for _, c := range conditions {
		if joined == nil {
			joined = c.root
			continue
		}
		joined = &node{op: op, args: []*node{joined, c.root}}
	}
	if joined == nil {
		return nil
	}
	return &Condition{root: joined}
}

// Change is one entry of the AttributeUpdates parameter.
type Change struct {
	Name   string
	Action string // PUT, ADD or DELETE
	Value  *item.Value
}

// NewUpdate makes the update of the AttributeUpdates parameter.
func NewUpdate(changes []Change) *Update {
	u := &Update{older: true}
	for _, c := range changes {
		a := action{path: Path{{Name: c.Name, Index: noIndex}}}
		switch {
		case c.Value == nil:
			a.kind = updateRemove
		case c.Action == "ADD":
			a.kind = updateAdd
		case c.Action == "DELETE":
			a.kind = updateDelete
		default:
			a.kind = updateSet
		}
		if c.Value != nil {
			a.value = &node{op: opValue, value: *c.Value}
		}
		u.actions = append(u.actions, a)
	}
	return u
}
