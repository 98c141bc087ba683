package flows

import (
	"strings"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// checkPositions asks that each character of each scalar's value that is no
// white space stands in the file where locate says, escapes apart.
func checkPositions(t *testing.T, text string) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return
	}
	f := &file{path: "f.yaml", lines: strings.Split(text, "\n")}
	var visit func(n *yaml.Node)
	visit = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle == 0 && n.Anchor == "" {
			for i, r := range []rune(n.Value) {
				line, column := at{f, n}.locate(i)
				if line < 1 || line > len(f.lines) {
					t.Fatalf("character %d of %q is said to be on line %d of %d in:\n%s", i, n.Value, line, len(f.lines), text)
				}
				if r == ' ' || r == '\n' || r == '\t' || n.Style&yaml.DoubleQuotedStyle != 0 && strings.Contains(text, `\`) {
					continue
				}
				got := []rune(f.lines[line-1])
				if column < 1 || column > len(got) || got[column-1] != r {
					t.Fatalf("character %d of %q (%q) is not at %d:%d in:\n%s", i, n.Value, r, line, column, text)
				}
			}
		}
		for _, c := range n.Content {
			visit(c)
		}
	}
	visit(&doc)
}

var scalars = []string{
	"a: plain text",
	"é: ünïcödé 日本語 text",
	"{k: 'it''s', j: \"dq\", l: [a b, c]}",
	"a: one\n  two\n\n  three\n\n\n  four",
	"a: 'one\n  two\n\n  three'",
	"a: \"one\n  two\n\n  three \\\n  joined\"",
	"a: |\n  one\n    two\n\n  three\nb: x",
	"a: |2\n    one\n   two\n",
	"a: >\n  one\n  two\n\n  three\n    more\n    again\n  back\n\n\n  end\n",
	"a: >-\n\n  one\n  two # no comment\n",
	"- |\n  x\n- >\n  y\n  z\n",
	"k:\n  - a: |+\n      text\n\n    b: >\n      fold\n      ed\n",
	"a: x   # comment\n",
	"a:\n  plain on\n  the next line\nb: c",
}

func TestPositionsInsideScalars(t *testing.T) {
	for _, text := range scalars {
		checkPositions(t, text)
	}
}

func TestPositionOfAnEscapedCharacter(t *testing.T) {
	f := &file{lines: []string{`a: "x\ty\u00e9z\x41b"`}}
	n := &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Line: 1, Column: 4, Value: "x\ty\u00e9zAb"}
	for i, want := range []int{5, 6, 8, 9, 15, 16, 20} {
		if _, column := (at{f, n}).locate(i); column != want {
			t.Errorf("character %d is at column %d; want %d", i, column, want)
		}
	}
}

func FuzzPositions(f *testing.F) {
	for _, s := range scalars {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1024 || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\u0085\u2028\u2029\ufeff\x00") || strings.ContainsAny(text, "\t!&") {
			return // the loader folds or refuses these before it asks for places
		}
		checkPositions(t, text)
	})
}
