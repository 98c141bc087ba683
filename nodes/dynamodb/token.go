package dynamodb

import (
	"strings"
)

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // an attribute's name, a keyword or a function
	tokenName             // #name, text without the #
	tokenValue            // :name, text without the :
	tokenNumber           // digits
	tokenSymbol
	tokenOther // a character that no grammar knows
)

type token struct {
	kind tokenKind
	text string
	at   int // byte offset
}

func (t token) is(symbol string) bool { return t.kind == tokenSymbol && t.text == symbol }

func (t token) word(keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, keyword)
}

// tokenize splits the text of an expression; the last token is tokenEnd.
func tokenize(text string) []token {
	var tokens []token
	for i := 0; i < len(text); {
		if strings.IndexByte(" \t\r\n", text[i]) >= 0 {
			i++
			continue
		}
		t, n := nextToken(text[i:])
		t.at = i
		tokens = append(tokens, t)
		i += n
	}
	return append(tokens, token{kind: tokenEnd, at: len(text)})
}

// nextToken gives the token at the start of s and its length.
func nextToken(s string) (token, int) {
	c := s[0]
	switch {
	case isLetter(c) || c == '_':
		n := nameLength(s)
		return token{kind: tokenWord, text: s[:n]}, n
	case c >= '0' && c <= '9':
		n := 1
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return token{kind: tokenNumber, text: s[:n]}, n
	case c == '#' || c == ':':
		n := nameLength(s[1:])
		if n == 0 {
			break
		}
		kind := tokenName
		if c == ':' {
			kind = tokenValue
		}
		return token{kind: kind, text: s[1 : n+1]}, n + 1
	case len(s) > 1 && (s[:2] == "<>" || s[:2] == "<=" || s[:2] == ">="):
		return token{kind: tokenSymbol, text: s[:2]}, 2
	case strings.IndexByte("=<>()[],.+-", c) >= 0:
		return token{kind: tokenSymbol, text: s[:1]}, 1
	}
	for i := range s {
		if i > 0 {
			return token{kind: tokenOther, text: s[:i]}, i
		}
	}
	return token{kind: tokenOther, text: s}, len(s)
}

func nameLength(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || s[n] == '_' || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return n
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
