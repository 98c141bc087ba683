package sqs

import (
	"errors"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// bookkeeper is the only writer of progress records. It writes them behind the receives, as many at once as have come
// together while it wrote the ones before.
type bookkeeper struct {
	s  *Service
	mu sync.Mutex
	// changed are messages whose progress differs from their record, by queue.
	changed map[*queue][]*message
	// dropped are keys of messages to remove, duplicates what deduplication has forgotten.
	dropped    [][]byte
	duplicates []duplicatePlace
	wake       chan struct{}
	stopping   chan struct{}
	stopped    chan error
	// waiting get the outcome of the write that includes everything noted before they came.
	waiting []chan error
}

func (b *bookkeeper) start(s *Service) {
	b.s = s
	b.changed = make(map[*queue][]*message)
	b.wake = make(chan struct{}, 1)
	b.stopping = make(chan struct{})
	b.stopped = make(chan error, 1)
	go b.run()
}

// note enters a message whose progress has changed. The caller holds q.mu; kick or wait follow without it.
func (b *bookkeeper) note(q *queue, m *message) {
	if m.dirty {
		return
	}
	m.dirty = true
	b.mu.Lock()
	b.changed[q] = append(b.changed[q], m)
	b.mu.Unlock()
}

// drop enters messages that have expired, in the queue and in its deduplication. The caller holds q.mu.
func (b *bookkeeper) drop(q *queue, messages []*message, duplicates []*duplicate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		b.dropped = append(b.dropped, messageKey(q.id, m.seq))
	}
	for _, e := range duplicates {
		b.duplicates = append(b.duplicates, e.place(q.id))
	}
}

// kick has what was noted written soon.
func (b *bookkeeper) kick() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// wait returns when all that was noted before is on disk.
func (b *bookkeeper) wait() error {
	done := make(chan error, 1)
	b.mu.Lock()
	b.waiting = append(b.waiting, done)
	b.mu.Unlock()
	b.kick()
	select {
	case err := <-done:
		return err
	case err := <-b.stopped:
		b.stopped <- err
		return store.ErrClosed
	}
}

func (b *bookkeeper) stop() error {
	close(b.stopping)
	err := <-b.stopped
	b.stopped <- err
	return err
}

func (b *bookkeeper) run() {
	for {
		select {
		case <-b.wake:
			if err := b.write(); err != nil && !errors.Is(err, store.ErrNoSpace) {
				b.s.log.Error("bookkeeping of receives not written", "error", err)
			}
		case <-b.stopping:
			b.stopped <- b.write()
			return
		}
	}
}

// progressRecord is a snapshot of a message's progress on its way to disk.
type progressRecord struct{ key, sealed []byte }

// write commits everything noted so far. When that fails the notes are kept for the next time.
func (b *bookkeeper) write() error {
	b.mu.Lock()
	changed, dropped, duplicates, waiting := b.changed, b.dropped, b.duplicates, b.waiting
	b.changed, b.dropped, b.duplicates, b.waiting = make(map[*queue][]*message), nil, nil, nil
	b.mu.Unlock()
	var records []progressRecord
	for q, messages := range changed {
		q.mu.Lock()
		for _, m := range messages {
			m.dirty = false
			if m.state != gone {
				key := messageKey(q.id, m.seq)
				records = append(records, progressRecord{key, store.Seal(key, appendProgress(nil, m.progress()))})
			}
		}
		q.mu.Unlock()
	}
	var err error
	if len(records)+len(dropped)+len(duplicates) > 0 {
		err = b.s.update(func(tx *bbolt.Tx) error { return writeBook(tx, records, dropped, duplicates) })
	}
	if err != nil {
		b.restore(changed, dropped, duplicates)
	}
	for _, done := range waiting {
		done <- err
	}
	return err
}

func writeBook(tx *bbolt.Tx, records []progressRecord, dropped [][]byte, duplicates []duplicatePlace) error {
	messages, states := tx.Bucket(messagesBucket), tx.Bucket(progressBucket)
	for _, r := range records {
		// The message may have been deleted since.
		if messages.Get(r.key) == nil {
			continue
		}
		if err := states.Put(r.key, r.sealed); err != nil {
			return err
		}
	}
	for _, key := range dropped {
		if err := deleteMessage(tx, key); err != nil {
			return err
		}
	}
	for _, p := range duplicates {
		if err := deleteDuplicate(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// restore takes back what could not be written.
func (b *bookkeeper) restore(changed map[*queue][]*message, dropped [][]byte, duplicates []duplicatePlace) {
	for q, messages := range changed {
		q.mu.Lock()
		for _, m := range messages {
			b.note(q, m)
		}
		q.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped = append(b.dropped, dropped...)
	b.duplicates = append(b.duplicates, duplicates...)
}

func (m *message) progress() progress {
	return progress{due: m.due, received: m.received, first: m.first, receipt: m.receipt, count: m.count,
		inFlight: m.state == inFlight}
}
