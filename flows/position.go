package flows

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

func (a at) isQuoted() bool {
	return a.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
}

// locate gives the line and column in the file of the character at offset in a
// scalar's value. It reads the source again by the rules of the scalar's style
// (YAML 1.2, chapters 7.3 and 8.1), which the library does not keep.
func (a at) locate(offset int) (line, column int) {
	s := scalarScanner{lines: a.file.lines, line: a.node.Line - 1, column: a.node.Column - 1, want: offset}
	switch {
	case a.node.Style&yaml.LiteralStyle != 0:
		s.block(false, a.node.Value)
	case a.node.Style&yaml.FoldedStyle != 0:
		s.block(true, a.node.Value)
	case a.node.Style&yaml.SingleQuotedStyle != 0:
		s.column++
		s.flow('\'')
	case a.node.Style&yaml.DoubleQuotedStyle != 0:
		s.column++
		s.flow('"')
	default:
		s.flow(0)
	}
	return s.line + 1, s.column + 1
}

// scalarScanner walks over a scalar's source and stops at the character that
// gave the wanted one of its value. line and column count from 0.
type scalarScanner struct {
	lines        []string
	line, column int
	want         int // characters still to pass

	// text is line number read, and end where its last character is that is no
	// white space.
	text      []rune
	read, end int
}

func (s *scalarScanner) runes() []rune {
	if s.line >= len(s.lines) {
		return nil
	}
	if s.text == nil || s.read != s.line {
		s.text, s.read = []rune(s.lines[s.line]), s.line
		s.end = utf8.RuneCountInString(strings.TrimRightFunc(s.lines[s.line], unicode.IsSpace))
	}
	return s.text
}

// flow walks over a plain (quote 0), single-quoted or double-quoted scalar.
func (s *scalarScanner) flow(quote rune) {
	for s.line < len(s.lines) {
		rest := s.runes()
		if s.column >= s.end {
			if s.fold() {
				return
			}
			continue
		}
		if s.want == 0 {
			return
		}
		switch c := rest[s.column]; {
		case c == quote && quote == '\'' && s.column+1 < len(rest) && rest[s.column+1] == '\'':
			s.column += 2
		case c == quote && quote != 0:
			return
		case c == '\\' && quote == '"':
			if s.column+1 >= len(rest) { // an escaped line break gives nothing
				s.line++
				s.indent()
				continue
			}
			s.column += escapeLength(rest[s.column:])
		default:
			s.column++
		}
		s.want--
	}
}

// escapeLength is how many characters an escape takes in the source.
func escapeLength(rest []rune) int {
	switch rest[1] {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}

// fold passes a line break of a flow scalar with the blank lines behind it: one
// space, or a newline for each blank line. It reports whether the wanted
// character is there.
func (s *scalarScanner) fold() bool {
	if s.want == 0 {
		return true
	}
	blanks := 0
	for s.line++; s.line < len(s.lines) && strings.TrimSpace(s.lines[s.line]) == ""; s.line++ {
		blanks++
	}
	if s.line >= len(s.lines) {
		s.line = len(s.lines) - 1
		s.column = len(s.runes())
		s.want = 0
		return true
	}
	s.indent()
	n := max(1, blanks)
	if s.want < n {
		return true
	}
	s.want -= n
	return false
}

func (s *scalarScanner) indent() {
	s.column = 0
	for rest := s.runes(); s.column < len(rest) && (rest[s.column] == ' ' || rest[s.column] == '\t'); {
		s.column++
	}
}

// block walks over a literal or folded block scalar.
func (s *scalarScanner) block(folded bool, value string) {
	s.line++
	s.column = 0
	indent := s.blockIndent(value)
	for s.line < len(s.lines) {
		rest := s.runes()
		width := max(0, len(rest)-indent)
		if s.want <= width { // width itself is the line break
			s.column = min(len(rest), indent) + s.want
			return
		}
		s.want -= width
		s.breakLine(folded, indent)
	}
	s.line = len(s.lines) - 1
	s.column = len(s.runes())
}

// blockIndent is by how much the scalar's lines are indented: what its first
// line of text has in the source and not in the value.
func (s *scalarScanner) blockIndent(value string) int {
	for _, source := range s.lines[min(s.line, len(s.lines)):] {
		if strings.TrimSpace(source) == "" {
			continue
		}
		for line := range strings.SplitSeq(value, "\n") {
			if strings.TrimSpace(line) != "" {
				return max(0, leading(source)-leading(line))
			}
		}
		break
	}
	return 0
}

// breakLine passes the line break of a block scalar. Folded, a break between
// two lines of text is one space, and blank lines stand for themselves.
func (s *scalarScanner) breakLine(folded bool, indent int) {
	here := s.lines[s.line]
	s.line++
	if !folded || s.line >= len(s.lines) {
		s.want--
		return
	}
	// A line that is indented further, if only by white space, is not folded.
	blank := func(line string) bool { return strings.TrimSpace(line) == "" && len(line) <= indent }
	text := func(line string) bool {
		return !blank(line) && len(line) > indent && line[indent] != ' ' && line[indent] != '\t'
	}
	if text(here) && blank(s.lines[s.line]) {
		// The first of several breaks is not counted when text follows.
		next := s.line
		for next < len(s.lines) && blank(s.lines[next]) {
			next++
		}
		if next < len(s.lines) && text(s.lines[next]) {
			return
		}
	}
	s.want--
}

func leading(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
