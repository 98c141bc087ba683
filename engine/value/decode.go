package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// SyntaxError says why a text is not JSON. Offset counts bytes from 0.
type SyntaxError struct {
	Offset int
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not valid JSON at byte %d: %s", e.Offset, e.Reason)
}

// Retryable is false: the same text is no JSON the next time either.
func (e *SyntaxError) Retryable() bool { return false }

// Decode reads one JSON document (RFC 8259). Numbers stay exact, a key that
// stands twice in one object is an error since its readers would disagree on
// which one counts, and nesting is bounded by MaxDepth. The result shares no
// memory with data.
func Decode(data []byte) (any, error) {
	d := decoder{data: data}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.at < len(d.data) {
		return nil, d.fail("something follows the document")
	}
	return v, nil
}

type decoder struct {
	data []byte
	at   int
}

func (d *decoder) fail(reason string) error { return &SyntaxError{Offset: d.at, Reason: reason} }

func (d *decoder) space() {
	for d.at < len(d.data) {
		switch d.data[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	if d.at >= len(d.data) {
		return nil, d.fail("the text ends where a value should be")
	}
	if depth > MaxDepth {
		return nil, d.fail(fmt.Sprintf("nested deeper than %d levels", MaxDepth))
	}
	switch c := d.data[d.at]; {
	case c == '"':
		return d.text()
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.list(depth)
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	case c == 't':
		return true, d.word("true")
	case c == 'f':
		return false, d.word("false")
	case c == 'n':
		return nil, d.word("null")
	}
	return nil, d.fail("a value cannot begin here")
}

func (d *decoder) word(w string) error {
	if len(d.data)-d.at < len(w) || string(d.data[d.at:d.at+len(w)]) != w {
		return d.fail("expected " + w)
	}
	d.at += len(w)
	return nil
}

func (d *decoder) object(depth int) (any, error) {
	d.at++
	m := map[string]any{}
	d.space()
	if d.at < len(d.data) && d.data[d.at] == '}' {
		d.at++
		return m, nil
	}
	for {
		d.space()
		if d.at >= len(d.data) || d.data[d.at] != '"' {
			return nil, d.fail("expected a key in double quotes")
		}
		start := d.at
		k, err := d.text()
		if err != nil {
			return nil, err
		}
		if _, twice := m[k]; twice {
			return nil, &SyntaxError{Offset: start, Reason: fmt.Sprintf("the key %q stands twice in one object", k)}
		}
		d.space()
		if d.at >= len(d.data) || d.data[d.at] != ':' {
			return nil, d.fail("expected ':' after the key")
		}
		d.at++
		d.space()
		if m[k], err = d.value(depth + 1); err != nil {
			return nil, err
		}
		more, err := d.next('}')
		if err != nil {
			return nil, err
		}
		if !more {
			return m, nil
		}
	}
}

func (d *decoder) list(depth int) (any, error) {
	d.at++
	list := []any{}
	d.space()
	if d.at < len(d.data) && d.data[d.at] == ']' {
		d.at++
		return list, nil
	}
	for {
		d.space()
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		more, err := d.next(']')
		if err != nil {
			return nil, err
		}
		if !more {
			return list, nil
		}
	}
}

// next moves past the comma before another element, or past the closing
// bracket.
func (d *decoder) next(closing byte) (more bool, err error) {
	d.space()
	if d.at < len(d.data) {
		switch d.data[d.at] {
		case ',':
			d.at++
			return true, nil
		case closing:
			d.at++
			return false, nil
		}
	}
	return false, d.fail(fmt.Sprintf("expected ',' or '%c'", closing))
}

func (d *decoder) text() (string, error) {
	d.at++
	start := d.at
	for i := start; i < len(d.data); i++ {
		switch c := d.data[i]; {
		case c == '"':
			s := d.data[start:i]
			d.at = i + 1
			return strings.ToValidUTF8(string(s), "\ufffd"), nil
		case c == '\\':
			return d.escapedText(start, i)
		case c < ' ':
			d.at = i
			return "", d.fail("a control character in a string must be escaped")
		}
	}
	d.at = len(d.data)
	return "", d.fail("the string does not end")
}

func (d *decoder) escapedText(start, i int) (string, error) {
	b := append(make([]byte, 0, i-start+16), d.data[start:i]...)
	for i < len(d.data) {
		c := d.data[i]
		switch {
		case c == '"':
			d.at = i + 1
			return strings.ToValidUTF8(string(b), "\ufffd"), nil
		case c < ' ':
			d.at = i
			return "", d.fail("a control character in a string must be escaped")
		case c != '\\':
			b = append(b, c)
			i++
		default:
			d.at = i
			var err error
			if b, err = d.escape(b); err != nil {
				return "", err
			}
			i = d.at
		}
	}
	d.at = len(d.data)
	return "", d.fail("the string does not end")
}

func (d *decoder) escape(b []byte) ([]byte, error) {
	if d.at+1 >= len(d.data) {
		return nil, d.fail("the string does not end")
	}
	c := d.data[d.at+1]
	const letters, meaning = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if n := strings.IndexByte(letters, c); n >= 0 {
		d.at += 2
		return append(b, meaning[n]), nil
	}
	if c != 'u' {
		return nil, d.fail(fmt.Sprintf("\\%c is not an escape", c))
	}
	r, err := d.hex(d.at)
	if err != nil {
		return nil, err
	}
	d.at += 6
	if utf16.IsSurrogate(r) {
		low, err := d.hex(d.at)
		if pair := utf16.DecodeRune(r, low); err == nil && pair != utf8.RuneError {
			d.at += 6
			return utf8.AppendRune(b, pair), nil
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(b, r), nil
}

// hex reads the four digits of the \u escape at offset at.
func (d *decoder) hex(at int) (rune, error) {
	if at+6 > len(d.data) || d.data[at] != '\\' || d.data[at+1] != 'u' {
		return 0, d.fail("\\u needs four hexadecimal digits")
	}
	n, err := strconv.ParseUint(string(d.data[at+2:at+6]), 16, 32)
	if err != nil {
		return 0, d.fail("\\u needs four hexadecimal digits")
	}
	return rune(n), nil
}

func (d *decoder) number() (any, error) {
	start := d.at
	integral, ok := d.scanNumber()
	if !ok {
		return nil, d.fail("a number is malformed here")
	}
	text := d.data[start:d.at]
	if integral && len(text) < 19 {
		return smallInt(text), nil
	}
	return ParseNumber(string(text))
}

// scanNumber moves past the number; integral means no fraction, no exponent.
func (d *decoder) scanNumber() (integral, ok bool) {
	if d.peek() == '-' {
		d.at++
	}
	if d.peek() == '0' {
		d.at++
	} else if !d.digits() {
		return false, false
	}
	integral = true
	if d.peek() == '.' {
		d.at++
		integral = false
		if !d.digits() {
			return false, false
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.at++
		integral = false
		if c := d.peek(); c == '+' || c == '-' {
			d.at++
		}
		if !d.digits() {
			return false, false
		}
	}
	return integral, true
}

func (d *decoder) peek() byte {
	if d.at < len(d.data) {
		return d.data[d.at]
	}
	return 0
}

func (d *decoder) digits() bool {
	start := d.at
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.at++
	}
	return d.at > start
}

func smallInt(text []byte) any {
	n, negative := 0, false
	for _, c := range text {
		if c == '-' {
			negative = true
			continue
		}
		n = n*10 + int(c-'0')
	}
	if negative {
		if n == 0 {
			return math.Copysign(0, -1)
		}
		return -n
	}
	return n
}

// ParseNumber gives a JSON number's text the narrowest of int, float64 and
// Number that keeps its value.
func ParseNumber(text string) (any, error) {
	digits, exp := significand(text)
	if digits == "" && !strings.HasPrefix(text, "-") {
		return 0, nil
	}
	if digits != "" && exp >= len(digits) && exp <= 19 {
		whole := digits + strings.Repeat("0", exp-len(digits))
		if strings.HasPrefix(text, "-") {
			whole = "-" + whole
		}
		if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
			return int(n), nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if math.IsInf(f, 0) {
		return Number(text), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", text)
	}
	if got, gotExp := significand(strconv.FormatFloat(f, 'e', -1, 64)); got != digits || gotExp != exp {
		return Number(text), nil
	}
	return f, nil
}

// significand splits a number's text into its digits without leading and
// trailing zeros and the power of ten of the first digit, so that equal values
// give equal pairs. An exponent beyond int gives a pair equal to no other.
func significand(text string) (digits string, exp int) {
	text = strings.TrimPrefix(text, "-")
	mantissa, e, _ := strings.Cut(strings.ToLower(text), "e")
	if e != "" {
		n, err := strconv.Atoi(e)
		if err != nil {
			return text, math.MaxInt
		}
		exp = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exp += len(whole)
	digits = whole + fraction
	trimmed := strings.TrimLeft(digits, "0")
	exp -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return "", 0
	}
	return trimmed, exp
}
