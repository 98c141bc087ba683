package expression

import (
	"slices"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// Projection is a parsed ProjectionExpression: the parts of an item that are returned. It is immutable.
type Projection struct {
	paths []Path
	tree  selection
}

// selection is a tree of the selected paths: at each level names or indexes; an empty one selects all below it.
type selection struct {
	names   map[string]*selection
	indexes map[int]*selection
}

// ParseProjection reads the grammar of ProjectionExpression: paths separated by commas.
func ParseProjection(src string, ph *Placeholders) (*Projection, error) {
	p, err := newParser(src)
	if err != nil {
		return nil, err
	}
	var paths []Path
	for {
		path, err := p.path()
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
		if !p.accept(",") {
			break
		}
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := reservedIn(path); err != nil {
			return nil, err
		}
	}
	for _, path := range paths {
		if err := ph.resolvePath(path); err != nil {
			return nil, err
		}
	}
	if err := disjoint(paths); err != nil {
		return nil, err
	}
	return NewProjection(paths), nil
}

// NewProjection selects the paths, none of which leads into another.
func NewProjection(paths []Path) *Projection {
	p := &Projection{paths: paths}
	for _, path := range paths {
		p.tree.add(path)
	}
	return p
}

// TopLevelPaths makes the paths of top-level attributes.
func TopLevelPaths(names []string) []Path {
	paths := make([]Path, len(names))
	for i, name := range names {
		paths[i] = Path{{Name: name, Index: noIndex}}
	}
	return paths
}

// Paths are the selected paths in the order of the expression.
func (p *Projection) Paths() []Path { return p.paths }

func (s *selection) add(path Path) {
	for _, step := range path {
		next := new(selection)
		if step.isIndex() {
			if s.indexes == nil {
				s.indexes = map[int]*selection{}
			}
			if s.indexes[step.Index] == nil {
				s.indexes[step.Index] = next
			}
			s = s.indexes[step.Index]
			continue
		}
		if s.names == nil {
			s.names = map[string]*selection{}
		}
		if s.names[step.Name] == nil {
			s.names[step.Name] = next
		}
		s = s.names[step.Name]
	}
}

// Apply gives the selected parts of the item, in the shape they have there; list elements move together.
func (p *Projection) Apply(i item.Item) item.Item {
	return p.tree.fields(i)
}

func (s *selection) fields(m map[string]item.Value) map[string]item.Value {
	out := make(map[string]item.Value, len(s.names))
	for name, below := range s.names {
		if v, ok := m[name]; ok {
			if v, ok = below.apply(v); ok {
				out[name] = v
			}
		}
	}
	return out
}

func (s *selection) apply(v item.Value) (item.Value, bool) {
	switch {
	case s.names == nil && s.indexes == nil:
		return v, true
	case s.names != nil && v.Kind == item.M:
		fields := s.fields(v.Map)
		return item.Value{Kind: item.M, Map: fields}, len(fields) > 0
	case s.indexes != nil && v.Kind == item.L:
		list := s.elements(v.List)
		return item.Value{Kind: item.L, List: list}, len(list) > 0
	}
	return item.Value{}, false
}

func (s *selection) elements(list []item.Value) []item.Value {
	indexes := make([]int, 0, len(s.indexes))
	for i := range s.indexes {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	var out []item.Value
	for _, i := range indexes {
		if i >= len(list) {
			break
		}
		if v, ok := s.indexes[i].apply(list[i]); ok {
			out = append(out, v)
		}
	}
	return out
}
