package expr

import (
	"strings"
	"unicode/utf8"
)

// Tree is a value as an author wrote it: constants, texts that may hold
// expressions, and objects and lists of such.
type Tree struct {
	Kind TreeKind
	// Const is a KindConst's value.
	Const any
	// Text is a KindText's content.
	Text string
	// Keys and Items are a KindObject's entries; a KindList has Items only.
	Keys  []string
	Items []*Tree
	// Origin is for whoever made the tree to find the place again.
	Origin any
	// Where is file:line:column, for errors that come up while running.
	Where string
}

// TreeKind says what a Tree holds.
type TreeKind uint8

// The kinds of a Tree.
const (
	KindConst TreeKind = iota
	KindText
	KindObject
	KindList
)

// Text is a tree of one text, for code and tests that have no file.
func Text(s string) *Tree { return &Tree{Kind: KindText, Text: s} }

const (
	opening = "${{"
	closing = "}}"
	escaped = "$${{" // a literal "${{"
)

// part is a piece of a text: literal, or an expression between ${{ and }}.
type part struct {
	text         string
	isExpression bool
	offset       int // of text in the whole, in runes
}

// split cuts a text into its parts.
func split(text string) ([]part, *Error) {
	var parts []part
	var literal strings.Builder
	rest, consumed := text, 0 // consumed counts bytes
	for {
		i := strings.Index(rest, opening)
		if i < 0 {
			literal.WriteString(rest)
			break
		}
		if i > 0 && rest[i-1] == '$' {
			literal.WriteString(rest[:i-1] + opening)
			rest, consumed = rest[i+len(opening):], consumed+i+len(opening)
			continue
		}
		literal.WriteString(rest[:i])
		start := consumed + i + len(opening)
		n := expressionEnd(text[start:])
		if n < 0 {
			return nil, &Error{Source: text, Offset: utf8.RuneCountInString(text[:consumed+i]), Length: 3,
				Message: "${{ is not closed",
				Hint:    "end the expression with }}, or write $${{ for the characters themselves"}
		}
		if literal.Len() > 0 {
			parts = append(parts, part{text: literal.String()})
			literal.Reset()
		}
		parts = append(parts, part{text: text[start : start+n], isExpression: true, offset: utf8.RuneCountInString(text[:start])})
		consumed = start + n + len(closing)
		rest = text[consumed:]
	}
	if literal.Len() > 0 || len(parts) == 0 {
		parts = append(parts, part{text: literal.String()})
	}
	return parts, nil
}

// expressionEnd is the offset of the }} that ends the expression at the
// start of s, or -1. Braces and quotes of the expression itself do not end it.
func expressionEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{':
			depth++
		case '}':
			if depth == 0 && strings.HasPrefix(s[i:], closing) {
				return i
			}
			depth--
		case '"', '\'', '`':
			n := quotedEnd(s[i:], c)
			if n < 0 {
				return strings.Index(s, closing)
			}
			i += n
		}
	}
	return -1
}

// quotedEnd is the offset of the quote that ends the string literal at the
// start of s, or -1.
func quotedEnd(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if quote != '`' {
				i++
			}
		case quote:
			return i
		}
	}
	return -1
}
