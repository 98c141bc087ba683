package dynamodb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// KeyAttribute is one attribute of a primary key.
type KeyAttribute struct {
	Name string
	// Type is S (a text), N (a number) or B (bytes).
	Type string
}

// KeySchema is the primary key of a table or an index: the partition key and,
// optionally, the sort key, in the order in which the author wrote them.
type KeySchema struct{ Attributes []KeyAttribute }

// SetEntry takes one entry of the author's mapping, in the order of the file:
// the name of an attribute and its type.
func (k *KeySchema) SetEntry(key, value string) error {
	switch {
	case key == "":
		return fmt.Errorf("a key attribute needs a name")
	case value != "S" && value != "N" && value != "B":
		return fmt.Errorf("%q is not the type of a key; write S (a text), N (a number) or B (bytes)", value)
	case len(k.Attributes) == 2:
		return fmt.Errorf("%q is a third key attribute; a key has one or two, the partition key and the sort key", key)
	}
	k.Attributes = append(k.Attributes, KeyAttribute{key, value})
	return nil
}

// Partition is the key's first attribute; its Name is empty for a key of which
// nothing is known.
func (k KeySchema) Partition() KeyAttribute {
	if len(k.Attributes) == 0 {
		return KeyAttribute{}
	}
	return k.Attributes[0]
}

// Sort is the key's second attribute, if it has one.
func (k KeySchema) Sort() (KeyAttribute, bool) {
	if len(k.Attributes) < 2 {
		return KeyAttribute{}, false
	}
	return k.Attributes[1], true
}

// has reports whether the attribute is part of the key.
func (k KeySchema) has(name string) bool {
	for _, a := range k.Attributes {
		if a.Name == name {
			return true
		}
	}
	return false
}

// attribute finds an attribute of the key by name.
func (k KeySchema) attribute(name string) KeyAttribute {
	for _, a := range k.Attributes {
		if a.Name == name {
			return a
		}
	}
	return KeyAttribute{}
}

func (k KeySchema) names() []string {
	names := make([]string, len(k.Attributes))
	for i, a := range k.Attributes {
		names[i] = a.Name
	}
	return names
}

// String lists the attributes as an author writes them.
func (k KeySchema) String() string {
	parts := make([]string, len(k.Attributes))
	for i, a := range k.Attributes {
		parts[i] = a.Name + ": " + a.Type
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// marshal gives a key, which has all the attributes of the schema and no
// others.
func (k KeySchema) marshal(values map[string]any) (map[string]types.AttributeValue, error) {
	out := make(map[string]types.AttributeValue, len(k.Attributes))
	for _, a := range k.Attributes {
		v, ok := values[a.Name]
		if !ok {
			return nil, cannot("the key has no %s; the table's key is %s", a.Name, k)
		}
		av, err := a.marshal(v)
		if err != nil {
			return nil, within(a.Name, err)
		}
		out[a.Name] = av
	}
	if len(values) == len(out) {
		return out, nil
	}
	for _, name := range value.Keys(values) {
		if !k.has(name) {
			return nil, cannot("the key has %s, which is not part of the table's key %s", name, k)
		}
	}
	return out, nil
}

// checkItem tells whether the item holds the key in a form that the service
// takes.
func (k KeySchema) checkItem(item map[string]types.AttributeValue) error {
	for _, a := range k.Attributes {
		av, ok := item[a.Name]
		if !ok {
			return cannot("the item has no %s; the table's key is %s", a.Name, k)
		}
		if err := a.check(av); err != nil {
			return within(a.Name, err)
		}
	}
	return nil
}

func (a KeyAttribute) marshal(v any) (types.AttributeValue, error) {
	av, err := marshal(v)
	if err != nil {
		return nil, err
	}
	return av, a.check(av)
}

var typeWords = map[string]string{"S": "a text", "N": "a number", "B": "bytes"}

func (a KeyAttribute) check(av types.AttributeValue) error {
	kind, empty := "another type", false
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		kind, empty = "S", av.Value == ""
	case *types.AttributeValueMemberN:
		kind = "N"
	case *types.AttributeValueMemberB:
		kind, empty = "B", len(av.Value) == 0
	case *types.AttributeValueMemberNULL:
		return cannot("the key attribute is null; %s is needed", typeWords[a.Type])
	}
	if kind != a.Type {
		got := kind
		if w, ok := typeWords[kind]; ok {
			got = w
		}
		return cannot("the key attribute is of type %s, %s, but the value is %s", a.Type, typeWords[a.Type], got)
	}
	if empty {
		return cannot("a key attribute cannot be empty")
	}
	return nil
}

// exprType is how an attribute of the key reads in expressions.
func (a KeyAttribute) exprType() expr.Type {
	switch a.Type {
	case "S":
		return expr.String
	case "N":
		return expr.Number
	case "B":
		return expr.Bytes
	}
	return expr.Any
}

// checkKeyTree finds what is already wrong in the text of a `key`.
func checkKeyTree(field string, tree *expr.Tree, key KeySchema) []engine.Finding {
	if tree == nil || len(key.Attributes) == 0 {
		return nil
	}
	example := "write " + field + ": {" + strings.Join(key.names(), ": …, ") + ": …}"
	switch tree.Kind {
	case expr.KindConst, expr.KindList:
		if _, whole := tree.Const.(map[string]any); whole {
			return nil
		}
		return []engine.Finding{{Field: field, Message: "a key is an object with the table's key attributes", Hint: example}}
	case expr.KindText:
		if !strings.Contains(tree.Text, "${{") {
			return []engine.Finding{{Field: field, Message: "a key is an object with the table's key attributes", Hint: example}}
		}
		return nil
	}
	found := missingAttributes(field, "the key", tree, key)
	for i, name := range tree.Keys {
		if !key.has(name) {
			hint := expr.Nearest(name, key.names())
			if hint == "" {
				hint = example
			}
			found = append(found, engine.Finding{Field: field + "." + name, Message: fmt.Sprintf("%q is not part of the table's key %s", name, key), Hint: hint})
			continue
		}
		found = append(found, key.attribute(name).checkTree(field+"."+name, tree.Items[i])...)
	}
	return found
}

// checkItemTree finds what is already wrong in the text of an item.
func checkItemTree(field string, tree *expr.Tree, key KeySchema) []engine.Finding {
	if tree == nil || tree.Kind != expr.KindObject {
		return nil
	}
	found := missingAttributes(field, "the item", tree, key)
	for i, name := range tree.Keys {
		at := field + "." + name
		if key.has(name) {
			found = append(found, key.attribute(name).checkTree(at, tree.Items[i])...)
		} else if v, ok := constantOf(tree.Items[i]); ok {
			if _, err := marshal(v); err != nil {
				found = append(found, problem(at, err))
			}
		}
	}
	return found
}

func missingAttributes(field, what string, tree *expr.Tree, key KeySchema) []engine.Finding {
	var found []engine.Finding
	for _, a := range key.Attributes {
		if !slices.Contains(tree.Keys, a.Name) {
			found = append(found, engine.Finding{Field: field, Message: fmt.Sprintf("%s has no %q, a part of the table's key %s", what, a.Name, key),
				Hint: fmt.Sprintf("add %s: with %s", a.Name, typeWords[a.Type])})
		}
	}
	return found
}

// checkTree finds a constant that cannot be a value of the key attribute.
func (a KeyAttribute) checkTree(field string, tree *expr.Tree) []engine.Finding {
	v, ok := constantOf(tree)
	if !ok {
		return nil
	}
	_, err := a.marshal(v)
	if err == nil {
		return nil
	}
	hint := "write " + typeWords[a.Type]
	if a.Type == "S" && tree.Kind == expr.KindConst && v != nil {
		hint = "put it in quotes to make it a text"
	}
	return []engine.Finding{{Field: field, Message: err.Error(), Hint: hint}}
}

// constantOf is what the author wrote, if there is no expression in it.
func constantOf(tree *expr.Tree) (any, bool) {
	switch tree.Kind {
	case expr.KindConst:
		return tree.Const, true
	case expr.KindText:
		return tree.Text, !strings.Contains(tree.Text, "${{")
	case expr.KindList:
		list := make([]any, len(tree.Items))
		for i, item := range tree.Items {
			v, ok := constantOf(item)
			if !ok {
				return nil, false
			}
			list[i] = v
		}
		return list, true
	}
	object := make(map[string]any, len(tree.Items))
	for i, item := range tree.Items {
		v, ok := constantOf(item)
		if !ok {
			return nil, false
		}
		object[tree.Keys[i]] = v
	}
	return object, true
}
