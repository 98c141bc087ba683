package dynamodb

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// TypedValue gives an item in DynamoDB's own JSON form, such as {"id": {"N":
// "7"}}, in which sets and bytes keep their types (Developer Guide, "DynamoDB
// low-level API"). The result is for value.Append.
func TypedValue(item map[string]types.AttributeValue) (map[string]any, error) {
	out := make(map[string]any, len(item))
	for name, a := range item {
		v, err := typed(a)
		if err != nil {
			return nil, within(name, err)
		}
		out[name] = v
	}
	return out, nil
}

func typed(a types.AttributeValue) (any, error) {
	one := func(kind string, v any) (any, error) { return map[string]any{kind: v}, nil }
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return one("S", a.Value)
	case *types.AttributeValueMemberN:
		return one("N", a.Value)
	case *types.AttributeValueMemberB:
		return one("B", base64.StdEncoding.EncodeToString(a.Value))
	case *types.AttributeValueMemberBOOL:
		return one("BOOL", a.Value)
	case *types.AttributeValueMemberNULL:
		return one("NULL", true)
	case *types.AttributeValueMemberSS:
		return one("SS", listOf(a.Value, func(s string) any { return s }))
	case *types.AttributeValueMemberNS:
		return one("NS", listOf(a.Value, func(s string) any { return s }))
	case *types.AttributeValueMemberBS:
		return one("BS", listOf(a.Value, func(b []byte) any { return base64.StdEncoding.EncodeToString(b) }))
	case *types.AttributeValueMemberM:
		m, err := TypedValue(a.Value)
		if err != nil {
			return nil, err
		}
		return one("M", m)
	case *types.AttributeValueMemberL:
		list := make([]any, len(a.Value))
		for i, e := range a.Value {
			v, err := typed(e)
			if err != nil {
				return nil, within("["+strconv.Itoa(i)+"]", err)
			}
			list[i] = v
		}
		return one("L", list)
	}
	return nil, cannot("the service gave a value of an unknown type")
}

func listOf[T any](list []T, one func(T) any) []any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = one(e)
	}
	return out
}

// ParseTyped reads what TypedValue gives.
func ParseTyped(item map[string]any) (map[string]types.AttributeValue, error) {
	out := make(map[string]types.AttributeValue, len(item))
	for name, v := range item {
		a, err := parseTyped(v, 0)
		if err != nil {
			return nil, within(name, err)
		}
		out[name] = a
	}
	return out, nil
}

var typeNames = []string{"B", "BOOL", "BS", "L", "M", "N", "NS", "NULL", "S", "SS"}

func parseTyped(v any, depth int) (types.AttributeValue, error) {
	object, ok := v.(map[string]any)
	if !ok || len(object) != 1 {
		return nil, cannot("a typed value is an object with its type alone, such as {\"S\": \"text\"}")
	}
	kind := slices.Collect(maps.Keys(object))[0]
	if !slices.Contains(typeNames, kind) {
		return nil, cannot("%q is no type; there are %s", kind, strings.Join(typeNames, ", "))
	}
	if depth >= maxNesting && (kind == "M" || kind == "L") {
		return nil, tooDeep()
	}
	switch content := object[kind].(type) {
	case string:
		return parseTypedText(kind, content)
	case bool:
		if kind == "BOOL" {
			return &types.AttributeValueMemberBOOL{Value: content}, nil
		}
		if kind == "NULL" && content {
			return &types.AttributeValueMemberNULL{Value: true}, nil
		}
	case map[string]any:
		if kind == "M" {
			return parseTypedMap(content, depth)
		}
	case []any:
		if kind == "L" {
			return parseTypedList(content, depth)
		}
		if kind == "SS" || kind == "NS" || kind == "BS" {
			return parseTypedSet(kind, content)
		}
	}
	return nil, cannot("the value of type %s is %s", kind, value.Kind(object[kind]))
}

func parseTypedText(kind, content string) (types.AttributeValue, error) {
	switch kind {
	case "S":
		return text(content)
	case "N":
		n, err := checkNumber(content)
		return &types.AttributeValueMemberN{Value: n}, err
	case "B":
		b, err := base64.StdEncoding.DecodeString(content)
		if err != nil {
			return nil, cannot("the bytes are not in base64")
		}
		return &types.AttributeValueMemberB{Value: b}, nil
	}
	return nil, cannot("the value of type %s is a text", kind)
}

func parseTypedMap(m map[string]any, depth int) (types.AttributeValue, error) {
	out := make(map[string]types.AttributeValue, len(m))
	for name, v := range m {
		a, err := parseTyped(v, depth+1)
		if err != nil {
			return nil, within(name, err)
		}
		out[name] = a
	}
	return &types.AttributeValueMemberM{Value: out}, nil
}

func parseTypedList(list []any, depth int) (types.AttributeValue, error) {
	out := make([]types.AttributeValue, len(list))
	for i, v := range list {
		a, err := parseTyped(v, depth+1)
		if err != nil {
			return nil, within("["+strconv.Itoa(i)+"]", err)
		}
		out[i] = a
	}
	return &types.AttributeValueMemberL{Value: out}, nil
}

func parseTypedSet(kind string, list []any) (types.AttributeValue, error) {
	if len(list) == 0 {
		return nil, cannot("DynamoDB has no empty set")
	}
	var set setBuilder
	for i, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, within("["+strconv.Itoa(i)+"]", cannot("an element of a set is written as a text, this is %s", value.Kind(e)))
		}
		a, err := parseTypedText(kind[:1], s)
		if err == nil {
			err = set.take(a, value.Kind(e))
		}
		if err != nil {
			return nil, within("["+strconv.Itoa(i)+"]", err)
		}
	}
	return set.value(), nil
}
