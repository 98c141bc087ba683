package expression

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// The limits of expressions (Developer Guide, "Expression parameters").
const (
	maxExpressionSize = 4096
	maxOperators      = 300
	maxInOperands     = 100
	maxPathDepth      = 32
)

type operator uint8

const (
	opPath operator = iota + 1
	opValue
	opCall
	opCompare
	opBetween
	opIn
	opAnd
	opOr
	opNot
	opAdd
	opSubtract
)

// node is one node of the tree that the parser makes. A path or value is resolved by check: before it, text holds the
// placeholder.
type node struct {
	op    operator
	text  string // opCall: the function; opCompare: the comparator; opValue: the placeholder
	path  Path
	value item.Value
	args  []*node
}

// operand says whether the node may stand where a value is needed.
func (n *node) operand() bool {
	return n.op == opPath || n.op == opValue || n.op == opCall || n.op == opAdd || n.op == opSubtract
}

// condition says whether the node may stand where a truth value is needed, a call of any function included: which
// function it is, is checked later, so that the error is about the function and not about the syntax.
func (n *node) condition() bool { return n.op == opCall || !n.operand() }

// Step is one element of a document path: the name of an attribute or, when Name is empty and Index is not negative,
// a place in a list.
type Step struct {
	Name  string
	Index int
}

const noIndex = -1

func (s Step) isIndex() bool { return s.Index != noIndex }

// Path is a document path, from the top-level attribute inwards.
type Path []Step

// String is the path as the service shows it in errors: [a, b, [0]].
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		if parts[i] = s.Name; s.isIndex() {
			parts[i] = "[" + strconv.Itoa(s.Index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

var errExpressionSize = errors.New("Expression size has exceeded the maximum allowed size;")

// parser holds what all grammars share: the tokens and the elements of every grammar, paths and operands.
type parser struct {
	src       string
	tokens    []token
	at        int
	operators int
	// redundant is set once something stands in two pairs of parentheses.
	redundant bool
	// keywords are the words that the grammar in hand does not take as attribute names.
	keywords []string
}

func newParser(src string, keywords ...string) (*parser, error) {
	switch {
	case src == "":
		return nil, errors.New("The expression can not be empty;")
	case len(src) > maxExpressionSize:
		return nil, errExpressionSize
	}
	return &parser{src: src, tokens: lex(src), keywords: keywords}, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// accept consumes the token when it is this symbol or keyword.
func (p *parser) accept(text string) bool {
	if !p.peek().is(text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(text string) error {
	if !p.accept(text) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) end() error {
	if p.peek().kind != tokenEnd {
		return p.unexpected()
	}
	return nil
}

// unexpected is the syntax error at the token in hand, which the service shows with its neighbours.
func (p *parser) unexpected() error {
	t := p.peek()
	from, to := t.start, t.end
	if p.at > 0 {
		from = p.tokens[p.at-1].start
	}
	if p.at+1 < len(p.tokens) {
		to = p.tokens[p.at+1].end
	}
	return fmt.Errorf("Syntax error; token: \"%s\", near: \"%s\"", t.text, strings.TrimRight(p.src[from:to], " \t\r\n"))
}

func (p *parser) countOperator() error {
	if p.operators++; p.operators > maxOperators {
		return fmt.Errorf("The expression contains too many operators; operator count: %d", p.operators)
	}
	return nil
}

func (p *parser) isKeyword(t token) bool {
	for _, k := range p.keywords {
		if t.is(k) {
			return true
		}
	}
	return false
}

// step reads the name of an attribute, plain or by its placeholder.
func (p *parser) step() (Step, error) {
	t := p.peek()
	if t.kind != tokenName && (t.kind != tokenWord || p.isKeyword(t)) {
		return Step{}, p.unexpected()
	}
	p.at++
	return Step{Name: t.text, Index: noIndex}, nil
}

func (p *parser) path() (Path, error) {
	first, err := p.step()
	if err != nil {
		return nil, err
	}
	return p.pathRest(Path{first})
}

// pathRest reads the steps behind a path's head: .name and [index].
func (p *parser) pathRest(path Path) (Path, error) {
	for {
		var step Step
		var err error
		switch {
		case p.accept("."):
			step, err = p.step()
		case p.accept("["):
			step, err = p.index()
		default:
			return path, nil
		}
		if err != nil {
			return nil, err
		}
		if path = append(path, step); len(path) > maxPathDepth+1 {
			return nil, fmt.Errorf("The document path has too many nesting elements; nesting level: %d", len(path)-1)
		}
	}
}

func (p *parser) index() (Step, error) {
	t := p.peek()
	if t.kind != tokenNumber {
		return Step{}, p.unexpected()
	}
	p.at++
	i, err := strconv.ParseInt(t.text, 10, 32)
	if err != nil {
		return Step{}, errors.New("List index is not within the allowable range; index: [" + t.text + "]")
	}
	return Step{Index: int(i)}, p.expect("]")
}

// simpleOperand reads a value placeholder, a function call or a path, without parentheses around it.
func (p *parser) simpleOperand(argument func() (*node, error)) (*node, error) {
	t := p.peek()
	if t.kind == tokenValue {
		p.at++
		return &node{op: opValue, text: t.text}, nil
	}
	if t.kind == tokenWord && !p.isKeyword(t) && p.tokens[p.at+1].is("(") {
		return p.call(argument)
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	return &node{op: opPath, path: path}, nil
}

func (p *parser) call(argument func() (*node, error)) (*node, error) {
	n := &node{op: opCall, text: p.next().text}
	if arity[n.text] != 0 { // others are refused for their name, however many they are
		if err := p.countOperator(); err != nil {
			return nil, err
		}
	}
	p.at++
	for {
		arg, err := argument()
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
		if !p.accept(",") {
			return n, p.expect(")")
		}
	}
}
