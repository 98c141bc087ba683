package dynamodb

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// reasonOf gives the code and text of a CancellationReason.
func reasonOf(err error) (code, text string) {
	e, ok := errors.AsType[*awsjson.Error](err)
	switch {
	case !ok:
		return "ValidationError", err.Error()
	case e.Type == typePrefix+"ConditionalCheckFailedException":
		return "ConditionalCheckFailed", e.Message
	}
	return "ValidationError", e.Message
}

// transactWrite is one part of a TransactWriteItems.
type transactWrite struct {
	kind    string // ConditionCheck, Put, Delete or Update
	request request
	item    item.Item // of a put
	key     item.Item // of the others
	parsed  *parsed

	write *write
}

var transactKinds = []string{"ConditionCheck", "Put", "Delete", "Update"}

func (s *Service) transactWriteItems(r request) (object, error) {
	if err := transactWriteShape.constrained(r); err != nil {
		return nil, err
	}
	var writes []*transactWrite
	payload := 0
	for _, one := range r.objects("TransactItems") {
		w, err := readTransactWrite(one)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w)
		if payload += w.payload(); payload > maxTransaction {
			return nil, invalid("Transaction payload size cannot exceed 4 MB")
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.locateWrites(writes); err != nil {
		return nil, err
	}
	outcomes, repeated, err := s.commit(r, writes)
	if err != nil {
		return nil, err
	}
	return transactReply(r, writes, outcomes, repeated), nil
}

func readTransactWrite(r request) (*transactWrite, error) {
	w := new(transactWrite)
	for _, kind := range transactKinds {
		if !r.has(kind) {
			continue
		}
		if w.kind != "" {
			return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		w.kind, w.request = kind, r.object(kind)
	}
	if w.kind == "" {
		return nil, invalid("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
	}
	return w, w.read()
}

func (w *transactWrite) read() error {
	var err error
	if w.kind == "Put" {
		if w.item, err = w.request.item("Item"); err != nil {
			return err
		}
		w.parsed, err = parse(w.request)
		return err
	}
	if w.parsed, err = parse(w.request); err != nil {
		return err
	}
	w.key, err = w.request.item("Key")
	return err
}

// locateWrites finds tables and keys. What is wrong with single parts cancels the transaction with a reason for each.
func (s *Service) locateWrites(writes []*transactWrite) error {
	tables := make([]*table, len(writes))
	for i, w := range writes {
		t, err := s.table(w.request.str("TableName"))
		if err != nil {
			return err
		}
		tables[i] = t
	}
	reasons := newReasons(len(writes))
	seen := make(map[string]bool, len(writes))
	for i, w := range writes {
		err := w.locate(tables[i])
		if _, empty := errors.AsType[emptyKeyError](err); empty || errors.Is(err, errItemTooLarge) {
			return err
		}
		if err != nil {
			reasons.set(i, err, nil)
			return reasons.err() // the service looks no further
		}
		id := w.write.identity()
		if seen[id] {
			return invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[id] = true
	}
	return nil
}

// payload is how many bytes the write brings along; what it finds in the table does not count.
func (w *transactWrite) payload() int { return w.item.Size() + w.key.Size() + w.parsed.values }

// errItemTooLarge is given for a put before the transaction, for an update as the reason of its cancellation: only there
// is the size not known from the request.
var errItemTooLarge = invalid("Item size has exceeded the maximum allowed size")

func (w *transactWrite) locate(t *table) error {
	var err error
	switch w.kind {
	case "Put":
		if w.item.Size() > maxItemSize {
			return errItemTooLarge
		}
		w.write, err = t.put(w.item, w.parsed.condition)
	case "Update":
		w.write, err = t.update(w.key, w.parsed)
	default:
		var stored []byte
		stored, err = t.key(w.key)
		w.write = &write{table: t, key: stored, condition: w.parsed.condition}
		if w.kind == "Delete" {
			w.write.next = remove
		}
	}
	return err
}

// commit carries out the whole transaction or nothing of it. repeated says that its token was seen before, so that it
// has been carried out already.
func (s *Service) commit(r request, writes []*transactWrite) (outcomes []outcome, repeated bool, err error) {
	token := r.str("ClientRequestToken")
	canonical, err := json.Marshal(r["TransactItems"]) // maps are written in the order of their keys
	if err != nil {
		return nil, false, err
	}
	digest := sha256.Sum256(canonical)
	now := s.clock.Now()
	var refused error
	err = s.store.Update(func(tx *bbolt.Tx) error {
		outcomes, refused, repeated = nil, nil, false
		if token != "" {
			if repeated, refused = knownToken(tx, token, digest[:], now); refused != nil {
				return nil
			}
		}
		var err error
		if outcomes, refused, err = planAll(tx, writes); err != nil || refused != nil && !repeated {
			return err
		}
		if repeated {
			refused = nil
			return nil
		}
		for i, w := range writes {
			if err := w.write.carryOut(tx, outcomes[i]); err != nil {
				return err
			}
		}
		return rememberToken(tx, token, digest[:], now)
	})
	if err == nil {
		err = refused
	}
	return outcomes, repeated, err
}

// planAll finds out what all writes do, those behind a refused one too: the reply to a repeated transaction, which is not
// refused any more, tells what all of its items take.
func planAll(tx *bbolt.Tx, writes []*transactWrite) (outcomes []outcome, refused, err error) {
	reasons := newReasons(len(writes))
	outcomes = make([]outcome, len(writes))
	for i, w := range writes {
		if outcomes[i], err = w.write.plan(tx); err != nil {
			return nil, nil, err
		}
		o := outcomes[i]
		if _, empty := errors.AsType[emptyKeyError](o.refused); empty && refused == nil {
			refused = o.refused
		}
		if o.refused != nil {
			var shown item.Item
			if o.failed && w.request.str("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" {
				shown = o.old
			}
			reasons.set(i, o.refused, shown)
		}
	}
	return outcomes, cmp.Or(refused, reasons.err()), nil
}

// tokenLife is how long a ClientRequestToken makes a transaction idempotent.
const tokenLife = 10 * time.Minute

// The bucket of tokens has two entries for each: one by the token, with the time at which it ends and the digest of its
// request, and one by that time, so that those that have ended are found.
const (
	tokenByName = 't'
	tokenByEnd  = 'e'
)

func tokenEnds(record []byte, now time.Time) bool {
	return !now.Before(time.UnixMilli(int64(binary.BigEndian.Uint64(record))))
}

func knownToken(tx *bbolt.Tx, token string, digest []byte, now time.Time) (known bool, refused error) {
	b := tx.Bucket(tokensBucket)
	if b == nil {
		return false, nil
	}
	record := b.Get(append([]byte{tokenByName}, token...))
	if len(record) != 8+sha256.Size || tokenEnds(record, now) {
		return false, nil
	}
	if string(record[8:]) != string(digest) {
		return false, failure("IdempotentParameterMismatchException",
			"The ClientRequestToken %s was used with other parameters in the last 10 minutes", token)
	}
	return true, nil
}

func rememberToken(tx *bbolt.Tx, token string, digest []byte, now time.Time) error {
	if token == "" {
		return nil
	}
	b, err := tx.CreateBucketIfNotExists(tokensBucket)
	if err != nil {
		return err
	}
	if err := forgetTokens(b, now); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint64(nil, uint64(now.Add(tokenLife).UnixMilli()))
	if err := b.Put(slices.Concat([]byte{tokenByEnd}, end, []byte(token)), nil); err != nil {
		return err
	}
	return b.Put(append([]byte{tokenByName}, token...), slices.Concat(end, digest))
}

// forgetTokens deletes tokens that have ended, a few at each call: more than come.
func forgetTokens(b *bbolt.Bucket, now time.Time) error {
	const few = 4
	for range few {
		k, _ := b.Cursor().Seek([]byte{tokenByEnd})
		if len(k) < 9 || k[0] != tokenByEnd || !tokenEnds(k[1:9], now) {
			return nil
		}
		name := append([]byte{tokenByName}, k[9:]...)
		if record := b.Get(name); len(record) >= 8 && tokenEnds(record, now) { // else it was used anew since
			if err := b.Delete(name); err != nil {
				return err
			}
		}
		if err := b.Delete(bytes.Clone(k)); err != nil {
			return err
		}
	}
	return nil
}

func transactReply(r request, writes []*transactWrite, outcomes []outcome, repeated bool) object {
	reply := object{}
	var capacities capacityList
	metrics := object{}
	seen := map[string]bool{}
	for i, w := range writes {
		if repeated {
			// A repeated transaction takes the units of reading its items.
			capacities.of(w.write.table, w.request, "ReadCapacityUnits").table += transactionFactor * readUnitsOf(outcomes[i].oldSize, true)
			continue
		}
		capacities.of(w.write.table, w.request, "WriteCapacityUnits").addWrite(outcomes[i], transactionFactor)
		if r.str("ReturnItemCollectionMetrics") != "SIZE" || !w.write.table.hasLocalIndex() || w.kind == "ConditionCheck" {
			continue
		}
		attributes := w.item
		if attributes == nil {
			attributes = w.key
		}
		addCollection(metrics, seen, w.request.str("TableName"), w.write.table, attributes)
	}
	if len(metrics) > 0 {
		reply["ItemCollectionMetrics"] = metrics
	}
	if list := describeAll(capacities, r.str("ReturnConsumedCapacity")); list != nil {
		reply["ConsumedCapacity"] = list
	}
	return reply
}
