package dynamodb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// maxExpression is the longest text of an expression, in bytes (Developer
// Guide, "Service, account, and table quotas").
const maxExpression = 4096

// condition reads a condition or filter expression as the author wrote it and
// gives it with all names and values as placeholders.
func (b *bindings) condition(text string) (string, error) {
	return b.read(text, func(p *parser) { p.or() })
}

// queryFilter is condition for the filter of a query by an index, or by the
// table's key where x is nil. It must not read the key that the query is by, nor
// what the index does not hold: DynamoDB filters before it fetches from the table.
func (b *bindings) queryFilter(text string, t *Table, x *Index) (string, error) {
	key := t.Key
	if x != nil {
		key = x.Key
	}
	return b.read(text, func(p *parser) {
		p.root = func(attribute string) error {
			switch {
			case key.has(attribute):
				return &hinted{fmt.Sprintf("a query's filter cannot read %s, a part of the key %s", attribute, key), "use sort or key_condition for it"}
			case x != nil && !x.holds(t, attribute):
				return &hinted{fmt.Sprintf("a query's filter cannot read %s, which the index %s does not hold", attribute, x.Name),
					"add it to the index's include, or filter after the query"}
			}
			return nil
		}
		p.or()
	})
}

// keyCondition is condition for the key of a query: comparisons, BETWEEN and
// begins_with, joined by AND, on the partition key and the sort key.
func (b *bindings) keyCondition(text string, key KeySchema) (string, error) {
	partition := false
	out, err := b.read(text, func(p *parser) {
		p.keyOnly = true
		p.root = func(attribute string) error {
			if !key.has(attribute) {
				return &hinted{fmt.Sprintf("%s is not part of the key %s", attribute, key), "use filter for other attributes"}
			}
			partition = partition || attribute == key.Partition().Name
			return nil
		}
		p.and()
	})
	if err == nil && !partition {
		err = &hinted{fmt.Sprintf("the condition does not test the partition key %s", key.Partition().Name), fmt.Sprintf("begin with %s = :value AND", key.Partition().Name)}
	}
	return out, err
}

// update reads an update expression: SET, REMOVE, ADD and DELETE clauses.
func (b *bindings) update(text string) (string, error) {
	return b.read(text, func(p *parser) { p.clauses() })
}

func (b *bindings) read(text string, grammar func(*parser)) (string, error) {
	if len(text) > maxExpression {
		return "", fmt.Errorf("the expression is longer than the %d bytes DynamoDB takes", maxExpression)
	}
	p := &parser{b: b, tokens: tokenize(text)}
	grammar(p)
	if p.err == nil && p.peek().kind != tokenEnd {
		p.unexpected("the end of the expression")
	}
	return p.out.String(), p.err
}

// parser reads an expression by recursive descent and writes it anew. After the
// first error it does nothing more.
type parser struct {
	b       *bindings
	tokens  []token
	at      int
	out     strings.Builder
	keyOnly bool
	// root, if set, judges the attribute that each path begins with.
	root func(attribute string) error
	err  error
}

func (p *parser) peek() token { return p.tokens[p.at] }

// after is the token behind the next one.
func (p *parser) after() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) skip() {
	if p.peek().kind != tokenEnd {
		p.at++
	}
}

// put writes text and a space before it where one is due.
func (p *parser) put(text string) {
	if s := p.out.String(); s != "" && s[len(s)-1] != '(' && text != "," && text != ")" {
		p.out.WriteByte(' ')
	}
	p.out.WriteString(text)
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *parser) unexpected(wanted string) {
	t := p.peek()
	got := fmt.Sprintf("%q", t.text)
	switch t.kind {
	case tokenEnd:
		got = "the end"
	case tokenName:
		got = fmt.Sprintf("%q", "#"+t.text)
	case tokenValue:
		got = fmt.Sprintf("%q", ":"+t.text)
	}
	e := &hinted{message: fmt.Sprintf("%s is needed at character %d, found %s", wanted, t.at+1, got)}
	if t.kind == tokenNumber || t.is("-") || t.kind == tokenOther && strings.ContainsAny(t.text, `"'$`) {
		e.hint = "values do not stand in the text: write :name, and values: {name: …} beside it"
	}
	p.fail(e)
}

// symbol takes the symbol, which must come next.
func (p *parser) symbol(s string) {
	if p.err != nil {
		return
	}
	if !p.peek().is(s) {
		p.unexpected(fmt.Sprintf("%q", s))
		return
	}
	p.put(s)
	p.skip()
}

// keyword takes the keyword if it comes next.
func (p *parser) keyword(word string) bool {
	if p.err != nil || !p.peek().word(word) {
		return false
	}
	p.put(word)
	p.skip()
	return true
}

func (p *parser) or() {
	p.and()
	for p.keyword("OR") {
		p.and()
	}
}

func (p *parser) and() {
	p.not()
	for p.keyword("AND") {
		p.not()
	}
}

func (p *parser) not() {
	for !p.keyOnly && p.keyword("NOT") {
		if p.err != nil {
			return
		}
	}
	p.term()
}

func (p *parser) term() {
	if p.err != nil {
		return
	}
	if p.peek().is("(") {
		p.symbol("(")
		if p.keyOnly {
			p.and()
		} else {
			p.or()
		}
		p.symbol(")")
		return
	}
	if p.test() {
		return
	}
	p.operand()
	p.comparison()
}

// tests are the functions that are true or false, each with what its second
// argument is.
var tests = map[string]bool{
	"attribute_exists": false, "attribute_not_exists": false,
	"attribute_type": true, "begins_with": true, "contains": true,
}

// test takes a function that is true or false, if one comes next.
func (p *parser) test() bool {
	name, ok := p.function()
	two, known := tests[name]
	if !ok || p.err != nil || name == "size" {
		return p.err != nil
	}
	if !known || p.keyOnly && name != "begins_with" {
		p.unknownFunction(name, p.testNames())
		return true
	}
	p.open(name)
	p.path()
	if two {
		p.symbol(",")
		p.operand()
	}
	p.symbol(")")
	return true
}

func (p *parser) testNames() []string {
	if p.keyOnly {
		return []string{"begins_with"}
	}
	return []string{"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
}

// function is the name of the function that comes next.
func (p *parser) function() (string, bool) {
	t := p.peek()
	return t.text, t.kind == tokenWord && p.after().is("(")
}

func (p *parser) open(name string) {
	p.put(name)
	p.out.WriteByte('(')
	p.skip()
	p.skip()
}

func (p *parser) unknownFunction(name string, names []string) {
	hint := expr.Nearest(name, names)
	if hint == "" {
		hint = "there are " + strings.Join(names, ", ")
	}
	p.fail(&hinted{fmt.Sprintf("there is no function %s here", name), hint})
}

var comparators = []string{"=", "<>", "<", "<=", ">", ">="}

func (p *parser) comparison() {
	if p.err != nil {
		return
	}
	t := p.peek()
	switch {
	case t.kind == tokenSymbol && slices.Contains(comparators, t.text) && !(p.keyOnly && t.text == "<>"):
		p.put(t.text)
		p.skip()
		p.operand()
	case p.keyword("BETWEEN"):
		p.operand()
		if !p.keyword("AND") {
			p.unexpected("AND")
		}
		p.operand()
	case !p.keyOnly && p.keyword("IN"):
		p.symbol("(")
		p.operand()
		for p.err == nil && p.peek().is(",") {
			p.symbol(",")
			p.operand()
		}
		p.symbol(")")
	default:
		p.unexpected("a comparison")
	}
}

// operand takes a path, a value or size(path).
func (p *parser) operand() {
	if p.err != nil {
		return
	}
	if p.peek().kind == tokenValue {
		p.value()
		return
	}
	if name, ok := p.function(); ok {
		if name != "size" || p.keyOnly {
			p.unknownFunction(name, p.testNames())
			return
		}
		p.open(name)
		p.path()
		p.symbol(")")
		return
	}
	p.path()
}

func (p *parser) value() {
	if p.err != nil {
		return
	}
	t := p.peek()
	if t.kind != tokenValue {
		p.unexpected("a :value")
		return
	}
	placeholder, err := p.b.authorValue(t.text)
	if err != nil {
		p.fail(err)
		return
	}
	p.put(placeholder)
	p.skip()
}

var keywords = []string{"AND", "OR", "NOT", "BETWEEN", "IN"}

func (p *parser) path() {
	if p.err != nil {
		return
	}
	if t := p.peek(); t.kind == tokenWord && slices.Contains(keywords, strings.ToUpper(t.text)) {
		p.unexpected("an attribute")
		p.err.(*hinted).hint = fmt.Sprintf("if %s is an attribute, write #n, and names: {n: %s} beside it", t.text, t.text)
		return
	}
	p.put("")
	if p.root != nil {
		p.judge()
	}
	p.step()
	for p.err == nil {
		switch {
		case p.peek().is("."):
			p.out.WriteByte('.')
			p.skip()
			p.step()
		case p.peek().is("["):
			p.index()
		default:
			return
		}
	}
}

// judge puts the name that comes next to root.
func (p *parser) judge() {
	t := p.peek()
	attribute, known := t.text, t.kind == tokenWord
	if t.kind == tokenName {
		attribute, known = p.b.author.names[t.text]
	}
	if known {
		if err := p.root(attribute); err != nil {
			p.fail(err)
		}
	}
}

// step takes one name of a path.
func (p *parser) step() {
	if p.err != nil {
		return
	}
	t := p.peek()
	switch t.kind {
	case tokenWord:
		p.out.WriteString(p.b.name(t.text))
	case tokenName:
		placeholder, err := p.b.authorName(t.text)
		if err != nil {
			p.fail(err)
			return
		}
		p.out.WriteString(placeholder)
	default:
		p.unexpected("an attribute")
		return
	}
	p.skip()
}

func (p *parser) index() {
	p.skip()
	t := p.peek()
	if t.kind != tokenNumber {
		p.unexpected("a number")
		return
	}
	p.skip()
	if !p.peek().is("]") {
		p.unexpected(`"]"`)
		return
	}
	p.skip()
	p.out.WriteString("[" + t.text + "]")
}
