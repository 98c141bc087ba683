package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

const (
	// sweepInterval is how often expired items are looked for. The real service takes up to days.
	sweepInterval = time.Second
	// sweepBatch bounds the items deleted in one transaction, so that writers wait for it only shortly.
	sweepBatch = 500
	// tooOld is the age behind which an expiry is taken for a mistake, and the item kept.
	tooOld = 5 * 365 * 24 * time.Hour
)

// expiry is when the item ends, in seconds of Unix time; ok is false when it does not.
func (t *table) expiry(i item.Item) (at int64, ok bool) {
	if !t.TTL.Enabled || i == nil {
		return 0, false
	}
	v := i[t.TTL.Attribute]
	if v.Kind != item.N {
		return 0, false
	}
	at, ok = v.Num.Int64()
	return at, ok && at > 0
}

// expiryKey is the item's entry in the bucket that orders items by their expiry, nil when it does not expire.
func (t *table) expiryKey(i item.Item, key []byte) []byte {
	at, ok := t.expiry(i)
	if !ok {
		return nil
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(at)), key...)
}

// reschedule moves the item's entry among the expiries.
func (t *table) reschedule(root *bbolt.Bucket, key []byte, before, after item.Item) error {
	if !t.TTL.Enabled {
		return nil
	}
	was, is := t.expiryKey(before, key), t.expiryKey(after, key)
	if bytes.Equal(was, is) {
		return nil
	}
	b, err := nested(root, expiryBucket)
	if err != nil {
		return err
	}
	return move(b, was, is, key)
}

// expireItems deletes items whose time has come until ctx ends.
func (s *Service) expireItems(ctx context.Context) {
	timer := s.clock.NewTimer(sweepInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C():
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("expired items of DynamoDB tables could not be deleted, trying again", "error", err)
		}
		timer.Reset(sweepInterval)
	}
}

// sweep deletes all items that are due.
func (s *Service) sweep(ctx context.Context) error {
	now := s.clock.Now()
	s.mu.RLock()
	names := slices.Collect(maps.Keys(s.tables))
	s.mu.RUnlock()
	for _, name := range names {
		for ctx.Err() == nil {
			n, err := s.sweepSome(name, now)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			s.log.Debug("expired items deleted", "table", name, "items", n)
		}
	}
	return nil
}

// sweepSome deletes some of a table's items that are due and says how many. It holds mu for these alone: a change of
// definitions waits for it, and everything else for that.
func (s *Service) sweepSome(name string, now time.Time) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[name]
	if t == nil || !t.TTL.Enabled {
		return 0, nil
	}
	due, err := s.due(t, now)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	return len(due), s.store.Update(func(tx *bbolt.Tx) error { return t.expire(tx, due) })
}

// due finds entries of the expiry bucket whose time has come, the oldest first.
func (s *Service) due(t *table, now time.Time) (due [][]byte, err error) {
	err = s.store.View(func(tx *bbolt.Tx) error {
		root, err := t.root(tx)
		if err != nil {
			return err
		}
		b, err := nested(root, expiryBucket)
		if err != nil {
			return err
		}
		c := b.Cursor()
		from := binary.BigEndian.AppendUint64(nil, uint64(max(0, now.Add(-tooOld).Unix())))
		to := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))
		for k, _ := c.Seek(from); k != nil && bytes.Compare(k[:8], to) < 0 && len(due) < sweepBatch; k, _ = c.Next() {
			due = append(due, bytes.Clone(k))
		}
		return nil
	})
	return due, err
}

// expire deletes the items of these entries, except where a write has changed the expiry in the meantime.
func (t *table) expire(tx *bbolt.Tx, due [][]byte) error {
	root, err := t.root(tx)
	if err != nil {
		return err
	}
	b, err := nested(root, expiryBucket)
	if err != nil {
		return err
	}
	for _, entry := range due {
		if b.Get(entry) == nil {
			continue
		}
		w := &write{table: t, key: entry[8:], next: remove}
		o, err := w.plan(tx)
		if err != nil {
			return err
		}
		if err := w.carryOut(tx, o); err != nil {
			return err
		}
		if err := b.Delete(entry); err != nil {
			return err
		}
	}
	return nil
}
