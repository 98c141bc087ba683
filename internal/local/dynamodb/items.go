package dynamodb

import (
	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

func (s *Service) getItem(r request) (object, error) {
	if err := getItemShape.constrained(r); err != nil {
		return nil, err
	}
	key, projection, err := readGet(r)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.table(r.str("TableName"))
	if err != nil {
		return nil, err
	}
	stored, err := t.key(key)
	if err != nil {
		return nil, err
	}
	if err := t.checkScalars(selected(projection)); err != nil {
		return nil, err
	}
	found, size, err := s.fetch(t, stored)
	if err != nil {
		return nil, err
	}
	reply := object{}
	if found != nil {
		reply["Item"] = projected(projection, found)
	}
	if mode := r.str("ReturnConsumedCapacity"); mode != "" && mode != "NONE" {
		c := newConsumption(t, r.str("TableName"))
		c.table = readUnitsOf(size, r.boolean("ConsistentRead"))
		reply.set("ConsumedCapacity", c.describe(mode))
	}
	return reply, nil
}

// readGet reads the Key and what is to be returned, in the service's order.
func readGet(r request) (item.Item, *expression.Projection, error) {
	if err := getExpressions.checkStyle(r); err != nil {
		return nil, nil, err
	}
	key, err := r.item("Key")
	if err != nil {
		return nil, nil, err
	}
	older, err := olderProjection(r)
	if err != nil {
		return nil, nil, err
	}
	p, err := parse(r)
	if err != nil {
		return nil, nil, err
	}
	if p.projection != nil {
		older = p.projection
	}
	return key, older, nil
}

func projected(p *expression.Projection, i item.Item) item.Item {
	if p == nil {
		return i
	}
	return p.Apply(i)
}

// fetch reads one item; nil when there is none.
func (s *Service) fetch(t *table, key []byte) (i item.Item, size int, err error) {
	err = s.store.View(func(tx *bbolt.Tx) error {
		root, err := t.root(tx)
		if err != nil {
			return err
		}
		items, err := nested(root, itemsBucket)
		if err != nil {
			return err
		}
		if record := items.Get(key); record != nil {
			i, size, err = decodeRecord(record)
		}
		return err
	})
	return i, size, err
}

func (s *Service) putItem(r request) (object, error) {
	if err := putItemShape.constrained(r); err != nil {
		return nil, err
	}
	i, condition, err := readPut(r)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.table(r.str("TableName"))
	if err != nil {
		return nil, err
	}
	w, err := t.put(i, condition)
	if err != nil {
		return nil, err
	}
	return s.answerWrite(r, w)
}

// readPut reads the Item and the condition, in the service's order.
func readPut(r request) (item.Item, *expression.Condition, error) {
	if err := putExpressions.checkStyle(r); err != nil {
		return nil, nil, err
	}
	i, err := r.item("Item")
	if err != nil {
		return nil, nil, err
	}
	if err := onlyOldValues(r); err != nil {
		return nil, nil, err
	}
	if i.Size() > maxItemSize {
		return nil, nil, errItemTooLarge
	}
	condition, err := readCondition(r)
	return i, condition, err
}

func onlyOldValues(r request) error {
	if v := r.str("ReturnValues"); v != "" && v != "ALL_OLD" && v != "NONE" {
		return invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}

// readCondition reads the condition of either style.
func readCondition(r request) (*expression.Condition, error) {
	older, err := olderExpected(r)
	if err != nil {
		return nil, err
	}
	p, err := parse(r)
	if err != nil {
		return nil, err
	}
	if p.condition != nil {
		return p.condition, nil
	}
	return older, nil
}

func (t *table) put(i item.Item, condition *expression.Condition) (*write, error) {
	key, err := t.itemKey(i)
	if err != nil {
		return nil, err
	}
	if err := t.checkIndexKeys(i); err != nil {
		return nil, err
	}
	if err := t.checkScalars(pathsOf(condition)); err != nil {
		return nil, err
	}
	return &write{table: t, key: key, condition: condition, next: replace(i)}, nil
}

func (s *Service) deleteItem(r request) (object, error) {
	if err := deleteItemShape.constrained(r); err != nil {
		return nil, err
	}
	key, condition, err := readDelete(r)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.table(r.str("TableName"))
	if err != nil {
		return nil, err
	}
	stored, err := t.key(key)
	if err != nil {
		return nil, err
	}
	if err := t.checkScalars(pathsOf(condition)); err != nil {
		return nil, err
	}
	return s.answerWrite(r, &write{table: t, key: stored, condition: condition, next: remove})
}

func readDelete(r request) (item.Item, *expression.Condition, error) {
	if err := putExpressions.checkStyle(r); err != nil {
		return nil, nil, err
	}
	key, err := r.item("Key")
	if err != nil {
		return nil, nil, err
	}
	if err := onlyOldValues(r); err != nil {
		return nil, nil, err
	}
	condition, err := readCondition(r)
	return key, condition, err
}

func (s *Service) updateItem(r request) (object, error) {
	if err := updateItemShape.constrained(r); err != nil {
		return nil, err
	}
	key, p, err := readUpdate(r)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.table(r.str("TableName"))
	if err != nil {
		return nil, err
	}
	w, err := t.update(key, p)
	if err != nil {
		return nil, err
	}
	if p.update != nil && !p.update.Older() { // an update in a transaction or of the older parameter has no charge
		w.charge = p.update.Charge
	}
	return s.answerUpdate(r, w, p.update)
}

// readUpdate reads the Key, the update and the condition of either style, in the service's order.
func readUpdate(r request) (item.Item, *parsed, error) {
	if err := updateExpressions.checkStyle(r); err != nil {
		return nil, nil, err
	}
	key, err := r.item("Key")
	if err != nil {
		return nil, nil, err
	}
	changes, err := olderUpdates(r)
	if err != nil {
		return nil, nil, err
	}
	older, err := olderExpected(r)
	if err != nil {
		return nil, nil, err
	}
	p, err := parse(r)
	if err != nil {
		return nil, nil, err
	}
	if p.condition == nil {
		p.condition = older
	}
	if p.update == nil {
		p.update = changes
	}
	return key, p, nil
}

func (t *table) update(key item.Item, p *parsed) (*write, error) {
	stored, err := t.key(key)
	if err != nil {
		return nil, err
	}
	if err := t.checkUpdateTargets(p.update); err != nil {
		return nil, err
	}
	if err := t.checkScalars(append(p.update.Mentions(), pathsOf(p.condition)...)); err != nil {
		return nil, err
	}
	return &write{table: t, key: stored, condition: p.condition, next: t.change(p.update, key)}, nil
}

// answerWrite carries out a put or a delete and makes its reply.
func (s *Service) answerWrite(r request, w *write) (object, error) {
	w.returnOld = r.str("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
	o, err := s.do(w)
	if err != nil {
		return nil, err
	}
	reply := s.writeReply(r, w, o)
	if r.str("ReturnValues") == "ALL_OLD" && o.old != nil {
		reply["Attributes"] = o.old
	}
	return reply, nil
}

func (s *Service) answerUpdate(r request, w *write, u *expression.Update) (object, error) {
	w.returnOld = r.str("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
	o, err := s.do(w)
	if err != nil {
		return nil, err
	}
	reply := s.writeReply(r, w, o)
	var attributes item.Item
	changed := expression.NewProjection(u.Paths())
	switch r.str("ReturnValues") {
	case "ALL_OLD":
		attributes = o.old
	case "ALL_NEW":
		attributes = o.new
	case "UPDATED_OLD":
		attributes = changed.Apply(o.old)
	case "UPDATED_NEW":
		attributes = changed.Apply(o.new)
	}
	if len(attributes) > 0 {
		reply["Attributes"] = attributes
	}
	return reply, nil
}

// writeReply holds what the replies of all writes of one item have.
func (s *Service) writeReply(r request, w *write, o outcome) object {
	reply := object{}
	if mode := r.str("ReturnConsumedCapacity"); mode != "" && mode != "NONE" {
		c := newConsumption(w.table, r.str("TableName"))
		c.addWrite(o, 1)
		reply.set("ConsumedCapacity", c.describe(mode))
	}
	if r.str("ReturnItemCollectionMetrics") == "SIZE" && w.table.hasLocalIndex() {
		hash := o.new
		if hash == nil {
			hash = o.old
		}
		if hash != nil {
			reply["ItemCollectionMetrics"] = collectionMetrics(w.table, hash)
		}
	}
	return reply
}

// collectionMetrics describes the item collection of an item. Its size is an estimate in GB between two bounds; local
// data is far below the first.
func collectionMetrics(t *table, i item.Item) object {
	return object{
		"ItemCollectionKey":   t.collection(i),
		"SizeEstimateRangeGB": []any{0, 1},
	}
}
