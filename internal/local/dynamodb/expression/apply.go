package expression

import (
	"errors"
	"slices"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// The errors of an update that fits its grammar but not the item; the texts are the service's own.
var (
	ErrInvalidPath = errors.New("The document path provided in the update expression is invalid for update")
	ErrNoAttribute = errors.New("The provided expression refers to an attribute that does not exist in the item")
	ErrOperandType = errors.New("An operand in the update expression has an incorrect data type")
	// ErrTypeMismatch is ErrOperandType in the words for the older AttributeUpdates parameter.
	ErrTypeMismatch = errors.New("Type mismatch for attribute to update")
)

// Apply gives the item after the update; the given one stays as it is. All values are taken from the item as it was
// before. Errors are those above and those of numbers that go out of range.
func (u *Update) Apply(before item.Item) (item.Item, error) {
	values := make([]item.Value, len(u.actions))
	for i, a := range u.actions {
		if a.value == nil {
			continue
		}
		var err error
		if values[i], err = updateValue(a.value, before); err != nil {
			return nil, err
		}
	}
	after := before.Clone()
	for _, i := range u.order() {
		err := u.actions[i].apply(after, values[i])
		if err == ErrOperandType && u.older {
			err = ErrTypeMismatch
		}
		if err != nil {
			return nil, err
		}
	}
	return after, nil
}

// order puts removals last, and among actions on places in lists sets the lowest first and removes the highest first:
// so every index means the place it had before the update, and elements set behind the end are appended in their
// order.
func (u *Update) order() []int {
	order := make([]int, len(u.actions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := u.actions[a], u.actions[b]
		if x.kind == updateRemove || y.kind == updateRemove {
			if x.kind != y.kind {
				return boolInt(x.kind == updateRemove) - boolInt(y.kind == updateRemove)
			}
			return y.path.compareIndexes(x.path)
		}
		return x.path.compareIndexes(y.path)
	})
	return order
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compareIndexes orders two paths by their first differing place in a list; paths that part elsewhere are equal.
func (p Path) compareIndexes(o Path) int {
	for i := range min(len(p), len(o)) {
		if p[i] != o[i] {
			if p[i].isIndex() && o[i].isIndex() {
				return p[i].Index - o[i].Index
			}
			return slices.CompareFunc(p[i:i+1], o[i:i+1], func(a, b Step) int {
				switch {
				case a.Name < b.Name:
					return -1
				case a.Name > b.Name:
					return 1
				}
				return 0
			})
		}
	}
	return 0
}

// updateValue evaluates the right side of an action.
func updateValue(n *node, i item.Item) (item.Value, error) {
	switch n.op {
	case opValue:
		return n.value, nil
	case opPath:
		v, ok := Lookup(i, n.path)
		if !ok {
			return item.Value{}, ErrNoAttribute
		}
		return v, nil
	}
	if n.op == opCall && n.text == "if_not_exists" {
		if v, ok := Lookup(i, n.args[0].path); ok {
			return v, nil
		}
		return updateValue(n.args[1], i)
	}
	left, err := updateValue(n.args[0], i)
	if err != nil {
		return item.Value{}, err
	}
	right, err := updateValue(n.args[1], i)
	if err != nil {
		return item.Value{}, err
	}
	if n.op == opCall {
		return listAppend(left, right)
	}
	return arithmetic(n.op, left, right)
}

func listAppend(a, b item.Value) (item.Value, error) {
	if a.Kind != item.L || b.Kind != item.L {
		return item.Value{}, ErrOperandType
	}
	return item.Value{Kind: item.L, List: slices.Concat(a.List, b.List)}, nil
}

func arithmetic(op operator, a, b item.Value) (item.Value, error) {
	if a.Kind != item.N || b.Kind != item.N {
		return item.Value{}, ErrOperandType
	}
	if op == opSubtract {
		b.Num = b.Num.Neg()
	}
	sum, err := a.Num.Add(b.Num)
	return item.Num(sum), err
}

// apply changes the item, which is the update's own copy; containers inside are copied on the way down.
func (a action) apply(i item.Item, value item.Value) error {
	root := item.Value{Kind: item.M, Map: i}
	_, err := change(root, a.path, func(old item.Value, exists bool) (item.Value, bool, error) {
		return a.result(old, exists, value)
	}, false)
	return err
}

// change walks down the path, copies the containers it passes, and puts what f makes of the old value at its end; f's
// second result says whether a value is to be there. The container is copied unless own says that it is no one else's.
func change(in item.Value, path Path, f func(item.Value, bool) (item.Value, bool, error), copied bool) (item.Value, error) {
	step := path[0]
	if step.isIndex() {
		return changeList(in, path, f)
	}
	if in.Kind != item.M {
		return in, ErrInvalidPath
	}
	if copied {
		in.Map = item.Item(in.Map).Clone()
	}
	old, exists := in.Map[step.Name]
	v, keep, err := changeBelow(old, exists, path, f)
	switch {
	case err != nil:
		return in, err
	case keep:
		in.Map[step.Name] = v
	default:
		delete(in.Map, step.Name)
	}
	return in, nil
}

func changeBelow(old item.Value, exists bool, path Path, f func(item.Value, bool) (item.Value, bool, error)) (item.Value, bool, error) {
	if len(path) == 1 {
		return f(old, exists)
	}
	if !exists {
		return item.Value{}, false, ErrInvalidPath
	}
	v, err := change(old, path[1:], f, true)
	return v, true, err
}

func changeList(in item.Value, path Path, f func(item.Value, bool) (item.Value, bool, error)) (item.Value, error) {
	if in.Kind != item.L {
		return in, ErrInvalidPath
	}
	in.List = slices.Clone(in.List)
	index := path[0].Index
	exists := index < len(in.List)
	var old item.Value
	if exists {
		old = in.List[index]
	}
	v, keep, err := changeBelow(old, exists, path, f)
	switch {
	case err != nil:
		return in, err
	case keep && exists:
		in.List[index] = v
	case keep:
		in.List = append(in.List, v)
	case exists:
		in.List = slices.Delete(in.List, index, index+1)
	}
	return in, nil
}

// result is the value that the action leaves at its path.
func (a action) result(old item.Value, exists bool, value item.Value) (v item.Value, keep bool, err error) {
	switch a.kind {
	case updateSet:
		return value, true, nil
	case updateRemove:
		return item.Value{}, false, nil
	case updateAdd:
		return added(old, exists, value)
	}
	if !exists {
		return item.Value{}, false, nil
	}
	if old.Kind != value.Kind {
		return item.Value{}, false, ErrOperandType
	}
	left := item.Difference(old, value)
	return left, len(left.List) > 0, nil
}

func added(old item.Value, exists bool, value item.Value) (item.Value, bool, error) {
	switch {
	case !exists:
		return value, true, nil
	case old.Kind != value.Kind:
		return item.Value{}, false, ErrOperandType
	case value.Kind == item.N:
		v, err := arithmetic(opAdd, old, value)
		return v, true, err
	case value.Kind == item.L: // only the older AttributeUpdates parameter adds to lists
		v, err := listAppend(old, value)
		return v, true, err
	}
	return item.Union(old, value), true, nil
}
