package expression

import (
	"strconv"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// What the service counts for the parts of an UpdateExpression, in bytes, besides their names and values. It documents
// none of it; the figures are as measured at the limit of an item's size.
const (
	updateCharge      = 3
	setCharge         = 19 // of SET and of ADD
	removeCharge      = 1  // of REMOVE and of DELETE
	targetStepCharge  = 4  // of a step behind the first one of the path that is written
	pathCharge        = 1  // of a path that is read
	pathStepCharge    = 14
	addCharge         = 34
	subtractCharge    = 37
	ifNotExistsCharge = 39
	listAppendCharge  = 37
)

// Charge is what the service counts of the update against the limit of an item's size, before it looks at the condition:
// what the expression says, not what it makes of the item. Only the members that ADD brings to a set depend on the item.
func (u *Update) Charge(before item.Item) int {
	charge := updateCharge
	for _, a := range u.actions {
		charge += a.charge(before)
	}
	return charge
}

func (a action) charge(before item.Item) int {
	charge := len(a.path[0].Name)
	for _, s := range a.path[1:] {
		charge += targetStepCharge + s.size()
	}
	switch a.kind {
	case updateSet:
		return charge + setCharge + a.value.charge()
	case updateAdd:
		return charge + setCharge + a.brought(before).Size()
	}
	return charge + removeCharge
}

// brought is the value of ADD without the members that the set has.
func (a action) brought(before item.Item) item.Value {
	value := a.value.value
	if value.Kind.Member() == 0 {
		return value
	}
	if old, ok := Lookup(before, a.path); ok && old.Kind == value.Kind {
		return item.Difference(value, old)
	}
	return value
}

func (s Step) size() int {
	if s.isIndex() {
		return len(strconv.Itoa(s.Index))
	}
	return len(s.Name)
}

// charge is what a value on the right side of SET counts.
func (n *node) charge() int {
	switch n.op {
	case opValue:
		return n.value.Size()
	case opPath:
		charge := pathCharge
		for _, s := range n.path {
			charge += pathStepCharge + s.size()
		}
		return charge
	}
	charge := n.operatorCharge()
	for _, a := range n.args {
		charge += a.charge()
	}
	return charge
}

func (n *node) operatorCharge() int {
	switch {
	case n.op == opAdd:
		return addCharge
	case n.op == opSubtract:
		return subtractCharge
	case n.text == "list_append":
		return listAppendCharge
	}
	return ifNotExistsCharge
}
