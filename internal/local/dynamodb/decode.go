package dynamodb

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxDecodeDepth bounds the recursion of the decoder. No valid request is nested as deep: 32 levels of an attribute value
// are two JSON objects each.
const maxDecodeDepth = 100

// decodePlain decodes a JSON document as encoding/json does into an any, with numbers as json.Number, at a fraction of
// its cost: the texts are parts of src. It gives up on what requests hardly ever have, such as texts with escapes of
// UTF-16 or of bytes that are not UTF-8, and on all that is not JSON; what it gives up on says nothing about src.
func decodePlain(src string) (v any, ok bool) {
	d := decoder{src: src}
	v, ok = d.value(0)
	if !ok {
		return nil, false
	}
	d.space()
	return v, d.at == len(src)
}

type decoder struct {
	src string
	at  int
}

// space skips white space and gives the byte behind it, 0 at the end.
func (d *decoder) space() byte {
	for ; d.at < len(d.src); d.at++ {
		switch c := d.src[d.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (d *decoder) value(depth int) (any, bool) {
	if depth > maxDecodeDepth {
		return nil, false
	}
	switch c := d.space(); {
	case c == '"':
		return d.text()
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == 't':
		return true, d.literal("true")
	case c == 'f':
		return false, d.literal("false")
	case c == 'n':
		return nil, d.literal("null")
	case c == '-' || isDigit(c):
		return d.number()
	}
	return nil, false
}

func (d *decoder) literal(word string) bool {
	if !strings.HasPrefix(d.src[d.at:], word) {
		return false
	}
	d.at += len(word)
	return true
}

func (d *decoder) object(depth int) (any, bool) {
	m := make(map[string]any)
	d.at++
	if d.space() == '}' {
		d.at++
		return m, true
	}
	for {
		if d.space() != '"' {
			return nil, false
		}
		name, ok := d.text()
		if !ok || d.space() != ':' {
			return nil, false
		}
		d.at++
		v, ok := d.value(depth + 1)
		if !ok {
			return nil, false
		}
		m[name] = v
		switch d.space() {
		case ',':
			d.at++
		case '}':
			d.at++
			return m, true
		default:
			return nil, false
		}
	}
}

func (d *decoder) array(depth int) (any, bool) {
	list := []any{}
	d.at++
	if d.space() == ']' {
		d.at++
		return list, true
	}
	for {
		v, ok := d.value(depth + 1)
		if !ok {
			return nil, false
		}
		list = append(list, v)
		switch d.space() {
		case ',':
			d.at++
		case ']':
			d.at++
			return list, true
		default:
			return nil, false
		}
	}
}

// text reads a string whose first quotation mark is next.
func (d *decoder) text() (string, bool) {
	start := d.at + 1
	ascii := true
	for i := start; i < len(d.src); i++ {
		switch c := d.src[i]; {
		case c == '"':
			d.at = i + 1
			s := d.src[start:i]
			return s, ascii || utf8.ValidString(s)
		case c == '\\':
			return d.escaped(start, i)
		case c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

// simpleEscapes are what stands for itself or a control character behind a backslash.
var simpleEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads the rest of a string from its first backslash.
func (d *decoder) escaped(start, i int) (string, bool) {
	var b strings.Builder
	for i < len(d.src) {
		switch c := d.src[i]; {
		case c == '"':
			d.at = i + 1
			b.WriteString(d.src[start:i])
			return b.String(), utf8.ValidString(b.String())
		case c == '\\':
			if i+1 == len(d.src) || simpleEscapes[d.src[i+1]] == 0 {
				return "", false
			}
			b.WriteString(d.src[start:i])
			b.WriteByte(simpleEscapes[d.src[i+1]])
			i += 2
			start = i
		case c < ' ':
			return "", false
		default:
			i++
		}
	}
	return "", false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// digits skips digits and says whether there were any.
func (d *decoder) digits() bool {
	start := d.at
	for d.at < len(d.src) && isDigit(d.src[d.at]) {
		d.at++
	}
	return d.at > start
}

func (d *decoder) skip(set string) bool {
	if d.at < len(d.src) && strings.IndexByte(set, d.src[d.at]) >= 0 {
		d.at++
		return true
	}
	return false
}

func (d *decoder) number() (any, bool) {
	start := d.at
	d.skip("-")
	if !d.skip("0") && !d.digits() {
		return nil, false
	}
	if d.skip(".") && !d.digits() {
		return nil, false
	}
	if d.skip("eE") {
		d.skip("+-")
		if !d.digits() {
			return nil, false
		}
	}
	return json.Number(d.src[start:d.at]), true
}
