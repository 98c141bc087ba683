package dynamodb

import (
	"fmt"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// itemType is what is known of the table's items: what its schema says, else
// the types of the key.
func itemType(t *Table) expr.Type {
	if t == nil {
		return expr.Any
	}
	if t.Item.Type.IsObject() {
		return t.Item.Type
	}
	return expr.OpenObject(keyFields(t.Key, nil), expr.Any)
}

func keyFields(k KeySchema, into map[string]expr.Type) map[string]expr.Type {
	if into == nil {
		into = map[string]expr.Type{}
	}
	for _, a := range k.Attributes {
		into[a.Name] = a.exprType()
	}
	return into
}

// indexItemType is what is known of the items that an index gives.
func indexItemType(t *Table, x *Index) expr.Type {
	whole := itemType(t)
	if x == nil || x.Projection == "" || x.Projection == "all" {
		return whole
	}
	fields := keyFields(x.Key, keyFields(t.Key, nil))
	for name := range fields {
		if f, ok := whole.Field(name); ok && !f.IsAny() {
			fields[name] = f
		}
	}
	for _, name := range x.Include {
		fields[name], _ = whole.Field(name)
	}
	return expr.Object(fields)
}

// projectedType is what is left of an item of type whole when only these
// attributes are read.
func projectedType(whole expr.Type, attributes []string) expr.Type {
	if len(attributes) == 0 {
		return whole
	}
	fields := map[string]expr.Type{}
	for _, a := range attributes {
		name, rest := firstStep(a)
		if strings.HasPrefix(name, "#") {
			return whole
		}
		fields[name] = expr.Any
		if rest == "" {
			fields[name], _ = whole.Field(name)
		}
	}
	return expr.Object(fields)
}

// firstStep splits a document path after its first name.
func firstStep(path string) (name, rest string) {
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// checkAttributes finds attributes to read that the items do not have.
func checkAttributes(attributes []string, whole expr.Type) []engine.Finding {
	var found []engine.Finding
	for i, a := range attributes {
		name, _ := firstStep(a)
		if strings.HasPrefix(name, "#") {
			continue
		}
		if _, ok := whole.Field(name); !ok {
			found = append(found, engine.Finding{Field: fmt.Sprintf("attributes[%d]", i),
				Message: fmt.Sprintf("the items here have no attribute %q", name), Hint: expr.Nearest(name, whole.FieldNames())})
		}
	}
	return found
}
