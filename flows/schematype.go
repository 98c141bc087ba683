package flows

import (
	"strconv"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// Bounds on the type of a schema that refers to itself. What lies further in is
// checked only when a message comes.
const (
	maxSameReference = 3
	maxTypeParts     = 5000
)

// typer makes a type of one schema.
type typer struct {
	*schemaSet
	following map[string]int
	parts     int
}

// typeOf is what the named schema says of a value, as far as types can say it.
func (s *schemaSet) typeOf(name string) expr.Type {
	t := &typer{schemaSet: s, following: map[string]int{}}
	return t.of(s.plain[name], name)
}

// of is the type of a schema that stands inside the named one.
func (t *typer) of(schema any, name string) expr.Type {
	m, ok := schema.(map[string]any)
	if t.parts++; !ok || t.parts > maxTypeParts {
		return expr.Any
	}
	if ref, ok := m["$ref"].(string); ok {
		return t.reference(ref, name)
	}
	switch m["type"] {
	case "string":
		return expr.String
	case "integer":
		return expr.Int
	case "number":
		return expr.Number
	case "boolean":
		return expr.Bool
	case "null":
		return expr.Null
	case "array":
		return expr.List(t.of(m["items"], name))
	case "object":
		return t.object(m, name)
	}
	if _, ok := m["properties"]; ok {
		return t.object(m, name)
	}
	return expr.Any
}

func (t *typer) reference(ref, name string) expr.Type {
	schema, in := t.resolve(ref, name)
	place := in + "#" + ref
	if t.following[place] >= maxSameReference {
		return expr.Any
	}
	t.following[place]++
	defer func() { t.following[place]-- }()
	return t.of(schema, in)
}

// resolve is the schema that a $ref inside the named one means, nil if there is
// none, and the schema of the app that it stands in.
func (s *schemaSet) resolve(ref, name string) (schema any, in string) {
	to, pointer, _ := strings.Cut(strings.TrimPrefix(ref, schemaBase), "#")
	if to == "" {
		to = name
	}
	schema = s.plain[to]
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := schema.(type) {
		case map[string]any:
			schema = at[step]
		case []any:
			schema = nil
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(at) {
				schema = at[i]
			}
		default:
			return nil, to
		}
	}
	return schema, to
}

// object is closed unless the schema itself says that other fields may be
// there: a field nobody named is far more often a mistake than meant.
func (t *typer) object(m map[string]any, name string) expr.Type {
	fields := map[string]expr.Type{}
	props, _ := m["properties"].(map[string]any)
	for _, field := range value.Keys(props) {
		fields[field] = t.of(props[field], name)
	}
	for _, open := range []string{"patternProperties", "allOf", "oneOf", "anyOf", "if"} {
		if _, given := m[open]; given {
			return expr.OpenObject(fields, expr.Any)
		}
	}
	extra, given := m["additionalProperties"]
	switch {
	case extra == false:
		return expr.Object(fields)
	case given || len(props) == 0:
		return expr.OpenObject(fields, t.of(extra, name))
	}
	return expr.Object(fields)
}
