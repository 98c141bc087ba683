package flows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Diagnostic is a mistake in a flow file.
type Diagnostic struct {
	File string `json:"file"`
	// Line and Column count from 1, in characters.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Length is how many characters are wrong.
	Length  int    `json:"length"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Source is the line of the file.
	Source string `json:"-"`

	order int // of the file
}

// Error is the diagnostic on one line.
func (d *Diagnostic) Error() string {
	msg := d.Message
	if d.Hint != "" {
		msg += "; " + d.Hint
	}
	return fmt.Sprintf("%s:%d:%d: %s [%s]", d.File, d.Line, d.Column, msg, d.Code)
}

// Snippet shows the line of the file with carets under what is wrong; it is
// empty for a diagnostic without a line.
func (d *Diagnostic) Snippet() string {
	if strings.TrimSpace(d.Source) == "" {
		return ""
	}
	runes := []rune(d.Source)
	column := min(d.Column-1, len(runes))
	source := d.Source
	if len(runes) > maxShown {
		runes, column = clipped(runes, column)
		source = string(runes)
	}
	var under strings.Builder
	for _, r := range runes[:column] {
		under.WriteString(blank(r))
	}
	under.WriteString(strings.Repeat("^", max(1, min(d.Length, len(runes)-column))))
	number := fmt.Sprint(d.Line)
	return fmt.Sprintf("  %s | %s\n  %s | %s", number, source, strings.Repeat(" ", len(number)), under.String())
}

// maxShown bounds, in characters, what is shown of a line: a whole app may stand
// on one, and have many mistakes.
const maxShown = 200

// clipped is the part of a long line around a column, and where that is in it.
func clipped(line []rune, column int) (part []rune, at int) {
	from := max(0, min(column-maxShown/2, len(line)-maxShown))
	to := from + maxShown
	part = slices.Clone(line[from:to])
	if from > 0 {
		part[0] = '…'
	}
	if to < len(line) {
		part[len(part)-1] = '…'
	}
	return part, column - from
}

// blank is as wide as r on a terminal.
func blank(r rune) string {
	switch {
	case r == '\t':
		return "\t"
	case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300 && r <= 0x1faff):
		return "  "
	}
	return " "
}

// Diagnostics are all mistakes of an app, in the order of files and positions.
type Diagnostics []*Diagnostic

// Error prints every diagnostic with its snippet.
func (ds Diagnostics) Error() string {
	var b strings.Builder
	for i, d := range ds {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(d.Error())
		if s := d.Snippet(); s != "" {
			b.WriteString("\n" + s)
		}
	}
	return b.String()
}

// Sort puts them in the order of files and positions.
func (ds Diagnostics) Sort() {
	slices.SortStableFunc(ds, func(a, b *Diagnostic) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
}

func (l *loader) add(f *file, line, column, length int, code, message, hint string) {
	d := &Diagnostic{File: f.path, Line: line, Column: column, Length: length, Code: code, Message: message, Hint: hint, order: l.order[f.path]}
	if line >= 1 && line <= len(f.lines) {
		d.Source = f.lines[line-1]
	}
	if l.told[*d] {
		return
	}
	if l.told == nil {
		l.told = map[Diagnostic]bool{}
	}
	l.told[*d] = true
	l.found = append(l.found, d)
}

// wrong reports a mistake at a node.
func (l *loader) wrong(a at, code, message, hint string) {
	if l.odd[a.node] {
		return // one report is enough, see plain
	}
	if l.bad == nil {
		l.bad = map[*yaml.Node]bool{}
	}
	l.bad[a.node] = true
	line, column := a.node.Line, a.node.Column
	l.add(a.file, line, column, a.length(), code, message, hint)
}

// sound reports whether nothing has been reported at the node or inside it, so
// that further checks of it as a whole make sense.
func (l *loader) sound(n *yaml.Node) bool {
	return !l.bad[n] && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !l.sound(c) })
}

// length is how many characters the node takes on its first line, as far as
// that is easily told.
func (a at) length() int {
	n := len([]rune(a.node.Value))
	switch {
	case a.node.Anchor != "" && a.begins('&'):
		return 1 + len([]rune(a.node.Anchor))
	case a.begins('!'):
		line := []rune(a.file.lines[a.node.Line-1])[a.node.Column-1:]
		tag, _, _ := strings.Cut(string(line), " ")
		return utf8.RuneCountInString(tag)
	case a.node.Kind == yaml.AliasNode:
		return 1 + n
	case a.node.Value == "" || strings.Contains(a.node.Value, "\n"):
		return 1
	case a.isQuoted():
		return n + 2
	}
	return n
}

// Codes are all diagnostic codes with what they mean, for `flowctl lint
// --codes` and the documentation.
var Codes = map[string]string{
	"alias":             "An anchor, alias or merge key. A flow file says each thing where it stands.",
	"bad-name":          "A name that expressions or files could not carry.",
	"bad-value":         "A value of the right kind that means nothing here.",
	"config":            "A node's config contradicts itself.",
	"conflict":          "Two sources that cannot both be there, such as two on one route.",
	"cycle":             "The wires make a loop.",
	"duplicate-key":     "A key that stands twice in one mapping.",
	"duplicate-name":    "Two things of one name.",
	"empty":             "A file, mapping or value with nothing in it.",
	"expression":        "An expression that does not parse, or reads something that cannot be there.",
	"lossy":             "A node that may lose a message which its source acknowledges.",
	"missing-env":       "A setting without a value.",
	"missing-key":       "A key that must be given.",
	"no-answer":         "A path behind a source that must answer, on which nothing answers.",
	"no-request":        "A node that answers requests, behind a source at which nobody waits.",
	"no-source":         "A flow into which no message comes.",
	"number":            "A number in a form that YAML readers disagree on, such as 010.",
	"schema":            "A schema that is not valid JSON Schema.",
	"second-answer":     "A request that is answered twice.",
	"second-document":   "A second YAML document in one file.",
	"syntax":            "The file is not valid YAML.",
	"too-large":         "The file is larger than a flow file may be.",
	"unknown-key":       "A key that means nothing here.",
	"unknown-resource":  "A resource that is not declared, or is of another type.",
	"unknown-schema":    "A schema that is not declared.",
	"unknown-target":    "A wire to a node that is not there.",
	"unknown-type":      "A node or resource type that does not exist.",
	"unreachable":       "A node that no message reaches.",
	"unreadable":        "The file cannot be read.",
	"unsupported-value": "A kind of YAML value that a flow file does not use.",
	"version":           "A format version that this flowctl does not read.",
	"wrong-kind":        "A value of another kind than is needed, such as a list for a text.",
}
