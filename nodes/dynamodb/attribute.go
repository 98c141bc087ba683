package dynamodb

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// The SDK's attributevalue package would do most of this, but it turns numbers
// into float64 on the way in, knows nothing of value.Number on the way out, and
// leaves out of sight which value of an item the service would refuse.

// maxNesting is how deep lists and maps may be nested (Developer Guide,
// "Service, account, and table quotas").
const maxNesting = 32

// valueError says which part of a value DynamoDB cannot hold. It never shows
// the value itself.
type valueError struct {
	path   string
	reason string
}

func (e *valueError) Error() string {
	if e.path == "" {
		return e.reason
	}
	return e.path + ": " + e.reason
}

// within puts the name of what holds the value in front.
func within(step string, err error) error {
	e, ok := err.(*valueError)
	if !ok {
		return fmt.Errorf("%s: %w", step, err)
	}
	switch {
	case e.path == "":
	case e.path[0] == '[':
		step += e.path
	default:
		step += "." + e.path
	}
	return &valueError{step, e.reason}
}

func cannot(format string, args ...any) error {
	return &valueError{reason: fmt.Sprintf(format, args...)}
}

// marshal gives v in the service's terms: texts S, numbers N with their exact
// digits, bytes B, lists L, objects M, times and durations S in the form they
// have in JSON. Lists never become sets; see marshalSet.
func marshal(v any) (types.AttributeValue, error) { return encode(v, 0) }

func encode(v any, depth int) (types.AttributeValue, error) {
	switch v := v.(type) {
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}, nil
	case string:
		return text(v)
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}, nil
	case []byte:
		if v == nil {
			v = []byte{}
		}
		return &types.AttributeValueMemberB{Value: v}, nil
	case time.Time:
		return &types.AttributeValueMemberS{Value: v.Format(time.RFC3339Nano)}, nil
	case time.Duration:
		return &types.AttributeValueMemberS{Value: v.String()}, nil
	case map[string]any:
		return encodeMap(v, depth)
	case []any:
		return encodeList(v, depth)
	case *value.Doc:
		p, err := v.Value()
		if err != nil {
			return nil, cannot("%v", err)
		}
		return encode(p, depth)
	case expr.Record:
		m, err := v.Fields()
		if err != nil {
			return nil, err
		}
		return encodeMap(m, depth)
	}
	n, ok, err := number(v)
	if err != nil {
		return nil, err
	}
	if ok {
		return &types.AttributeValueMemberN{Value: n}, nil
	}
	return encodeOther(v, depth)
}

func text(s string) (types.AttributeValue, error) {
	if !utf8.ValidString(s) {
		return nil, cannot("the text is not valid UTF-8; store it as bytes")
	}
	return &types.AttributeValueMemberS{Value: s}, nil
}

// encodeOther takes the typed slices, maps and integers that expression
// built-ins give.
func encodeOther(v any, depth int) (types.AttributeValue, error) {
	p, err := value.Normal(v)
	if err != nil {
		return nil, cannot("%v", err)
	}
	switch p.(type) {
	case bool, int, float64, value.Number, string, []any, map[string]any:
		return encode(p, depth)
	}
	return nil, cannot("%s cannot be stored", value.Kind(v))
}

func encodeMap(m map[string]any, depth int) (types.AttributeValue, error) {
	if depth >= maxNesting {
		return nil, tooDeep()
	}
	out := make(map[string]types.AttributeValue, len(m))
	for name, v := range m {
		a, err := encode(v, depth+1)
		if err != nil {
			return nil, within(name, err)
		}
		if !utf8.ValidString(name) {
			return nil, cannot("the name of an attribute is not valid UTF-8")
		}
		out[name] = a
	}
	return &types.AttributeValueMemberM{Value: out}, nil
}

func encodeList(list []any, depth int) (types.AttributeValue, error) {
	if depth >= maxNesting {
		return nil, tooDeep()
	}
	out := make([]types.AttributeValue, len(list))
	for i, v := range list {
		a, err := encode(v, depth+1)
		if err != nil {
			return nil, within("["+strconv.Itoa(i)+"]", err)
		}
		out[i] = a
	}
	return &types.AttributeValueMemberL{Value: out}, nil
}

func tooDeep() error { return cannot("nested deeper than the %d levels DynamoDB allows", maxNesting) }

// number is the text of v if v is a number; an error if DynamoDB's number type
// cannot hold it.
func number(v any) (text string, ok bool, err error) {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v), true, nil
	case int64:
		return strconv.FormatInt(v, 10), true, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", true, cannot("the number is not finite (NaN or infinity) and cannot be stored")
		}
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case value.Number:
		text = string(v)
	default:
		return "", false, nil
	}
	text, err = checkNumber(text)
	return text, true, err
}

// marshalItem gives an item's attributes.
func marshalItem(m map[string]any) (map[string]types.AttributeValue, error) {
	a, err := encodeMap(m, -1)
	if err != nil {
		return nil, err
	}
	return a.(*types.AttributeValueMemberM).Value, nil
}

// marshalSet makes a set of a list of texts, of numbers or of bytes. Elements
// that are there twice are taken once. DynamoDB has no empty set.
func marshalSet(v any) (types.AttributeValue, error) {
	list, ok := v.([]any)
	if !ok {
		p, err := value.Plain(v)
		if err == nil {
			p, err = value.Normal(p)
		}
		if list, ok = p.([]any); err != nil || !ok {
			return nil, cannot("a set is made of a list, got %s", value.Kind(v))
		}
	}
	if len(list) == 0 {
		return nil, cannot("DynamoDB has no empty set; leave the attribute out")
	}
	var set setBuilder
	for i, e := range list {
		if err := set.add(e); err != nil {
			return nil, within("["+strconv.Itoa(i)+"]", err)
		}
	}
	return set.value(), nil
}

type setBuilder struct {
	texts, numbers []string
	bytes          [][]byte
	seen           map[string]bool
}

func (s *setBuilder) add(v any) error {
	a, err := marshal(v)
	if err != nil {
		return err
	}
	return s.take(a, value.Kind(v))
}

// take adds an element; kind is what its author would call it.
func (s *setBuilder) take(a types.AttributeValue, kind string) error {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		if s.first("S" + a.Value) {
			s.texts = append(s.texts, a.Value)
		}
	case *types.AttributeValueMemberN:
		if s.first("N" + canonical(a.Value)) {
			s.numbers = append(s.numbers, a.Value)
		}
	case *types.AttributeValueMemberB:
		if s.first("B" + string(a.Value)) {
			s.bytes = append(s.bytes, a.Value)
		}
	default:
		return cannot("a set holds texts, numbers or bytes, got %s", kind)
	}
	if kinds := min(len(s.texts), 1) + min(len(s.numbers), 1) + min(len(s.bytes), 1); kinds > 1 {
		return cannot("a set holds values of one kind, and %s is of another kind than those before it", kind)
	}
	return nil
}

func (s *setBuilder) first(key string) bool {
	if s.seen[key] {
		return false
	}
	s.seen[key] = true
	return true
}

func (s *setBuilder) value() types.AttributeValue {
	switch {
	case s.texts != nil:
		return &types.AttributeValueMemberSS{Value: s.texts}
	case s.numbers != nil:
		return &types.AttributeValueMemberNS{Value: s.numbers}
	}
	return &types.AttributeValueMemberBS{Value: s.bytes}
}

// unmarshal gives a plain value: numbers exact, sets as lists.
func unmarshal(a types.AttributeValue) (any, error) {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return a.Value, nil
	case *types.AttributeValueMemberN:
		return parseNumber(a.Value)
	case *types.AttributeValueMemberBOOL:
		return a.Value, nil
	case *types.AttributeValueMemberNULL:
		return nil, nil
	case *types.AttributeValueMemberB:
		if a.Value == nil {
			return []byte{}, nil
		}
		return a.Value, nil
	case *types.AttributeValueMemberM:
		return unmarshalItem(a.Value)
	case *types.AttributeValueMemberL:
		return unmarshalList(a.Value, unmarshal)
	case *types.AttributeValueMemberSS:
		return unmarshalList(a.Value, func(s string) (any, error) { return s, nil })
	case *types.AttributeValueMemberNS:
		return unmarshalList(a.Value, parseNumber)
	case *types.AttributeValueMemberBS:
		return unmarshalList(a.Value, func(b []byte) (any, error) { return b, nil })
	}
	return nil, cannot("the service gave a value of the unknown type %s", strings.TrimPrefix(fmt.Sprintf("%T", a), "*types."))
}

// unmarshalItem gives the attributes as an object. It is never nil.
func unmarshalItem(item map[string]types.AttributeValue) (map[string]any, error) {
	out := make(map[string]any, len(item))
	for name, a := range item {
		v, err := unmarshal(a)
		if err != nil {
			return nil, within(name, err)
		}
		out[name] = v
	}
	return out, nil
}

func unmarshalList[T any](list []T, one func(T) (any, error)) (any, error) {
	out := make([]any, len(list))
	for i, e := range list {
		v, err := one(e)
		if err != nil {
			return nil, within("["+strconv.Itoa(i)+"]", err)
		}
		out[i] = v
	}
	return out, nil
}
