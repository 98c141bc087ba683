package expression

import (
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// KeyOperator is a comparison that a Query can make on a key attribute.
type KeyOperator string

// The operators, by their names in the older KeyConditions parameter, which the service's errors use too.
const (
	KeyEqual        KeyOperator = "EQ"
	KeyLess         KeyOperator = "LT"
	KeyLessEqual    KeyOperator = "LE"
	KeyGreater      KeyOperator = "GT"
	KeyGreaterEqual KeyOperator = "GE"
	KeyBetween      KeyOperator = "BETWEEN"
	KeyBeginsWith   KeyOperator = "BEGINS_WITH"
)

// KeyCondition is the condition on one key attribute; Values are one, or for KeyBetween the two bounds.
type KeyCondition struct {
	Name     string
	Operator KeyOperator
	Values   []item.Value
}

var comparators = map[string]KeyOperator{
	"=": KeyEqual, "<": KeyLess, "<=": KeyLessEqual, ">": KeyGreater, ">=": KeyGreaterEqual,
}

// mirrored is the comparator with its operands exchanged.
var mirrored = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// KeyOperatorError is about an operator or operand that no key condition may have. The service shows it as it is, where
// it shows other errors behind "Invalid KeyConditionExpression: ".
type KeyOperatorError struct{ text string }

func (e *KeyOperatorError) Error() string { return e.text }

func notAllowed(text string) error { return &KeyOperatorError{text: text} }

// ParseKeyCondition reads a KeyConditionExpression: comparisons of attributes with values, joined by AND, one for each
// attribute.
func ParseKeyCondition(src string, ph *Placeholders) ([]KeyCondition, error) {
	root, err := parseCondition(src, ph)
	if err != nil {
		return nil, err
	}
	var conditions []KeyCondition
	err = keyConditions(root, &conditions)
	return conditions, err
}

func keyConditions(n *node, conditions *[]KeyCondition) error {
	if name := notForKeys(n); name != "" {
		return notAllowed("Invalid operator used in KeyConditionExpression: " + name)
	}
	if n.op == opAnd {
		for _, a := range n.args {
			if err := keyConditions(a, conditions); err != nil {
				return err
			}
		}
		return nil
	}
	condition, err := keyCondition(n)
	if err != nil {
		return err
	}
	for _, c := range *conditions {
		if c.Name == condition.Name {
			return notAllowed("KeyConditionExpressions must only contain one condition per key")
		}
	}
	*conditions = append(*conditions, condition)
	return nil
}

// notForKeys is the name of an operator that no key condition may have, "" when the operator is allowed.
func notForKeys(n *node) string {
	switch {
	case n.op == opOr:
		return "OR"
	case n.op == opNot:
		return "NOT"
	case n.op == opIn:
		return "IN"
	case n.op == opCompare && n.text == "<>":
		return "<>"
	case n.op == opCall && n.text != "begins_with" && n.text != "size":
		return n.text
	}
	return ""
}

func keyCondition(n *node) (KeyCondition, error) {
	label := n.text
	if n.op == opBetween {
		label = "BETWEEN"
	}
	if n.op != opCompare && n.args[0].op != opPath && n.args[0].op != opCall {
		return KeyCondition{}, notAllowed("Invalid condition in KeyConditionExpression: " + label + " operator must have the key attribute as its first operand")
	}
	attribute, err := keyAttribute(n)
	if err != nil {
		return KeyCondition{}, err
	}
	c := KeyCondition{Name: n.args[attribute].path[0].Name}
	for i, a := range n.args {
		if i != attribute {
			c.Values = append(c.Values, a.value)
		}
	}
	switch {
	case n.op == opBetween:
		c.Operator = KeyBetween
	case n.op == opCall:
		c.Operator = KeyBeginsWith
	case attribute == 1:
		c.Operator = comparators[mirrored[n.text]]
	default:
		c.Operator = comparators[n.text]
	}
	return c, nil
}

// keyAttribute finds the operand that is the attribute; exactly one must be.
func keyAttribute(n *node) (int, error) {
	attribute := -1
	for i, a := range n.args {
		switch {
		case a.op == opCall:
			return 0, notAllowed("KeyConditionExpressions cannot contain nested operations")
		case a.op != opPath:
		case attribute >= 0:
			return 0, notAllowed("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		case len(a.path) > 1:
			return 0, notAllowed("KeyConditionExpressions cannot have conditions on nested attributes")
		default:
			attribute = i
		}
	}
	if attribute < 0 {
		return 0, notAllowed("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	return attribute, nil
}
