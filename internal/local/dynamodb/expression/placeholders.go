package expression

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// Placeholders are a request's ExpressionAttributeNames and ExpressionAttributeValues. They remember which of them the
// parsed expressions used.
type Placeholders struct {
	names      map[string]string
	values     map[string]item.Value
	usedNames  map[string]bool
	usedValues map[string]bool
}

// NewPlaceholders takes the two maps; each may be nil.
func NewPlaceholders(names map[string]string, values map[string]item.Value) *Placeholders {
	return &Placeholders{names: names, values: values, usedNames: map[string]bool{}, usedValues: map[string]bool{}}
}

// ValuesSize is the size of all values together, in bytes as the service counts them.
func (p *Placeholders) ValuesSize() int {
	n := 0
	for _, v := range p.values {
		n += v.Size()
	}
	return n
}

// ValidPlaceholder says whether key has the form of a placeholder: the mark '#' or ':' and then letters, digits and
// underscores.
func ValidPlaceholder(key string, mark byte) bool {
	return len(key) > 1 && key[0] == mark && span(key, 1, isNamePart) == len(key)
}

// Unused is the error that names the placeholders no expression has used, nil when there are none. It is to be called
// once all expressions of the request are parsed.
func (p *Placeholders) Unused() error {
	if keys := unused(p.names, p.usedNames); keys != "" {
		return errors.New("Value provided in ExpressionAttributeNames unused in expressions: keys: {" + keys + "}")
	}
	if keys := unused(p.values, p.usedValues); keys != "" {
		return errors.New("Value provided in ExpressionAttributeValues unused in expressions: keys: {" + keys + "}")
	}
	return nil
}

func unused[V any](given map[string]V, used map[string]bool) string {
	if len(used) == len(given) {
		return ""
	}
	var left []string
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !used[key] {
			left = append(left, key)
		}
	}
	return strings.Join(left, ", ")
}

// resolvePath puts the real names in the place of the placeholders.
func (p *Placeholders) resolvePath(path Path) error {
	for i := range path {
		mark := path[i].Name
		if !strings.HasPrefix(mark, "#") || path[i].isIndex() {
			continue
		}
		name, ok := p.names[mark]
		if !ok {
			return fmt.Errorf("An expression attribute name used in the document path is not defined; attribute name: %s", mark)
		}
		p.usedNames[mark] = true
		path[i].Name = name
	}
	return nil
}

func (p *Placeholders) resolveValue(n *node) error {
	v, ok := p.values[n.text]
	if !ok {
		return fmt.Errorf("An expression attribute value used in expression is not defined; attribute value: %s", n.text)
	}
	p.usedValues[n.text] = true
	n.value = v
	return nil
}

// reservedIn is the error about the first step that is a reserved word and not a placeholder.
func reservedIn(path Path) error {
	for _, s := range path {
		if !s.isIndex() && Reserved(s.Name) {
			return errors.New("Attribute name is a reserved keyword; reserved keyword: " + s.Name)
		}
	}
	return nil
}

// disjoint is the error about the first two paths of which one leads into or through the other, or that use one
// place both as a list and as a map.
func disjoint(paths []Path) error {
	var conflict error
	for i, b := range paths {
		for _, a := range paths[:i] {
			overlap, clash := relate(a, b)
			const advice = "must remove or rewrite one of these paths; path one: %s, path two: %s"
			if overlap {
				return fmt.Errorf("Two document paths overlap with each other; "+advice, a, b)
			}
			if clash && conflict == nil {
				conflict = fmt.Errorf("Two document paths conflict with each other; "+advice, a, b)
			}
		}
	}
	return conflict
}

func relate(a, b Path) (overlap, conflict bool) {
	for i := range min(len(a), len(b)) {
		if a[i].isIndex() != b[i].isIndex() {
			return false, true
		}
		if a[i] != b[i] {
			return false, false
		}
	}
	return true, false
}
