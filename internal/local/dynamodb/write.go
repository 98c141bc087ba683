package dynamodb

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// write is one change of one item: all of PutItem, UpdateItem, DeleteItem, a part of a batch or of a transaction.
type write struct {
	table     *table
	key       []byte
	condition *expression.Condition
	// next makes the new item of the old one, either of them nil for no item; a write without next changes nothing.
	next func(old item.Item) (item.Item, error)
	// returnOld gives the item with the error of a failed condition.
	returnOld bool
	// charge, where it is set, is checked against the limit of an item's size before the condition is.
	charge func(old item.Item) int
}

// outcome is what a write does, known before anything is changed.
type outcome struct {
	old, new         item.Item
	oldSize, newSize int
	// refused is an error for the client; the write is then not carried out.
	refused error
	// failed is set when the refusal is a failed condition.
	failed bool
}

// plan finds out what the write does. The error is one of the store.
func (w *write) plan(tx *bbolt.Tx) (o outcome, err error) {
	root, err := w.table.root(tx)
	if err != nil {
		return o, err
	}
	items, err := nested(root, itemsBucket)
	if err != nil {
		return o, err
	}
	if record := items.Get(w.key); record != nil {
		if o.old, o.oldSize, err = decodeRecord(record); err != nil {
			return o, err
		}
	}
	if w.charge != nil && w.charge(o.old) > maxItemSize {
		o.refused = errUpdateTooLarge
		return o, nil
	}
	if w.condition != nil && !w.condition.Holds(o.old) {
		o.refused, o.failed = w.conditionFailed(o.old), true
		return o, nil
	}
	if w.next == nil {
		o.new, o.newSize = o.old, o.oldSize
		return o, nil
	}
	if o.new, o.refused = w.next(o.old); o.refused == nil && o.new != nil {
		o.newSize = o.new.Size()
	}
	return o, nil
}

func (w *write) conditionFailed(old item.Item) error {
	e := failure("ConditionalCheckFailedException", conditionFailedMessage)
	if w.returnOld && old != nil {
		e.Fields = map[string]any{"Item": old}
	}
	return e
}

// carryOut writes what was planned in the same transaction.
func (w *write) carryOut(tx *bbolt.Tx, o outcome) error {
	if w.next == nil || (o.old == nil && o.new == nil) {
		return nil
	}
	root, err := w.table.root(tx)
	if err != nil {
		return err
	}
	items, err := nested(root, itemsBucket)
	if err != nil {
		return err
	}
	if o.new == nil {
		err = items.Delete(w.key)
	} else {
		err = items.Put(w.key, encodeRecord(o.new, o.newSize))
	}
	if err != nil {
		return err
	}
	if err := w.table.reindex(root, w.key, o.old, o.new); err != nil {
		return err
	}
	return w.table.reschedule(root, w.key, o.old, o.new)
}

// reindex moves the item's entries in the indexes.
func (t *table) reindex(root *bbolt.Bucket, key []byte, before, after item.Item) error {
	for i := range t.Indexes {
		x := &t.Indexes[i]
		was, is := t.entry(x, before, key), t.entry(x, after, key)
		if string(was) == string(is) {
			continue
		}
		b, err := nested(root, x.bucketName())
		if err != nil {
			return err
		}
		if err := move(b, was, is, key); err != nil {
			return err
		}
	}
	return nil
}

// move takes one entry out of a bucket and puts another one in; either may be nil.
func move(b *bbolt.Bucket, was, is, value []byte) error {
	if was != nil {
		if err := b.Delete(was); err != nil {
			return err
		}
	}
	if is == nil {
		return nil
	}
	return b.Put(is, value)
}

var errDamagedItem = errors.New("an item in the store is damaged")

// An item's record is its size as the service counts it, and then its stored form.
func encodeRecord(i item.Item, size int) []byte {
	return item.Append(binary.AppendUvarint(make([]byte, 0, size+size/4+16), uint64(size)), i)
}

func decodeRecord(record []byte) (item.Item, int, error) {
	size, n := binary.Uvarint(record)
	if n <= 0 {
		return nil, 0, errDamagedItem
	}
	i, err := item.Decode(record[n:])
	return i, int(size), err
}

// do carries out one write.
func (s *Service) do(w *write) (o outcome, err error) {
	err = s.store.Update(func(tx *bbolt.Tx) error {
		var err error
		if o, err = w.plan(tx); err != nil || o.refused != nil {
			return err
		}
		return w.carryOut(tx, o)
	})
	if err == nil {
		err = o.refused
	}
	return o, err
}

// replace is the next of a put.
func replace(i item.Item) func(item.Item) (item.Item, error) {
	return func(item.Item) (item.Item, error) { return i, nil }
}

// remove is the next of a delete.
func remove(item.Item) (item.Item, error) { return nil, nil }

var errUpdateTooLarge = invalid("Item size to update has exceeded the maximum allowed size")

// change is the next of an update of the item with these key attributes.
func (t *table) change(u *expression.Update, key item.Item) func(item.Item) (item.Item, error) {
	return func(old item.Item) (item.Item, error) {
		if old == nil && u != nil && u.OnlyRemoves() {
			return nil, nil
		}
		if old == nil {
			old = key
		}
		if u == nil {
			return old, nil
		}
		after, err := u.Apply(old)
		if err != nil {
			return nil, asInvalid(err)
		}
		if after.Size() > maxItemSize {
			return nil, errUpdateTooLarge
		}
		if err := after.CheckNesting(); err != nil {
			return nil, asInvalid(err)
		}
		return after, t.checkUpdatedIndexes(after)
	}
}

// indexesInOrder are the indexes as the service checks them: the global ones before the local ones, the last of each
// kind first.
func (t *table) indexesInOrder() []*index {
	ordered := make([]*index, 0, len(t.Indexes))
	for _, global := range []bool{true, false} {
		for i := len(t.Indexes) - 1; i >= 0; i-- {
			if t.Indexes[i].Global == global {
				ordered = append(ordered, &t.Indexes[i])
			}
		}
	}
	return ordered
}

// checkIndexKeys checks the index key attributes of an item that is put.
func (t *table) checkIndexKeys(i item.Item) error {
	for _, x := range t.indexesInOrder() {
		for _, name := range x.Key.names() {
			v, ok := i[name]
			if !ok || t.Key.has(name) {
				continue
			}
			if v.Kind != t.kind(name) {
				return t.indexKeyMismatch(x, name, v.Kind)
			}
			if err := emptyKey(v, "One or more parameter values are not valid. A value specified for a secondary index key is not supported. ",
				" IndexName: "+x.Name+", IndexKey: "+name); err != nil {
				return err
			}
			if err := x.Key.checkSize(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *table) indexKeyMismatch(x *index, name string, actual item.Kind) error {
	return invalidParameter("Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", name, t.kind(name), actual, x.Name)
}

// checkUpdatedIndexes checks the index key attributes of an item after an update.
func (t *table) checkUpdatedIndexes(i item.Item) error {
	for _, x := range t.indexesInOrder() {
		for _, name := range x.Key.names() {
			v, ok := i[name]
			if !ok || t.Key.has(name) {
				continue
			}
			if v.Kind != t.kind(name) {
				return invalid("The update expression attempted to update the secondary index key to unsupported type")
			}
			if err := emptyKey(v, "One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. ", ""); err != nil {
				return err
			}
			if err := x.Key.checkSize(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkScalars checks that no path leads into a key attribute, of the table or of an index.
func (t *table) checkScalars(paths []expression.Path) error {
	const refusal = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s"
	into := map[string]bool{}
	for _, p := range paths {
		if len(p) > 1 {
			into[p[0].Name] = true
		}
	}
	if len(into) == 0 {
		return nil
	}
	for _, name := range t.Key.names() {
		if into[name] {
			return invalid(refusal, "Key", name)
		}
	}
	for _, x := range t.indexesInOrder() {
		for _, name := range x.Key.names() {
			if into[name] {
				return invalid(refusal, "IndexKey", name)
			}
		}
	}
	return nil
}

func pathsOf(c *expression.Condition) []expression.Path {
	if c == nil {
		return nil
	}
	return c.Paths()
}

func selected(p *expression.Projection) []expression.Path {
	if p == nil {
		return nil
	}
	return p.Paths()
}

// checkUpdateTargets checks that an update leaves the key alone, and gives no key of an index a value that anyone can see
// to be of the wrong type.
func (t *table) checkUpdateTargets(u *expression.Update) error {
	if u == nil {
		return nil
	}
	for _, p := range u.Paths() {
		if t.Key.has(p[0].Name) {
			return invalidParameter("Cannot update attribute %s. This attribute is part of the key", p[0].Name)
		}
	}
	for _, x := range t.indexesInOrder() {
		for _, name := range x.Key.names() {
			if kind := u.Kind(name); kind != 0 && kind != t.kind(name) {
				return t.indexKeyMismatch(x, name, kind)
			}
		}
	}
	return nil
}
