package flows

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// plain reports what YAML allows and a flow file does not, since its readers
// would not agree on what it means: aliases, merge keys, tags, repeated keys and
// numbers that look like something else.
func (l *loader) plain(a at) {
	n := a.node
	l.anchored(a)
	switch n.Kind {
	case yaml.AliasNode:
		l.refuse(a, "alias", fmt.Sprintf("the alias *%s", n.Value), "write the value here; flow files have no anchors and aliases")
		return
	case yaml.MappingNode:
		l.plainMapping(a)
		return
	case yaml.ScalarNode:
		l.plainScalar(a)
	}
	l.tagged(a)
	for _, c := range n.Content {
		l.plain(a.child(c))
	}
}

func (l *loader) anchored(a at) {
	if a.node.Anchor != "" {
		l.refuse(a, "alias", fmt.Sprintf("the anchor &%s", a.node.Anchor), "write the value where it is used; flow files have no anchors and aliases")
	}
}

func (l *loader) tagged(a at) {
	if a.node.Style&yaml.TaggedStyle != 0 || a.node.Style == 0 && a.begins('!') {
		l.refuse(a, "unsupported-value", "a tag before the value", "leave tags away; put a text that looks like a number or begins with ! in quotes")
	}
}

// refuse reports what is odd about a node, and keeps later passes from
// reporting the same in other words.
func (l *loader) refuse(a at, code, message, hint string) {
	l.wrong(a, code, message, hint)
	if l.odd == nil {
		l.odd = map[*yaml.Node]bool{}
	}
	l.odd[a.node] = true
}

// begins reports whether the node's source begins with r.
func (a at) begins(r rune) bool {
	if a.node.Line < 1 || a.node.Line > len(a.file.lines) {
		return false
	}
	line := []rune(a.file.lines[a.node.Line-1])
	return a.node.Column >= 1 && a.node.Column <= len(line) && line[a.node.Column-1] == r
}

const mergeKey = "<<"

func (l *loader) plainMapping(a at) {
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(a.node.Content); i += 2 {
		k, v := a.node.Content[i], a.node.Content[i+1]
		switch {
		case k.Kind == yaml.ScalarNode && k.Tag == "!!merge":
			l.refuse(a.child(k), "alias", "the merge key <<", "write the keys here; flow files have no merge keys")
			continue
		case k.Kind == yaml.MappingNode && k.Style&yaml.FlowStyle != 0 && a.begins('{'):
			l.refuse(a, "unsupported-value", "braces inside braces", `write an expression as "${{ … }}", with a dollar and in quotes`)
			continue
		case k.Kind != yaml.ScalarNode:
			l.refuse(a.child(k), "unsupported-value", "a key that is not a text", "write a name before the colon")
			continue
		}
		l.anchored(a.child(k))
		l.tagged(a.child(k))
		if name, ok := spaceless(k, v); ok {
			l.refuse(a.child(k), "syntax", "no space behind the colon", fmt.Sprintf("write %s: %s", name, k.Value[len(name)+1:]))
		} else if f := first[k.Value]; f != nil {
			l.refuse(a.child(k), "duplicate-key", fmt.Sprintf("the key %q stands here a second time", k.Value), fmt.Sprintf("the first is on line %d; keep one", f.Line))
		} else {
			first[k.Value] = k
		}
		l.plain(a.child(v))
	}
}

var pairWithoutSpace = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*:[^/:]`)

// spaceless recognises {key:value}, which to YAML is a key without a value.
func spaceless(k, v *yaml.Node) (name string, ok bool) {
	if k.Kind != yaml.ScalarNode || k.Style != 0 || v.Kind != yaml.ScalarNode || v.Value != "" || v.Style != 0 || !pairWithoutSpace.MatchString(k.Value) {
		return "", false
	}
	name, _, _ = strings.Cut(k.Value, ":")
	return name, true
}

var decimalNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func (l *loader) plainScalar(a at) {
	n := a.node
	if n.Tag != "!!int" && n.Tag != "!!float" || n.Style != 0 || decimalNumber.MatchString(n.Value) {
		return
	}
	digits := strings.TrimLeft(n.Value, "-+")
	switch {
	case strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0o") || strings.HasPrefix(digits, "0b"):
		l.refuse(a, "number", fmt.Sprintf("%s is a number in another base", n.Value), fmt.Sprintf("write it in decimal, or %q for the text", n.Value))
	case len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9':
		l.refuse(a, "number", fmt.Sprintf("%s has a leading zero, and YAML readers disagree on what number that is", n.Value), fmt.Sprintf("write %q for the text, or the number without the zero", n.Value))
	case strings.Contains(digits, "_"):
		l.refuse(a, "number", fmt.Sprintf("%s has underscores, and YAML readers disagree on what that is", n.Value), fmt.Sprintf("write %s, or %q for the text", strings.ReplaceAll(n.Value, "_", ""), n.Value))
	case strings.Contains(strings.ToLower(digits), "inf") || strings.Contains(strings.ToLower(digits), "nan"):
		l.refuse(a, "number", fmt.Sprintf("%s is no number that JSON can carry", n.Value), "write a finite number")
	default:
		l.refuse(a, "number", fmt.Sprintf("%s is a number in an unusual form", n.Value), fmt.Sprintf("write %s, or %q for the text", usual(n.Value), n.Value))
	}
}

// usual is a decimal number as JSON writes it.
func usual(number string) string {
	number, sign := strings.TrimPrefix(number, "+"), ""
	if rest, negative := strings.CutPrefix(number, "-"); negative {
		number, sign = rest, "-"
	}
	if strings.HasPrefix(number, ".") {
		number = "0" + number
	}
	whole, rest, dotted := strings.Cut(number, ".")
	if dotted && (rest == "" || rest[0] == 'e' || rest[0] == 'E') {
		number = whole + ".0" + rest
	}
	return sign + number
}

// constant is a scalar's value: true, false, null, an exact number, else text.
func constant(n *yaml.Node) any {
	if n.Style == 0 {
		switch n.Tag {
		case "!!null":
			return nil
		case "!!bool":
			return strings.EqualFold(n.Value, "true")
		case "!!int", "!!float":
			if v, err := value.ParseNumber(n.Value); err == nil && decimalNumber.MatchString(n.Value) {
				return v
			}
		}
	}
	return n.Value
}

// kindOf names a node's kind of value for people.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch v := constant(n).(type) {
	case nil:
		return "nothing"
	case bool:
		return fmt.Sprintf("the boolean %v", v)
	case string:
		return fmt.Sprintf("the text %q", clip(v))
	default:
		return "the number " + n.Value
	}
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
