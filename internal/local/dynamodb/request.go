package dynamodb

import (
	"encoding/json"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// request is a request, or a structure inside one, whose types have been checked against a shape.
type request map[string]any

func (r request) has(name string) bool { _, ok := r[name]; return ok }

func (r request) str(name string) string { s, _ := r[name].(string); return s }

func (r request) boolean(name string) bool { b, _ := r[name].(bool); return b }

func (r request) integer(name string) int64 {
	n, _ := r[name].(json.Number)
	return wholeNumber(n)
}

func (r request) object(name string) request { m, _ := r[name].(map[string]any); return m }

func (r request) list(name string) []any { l, _ := r[name].([]any); return l }

// objects is a list of structures.
func (r request) objects(name string) []request {
	list := r.list(name)
	objects := make([]request, len(list))
	for i, e := range list {
		m, _ := e.(map[string]any)
		objects[i] = m
	}
	return objects
}

// strings is a list of strings.
func (r request) strings(name string) []string {
	list := r.list(name)
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i], _ = e.(string)
	}
	return texts
}

// item is a map of attribute values, with the error of the first bad one.
func (r request) item(name string) (item.Item, error) {
	i, err := item.ItemFromJSON(r.object(name))
	return i, asInvalid(err)
}

// tableName is the name of a table that may be given as its ARN.
func tableName(nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		if _, name, ok := strings.Cut(nameOrARN, ":table/"); ok {
			return name
		}
	}
	return nameOrARN
}

// table is the name of the request's table, which every operation takes the ARN of too.
func (r request) table() string { return tableName(r.str("TableName")) }
