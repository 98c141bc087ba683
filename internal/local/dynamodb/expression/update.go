package expression

import (
	"errors"
	"fmt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

type updateKind uint8

const (
	updateSet updateKind = iota
	updateRemove
	updateAdd
	updateDelete
)

var sectionNames = [...]string{updateSet: "SET", updateRemove: "REMOVE", updateAdd: "ADD", updateDelete: "DELETE"}

// action is one action of an update: what happens at the path, with which value.
type action struct {
	kind  updateKind
	path  Path
	value *node // nil for REMOVE
}

// Update is a parsed UpdateExpression. It is immutable and safe for use by many goroutines.
type Update struct {
	actions []action
	// repeated is the name of a section that stands twice, an error which the service reports behind others.
	repeated string
	// older says that the update was made of the AttributeUpdates parameter.
	older bool
}

// ParseUpdate reads the grammar of UpdateExpression: the sections SET, REMOVE, ADD and DELETE, each at most once.
func ParseUpdate(src string, ph *Placeholders) (*Update, error) {
	p, err := newParser(src, sectionNames[:]...)
	if err != nil {
		return nil, err
	}
	u := new(Update)
	var seen [len(sectionNames)]bool
	for {
		kind, ok := p.section()
		if !ok {
			return nil, p.unexpected()
		}
		if seen[kind] && u.repeated == "" {
			u.repeated = sectionNames[kind]
		}
		seen[kind] = true
		if err := p.actions(kind, u); err != nil {
			return nil, err
		}
		if p.peek().kind == tokenEnd {
			return u, u.check(ph)
		}
	}
}

func (p *parser) section() (updateKind, bool) {
	for kind, name := range sectionNames {
		if p.accept(name) {
			return updateKind(kind), true
		}
	}
	return 0, false
}

func (p *parser) actions(kind updateKind, u *Update) error {
	for {
		path, err := p.path()
		if err != nil {
			return err
		}
		a := action{kind: kind, path: path}
		if a.value, err = p.actionValue(kind); err != nil {
			return err
		}
		u.actions = append(u.actions, a)
		if err := p.countOperator(); err != nil {
			return err
		}
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *parser) actionValue(kind updateKind) (*node, error) {
	switch kind {
	case updateRemove:
		return nil, nil
	case updateSet:
		if err := p.expect("="); err != nil {
			return nil, err
		}
		return p.setValue()
	}
	t := p.peek()
	if t.kind != tokenValue {
		return nil, p.unexpected()
	}
	p.at++
	return &node{op: opValue, text: t.text}, nil
}

// setValue reads the right side of SET: an operand, or the sum or difference of two.
func (p *parser) setValue() (*node, error) {
	left, err := p.setOperand()
	if err != nil {
		return nil, err
	}
	op := opAdd
	switch {
	case left.op == opAdd || left.op == opSubtract: // it stood in parentheses
		return left, nil
	case p.accept("+"):
	case p.accept("-"):
		op = opSubtract
	default:
		return left, nil
	}
	right, err := p.setOperand()
	if err != nil {
		return nil, err
	}
	if right.op == opAdd || right.op == opSubtract {
		p.at--
		return nil, p.unexpected()
	}
	return &node{op: op, args: []*node{left, right}}, p.countOperator()
}

func (p *parser) setOperand() (*node, error) {
	if !p.accept("(") {
		return p.simpleOperand(p.functionArgument)
	}
	inner, err := p.setValue()
	if err != nil {
		return nil, err
	}
	return inner, p.expect(")")
}

// functionArgument reads an operand; a sum is none.
func (p *parser) functionArgument() (*node, error) {
	n, err := p.setOperand()
	if err == nil && (n.op == opAdd || n.op == opSubtract) {
		p.at--
		return nil, p.unexpected()
	}
	return n, err
}

// check finds what the service finds behind the syntax, in its order.
func (u *Update) check(ph *Placeholders) error {
	checks := []func() error{
		func() error { return u.each(reservedNode, reservedIn) },
		func() error { return u.each(knownUpdateFunction, nil) },
		u.oneOfEachSection,
		func() error { return u.each(u.resolveNames(ph), ph.resolvePath) },
		func() error { return u.each(u.resolveValues(ph), nil) },
		func() error { return disjoint(u.Paths()) },
		u.checkSetOperands,
		func() error { return u.each(updateOperandTypes, nil) },
	}
	for _, c := range checks {
		if err := c(); err != nil {
			return err
		}
	}
	return nil
}

// each visits the targets and the nodes of the values in the order of the expression.
func (u *Update) each(visit func(*node) error, target func(Path) error) error {
	for _, a := range u.actions {
		if target != nil {
			if err := target(a.path); err != nil {
				return err
			}
		}
		if a.value == nil {
			continue
		}
		if err := walk(a.value, visit); err != nil {
			return err
		}
	}
	return nil
}

func (u *Update) resolveNames(ph *Placeholders) func(*node) error {
	return func(n *node) error {
		if n.op == opPath {
			return ph.resolvePath(n.path)
		}
		return nil
	}
}

func (u *Update) resolveValues(ph *Placeholders) func(*node) error {
	return func(n *node) error {
		if n.op == opValue {
			return ph.resolveValue(n)
		}
		return nil
	}
}

func knownUpdateFunction(n *node) error {
	for _, operand := range n.args {
		if operand.op == opCall && operand.text == "list_append" {
			return misused(operand.text)
		}
	}
	if n.op != opCall || updateFunctions[n.text] != 0 {
		return nil
	}
	if arity[n.text] != 0 {
		return errors.New("The function is not allowed in an update expression; function: " + n.text)
	}
	return errors.New("Invalid function name; function: " + n.text)
}

func (u *Update) oneOfEachSection() error {
	if u.repeated == "" {
		return nil
	}
	return fmt.Errorf("The \"%s\" section can only be used once in an update expression;", u.repeated)
}

var longKinds = map[item.Kind]string{
	item.S: "STRING", item.N: "NUMBER", item.B: "BINARY", item.Null: "NULL", item.Bool: "BOOLEAN", item.L: "LIST", item.M: "MAP",
}

// checkSetOperands checks the values of ADD, a number or a set, and of DELETE, a set.
func (u *Update) checkSetOperands() error {
	for _, a := range u.actions {
		if a.kind != updateAdd && a.kind != updateDelete {
			continue
		}
		name, bad := longKinds[a.value.value.Kind]
		if bad && !(a.kind == updateAdd && a.value.value.Kind == item.N) {
			return fmt.Errorf("Incorrect operand type for operator or function; operator: %s, operand type: %s", sectionNames[a.kind], name)
		}
	}
	return nil
}

func updateOperandTypes(n *node) error {
	switch n.op {
	case opAdd:
		return onlyKind("+", item.N, n.args)
	case opSubtract:
		return onlyKind("-", item.N, n.args)
	case opCall:
	default:
		return nil
	}
	if len(n.args) != updateFunctions[n.text] {
		return wrongCount(n.text, len(n.args))
	}
	if n.text == "list_append" {
		return onlyKind(n.text, item.L, n.args)
	}
	if n.args[0].op != opPath {
		return needsPath(n.text)
	}
	return nil
}

func onlyKind(function string, kind item.Kind, operands []*node) error {
	for _, o := range operands {
		if k := staticKind(o); k != 0 && k != kind {
			return wrongType(function, k.String())
		}
	}
	return nil
}

// OnlyRemoves says whether the update can but take away. The service makes no item for such an update, whatever its paths.
func (u *Update) OnlyRemoves() bool {
	for _, a := range u.actions {
		if a.kind != updateRemove && a.kind != updateDelete {
			return false
		}
	}
	return len(u.actions) > 0
}

// Older says whether the update was made by NewUpdate, of the parameter that is older than expressions.
func (u *Update) Older() bool { return u.older }

// Kind is the kind of the value with which the update changes an attribute, as far as the expression alone tells; else 0.
func (u *Update) Kind(attribute string) item.Kind {
	for _, a := range u.actions {
		if len(a.path) == 1 && a.path[0].Name == attribute && a.value != nil {
			return staticKind(a.value)
		}
	}
	return 0
}

// Paths are the paths that the update writes, in the order of the expression.
func (u *Update) Paths() []Path {
	paths := make([]Path, len(u.actions))
	for i, a := range u.actions {
		paths[i] = a.path
	}
	return paths
}

// Mentions are all paths of the update, those that it writes and those that it reads.
func (u *Update) Mentions() []Path {
	paths := u.Paths()
	for _, a := range u.actions {
		if a.value != nil {
			collect(a.value, &paths)
		}
	}
	return paths
}
