package sqs

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// invalid is a message that the service would not take: sending it again does
// not help.
func invalid(format string, a ...any) error {
	return engine.Fail(engine.Permanent, "invalid_message", fmt.Sprintf(format, a...), nil)
}

// checkText says what is wrong with a text as the body or an attribute of a
// message: SQS carries the characters of XML 1.0 only.
func checkText(what, s string) error {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, width := utf8.DecodeRuneInString(s[i:]); width == 1 {
				return invalid("%s is not text: byte %d is not valid UTF-8; SQS carries text only, so encode bytes, for example with toBase64", what, i)
			}
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
		default:
			return invalid("%s has the character U+%04X at byte %d, which SQS does not carry; encode it, for example with toBase64", what, r, i)
		}
	}
	return nil
}

var attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// attributeOf makes a message attribute of a value, and its size.
func attributeOf(name string, v any) (a types.MessageAttributeValue, size int, err error) {
	if len(name) > 256 || !attributeName.MatchString(name) || hasPrefixFold(name, "aws.") || hasPrefixFold(name, "amazon.") {
		return a, 0, invalid("%q cannot be the name of a message attribute: it takes up to 256 letters, digits, _, - and single dots inside, and does not begin with AWS. or Amazon.", name)
	}
	kind, text, bytes := "String", "", []byte(nil)
	switch v := v.(type) {
	case []byte:
		kind, bytes = "Binary", v
	case int, int64, float64, value.Number:
		kind = "Number"
		text, err = value.Text(v)
	case string, bool, time.Time:
		text, err = value.Text(v)
	default:
		return a, 0, invalid("the message attribute %q is %s; an attribute is a text, a number or bytes", name, value.Kind(v))
	}
	if err != nil {
		return a, 0, engine.Fail(engine.Permanent, "invalid_message", fmt.Sprintf("message attribute %q", name), err)
	}
	size = len(name) + len(kind) + len(text) + len(bytes)
	a.DataType = aws.String(kind)
	if kind == "Binary" {
		a.BinaryValue = bytes
	} else {
		a.StringValue = &text
	}
	if len(text)+len(bytes) == 0 {
		return a, 0, invalid("the message attribute %q is empty, which SQS does not take; give null to leave it out", name)
	}
	return a, size, checkText(fmt.Sprintf("the message attribute %q", name), text)
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// checkID says what is wrong with a message group or a deduplication id.
func checkID(what, id string) error {
	bad := len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
	if bad || id == "" {
		return invalid("%s %q does not do: SQS takes 1 to 128 letters, digits and punctuation of ASCII, no spaces", what, id)
	}
	return nil
}

// attributeText is a received attribute as a text; bytes are in base64.
func attributeText(a types.MessageAttributeValue) string {
	if a.StringValue != nil {
		return *a.StringValue
	}
	return base64.StdEncoding.EncodeToString(a.BinaryValue)
}
