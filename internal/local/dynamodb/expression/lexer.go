// Package expression reads and evaluates DynamoDB's four expression grammars: conditions (ConditionExpression,
// FilterExpression), key conditions, projections and updates. One lexer and parser serve all four; errors carry the
// service's own texts, without the "Invalid ConditionExpression: " in front, which the caller knows.
package expression

import "strings"

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenName  // #name
	tokenValue // :value
	tokenNumber
	tokenSymbol
	tokenIllegal
)

type token struct {
	kind       tokenKind
	text       string
	start, end int
}

// is says whether the token is this symbol, or this keyword in any case.
func (t token) is(text string) bool {
	switch t.kind {
	case tokenSymbol:
		return t.text == text
	case tokenWord:
		return strings.EqualFold(t.text, text)
	}
	return false
}

const symbols = "=<>()[],.+-"

// lex splits the source into tokens; the last one is tokenEnd. It never fails: a character that no grammar knows
// becomes a token that no grammar accepts, so that the parser names it.
func lex(src string) []token {
	tokens := make([]token, 0, len(src)/4+2)
	for i := 0; i < len(src); {
		if isSpace(src[i]) {
			i++
			continue
		}
		t := lexOne(src, i)
		tokens = append(tokens, t)
		i = t.end
	}
	return append(tokens, token{kind: tokenEnd, text: "<EOF>", start: len(src), end: len(src)})
}

func lexOne(src string, i int) token {
	c := src[i]
	make := func(kind tokenKind, end int) token {
		return token{kind: kind, text: src[i:end], start: i, end: end}
	}
	switch {
	case isLetter(c):
		return make(tokenWord, span(src, i+1, isNamePart))
	case isDigit(c):
		return make(tokenNumber, span(src, i+1, isDigit))
	case (c == '#' || c == ':') && i+1 < len(src) && isNamePart(src[i+1]):
		kind := tokenName
		if c == ':' {
			kind = tokenValue
		}
		return make(kind, span(src, i+1, isNamePart))
	case strings.HasPrefix(src[i:], "<>"), strings.HasPrefix(src[i:], "<="), strings.HasPrefix(src[i:], ">="):
		return make(tokenSymbol, i+2)
	case strings.IndexByte(symbols, c) >= 0:
		return make(tokenSymbol, i+1)
	}
	return make(tokenIllegal, i+1)
}

func span(src string, i int, in func(byte) bool) int {
	for i < len(src) && in(src[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool    { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isLetter(c byte) bool   { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isNamePart(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }
