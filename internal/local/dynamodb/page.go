package dynamodb

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/keys"
)

// maxPage is how many bytes of items one Query or Scan reads.
const maxPage = 1 << 20

// read is what Query and Scan do: they go through a range of stored keys of a table or index.
type read struct {
	table *table
	index *index // nil for the table itself
	// start and end bound the stored keys: start is included, end is not; nil is no bound.
	start, end []byte
	backward   bool
	// after is the stored key behind which the page begins, nil at the start of the range.
	after      []byte
	limit      int64 // 0 for none
	consistent bool
	filter     *expression.Condition
	// whole fetches the attributes that a local index does not project from the table.
	whole      bool
	projection *expression.Projection
	countOnly  bool
}

// page is what one read gives.
type page struct {
	items   []item.Item
	count   int
	scanned int
	size    int // of the items read
	fetched float64
	last    item.Item // the last item read when there may be more
}

func (s *Service) read(r *read) (p page, err error) {
	err = s.store.View(func(tx *bbolt.Tx) error {
		root, err := r.table.root(tx)
		if err != nil {
			return err
		}
		items, err := nested(root, itemsBucket)
		if err != nil {
			return err
		}
		source := items
		if r.index != nil {
			if source, err = nested(root, r.index.bucketName()); err != nil {
				return err
			}
		}
		return r.run(source.Cursor(), items, &p)
	})
	return p, err
}

func (r *read) run(c *bbolt.Cursor, items *bbolt.Bucket, p *page) error {
	for k, v := r.first(c); r.within(k); k, v = r.next(c) {
		record := v
		if r.index != nil {
			record = items.Get(v)
		}
		it, size, err := decodeRecord(record)
		if err != nil {
			return err
		}
		r.take(it, size, p)
		if p.size >= maxPage || (r.limit > 0 && int64(p.scanned) >= r.limit) {
			p.last = it
			return nil
		}
	}
	return nil
}

// take counts an item that was read, and keeps it when the filter does.
func (r *read) take(full item.Item, size int, p *page) {
	visible := full
	if r.index != nil && r.index.Projection != projectAll {
		visible = r.table.project(r.index, full)
		size = visible.Size()
	}
	p.scanned++
	p.size += size
	if r.whole {
		visible = full
		p.fetched += readUnitsOf(full.Size(), r.consistent)
	}
	if r.filter != nil && !r.filter.Holds(visible) {
		return
	}
	p.count++
	if !r.countOnly {
		p.items = append(p.items, projected(r.projection, visible))
	}
}

func (r *read) first(c *bbolt.Cursor) (k, v []byte) {
	if r.backward {
		end := r.end
		if r.after != nil && (end == nil || bytes.Compare(r.after, end) < 0) {
			end = r.after
		}
		return lastBefore(c, end)
	}
	if r.after != nil && bytes.Compare(r.after, r.start) >= 0 {
		k, v = c.Seek(r.after)
		if bytes.Equal(k, r.after) {
			return c.Next()
		}
		return k, v
	}
	return c.Seek(r.start)
}

// lastBefore moves to the last key before end.
func lastBefore(c *bbolt.Cursor, end []byte) (k, v []byte) {
	if end == nil {
		return c.Last()
	}
	if k, _ = c.Seek(end); k == nil {
		return c.Last()
	}
	return c.Prev()
}

func (r *read) next(c *bbolt.Cursor) (k, v []byte) {
	if r.backward {
		return c.Prev()
	}
	return c.Next()
}

func (r *read) within(k []byte) bool {
	return k != nil && bytes.Compare(k, r.start) >= 0 && (r.end == nil || bytes.Compare(k, r.end) < 0)
}

// key is the schema of what is read.
func (r *read) key() keySchema {
	if r.index != nil {
		return r.index.Key
	}
	return r.table.Key
}

// position is the stored key of an item, or of its start key, in what is read.
func (r *read) position(i item.Item) []byte {
	base := r.table.storedKey(i)
	if r.index == nil {
		return base
	}
	return r.table.entry(r.index, i, base)
}

// lastKey is the LastEvaluatedKey of a page, nil at the end.
func (r *read) lastKey(p *page) item.Item {
	if p.last == nil {
		return nil
	}
	k := r.table.keyOf(p.last)
	if r.index != nil {
		for _, name := range r.index.Key.names() {
			k[name] = p.last[name]
		}
	}
	return k
}

// bound limits the read to the items that meet the key conditions.
func (r *read) bound(on keyRange) {
	var partition []item.Value
	for _, c := range on.hash {
		partition = append(partition, c.Values[0])
	}
	prefix := keys.AppendPartition(nil, partition...)
	for i, c := range on.sort {
		if i == len(on.sort)-1 {
			r.boundSort(prefix, c)
			return
		}
		prefix = keys.Append(prefix, c.Values[0])
	}
	r.start, r.end = prefix, keys.After(prefix)
}

// boundSort limits the read to the stored keys with this prefix behind which the next attribute meets the condition.
func (r *read) boundSort(prefix []byte, c expression.KeyCondition) {
	r.start, r.end = prefix, keys.After(prefix)
	at := func(v item.Value) []byte { return keys.Append(bytes.Clone(prefix), v) }
	switch c.Operator {
	case expression.KeyEqual:
		r.start, r.end = at(c.Values[0]), keys.After(at(c.Values[0]))
	case expression.KeyLess:
		r.end = at(c.Values[0])
	case expression.KeyLessEqual:
		r.end = keys.After(at(c.Values[0]))
	case expression.KeyGreater:
		r.start = keys.After(at(c.Values[0]))
	case expression.KeyGreaterEqual:
		r.start = at(c.Values[0])
	case expression.KeyBetween:
		r.start, r.end = at(c.Values[0]), keys.After(at(c.Values[1]))
	case expression.KeyBeginsWith:
		r.start = keys.AppendPrefix(bytes.Clone(prefix), c.Values[0].Str)
		r.end = keys.After(r.start)
	}
}

// reply makes the answer of Query and Scan.
func (r *read) reply(q request, p *page) object {
	reply := object{"Count": p.count, "ScannedCount": p.scanned}
	if !r.countOnly {
		reply["Items"] = p.items
	}
	if last := r.lastKey(p); last != nil {
		reply["LastEvaluatedKey"] = last
	}
	c := newConsumption(r.table, q.str("TableName"))
	units := readUnitsOf(p.size, r.consistent)
	if r.index == nil {
		c.table = units
	} else {
		c.indexes[r.index.Name] = units
		c.table = p.fetched
	}
	reply.set("ConsumedCapacity", c.describe(q.str("ReturnConsumedCapacity")))
	return reply
}
