package dynamodb

import (
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// transactionFactor is how many times the units of a plain operation one in a transaction takes.
const transactionFactor = 2

// maxTransaction bounds the items of a transaction together, in bytes.
const maxTransaction = 4 << 20

// transactGet is one get of a TransactGetItems.
type transactGet struct {
	request    request
	key        item.Item
	projection *expression.Projection

	table  *table
	stored []byte
}

func (s *Service) transactGetItems(r request) (object, error) {
	if err := transactGetShape.constrained(r); err != nil {
		return nil, err
	}
	var gets []*transactGet
	for _, one := range r.objects("TransactItems") {
		g := &transactGet{request: one.object("Get")}
		if err := g.read(); err != nil {
			return nil, err
		}
		gets = append(gets, g)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.locateGets(gets); err != nil {
		return nil, err
	}
	return s.runTransactGet(r, gets)
}

func (g *transactGet) read() error {
	var err error
	if g.key, err = g.request.item("Key"); err != nil {
		return err
	}
	p, err := parse(g.request)
	if err == nil {
		g.projection = p.projection
	}
	return err
}

// locateGets finds tables and keys; a key that does not fit its table cancels the transaction.
func (s *Service) locateGets(gets []*transactGet) error {
	reasons := newReasons(len(gets))
	seen := map[string]bool{}
	for i, g := range gets {
		var err error
		if g.table, err = s.table(g.request.str("TableName")); err != nil {
			return err
		}
		g.stored, err = g.table.key(g.key)
		if _, empty := errors.AsType[emptyKeyError](err); empty {
			return err
		}
		if err != nil {
			reasons.set(i, err, nil)
			continue
		}
		id := g.table.ID + string(g.stored)
		if seen[id] {
			return invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[id] = true
	}
	return reasons.err()
}

func (s *Service) runTransactGet(r request, gets []*transactGet) (object, error) {
	responses := make([]object, len(gets))
	var capacities capacityList
	err := s.store.View(func(tx *bbolt.Tx) error {
		total := 0
		for i, g := range gets {
			root, err := g.table.root(tx)
			if err != nil {
				return err
			}
			items, err := nested(root, itemsBucket)
			if err != nil {
				return err
			}
			responses[i] = object{}
			c := capacities.of(g.table, g.request, "ReadCapacityUnits")
			record := items.Get(g.stored)
			if record == nil {
				c.table += transactionFactor
				continue
			}
			found, size, err := decodeRecord(record)
			if err != nil {
				return err
			}
			if total += size; total > maxTransaction {
				return invalid("Collection size exceeded: the items of a transaction together may have at most 4 MB")
			}
			c.table += transactionFactor * readUnitsOf(size, true)
			if shown := projected(g.projection, found); len(shown) > 0 {
				responses[i]["Item"] = shown
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	reply := object{"Responses": responses}
	if list := describeAll(capacities, r.str("ReturnConsumedCapacity")); list != nil {
		reply["ConsumedCapacity"] = list
	}
	return reply, nil
}

// capacityList has one entry for each table, in the order of their first use.
type capacityList []*consumption

func (l *capacityList) of(t *table, r request, transacted string) *consumption {
	for _, c := range *l {
		if c.owner == t {
			return c
		}
	}
	c := newConsumption(t, r.str("TableName"))
	c.transacted = transacted
	*l = append(*l, c)
	return c
}

// reasons are the CancellationReasons of a transaction, one for each of its parts.
type reasons struct {
	list      []object
	cancelled bool
}

func newReasons(n int) *reasons {
	r := &reasons{list: make([]object, n)}
	for i := range r.list {
		r.list[i] = object{"Code": "None"}
	}
	return r
}

// set notes why a part cannot be carried out; shown is the item to return with it, or nil.
func (r *reasons) set(i int, err error, shown item.Item) {
	r.cancelled = true
	code, text := reasonOf(err)
	r.list[i] = object{"Code": code, "Message": text}
	if shown != nil {
		r.list[i]["Item"] = shown
	}
}

// err is the error of the cancelled transaction, nil when no part has a reason.
func (r *reasons) err() error {
	if !r.cancelled {
		return nil
	}
	codes := make([]string, len(r.list))
	for i, one := range r.list {
		codes[i] = fmt.Sprint(one["Code"])
	}
	e := failure("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	e.Fields = map[string]any{"CancellationReasons": r.list}
	return e
}
