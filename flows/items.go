package flows

import (
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// Items reads a list of objects from a YAML or JSON file beside the flow, such
// as the seed of a table. The path is relative to the app's folder.
func (a *App) Items(path string) ([]map[string]any, error) {
	full := path
	if !filepath.IsAbs(path) {
		full = filepath.Join(a.Dir, path)
	}
	data, err := os.ReadFile(full)
	if err != nil {
		return nil, fmt.Errorf("the items cannot be read: %w", err)
	}
	l := newLoader(Options{})
	root, ok := l.parse(&file{path: full}, data)
	if len(l.found) > 0 {
		l.found.Sort()
		return nil, l.found
	}
	if !ok {
		return nil, nil
	}
	if root.node.Kind != yaml.SequenceNode {
		l.wrong(root, "wrong-kind", fmt.Sprintf("a list of items is needed here, got %s", kindOf(root.node)), "begin each item with `- `")
	}
	items := make([]map[string]any, 0, len(root.node.Content))
	for _, c := range root.node.Content {
		item, ok := plainValue(c).(map[string]any)
		if !ok {
			l.wrong(root.child(c), "wrong-kind", fmt.Sprintf("an item is a mapping, this is %s", kindOf(c)), "write {attribute: value, …}")
			continue
		}
		items = append(items, item)
	}
	if len(l.found) > 0 {
		return nil, l.found
	}
	return items, nil
}

// plainValue is a YAML value as JSON would have it, numbers exact.
func plainValue(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plainValue(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plainValue(c))
		}
		return list
	}
	return constant(n)
}
