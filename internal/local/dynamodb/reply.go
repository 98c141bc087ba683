package dynamodb

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// object is a JSON object of a reply. Its members are written in the order of their names.
type object map[string]any

// appendReply appends the JSON form of a reply's value; the types are those that replies are made of.
func appendReply(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return item.AppendQuoted(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	case time.Time:
		return strconv.AppendFloat(dst, float64(v.UnixMilli())/1000, 'f', -1, 64)
	case item.Item:
		return v.AppendJSON(dst)
	case item.Value:
		return v.AppendJSON(dst)
	case json.RawMessage:
		return append(dst, v...)
	case object:
		return appendObject(dst, v)
	case []any:
		return appendList(dst, v)
	case []object:
		return appendList(dst, v)
	case []item.Item:
		return appendList(dst, v)
	case []string:
		return appendList(dst, v)
	}
	panic(fmt.Sprintf("dynamodb: a reply cannot hold a %T", v))
}

func appendObject(dst []byte, o object) []byte {
	dst = append(dst, '{')
	var room [16]string // enough for most
	names := slices.AppendSeq(room[:0], maps.Keys(o))
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(item.AppendQuoted(dst, name), ':')
		dst = appendReply(dst, o[name])
	}
	return append(dst, '}')
}

func appendList[E any](dst []byte, list []E) []byte {
	dst = append(dst, '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendReply(dst, e)
	}
	return append(dst, ']')
}

// set adds a member that is an object, unless it is nil.
func (o object) set(name string, v object) {
	if v != nil {
		o[name] = v
	}
}

// MarshalJSON lets an object stand in the body of an error.
func (o object) MarshalJSON() ([]byte, error) { return appendObject(nil, o), nil }
