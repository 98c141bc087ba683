package event

import (
	"bytes"
	"encoding/json"
)

// cursor walks over JSON without decoding it. It skips what nobody asks for at
// the speed of bytes.IndexByte and sets nothing aside. It does not check that
// what it skips is valid; whoever decodes the payload does.
type cursor struct{ rest []byte }

// peek is the next byte that is no white space, 0 at the end.
func (c *cursor) peek() byte {
	for i, b := range c.rest {
		if b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			c.rest = c.rest[i:]
			return b
		}
	}
	c.rest = nil
	return 0
}

// take consumes the next byte if it is b.
func (c *cursor) take(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

// key is the next key of the object that the cursor is in, and consumes it with
// its colon. ok is false after the last one, when the cursor is at the closing
// brace, and wherever there is no key.
func (c *cursor) key() (key []byte, ok bool) {
	c.take(',')
	quoted := c.skipString()
	if quoted == nil || !c.take(':') {
		return nil, false
	}
	return text(quoted)
}

// skip consumes the next value and gives it, nil if there is none.
func (c *cursor) skip() []byte {
	switch c.peek() {
	case '"':
		return c.skipString()
	case '{', '[':
		return c.skipNested()
	}
	n := bytes.IndexAny(c.rest, ",]} \n\r\t")
	if n < 0 {
		n = len(c.rest)
	}
	if n == 0 {
		return nil
	}
	return c.cut(n)
}

// cut consumes n bytes and gives them.
func (c *cursor) cut(n int) []byte {
	head := c.rest[:n]
	c.rest = c.rest[n:]
	return head
}

// skipString consumes a string and gives it with its quotes, nil if there is
// none.
func (c *cursor) skipString() []byte {
	if c.peek() != '"' {
		return nil
	}
	for at := 1; at < len(c.rest); {
		// JSON within JSON has an escape every few bytes, for which
		// bytes.IndexByte does not pay.
		for near := min(at+32, len(c.rest)); at < near; at++ {
			switch c.rest[at] {
			case '"':
				return c.cut(at + 1)
			case '\\':
				at++
			}
		}
		if at >= len(c.rest) {
			return nil
		}
		n := bytes.IndexByte(c.rest[at:], '"')
		if n < 0 {
			return nil
		}
		escapes := 0
		for escapes < n && c.rest[at+n-1-escapes] == '\\' {
			escapes++
		}
		if at += n + 1; escapes%2 == 0 {
			return c.cut(at)
		}
	}
	return nil
}

// skipNested consumes an object or an array. It counts, as recursion would let
// the payload choose the depth of the stack.
func (c *cursor) skipNested() []byte {
	inside := cursor{c.rest}
	for depth := 0; len(inside.rest) > 0; {
		switch inside.rest[0] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return c.cut(len(c.rest) - len(inside.rest) + 1)
			}
		case '"':
			if inside.skipString() == nil {
				return nil
			}
			continue
		}
		inside.rest = inside.rest[1:]
	}
	return nil
}

// text is what a JSON string stands for. The bytes are those of the payload
// unless some of them were escaped.
func text(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var decoded string
	if json.Unmarshal(value, &decoded) != nil {
		return nil, false
	}
	return []byte(decoded), true
}

func isString(value []byte) bool { return len(value) > 0 && value[0] == '"' }
func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }
func isArray(value []byte) bool  { return len(value) > 0 && value[0] == '[' }
func isGiven(value []byte) bool  { return len(value) > 0 && value[0] != 'n' }

// is reports whether value is the string want.
func is(value []byte, want string) bool {
	t, ok := text(value)
	return ok && string(t) == want
}
