package flows

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// slip is a common mistake that makes a file no YAML. line and column count
// from 0, in characters.
type slip struct {
	line, column, length int
	message, hint        string
	// paired says of an open bracket that the entry of it which is being read has
	// its colon.
	paired bool
}

// slipScanner reads a file that is not valid YAML for the mistakes that people
// make, since the YAML library says at best on which line it gave up.
type slipScanner struct {
	lines []string
	found []slip

	open   []slip // brackets that are not closed yet
	quote  rune
	quoted slip // where the quote began
	// indents are the columns at which keys may stand.
	indents []int
	// deeper says that the line before opened a deeper level.
	deeper bool
}

// slips lists the likely mistakes in order.
func slips(lines []string) []slip {
	s := &slipScanner{lines: lines}
	for i := 0; i < len(lines); i++ {
		if s.blank(i) {
			continue
		}
		s.bracketsLeftOpen(i)
		if s.between() {
			s.indentation(i)
		}
		s.scan(i)
		if s.between() && blockScalar.MatchString(lines[i]) {
			for indent := leading(lines[i]); i+1 < len(lines) && (strings.TrimSpace(lines[i+1]) == "" || leading(lines[i+1]) > indent); {
				i++
			}
			s.deeper = false
		}
	}
	if s.quote != 0 {
		s.add(s.quoted, 1, "the quoted text that begins here does not end", "close it with "+string(s.quote))
	}
	if n := len(s.open); n > 0 && s.quote == 0 {
		s.unclosed(s.open[n-1])
	}
	slices.SortStableFunc(s.found, func(a, b slip) int { return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column)) })
	return s.found
}

var (
	blockScalar = regexp.MustCompile(`(^|[:\-] +)[|>][-+0-9]{0,2}\s*(#.*)?$`)
	blockKey    = regexp.MustCompile(`^\s*["']?[A-Za-z0-9_.]+["']?:(\s|$)`)
	tightKey    = regexp.MustCompile(`^\s*(- )?[A-Za-z_][A-Za-z0-9_]*:[^\s/:]\S*\s*(#.*)?$`)
	tightDash   = regexp.MustCompile(`^\s*-[A-Za-z_]`)
)

func (s *slipScanner) blank(i int) bool {
	t := strings.TrimSpace(s.lines[i])
	return s.quote == 0 && (t == "" || strings.HasPrefix(t, "#") || t == "---")
}

// between reports that a line begins outside of all quotes and brackets.
func (s *slipScanner) between() bool { return s.quote == 0 && len(s.open) == 0 }

func (s *slipScanner) add(at slip, length int, message, hint string) {
	at.length, at.message, at.hint = length, message, hint
	s.found = append(s.found, at)
}

func (s *slipScanner) unclosed(at slip) {
	closing := map[string]string{"{": "}", "[": "]"}[at.message]
	s.add(at, 1, fmt.Sprintf("the %s is not closed", at.message), "close it with "+closing)
}

// bracketsLeftOpen takes a key that stands no deeper than the line of an open
// bracket for a sign that its closing one was forgotten.
func (s *slipScanner) bracketsLeftOpen(i int) {
	if len(s.open) == 0 || s.quote != 0 || !blockKey.MatchString(s.lines[i]) {
		return
	}
	if leading(s.lines[i]) <= leading(s.lines[s.open[0].line]) {
		s.unclosed(s.open[len(s.open)-1])
		s.open = nil
	}
}

func (s *slipScanner) indentation(i int) {
	line := s.lines[i]
	n, at := leading(line), slip{line: i, column: leading(line)}
	width := utf8.RuneCountInString(strings.TrimSpace(line))
	switch {
	case tightKey.MatchString(line):
		at.column += strings.Index(line[n:], ":")
		s.add(at, 1, "no space behind the colon", "put one there")
	case tightDash.MatchString(line):
		s.add(at, 1, "no space behind the dash", "put one there")
	}
	for len(s.indents) > 1 && n < s.indents[len(s.indents)-1] {
		s.indents = s.indents[:len(s.indents)-1]
	}
	isKey := blockKey.MatchString(line)
	switch {
	case len(s.indents) == 0:
		s.indents = []int{n}
	case n == s.indents[len(s.indents)-1]:
	case !s.deeper && isKey:
		s.add(at, width, fmt.Sprintf("this line is indented by %d, which is no level of the lines above", n), "give it as many spaces as the keys that it stands beside")
	case n > s.indents[len(s.indents)-1]:
		s.indents = append(s.indents, n)
	}
	for rest := line[n:]; strings.HasPrefix(rest, "- "); rest = line[n:] {
		n += len(rest) - len(strings.TrimLeft(rest[1:], " "))
		s.indents = append(s.indents, n)
	}
	bare, _, _ := strings.Cut(line, " #")
	s.deeper = strings.HasSuffix(strings.TrimSpace(bare), ":") || strings.TrimSpace(bare) == "-"
}

// scan reads a line from its first character. fresh says that a value may begin
// at the next character.
func (s *slipScanner) scan(i int) {
	line := []rune(s.lines[i])
	fresh := true
	colon := -1
	for c := 0; c < len(line); c++ {
		r, at := line[c], slip{line: i, column: c}
		next := ' '
		if c+1 < len(line) {
			next = line[c+1]
		}
		switch {
		case s.quote != 0:
			c += s.inQuote(line, at)
			fresh = false
		case r == ' ' || r == '\t':
		case r == '#' && (c == 0 || line[c-1] == ' '):
			s.cut(at, line)
			return
		case len(s.open) > 0 && r == '$' && next == '{' && c+2 < len(line) && line[c+2] == '{':
			s.add(at, 3, "an expression between { } or [ ] must be in quotes", `write "${{ … }}"`)
			s.open = nil // what its braces close, nobody knows
			return
		case fresh && (r == '"' || r == '\''):
			s.quote, s.quoted = r, at
		case fresh && strings.ContainsRune("@`%*!&", r) && (colon >= 0 || len(s.open) > 0):
			s.add(at, 1, fmt.Sprintf("a text without quotes cannot begin with %c", r), "put it in quotes")
			fresh = false
		case fresh && r == '-' && next == ' ' && colon >= 0 && len(s.open) == 0:
			s.add(at, 1, "a list cannot begin behind a colon", "begin it on a line of its own, or write [ … ]")
			return
		case r == '-' && next == ' ' && fresh:
		default:
			fresh = s.plainCharacter(at, r, next, fresh, &colon)
		}
	}
}

// plainCharacter takes a character outside of quotes and reports whether a
// value may begin behind it.
func (s *slipScanner) plainCharacter(at slip, r, next rune, fresh bool, colon *int) bool {
	inFlow := len(s.open) > 0
	switch {
	case (r == '{' || r == '[') && (fresh || inFlow):
		if !fresh {
			s.add(at, 1, fmt.Sprintf("a %c inside a text without quotes, between { } or [ ]", r), "put the whole text in quotes, for example '…'")
		}
		at.message = string(r)
		s.open = append(s.open, at)
		return true
	case (r == '}' || r == ']') && inFlow:
		s.open = s.open[:len(s.open)-1]
		return false
	case r == ',' && inFlow:
		s.open[len(s.open)-1].paired = false
		return true
	case r == '?' && inFlow && !fresh:
		s.add(at, 1, "a ? inside a text without quotes, between { } or [ ]", "put the whole text in quotes, for example '…'")
	case r == ':' && (next == ' ' || inFlow && strings.ContainsRune(",]}", next)):
		switch {
		case inFlow && s.open[len(s.open)-1].paired:
			s.add(at, 1, "a second `: ` in one entry", "put the value in quotes, or a comma between two entries")
		case *colon >= 0 && !inFlow:
			s.add(at, 1, "a second `: ` on one line", "put the value in quotes")
		}
		if inFlow {
			s.open[len(s.open)-1].paired = true
		} else {
			*colon = at.column
		}
		return true
	}
	return false
}

// cut takes a comment that holds the closing brackets of its line for a part of
// a text that the author meant.
func (s *slipScanner) cut(at slip, line []rune) {
	if n := len(s.open); n > 0 && s.open[n-1].line == at.line && strings.ContainsAny(string(line[at.column:]), "]}") {
		s.add(at, len(line)-at.column, "a comment, for # begins one, and the "+s.open[n-1].message+" is not closed", "put the text with the # in quotes")
		s.open = nil
	}
}

const escapes = "0abtnvfre \"/\\N_LPxuU\t"

// inQuote takes a character of a quoted text and gives how many further ones it
// took.
func (s *slipScanner) inQuote(line []rune, at slip) (more int) {
	r, rest := line[at.column], line[at.column+1:]
	switch {
	case r == '\\' && s.quote == '"':
		if len(rest) > 0 && !strings.ContainsRune(escapes, rest[0]) {
			s.add(at, 2, fmt.Sprintf("\\%c means nothing in a text in double quotes", rest[0]), `write \\ for a backslash, or use single quotes`)
		}
		return 1
	case r == s.quote && r == '\'' && len(rest) > 0 && rest[0] == '\'':
		return 1
	case r == s.quote:
		s.quote = 0
		after := slices.IndexFunc(rest, func(r rune) bool { return r != ' ' && r != '\t' })
		if after >= 0 && !strings.ContainsRune(",]}:#", rest[after]) {
			at.column += 1 + after
			s.add(at, len(rest)-after, "the text goes on behind its closing quote", "put all of it in quotes; a quote inside is written '' in single quotes and \\\" in double ones")
		}
	}
	return 0
}
