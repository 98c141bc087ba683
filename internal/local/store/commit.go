package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// maxBatch bounds how many updates share a transaction, and so how much one failure makes run again.
const maxBatch = 1024

type update struct {
	fn   func(*bbolt.Tx) error
	done chan error
}

// panicked carries a panic of an update's function to the goroutine that called Update.
type panicked struct{ value any }

func (p panicked) Error() string { return fmt.Sprint(p.value) }

// Update queues fn for the committer and returns once the transaction that it ran in is on disk. All functions that were
// queued while the previous commit was syncing share one transaction; a single writer's commits at once.
//
// fn may run more than once, since the failure of another one of the batch rolls the transaction back: it sets its
// results anew each time. A refusal that is expected is not an error of fn: carry it out in a variable and return nil, so
// that it costs nobody a rollback. fn must not call View or Update. When the disk is full Update returns ErrNoSpace.
// After any error of writing but that one the outcome on disk is not known and all further updates are refused.
func (db *DB) Update(fn func(*bbolt.Tx) error) error {
	u := &update{fn: fn, done: make(chan error, 1)}
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return ErrClosed
	}
	db.pending = append(db.pending, u)
	select {
	case db.wake <- struct{}{}:
	default:
	}
	db.mu.Unlock()
	err := <-u.done
	if p, ok := errors.AsType[panicked](err); ok {
		panic(p.value)
	}
	return err
}

// commitUpdates is the one goroutine that writes.
func (db *DB) commitUpdates() {
	defer close(db.stopped)
	var sync <-chan time.Time
	if db.relaxed {
		ticker := time.NewTicker(relaxedSync)
		defer ticker.Stop()
		sync = ticker.C
	}
	dirty := false
	for {
		select {
		case _, open := <-db.wake:
			for batch := db.take(); len(batch) > 0; batch = db.take() {
				db.run(batch)
				dirty = true
			}
			if !open {
				return
			}
		case <-sync:
			if dirty {
				dirty = false
				if err := db.bolt.Sync(); err != nil {
					db.fail(err)
				}
			}
		}
	}
}

func (db *DB) take() []*update {
	db.mu.Lock()
	defer db.mu.Unlock()
	n := min(len(db.pending), maxBatch)
	batch := db.pending[:n:n]
	db.pending = db.pending[n:]
	if len(db.pending) == 0 {
		db.pending = nil
	}
	return batch
}

// run commits a batch, leaving out the updates that fail.
func (db *DB) run(batch []*update) {
	for len(batch) > 0 {
		failed, err := db.try(batch)
		if failed < 0 {
			for _, u := range batch {
				u.done <- err
			}
			return
		}
		batch[failed].done <- err
		batch = append(batch[:failed], batch[failed+1:]...)
	}
}

// try runs a batch in one transaction. It gives the index of the update that failed and its error, or -1 and the outcome
// that all of them share.
func (db *DB) try(batch []*update) (failed int, err error) {
	if err := db.refusal(); err != nil {
		return -1, err
	}
	tx, err := db.bolt.Begin(true)
	if err != nil {
		return -1, err
	}
	for i, u := range batch {
		if err := protect(u.fn, tx); err != nil {
			if rollback := tx.Rollback(); rollback != nil {
				return -1, db.fail(rollback)
			}
			if isNoSpace(err) {
				err = ErrNoSpace
			}
			return i, err
		}
	}
	if err := tx.Commit(); err != nil {
		if isNoSpace(err) {
			return -1, ErrNoSpace
		}
		return -1, db.fail(err)
	}
	return -1, nil
}

func protect(fn func(*bbolt.Tx) error, tx *bbolt.Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked{r}
		}
	}()
	return fn(tx)
}

// fail makes an error of writing final: once a sync has failed, the kernel may have dropped the pages that it could not
// write, so nothing later may build upon them.
func (db *DB) fail(err error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.broken = fmt.Errorf("writing %s failed (%w): check the disk, then restart", db.bolt.Path(), err)
	return db.broken
}

func (db *DB) refusal() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.broken
}

// isNoSpace also looks at the text, because bbolt flattens the errors of growing the file.
func isNoSpace(err error) bool {
	if err == nil {
		return false
	}
	for _, full := range fullDisk {
		if errors.Is(err, full) || strings.Contains(err.Error(), full.Error()) {
			return true
		}
	}
	return errors.Is(err, ErrNoSpace)
}
