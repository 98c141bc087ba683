package pack

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Map is a mapping of a template, in the order in which it is written. Values
// are string, int, bool, Map, []any, []string, Intrinsic and Pattern trees of
// map[string]any.
type Map []Entry

// Entry is a key of a Map. The note is a comment on the line above it.
type Entry struct {
	Key   string
	Value any
	Note  string
}

// Intrinsic is a function of CloudFormation, in the short form !Name.
type Intrinsic struct {
	Name string
	Arg  any // a string or []any
}

func ref(id string) Intrinsic          { return Intrinsic{"Ref", id} }
func getAtt(id, attr string) Intrinsic { return Intrinsic{"GetAtt", id + "." + attr} }
func sub(text string) Intrinsic        { return Intrinsic{"Sub", text} }

func subWith(text string, variables Map) Intrinsic {
	return Intrinsic{"Sub", []any{text, variables}}
}

func ifElse(condition string, yes, no any) Intrinsic {
	return Intrinsic{"If", []any{condition, yes, no}}
}

// piece is the n-th of the parts of a text, counted from 0.
func piece(n int, separator string, text any) Intrinsic {
	return Intrinsic{"Select", []any{n, Intrinsic{"Split", []any{separator, text}}}}
}

var noValue = ref("AWS::NoValue")

// writeYAML writes a template. Equal trees give equal bytes.
func writeYAML(m Map) []byte {
	w := &yamlWriter{}
	for i, e := range m {
		if i > 0 {
			w.WriteByte('\n')
		}
		w.entry(e, 0)
	}
	return w.Bytes()
}

type yamlWriter struct{ bytes.Buffer }

func (w *yamlWriter) indent(depth int) {
	for range depth {
		w.WriteString("  ")
	}
}

// sections is how deep mappings are parted by empty lines: the resources, the
// parameters and so on.
const sections = 1

func (w *yamlWriter) mapping(m Map, depth int) {
	for i, e := range m {
		if i > 0 && depth == sections && blockMap(e.Value) {
			w.WriteByte('\n')
		}
		w.entry(e, depth)
	}
}

func blockMap(v any) bool {
	m, ok := v.(Map)
	return ok && len(m) > 0
}

func (w *yamlWriter) entry(e Entry, depth int) {
	if e.Note != "" {
		w.indent(depth)
		w.WriteString("# " + strings.Join(strings.Fields(e.Note), " ") + "\n")
	}
	w.indent(depth)
	w.WriteString(scalar(e.Key) + ":")
	w.value(e.Value, depth)
}

// value writes what stands behind "KEY:" or "-", and the end of the line.
func (w *yamlWriter) value(v any, depth int) {
	v = plainTree(v)
	if text, ok := inline(v); ok {
		w.WriteString(" " + text + "\n")
		return
	}
	switch v := v.(type) {
	case Map:
		w.WriteByte('\n')
		w.mapping(v, depth+1)
	case []any:
		w.WriteByte('\n')
		w.list(v, depth+1)
	case Intrinsic:
		w.WriteString(" !" + v.Name + "\n")
		w.list(v.Arg.([]any), depth+1)
	}
}

func (w *yamlWriter) list(items []any, depth int) {
	for _, item := range items {
		item = plainTree(item)
		if m, ok := item.(Map); ok && len(m) > 0 {
			w.item(m, depth)
			continue
		}
		w.indent(depth)
		w.WriteByte('-')
		w.value(item, depth)
	}
}

// item writes a mapping whose first key is on the line of its dash.
func (w *yamlWriter) item(m Map, depth int) {
	if m[0].Note != "" {
		w.indent(depth)
		w.WriteString("# " + m[0].Note + "\n")
	}
	w.indent(depth)
	w.WriteString("- " + scalar(m[0].Key) + ":")
	w.value(m[0].Value, depth+1)
	w.mapping(m[1:], depth+1)
}

// inline is the form of a value that fits behind its key.
func inline(v any) (string, bool) {
	switch v := plainTree(v).(type) {
	case string:
		return scalar(v), true
	case int:
		return strconv.Itoa(v), true
	case bool:
		return strconv.FormatBool(v), true
	case number:
		return string(v), true
	case Map:
		return "{}", len(v) == 0
	case []any:
		return inlineItems(v)
	case Intrinsic:
		if text, ok := v.Arg.(string); ok {
			return "!" + v.Name + " " + scalar(text), true
		}
		return inlineList(v)
	}
	panic(fmt.Sprintf("a template holds no %T", v))
}

// inlineList is the form of a function of several arguments, if they are short.
func inlineList(v Intrinsic) (string, bool) {
	text, ok := inlineItems(v.Arg.([]any))
	return "!" + v.Name + " " + text, ok
}

// inlineItems is the form of a list of few short items, none of them a mapping.
func inlineItems(list []any) (string, bool) {
	parts := make([]string, len(list))
	for i, item := range list {
		text, ok := inline(item)
		if !ok || strings.HasPrefix(text, "{") {
			return "", false
		}
		parts[i] = text
	}
	text := "[" + strings.Join(parts, ", ") + "]"
	return text, len(text) <= 120
}

// plainTree gives lists and trees of JSON the writer's own types, keys sorted.
func plainTree(v any) any {
	switch v := v.(type) {
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case map[string]any:
		out := make(Map, 0, len(v))
		for _, k := range slices.Sorted(keysOf(v)) {
			out = append(out, Entry{Key: k, Value: v[k]})
		}
		return out
	case int64:
		return int(v)
	case float64:
		if v == float64(int(v)) {
			return int(v)
		}
		return number(strconv.FormatFloat(v, 'g', -1, 64))
	case fmt.Stringer: // json.Number
		return number(v.String())
	case nil:
		return number("null")
	}
	return v
}

// number is a text that is written without quotes.
type number string

func keysOf(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// plainText is what needs no quotes, neither alone nor in brackets.
var plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+ -]*(:{1,2}[A-Za-z0-9_./@+ -]*[A-Za-z0-9_./@+-])*$`)

// words mean something else than their letters to some reader of YAML.
var words = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// scalar quotes a text where it would not be read as that text.
func scalar(s string) string {
	switch {
	case plainText.MatchString(s) && !strings.Contains(s, ": ") && !strings.HasSuffix(s, " ") && !slices.Contains(words, strings.ToLower(s)):
		return s
	case strings.IndexFunc(s, func(r rune) bool { return !printable(r) }) < 0 && utf8.ValidString(s):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString("\\" + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case printable(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable are the characters that YAML takes as they are on one line
// (YAML 1.2, section 5.1; those that end a line to YAML 1.1 left out).
func printable(r rune) bool {
	switch {
	case r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
		return false
	}
	return r >= 0x20 && r <= 0x7e || r >= 0xa0 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
}
