package dynamodb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

var clauseWords = []string{"SET", "REMOVE", "ADD", "DELETE"}

// clauses takes the clauses of an update expression, each at most once.
func (p *parser) clauses() {
	taken := map[string]bool{}
	for p.err == nil {
		word := strings.ToUpper(p.peek().text)
		action, ok := map[string]func(){"SET": p.assignment, "REMOVE": p.path, "ADD": p.pathAndValue, "DELETE": p.pathAndValue}[word]
		if !ok || p.peek().kind != tokenWord {
			if len(taken) == 0 || p.peek().kind != tokenEnd {
				p.unexpected(strings.Join(clauseWords, ", "))
			}
			return
		}
		if taken[word] {
			p.fail(&hinted{fmt.Sprintf("%s stands twice in the update", word), "put all of it behind one " + word + ", with commas between"})
			return
		}
		taken[word] = true
		p.put(word)
		p.skip()
		action()
		for p.err == nil && p.peek().is(",") {
			p.symbol(",")
			action()
		}
	}
}

func (p *parser) pathAndValue() {
	p.path()
	p.value()
}

func (p *parser) assignment() {
	p.path()
	p.symbol("=")
	p.source()
	if t := p.peek(); p.err == nil && (t.is("+") || t.is("-")) {
		p.put(t.text)
		p.skip()
		p.source()
	}
}

// source takes what SET can read: a path, a value, if_not_exists or
// list_append.
func (p *parser) source() {
	if p.err != nil {
		return
	}
	name, ok := p.function()
	switch {
	case !ok && p.peek().kind == tokenValue:
		p.value()
		return
	case !ok:
		p.path()
		return
	}
	switch name {
	case "if_not_exists":
		p.open(name)
		p.path()
	case "list_append":
		p.open(name)
		p.source()
	default:
		p.unknownFunction(name, []string{"if_not_exists", "list_append"})
		return
	}
	p.symbol(",")
	p.source()
	p.symbol(")")
}

// updateExpression is the text of a node's update, from the friendly keys or
// from the author's own expression.
func updateExpression(b *bindings, c *Update) (string, []engine.Finding) {
	friendly := len(c.Set) + len(c.SetIfAbsent) + len(c.Add) + len(c.Append) + len(c.Remove) + len(c.Delete)
	switch {
	case c.Update != "" && friendly > 0:
		return "", []engine.Finding{{Field: "update", Message: "update excludes set, set_if_absent, add, append, remove and delete", Hint: "write all changes in one way"}}
	case c.Update != "":
		text, err := b.update(c.Update)
		if err != nil {
			return "", []engine.Finding{problem("update", err)}
		}
		return text, nil
	case friendly == 0:
		return "", []engine.Finding{{Message: "this update changes nothing", Hint: "add set, add, append, remove, delete or update"}}
	}
	w := &updateWriter{b: b, key: c.Table.Resource.Key, taken: map[string]string{}}
	w.values("SET", "set", c.Set, c.setEncoder, func(path, value string) string { return path + " = " + value })
	w.values("SET", "set_if_absent", c.SetIfAbsent, c.setEncoder, func(path, value string) string {
		return fmt.Sprintf("%s = if_not_exists(%s, %s)", path, path, value)
	})
	empty := ""
	w.values("SET", "append", c.Append, always(marshalList), func(path, value string) string {
		if empty == "" {
			empty = b.constant(&types.AttributeValueMemberL{Value: []types.AttributeValue{}})
		}
		return fmt.Sprintf("%s = list_append(if_not_exists(%s, %s), %s)", path, path, empty, value)
	})
	w.paths("REMOVE", "remove", c.Remove)
	pair := func(path, value string) string { return path + " " + value }
	w.values("ADD", "add", c.Add, always(marshalAddend), pair)
	w.values("DELETE", "delete", c.Delete, always(marshalSet), pair)
	return w.text(), w.found
}

// setEncoder is how the value for a path in set is sent.
func (c *Update) setEncoder(path string) encoder {
	if slices.Contains(c.Sets, path) {
		return marshalSet
	}
	return marshal
}

func always(e encoder) func(string) encoder { return func(string) encoder { return e } }

// marshalList takes lists only.
func marshalList(v any) (types.AttributeValue, error) {
	a, err := marshal(v)
	if err != nil {
		return nil, err
	}
	if _, ok := a.(*types.AttributeValueMemberL); !ok {
		return nil, cannot("a list is needed, got %s; write [x] to append one element", value.Kind(v))
	}
	return a, nil
}

// marshalAddend takes numbers, and lists as sets.
func marshalAddend(v any) (types.AttributeValue, error) {
	a, err := marshal(v)
	if err != nil {
		return nil, err
	}
	switch a.(type) {
	case *types.AttributeValueMemberN:
		return a, nil
	case *types.AttributeValueMemberL:
		return marshalSet(v)
	}
	return nil, cannot("a number is needed, or a list for a set, got %s", value.Kind(v))
}

// updateWriter collects the parts of an update expression, clause by clause.
type updateWriter struct {
	b       *bindings
	key     KeySchema
	taken   map[string]string // path with placeholders, to the key it stands under
	clauses [4][]string       // in the order of clauseWords
	found   []engine.Finding
}

func (w *updateWriter) values(clause, field string, entries map[string]expr.Value[any], encode func(path string) encoder, write func(path, value string) string) {
	for _, text := range value.Keys(entries) {
		at := field + "." + text
		if path, ok := w.path(at, text); ok {
			w.add(clause, write(path, w.b.bind(at, entries[text], encode(text))))
		}
	}
}

func (w *updateWriter) paths(clause, field string, texts []string) {
	for i, text := range texts {
		if path, ok := w.path(fmt.Sprintf("%s[%d]", field, i), text); ok {
			w.add(clause, path)
		}
	}
}

func (w *updateWriter) path(at, text string) (string, bool) {
	path, err := w.b.path(text)
	switch {
	case err != nil:
		w.found = append(w.found, problem(at, err))
		return "", false
	case w.key.has(w.b.names[path]):
		w.found = append(w.found, engine.Finding{Field: at, Message: fmt.Sprintf("%q is a part of the key and cannot be changed", text), Hint: "put a new item and delete the old one"})
		return "", false
	case w.taken[path] != "":
		w.found = append(w.found, engine.Finding{Field: at, Message: fmt.Sprintf("%q is changed by %s already", text, w.taken[path]), Hint: "one update changes a path once"})
		return "", false
	}
	w.taken[path] = at
	return path, true
}

func (w *updateWriter) add(clause, part string) {
	i := slices.Index(clauseWords, clause)
	w.clauses[i] = append(w.clauses[i], part)
}

func (w *updateWriter) text() string {
	var out []string
	for i, parts := range w.clauses {
		if len(parts) > 0 {
			out = append(out, clauseWords[i]+" "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(out, " ")
}
