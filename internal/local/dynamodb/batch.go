package dynamodb

import (
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

const (
	maxBatchGets = 100
	// maxBatchReply is how many bytes of items one BatchGetItem returns; the keys of the rest come back unprocessed.
	maxBatchReply = 16 << 20
)

// batchGet is the part of a BatchGetItem that concerns one table.
type batchGet struct {
	name       string // of the table, as it was given
	request    request
	keys       []item.Item
	projection *expression.Projection

	table  *table
	stored [][]byte
}

func (s *Service) batchGetItem(r request) (object, error) {
	if err := batchGetShape.constrained(r); err != nil {
		return nil, err
	}
	if err := checkBounds(r); err != nil {
		return nil, err
	}
	parts, err := readBatchGets(r)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range parts {
		if err := p.locate(s); err != nil {
			return nil, err
		}
	}
	return s.runBatchGet(r, parts)
}

func readBatchGets(r request) ([]*batchGet, error) {
	requests := r.object("RequestItems")
	if err := getExpressions.checkStyles(requests); err != nil {
		return nil, err
	}
	var parts []*batchGet
	count := 0
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		p := &batchGet{name: name, request: requests.object(name)}
		if err := p.read(); err != nil {
			return nil, err
		}
		if count += len(p.keys); count > maxBatchGets {
			return nil, invalid("Too many items requested for the BatchGetItem call")
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func (p *batchGet) read() error {
	var err error
	if p.projection, err = olderProjection(p.request); err != nil {
		return err
	}
	expressions, err := parse(p.request)
	if err != nil {
		return err
	}
	if expressions.projection != nil {
		p.projection = expressions.projection
	}
	return p.readKeys()
}

// readKeys reads the keys, which must differ.
func (p *batchGet) readKeys() error {
	seen := map[string]bool{}
	for _, k := range p.request.objects("Keys") {
		key, err := item.ItemFromJSON(k)
		if err != nil {
			return asInvalid(err)
		}
		text := string(key.AppendJSON(nil))
		if seen[text] {
			return invalid("Provided list of item keys contains duplicates")
		}
		seen[text] = true
		p.keys = append(p.keys, key)
	}
	return nil
}

// locate finds the table and the stored keys.
func (p *batchGet) locate(s *Service) error {
	t, err := s.table(p.name)
	if err != nil {
		return err
	}
	p.table = t
	for _, k := range p.keys {
		stored, err := t.key(k)
		if err != nil {
			return err
		}
		p.stored = append(p.stored, stored)
	}
	return nil
}

func (s *Service) runBatchGet(r request, parts []*batchGet) (object, error) {
	responses, unprocessed := object{}, object{}
	var capacity []object
	budget := maxBatchReply
	err := s.store.View(func(tx *bbolt.Tx) error {
		for _, p := range parts {
			found, left, c, err := p.fetch(tx, &budget)
			if err != nil {
				return err
			}
			responses[p.name] = found
			if len(left) > 0 {
				unprocessed[p.name] = p.leftOver(left)
			}
			if o := c.describe(r.str("ReturnConsumedCapacity")); o != nil {
				capacity = append(capacity, o)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	reply := object{"Responses": responses, "UnprocessedKeys": unprocessed}
	if capacity != nil {
		reply["ConsumedCapacity"] = capacity
	}
	return reply, nil
}

// fetch reads the items of one table while the budget of bytes lasts; left are the keys that it did not last for.
func (p *batchGet) fetch(tx *bbolt.Tx, budget *int) (found []item.Item, left []item.Item, c *consumption, err error) {
	root, err := p.table.root(tx)
	if err != nil {
		return nil, nil, nil, err
	}
	items, err := nested(root, itemsBucket)
	if err != nil {
		return nil, nil, nil, err
	}
	c = newConsumption(p.table, p.name)
	consistent := p.request.boolean("ConsistentRead")
	for i, key := range p.stored {
		record := items.Get(key)
		if record == nil {
			c.table += readUnitsOf(0, consistent)
			continue
		}
		it, size, err := decodeRecord(record)
		if err != nil {
			return nil, nil, nil, err
		}
		if *budget -= size; *budget < 0 {
			*budget = 0
			return found, p.keys[i:], c, nil
		}
		c.table += readUnitsOf(size, consistent)
		found = append(found, projected(p.projection, it))
	}
	return found, nil, c, nil
}

// leftOver is the request for the rest.
func (p *batchGet) leftOver(keys []item.Item) object {
	o := object{"Keys": keys}
	for _, name := range []string{"ProjectionExpression", "ConsistentRead"} {
		if p.request.has(name) {
			o[name] = p.request[name]
		}
	}
	if p.request.has("ExpressionAttributeNames") {
		names := object{}
		for k, v := range p.request.object("ExpressionAttributeNames") {
			names[k] = v
		}
		o["ExpressionAttributeNames"] = names
	}
	if p.request.has("AttributesToGet") {
		o["AttributesToGet"] = p.request.strings("AttributesToGet")
	}
	return o
}

const maxBatchWrites = 25

// batchWrite is one put or delete of a BatchWriteItem.
type batchWrite struct {
	name string // of the table, as it was given
	put  item.Item
	key  item.Item

	write *write
}

func (s *Service) batchWriteItem(r request) (object, error) {
	if err := batchWriteShape.constrained(r); err != nil {
		return nil, err
	}
	if len(r.object("RequestItems")) == 0 {
		return nil, invalid("The requestItems parameter is required for BatchWriteItem")
	}
	writes, err := readBatchWrites(r)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	seen := make(map[string]bool, len(writes))
	for _, w := range writes {
		if err := w.locate(s); err != nil {
			return nil, err
		}
		id := w.write.identity()
		if seen[id] {
			return nil, invalid("Provided list of item keys contains duplicates")
		}
		seen[id] = true
	}
	outcomes := make([]outcome, len(writes))
	err = s.store.Update(func(tx *bbolt.Tx) error {
		for i, w := range writes {
			var err error
			if outcomes[i], err = w.write.plan(tx); err != nil {
				return err
			}
			if err := w.write.carryOut(tx, outcomes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return batchWriteReply(r, writes, outcomes), nil
}

// identity tells the item apart from all others of all tables.
func (w *write) identity() string { return w.table.ID + string(w.key) }

func readBatchWrites(r request) ([]*batchWrite, error) {
	requests := r.object("RequestItems")
	var writes []*batchWrite
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		for _, one := range requests.objects(name) {
			w, err := readBatchWrite(name, one)
			if err != nil {
				return nil, err
			}
			writes = append(writes, w)
		}
	}
	if len(writes) > maxBatchWrites {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	return writes, nil
}

func readBatchWrite(name string, r request) (*batchWrite, error) {
	if r.has("PutRequest") == r.has("DeleteRequest") {
		return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	w := &batchWrite{name: name}
	var err error
	if r.has("DeleteRequest") {
		w.key, err = r.object("DeleteRequest").item("Key")
		return w, err
	}
	w.put, err = r.object("PutRequest").item("Item")
	if err == nil && w.put.Size() > maxItemSize {
		err = errItemTooLarge
	}
	return w, err
}

func (w *batchWrite) locate(s *Service) error {
	t, err := s.table(w.name)
	if err != nil {
		return err
	}
	if w.put != nil {
		// Unlike PutItem, a batch calls whatever is wrong with a key's presence or type a mismatch of the schema.
		if !t.fits(w.put) {
			return keyMismatch()
		}
		w.write, err = t.put(w.put, nil)
		return err
	}
	stored, err := t.key(w.key)
	w.write = &write{table: t, key: stored, next: remove}
	return err
}

func batchWriteReply(r request, writes []*batchWrite, outcomes []outcome) object {
	reply := object{"UnprocessedItems": object{}}
	var capacities []*consumption
	metrics := object{}
	seen := map[string]bool{}
	for i, w := range writes {
		if n := len(capacities); n == 0 || capacities[n-1].owner != w.write.table {
			capacities = append(capacities, newConsumption(w.write.table, w.name))
		}
		capacities[len(capacities)-1].addWrite(outcomes[i], 1)
		if r.str("ReturnItemCollectionMetrics") != "SIZE" || !w.write.table.hasLocalIndex() {
			continue
		}
		attributes := w.put
		if attributes == nil {
			attributes = w.key
		}
		addCollection(metrics, seen, w.name, w.write.table, attributes)
	}
	if len(metrics) > 0 {
		reply["ItemCollectionMetrics"] = metrics
	}
	if list := describeAll(capacities, r.str("ReturnConsumedCapacity")); list != nil {
		reply["ConsumedCapacity"] = list
	}
	return reply
}

// addCollection adds the metrics of the item's collection to those of its table, once for each collection.
func addCollection(metrics object, seen map[string]bool, name string, t *table, i item.Item) {
	id := name + "\x00" + string(appendKey(nil, keySchema{Hash: t.Key.Hash}, i))
	if seen[id] {
		return
	}
	seen[id] = true
	list, _ := metrics[name].([]object)
	metrics[name] = append(list, collectionMetrics(t, i))
}

// describeAll lists the capacities, nil when the mode asks for none.
func describeAll(capacities []*consumption, mode string) []object {
	var list []object
	for _, c := range capacities {
		if o := c.describe(mode); o != nil {
			list = append(list, o)
		}
	}
	return list
}
