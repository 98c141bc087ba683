package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// Condition is a parsed ConditionExpression or FilterExpression. It is immutable and safe for use by many goroutines.
type Condition struct{ root *node }

var conditionKeywords = []string{"AND", "OR", "NOT", "BETWEEN", "IN"}

// ParseCondition reads the grammar of ConditionExpression and FilterExpression.
func ParseCondition(src string, ph *Placeholders) (*Condition, error) {
	root, err := parseCondition(src, ph)
	switch {
	case errors.Is(err, errExpressionSize): // only of these two grammars the service tells the size
		return nil, fmt.Errorf("%w expression size: %d", err, len(src))
	case err != nil:
		return nil, err
	}
	return &Condition{root: root}, nil
}

func parseCondition(src string, ph *Placeholders) (*node, error) {
	p, err := newParser(src, conditionKeywords...)
	if err != nil {
		return nil, err
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if !root.condition() {
		return nil, p.unexpected()
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	if p.redundant {
		return nil, errors.New("The expression has redundant parentheses;")
	}
	return root, checkCondition(root, ph)
}

// or, and, not and comparison are the levels of precedence, loosest first. Each gives whatever stands there, a truth
// value or a lone operand: parentheses may hold either, so who needs a truth value checks for it.
func (p *parser) or() (*node, error)  { return p.chain("OR", opOr, p.and) }
func (p *parser) and() (*node, error) { return p.chain("AND", opAnd, p.not) }

func (p *parser) chain(keyword string, op operator, level func() (*node, error)) (*node, error) {
	left, err := level()
	if err != nil {
		return nil, err
	}
	for p.peek().is(keyword) {
		if !left.condition() {
			return nil, p.unexpected()
		}
		p.at++
		right, err := level()
		if err != nil {
			return nil, err
		}
		if !right.condition() {
			return nil, p.unexpected()
		}
		if err := p.countOperator(); err != nil {
			return nil, err
		}
		left = &node{op: op, args: []*node{left, right}}
	}
	return left, nil
}

func (p *parser) not() (*node, error) {
	if !p.accept("NOT") {
		return p.comparison()
	}
	inner, err := p.not()
	if err != nil {
		return nil, err
	}
	if !inner.condition() {
		return nil, p.unexpected()
	}
	return &node{op: opNot, args: []*node{inner}}, p.countOperator()
}

func (p *parser) comparison() (*node, error) {
	left, err := p.primary()
	if err != nil || !left.operand() {
		return left, err
	}
	t := p.peek()
	switch {
	case t.kind == tokenSymbol && strings.ContainsAny(t.text, "=<>"):
		p.at++
		right, err := p.operand()
		if err != nil {
			return nil, err
		}
		return &node{op: opCompare, text: t.text, args: []*node{left, right}}, p.countOperator()
	case p.accept("BETWEEN"):
		return p.between(left)
	case p.accept("IN"):
		return p.in(left)
	}
	return left, nil
}

func (p *parser) between(left *node) (*node, error) {
	low, err := p.operand()
	if err != nil {
		return nil, err
	}
	if err := p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.operand()
	if err != nil {
		return nil, err
	}
	return &node{op: opBetween, args: []*node{left, low, high}}, p.countOperator()
}

func (p *parser) in(left *node) (*node, error) {
	n := &node{op: opIn, args: []*node{left}}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for {
		arg, err := p.operand()
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
		if !p.accept(",") {
			break
		}
	}
	if err := p.countOperator(); err != nil {
		return nil, err
	}
	return n, p.expect(")")
}

// operand reads what must be an operand, in as many parentheses as it has.
func (p *parser) operand() (*node, error) {
	n, err := p.primary()
	if err == nil && !n.operand() {
		p.at--
		return nil, p.unexpected()
	}
	return n, err
}

// primary reads an operand or anything in parentheses.
func (p *parser) primary() (*node, error) {
	if !p.peek().is("(") {
		return p.simpleOperand(p.operand)
	}
	p.at++
	doubled := p.peek().is("(")
	inner, err := p.or()
	if err != nil {
		return nil, err
	}
	if doubled && p.peek().is(")") && p.closesAfterParenthesis() {
		p.redundant = true
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if inner.op == opPath {
		inner.path, err = p.pathRest(inner.path)
	}
	return inner, err
}

// closesAfterParenthesis says whether the token before the one in hand closes a parenthesis that directly follows
// another: then nothing stands between the two pairs.
func (p *parser) closesAfterParenthesis() bool {
	depth := 0
	for i := p.at - 1; i > 0; i-- {
		switch {
		case p.tokens[i].is(")"):
			depth++
		case p.tokens[i].is("("):
			depth--
		}
		if depth == 0 {
			return p.tokens[i].is("(") && p.tokens[i-1].is("(")
		}
	}
	return false
}

// arity is the number of operands of the functions of conditions.
var arity = map[string]int{
	"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2, "size": 1,
}

// updateFunctions are the functions of updates with their number of operands.
var updateFunctions = map[string]int{"if_not_exists": 2, "list_append": 2}

// checkCondition finds what the service finds behind the syntax, in its order: unknown functions, misplaced functions,
// reserved words, and then for one condition after the other its placeholders and operands.
func checkCondition(root *node, ph *Placeholders) error {
	for _, check := range []func(*node) error{
		func(n *node) error { return walk(n, knownFunction) },
		func(n *node) error { return placedFunctions(n, true) },
		func(n *node) error { return walk(n, reservedNode) },
		func(n *node) error { return checkLeaves(n, ph) },
	} {
		if err := check(root); err != nil {
			return err
		}
	}
	return nil
}

// walk visits the tree, operands before what they belong to.
func walk(n *node, visit func(*node) error) error {
	for _, a := range n.args {
		if err := walk(a, visit); err != nil {
			return err
		}
	}
	return visit(n)
}

func knownFunction(n *node) error {
	if n.op != opCall || arity[n.text] != 0 {
		return nil
	}
	if updateFunctions[n.text] != 0 {
		return errors.New("The function is not allowed in a condition expression; function: " + n.text)
	}
	return errors.New("Invalid function name; function: " + n.text)
}

func misused(function string) error {
	return errors.New("The function is not allowed to be used this way in an expression; function: " + function)
}

// placedFunctions checks that size stands as an operand and every other function as a condition.
func placedFunctions(n *node, asCondition bool) error {
	if n.op == opCall && asCondition == (n.text == "size") {
		return misused(n.text)
	}
	inner := n.op == opAnd || n.op == opOr || n.op == opNot
	for _, a := range n.args {
		if err := placedFunctions(a, inner); err != nil {
			return err
		}
	}
	return nil
}

func reservedNode(n *node) error {
	if n.op == opPath {
		return reservedIn(n.path)
	}
	return nil
}

func checkLeaves(n *node, ph *Placeholders) error {
	if n.op == opAnd || n.op == opOr || n.op == opNot {
		for _, a := range n.args {
			if err := checkLeaves(a, ph); err != nil {
				return err
			}
		}
		return nil
	}
	for _, check := range []func(*node) error{
		func(n *node) error { return resolve(n, ph) }, operandCount, distinctOperands, operandTypes,
	} {
		if err := walk(n, check); err != nil {
			return err
		}
	}
	return nil
}

func resolve(n *node, ph *Placeholders) error {
	switch n.op {
	case opPath:
		return ph.resolvePath(n.path)
	case opValue:
		return ph.resolveValue(n)
	}
	return nil
}

func operandCount(n *node) error {
	if n.op == opIn && len(n.args)-1 > maxInOperands {
		return fmt.Errorf("The IN operator is provided with too many operands; number of operands: %d", len(n.args)-1)
	}
	if n.op == opCall && len(n.args) != arity[n.text] {
		return wrongCount(n.text, len(n.args))
	}
	return nil
}

func wrongCount(function string, n int) error {
	return fmt.Errorf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", function, n)
}

func distinctOperands(n *node) error {
	if (n.op != opCall && n.op != opCompare) || len(n.args) != 2 || n.args[0].op != opPath || n.args[1].op != opPath {
		return nil
	}
	if !slices.Equal(n.args[0].path, n.args[1].path) {
		return nil
	}
	return fmt.Errorf("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s",
		n.text, n.args[0].path)
}

func operandTypes(n *node) error {
	switch n.op {
	case opCall:
		return callTypes(n)
	case opCompare:
		if n.text == "=" || n.text == "<>" {
			return nil
		}
		return ordered(n.text, n.args)
	case opBetween:
		if err := ordered("BETWEEN", n.args[1:]); err != nil {
			return err
		}
		return betweenBounds(n.args[1], n.args[2])
	}
	return nil
}

func wrongType(function, kind string) error {
	return fmt.Errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", function, kind)
}

// ordered checks that the values among the operands have an order.
func ordered(function string, operands []*node) error {
	for _, o := range operands {
		if o.op != opValue {
			continue
		}
		if k := o.value.Kind; k != item.S && k != item.N && k != item.B {
			return wrongType(function, k.String())
		}
	}
	return nil
}

// staticKind is the kind of an operand as far as it is known before evaluation, 0 when it is not.
func staticKind(n *node) item.Kind {
	switch {
	case n.op == opValue:
		return n.value.Kind
	case n.op == opCall && n.text == "size", n.op == opAdd, n.op == opSubtract:
		return item.N
	case n.op == opCall && n.text == "list_append":
		return item.L
	}
	return 0
}

func callTypes(n *node) error {
	first := staticKind(n.args[0])
	switch n.text {
	case "attribute_exists", "attribute_not_exists":
		if n.args[0].op != opPath {
			return needsPath(n.text)
		}
	case "begins_with":
		for _, a := range n.args {
			if k := staticKind(a); k != 0 && k != item.S && k != item.B {
				return wrongType(n.text, k.String())
			}
		}
	case "attribute_type":
		return attributeTypeName(n)
	case "size":
		if first == item.N || first == item.Bool || first == item.Null {
			return wrongType(n.text, first.String())
		}
	}
	return nil
}

func needsPath(function string) error {
	return errors.New("Operator or function requires a document path; operator or function: " + function)
}

func attributeTypeName(n *node) error {
	second := n.args[1]
	switch kind := staticKind(second); kind {
	case 0:
		return wrongType(n.text, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
	case item.S:
	default:
		return wrongType(n.text, kind.String())
	}
	if item.ParseKind(second.value.Str) == 0 {
		return fmt.Errorf("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", second.value.Str)
	}
	return nil
}

func betweenBounds(low, high *node) error {
	if low.op != opValue || high.op != opValue {
		return nil
	}
	const operands = "; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s"
	c, ok := item.Compare(low.value, high.value)
	switch {
	case !ok:
		return fmt.Errorf("The BETWEEN operator requires same data type for lower and upper bounds"+operands, show(low.value), show(high.value))
	case c > 0:
		return fmt.Errorf("The BETWEEN operator requires upper bound to be greater than or equal to lower bound"+operands, show(low.value), show(high.value))
	}
	return nil
}

// show writes a scalar value as the service does in errors: {S:text}.
func show(v item.Value) string {
	if v.Kind == item.N {
		return "{N:" + v.Num.String() + "}"
	}
	return "{" + v.Kind.String() + ":" + v.Str + "}"
}
