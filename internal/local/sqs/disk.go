package sqs

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// The buckets of the data file. Each record is sealed with a checksum.
var (
	queuesBucket   = []byte("sqs.queues")   // queue name: queueRecord in JSON; its sequence numbers the queues
	messagesBucket = []byte("sqs.messages") // messageKey: content; its sequence is the last sequence number given
	progressBucket = []byte("sqs.progress") // messageKey: progress, missing for a message that was never received
	dedupBucket    = []byte("sqs.dedup")    // queue id, deduplication key: duplicateRecord in JSON
	tasksBucket    = []byte("sqs.tasks")    // task id: taskRecord in JSON
	clockBucket    = []byte("sqs.clock")    // "drift": what the wall clock is ahead of the timeline, in milliseconds

	buckets  = [][]byte{queuesBucket, messagesBucket, progressBucket, dedupBucket, tasksBucket, clockBucket}
	driftKey = []byte("drift")
)

// queueRecord is a queue as it is kept on disk.
type queueRecord struct {
	ID         uint64
	Attributes map[string]string
	Tags       map[string]string
	Created    int64
	Changed    int64
}

// duplicateRecord remembers a FIFO message for the deduplication interval.
type duplicateRecord struct {
	Expires instant
	ID      [16]byte
	Seq     uint64
}

func put(tx *bbolt.Tx, bucket, key, value []byte) error {
	return tx.Bucket(bucket).Put(key, store.Seal(key, value))
}

func putJSON(tx *bbolt.Tx, bucket, key []byte, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return put(tx, bucket, key, b)
}

func parseJSON(key, sealed []byte, into any) error {
	b, err := store.Unseal(key, sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return nil
}

// putMessage writes a new message and keeps the highest sequence number given.
func putMessage(tx *bbolt.Tx, key, sealed []byte, seq uint64) error {
	b := tx.Bucket(messagesBucket)
	// New messages go to the end, so pages may be filled nearly up.
	b.FillPercent = 0.9
	if seq > b.Sequence() {
		if err := b.SetSequence(seq); err != nil {
			return err
		}
	}
	return b.Put(key, sealed)
}

func deleteMessage(tx *bbolt.Tx, key []byte) error {
	if err := tx.Bucket(messagesBucket).Delete(key); err != nil {
		return err
	}
	return tx.Bucket(progressBucket).Delete(key)
}

// deleteQueue removes all records of a queue.
func deleteQueue(tx *bbolt.Tx, q *queue) error {
	if err := tx.Bucket(queuesBucket).Delete([]byte(q.name)); err != nil {
		return err
	}
	for _, bucket := range [][]byte{messagesBucket, progressBucket, dedupBucket} {
		if err := deleteRange(tx.Bucket(bucket), binary.BigEndian.AppendUint64(nil, q.id), queueEnd(q.id)); err != nil {
			return err
		}
	}
	return deleteTasks(tx, q)
}

// deleteRange removes the keys from from up to but without end (nil: no end).
func deleteRange(b *bbolt.Bucket, from, end []byte) error {
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.Seek(from); k != nil && (end == nil || bytes.Compare(k, end) < 0); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// readContent gives a message's content, nil when it is no longer there.
func readContent(tx *bbolt.Tx, key []byte) (*content, error) {
	sealed := tx.Bucket(messagesBucket).Get(key)
	if sealed == nil {
		return nil, nil
	}
	b, err := store.Unseal(key, sealed)
	if err != nil {
		return nil, err
	}
	return parseContent(b)
}

// load reads all queues and messages into memory.
func (s *Service) load() error {
	var drift int64
	var orphans [][]byte
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if sealed := tx.Bucket(clockBucket).Get(driftKey); sealed != nil {
			if err := parseJSON(driftKey, sealed, &drift); err != nil {
				return err
			}
		}
		s.time = newTimeline(s.clock, drift)
		s.storedDrift.Store(drift)
		s.seq.Store(tx.Bucket(messagesBucket).Sequence())
		if err := s.loadQueues(tx); err != nil {
			return err
		}
		byID := make(map[uint64]*queue, len(s.queues))
		for _, q := range s.queues {
			byID[q.id] = q
		}
		var err error
		if orphans, err = s.loadMessages(tx, byID); err != nil {
			return err
		}
		if err := loadDuplicates(tx, byID); err != nil {
			return err
		}
		// The wall clock may have been set back since the last run; what has happened is past all the same.
		s.time.reach(s.latest())
		return s.loadTasks(tx)
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, key := range orphans {
			if err := deleteMessage(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// latest is the last moment that the messages tell of.
func (s *Service) latest() (last instant) {
	for _, q := range s.queues {
		for _, m := range q.messages {
			last = max(last, m.sent, m.received)
		}
		for _, e := range q.dedup.entries {
			last = max(last, e.record.Expires.after(-deduplicationInterval))
		}
	}
	return last
}

func (s *Service) loadQueues(tx *bbolt.Tx) error {
	return tx.Bucket(queuesBucket).ForEach(func(name, sealed []byte) error {
		var r queueRecord
		if err := parseJSON(name, sealed, &r); err != nil {
			return err
		}
		c, err := parseConfig(string(name), upgraded(r.Attributes))
		if err != nil {
			return fmt.Errorf("queue %s: %w", name, err)
		}
		q := s.newQueue(r.ID, string(name), c)
		q.tags, q.created, q.changed = r.Tags, r.Created, r.Changed
		s.queues[q.name] = q
		return nil
	})
}

// upgraded gives attributes as they are kept today: redrive policies used to be kept as they were sent, and one without
// maxReceiveCount meant 10.
func upgraded(attributes map[string]string) map[string]string {
	var policy map[string]any
	if json.Unmarshal([]byte(attributes["RedrivePolicy"]), &policy) != nil || policy == nil {
		return attributes
	}
	attributes = maps.Clone(attributes)
	if policy["maxReceiveCount"] == nil {
		policy["maxReceiveCount"] = 10
		text, _ := json.Marshal(policy)
		attributes["RedrivePolicy"] = string(text)
	}
	return canonical(attributes)
}

// loadMessages builds the indexes. It gives the keys of messages whose queue is gone: they were being sent while it was
// deleted.
func (s *Service) loadMessages(tx *bbolt.Tx, queues map[uint64]*queue) (orphans [][]byte, err error) {
	states := tx.Bucket(progressBucket)
	now := s.time.now()
	err = tx.Bucket(messagesBucket).ForEach(func(key, sealed []byte) error {
		b, err := store.Unseal(key, sealed)
		if err != nil {
			return err
		}
		c, _, err := parseHeader(b)
		if err != nil || len(key) != 16 {
			return fmt.Errorf("%w: message %x: %v", store.ErrDamaged, key, err)
		}
		q := queues[binary.BigEndian.Uint64(key)]
		if q == nil {
			orphans = append(orphans, bytes.Clone(key))
			return nil
		}
		m := &message{seq: binary.BigEndian.Uint64(key[8:]), sent: c.sent, due: c.due, state: ready}
		if c.due > now {
			m.state = delayed
		}
		if sealed := states.Get(key); sealed != nil {
			if err := m.restore(key, sealed, now); err != nil {
				return err
			}
		}
		q.add(m, c.group)
		return nil
	})
	return orphans, err
}

// restore sets what the progress record says about a message.
func (m *message) restore(key, sealed []byte, now instant) error {
	b, err := store.Unseal(key, sealed)
	if err != nil {
		return err
	}
	p, err := parseProgress(b)
	if err != nil {
		return fmt.Errorf("%w: progress of message %x: %w", store.ErrDamaged, key, err)
	}
	m.due, m.received, m.first, m.receipt, m.count = p.due, p.received, p.first, p.receipt, p.count
	m.state = ready
	if p.inFlight && p.due > now {
		m.state = inFlight
	}
	return nil
}

func loadDuplicates(tx *bbolt.Tx, queues map[uint64]*queue) error {
	err := tx.Bucket(dedupBucket).ForEach(func(key, sealed []byte) error {
		var r duplicateRecord
		if err := parseJSON(key, sealed, &r); err != nil {
			return err
		}
		if q := queues[binary.BigEndian.Uint64(key)]; q != nil {
			q.dedup.restore(string(key[8:]), r)
		}
		return nil
	})
	for _, q := range queues {
		q.dedup.arrange()
	}
	return err
}

// deleteDuplicate removes the record of a remembered message, but not that of another one in its place.
func deleteDuplicate(tx *bbolt.Tx, p duplicatePlace) error {
	b := tx.Bucket(dedupBucket)
	sealed := b.Get(p.key)
	if sealed == nil {
		return nil
	}
	var r duplicateRecord
	if err := parseJSON(p.key, sealed, &r); err != nil || r.Seq != p.seq {
		return err
	}
	return b.Delete(p.key)
}
