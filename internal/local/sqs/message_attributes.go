package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

const maxAttributes = 10

// isKind says whether a data type is of a base type, with or without a custom label behind a dot.
func isKind(dataType, base string) bool {
	return dataType == base || strings.HasPrefix(dataType, base+".")
}

var (
	// attributeName lets letters and digits of all scripts pass, as the service does: its documentation names A-Z alone.
	attributeName = regexp.MustCompile(`^[\p{L}\p{Nd}_\-]+(\.[\p{L}\p{Nd}_\-]+)*$`)
	numberText    = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$`)
)

// checkAttributes gives a message's user attributes in the order of their names, or says what is wrong with them.
func checkAttributes(sent map[string]attributeValue) ([]attribute, *awsjson.Error) {
	if len(sent) > maxAttributes {
		return nil, invalidParameter("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(sent), maxAttributes)
	}
	attrs := make([]attribute, 0, len(sent))
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if err := checkAttributeName(name); err != nil {
			return nil, err
		}
		a, err := checkAttribute("user", name, sent[name])
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, a)
	}
	return attrs, nil
}

func checkAttributeName(name string) *awsjson.Error {
	if name == "" {
		return invalidParameter("The request must contain non-empty message attribute name.")
	}
	if len(name) > 256 {
		return invalidParameter("Length of message attribute name must be less than 256 bytes.")
	}
	lower := strings.ToLower(name)
	if !attributeName.MatchString(name) || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
		return invalidParameter("Invalid attribute name %q: it can contain A-Z, a-z, 0-9, underscore, hyphen and period, "+
			"must not start or end with a period nor have two in a row, and must not start with AWS. or Amazon.", name)
	}
	return nil
}

func checkAttribute(whose, name string, v attributeValue) (attribute, *awsjson.Error) {
	if len(v.StringListValues)+len(v.BinaryListValues) > 0 {
		return attribute{}, unsupported("Message attribute list values in SendMessage operation are not supported.")
	}
	text, binary := isKind(v.DataType, "String") || isKind(v.DataType, "Number"), isKind(v.DataType, "Binary")
	_, forbidden := forbiddenCharacter(v.DataType)
	switch {
	case v.DataType == "":
		return attribute{}, invalidParameter("The message (%s) attribute '%s' must contain a non-empty message attribute type.", whose, name)
	case !text && !binary || len(v.DataType) > 256 || forbidden:
		return attribute{}, invalidParameter("The type of message (%s) attribute '%s' is invalid. "+
			"You must use only the following supported type prefixes: Binary, Number, String.", whose, name)
	case text && (v.StringValue == nil || *v.StringValue == ""), binary && len(v.BinaryValue) == 0:
		return attribute{}, invalidParameter("Message (%s) attribute '%s' must contain a non-empty value of type '%s'.",
			whose, name, baseKind(v.DataType))
	case text && len(v.BinaryValue) > 0, binary && v.StringValue != nil && *v.StringValue != "":
		return attribute{}, invalidParameter("Message (%s) attribute '%s' has multiple values.", whose, name)
	case isKind(v.DataType, "Number") && !numberText.MatchString(*v.StringValue):
		return attribute{}, invalidParameter("Can't cast the value of message (%s) attribute '%s' to a number.", whose, name)
	}
	if binary {
		return attribute{name, v.DataType, string(v.BinaryValue)}, nil
	}
	if bad, ok := forbiddenCharacter(*v.StringValue); ok {
		return attribute{}, invalidParameter("Invalid binary character '#x%X' was found in the message attribute '%s' value, "+
			"the set of allowed characters is %s", bad, name, allowedCharacters)
	}
	return attribute{name, v.DataType, *v.StringValue}, nil
}

// baseKind is the data type that a value's field has: numbers are sent as strings.
func baseKind(dataType string) string {
	if isKind(dataType, "Binary") {
		return "Binary"
	}
	return "String"
}

const allowedCharacters = "#x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | [#x10000 to #x10FFFF]"

// forbiddenCharacter finds the first character that a message must not have. Invalid UTF-8 was replaced in decoding.
func forbiddenCharacter(s string) (rune, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < utf8.RuneSelf && (s[i] >= 0x20 || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
			continue
		}
		return firstForbidden(s[i:])
	}
	return 0, false
}

func firstForbidden(s string) (rune, bool) {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return r, true
		}
	}
	return 0, false
}

// size is what counts of the attributes for the limit of a message's size.
func size(attrs []attribute) int {
	n := 0
	for _, a := range attrs {
		n += len(a.name) + len(a.kind) + len(a.value)
	}
	return n
}

// digest is the MD5 that clients compare: over name, data type and value of each attribute in the order of the names,
// each behind its length in four bytes, the value also behind a byte that is 1 for text and 2 for bytes. See "Calculating
// the MD5 message digest for message attributes" in the SQS developer guide. It is "" when there is no attribute.
func digest(attrs []attribute) string {
	if len(attrs) == 0 {
		return ""
	}
	h := md5.New()
	field := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	for _, a := range attrs {
		field(a.name)
		field(a.kind)
		if a.binary() {
			h.Write([]byte{2})
		} else {
			h.Write([]byte{1})
		}
		field(a.value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// selected gives the attributes that a receive asked for, by name, by prefix ("bar.*") or all ("All", ".*").
func selected(attrs []attribute, names []string) []attribute {
	if len(names) == 0 {
		return nil
	}
	var out []attribute
	for _, a := range attrs {
		if slices.ContainsFunc(names, func(name string) bool { return nameSelects(name, a.name) }) {
			out = append(out, a)
		}
	}
	return out
}

func nameSelects(pattern, name string) bool {
	if pattern == "All" || pattern == "*" || pattern == ".*" {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, ".*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// values gives attributes as replies carry them.
func values(attrs []attribute) map[string]attributeValue {
	if len(attrs) == 0 {
		return nil
	}
	out := make(map[string]attributeValue, len(attrs))
	for _, a := range attrs {
		v := attributeValue{DataType: a.kind}
		if a.binary() {
			v.BinaryValue = []byte(a.value)
		} else {
			v.StringValue = &a.value
		}
		out[a.name] = v
	}
	return out
}
