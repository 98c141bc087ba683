// Package sqs is a stand-in for Amazon SQS, API version 2012-11-05, over the AWS JSON protocol: standard and FIFO queues
// whose messages, delays and in-flight deadlines are kept in the data folder.
//
// An index of every message is in memory; bodies are on disk only. Whatever a reply acknowledges is on disk before it.
// The bookkeeping of receives alone follows behind: losing it in a crash means another delivery, as SQS allows.
//
// Known differences to the service: a queue can be created again at once after its deletion (no QueueDeletedRecently);
// permissions and encryption are kept as attributes but not enforced; message groups on standard queues are kept but do
// not change the order (no fair queueing); the approximate counts are exact; SenderId is the account.
package sqs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/clock"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// sweepInterval is how often queues that nobody reads are rid of what has expired.
const sweepInterval = time.Minute

// Options say where a Service keeps its queues and how it names them. Store is required.
type Options struct {
	Store *store.DB
	Clock clock.Clock  // nil: the machine's
	Log   *slog.Logger // nil: nothing is logged
	// Endpoint begins the queue URLs, ENDPOINT/ACCOUNT/NAME, that requests get whose host is not known; default
	// "http://127.0.0.1:4566".
	Endpoint string
	Region   string // in ARNs; default "us-east-1"
	Account  string // in URLs and ARNs; default "000000000000"
}

// Service is the stand-in. Its methods may be called by any goroutine.
type Service struct {
	db       *store.DB
	clock    clock.Clock
	time     timeline
	log      *slog.Logger
	endpoint string
	region   string
	account  string

	operations map[string]operation
	seq        atomic.Uint64
	limit      int // messages in flight of one queue

	// admin serializes what creates, changes and deletes queues and move tasks. It is taken before mu, mu before queue.mu.
	admin  sync.Mutex
	mu     sync.RWMutex
	queues map[string]*queue

	book    bookkeeper
	closing chan struct{}
	closed  sync.Once
	running sync.WaitGroup
	sweeper clock.Timer

	storedDrift atomic.Int64
}

var _ awsjson.Service = (*Service)(nil)

// New loads the queues from the store and starts the service. An error that wraps store.ErrDamaged means that a record
// is not what was written.
func New(o Options) (*Service, error) {
	s := &Service{
		db:       o.Store,
		clock:    o.Clock,
		log:      o.Log,
		endpoint: o.Endpoint,
		region:   o.Region,
		account:  o.Account,
		queues:   make(map[string]*queue),
		closing:  make(chan struct{}),
		limit:    120_000,
	}
	if s.clock == nil {
		s.clock = clock.System()
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		field *string
		value string
	}{{&s.endpoint, "http://127.0.0.1:4566"}, {&s.region, "us-east-1"}, {&s.account, "000000000000"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("load queues from %s: %w", s.db.Path(), err)
	}
	// Loading has read all messages, of which only the index stays.
	if err := s.db.Release(); err != nil {
		s.log.Warn("pages of the data file not given back", "error", err)
	}
	s.operations = s.routes()
	s.operations[PeekOperation] = decoded(s.peekMessages)
	s.book.start(s)
	s.sweeper = s.clock.AfterFunc(sweepInterval, s.sweep)
	s.resumeTasks()
	return s, nil
}

// Target implements awsjson.Service.
func (s *Service) Target() string { return "AmazonSQS" }

// Relatives are none.
func (s *Service) Relatives() []string { return nil }

// Host implements awsjson.Service.
func (s *Service) Host() string { return "sqs." + s.region + ".amazonaws.com" }

// Has implements awsjson.Service.
func (s *Service) Has(op string) bool { return s.operations[op] != nil }

// Call implements awsjson.Service.
func (s *Service) Call(ctx context.Context, op string, body []byte) ([]byte, error) {
	run, ok := s.operations[op]
	if !ok {
		return nil, &awsjson.Error{Type: coral + "UnknownOperationException", QueryCode: "InvalidAction",
			Message: fmt.Sprintf("The action %s is not valid for this endpoint.", op)}
	}
	return run(ctx, body)
}

func (s *Service) routes() map[string]operation {
	return map[string]operation{
		"CreateQueue":                  decoded(s.createQueue),
		"GetQueueUrl":                  decoded(s.getQueueURL),
		"ListQueues":                   decoded(s.listQueues),
		"DeleteQueue":                  decoded(s.deleteQueue),
		"GetQueueAttributes":           decoded(s.getQueueAttributes),
		"SetQueueAttributes":           decoded(s.setQueueAttributes),
		"AddPermission":                decoded(s.addPermission),
		"RemovePermission":             decoded(s.removePermission),
		"TagQueue":                     decoded(s.tagQueue),
		"UntagQueue":                   decoded(s.untagQueue),
		"ListQueueTags":                decoded(s.listQueueTags),
		"PurgeQueue":                   decoded(s.purgeQueue),
		"ListDeadLetterSourceQueues":   decoded(s.listDeadLetterSourceQueues),
		"SendMessage":                  decoded(s.sendMessage),
		"SendMessageBatch":             decoded(s.sendMessageBatch),
		"ReceiveMessage":               decoded(s.receiveMessage),
		"DeleteMessage":                decoded(s.deleteMessage),
		"DeleteMessageBatch":           decoded(s.deleteMessageBatch),
		"ChangeMessageVisibility":      decoded(s.changeMessageVisibility),
		"ChangeMessageVisibilityBatch": decoded(s.changeMessageVisibilityBatch),
		"StartMessageMoveTask":         decoded(s.startMessageMoveTask),
		"ListMessageMoveTasks":         decoded(s.listMessageMoveTasks),
		"CancelMessageMoveTask":        decoded(s.cancelMessageMoveTask),
	}
}

// Close ends the long polls and move tasks, writes the outstanding bookkeeping and returns when no goroutine is left.
// The store stays open. A second Close does nothing.
func (s *Service) Close() error {
	var err error
	s.closed.Do(func() {
		s.sweeper.Stop()
		// Under admin no task is being started.
		s.admin.Lock()
		close(s.closing)
		s.admin.Unlock()
		s.running.Wait()
		err = errors.Join(s.book.stop(), s.keepTime())
	})
	return err
}

// update runs fn in a durable transaction, together with the timeline's drift if it has changed.
func (s *Service) update(fn func(tx *bbolt.Tx) error) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		if drift, changed := s.drifted(); changed {
			if err := putJSON(tx, clockBucket, driftKey, drift); err != nil {
				return err
			}
			tx.OnCommit(func() { s.storedDrift.Store(drift) })
		}
		return fn(tx)
	})
}

// drifted compares the timeline's drift with the stored one, to the second: the clock is read twice, and NTP slews it a
// little all the time.
func (s *Service) drifted() (drift int64, changed bool) {
	drift = s.time.drift()
	stored := s.storedDrift.Load()
	return drift, drift > stored+1000 || drift < stored-1000
}

// keepTime stores the drift when the wall clock was set and no write has stored it since.
func (s *Service) keepTime() error {
	if _, changed := s.drifted(); !changed {
		return nil
	}
	return s.update(func(*bbolt.Tx) error { return nil })
}

// sweep drops what has expired in all queues, and comes again.
func (s *Service) sweep() {
	select {
	case <-s.closing:
		return
	default:
	}
	for _, q := range s.allQueues() {
		q.mu.Lock()
		s.advance(q)
		q.mu.Unlock()
	}
	s.book.kick()
	if err := s.keepTime(); err != nil {
		s.log.Error("time not written", "error", err)
	}
	s.sweeper.Reset(sweepInterval)
}

// advance brings a queue to the present. The caller holds q.mu.
func (s *Service) advance(q *queue) instant {
	now := s.time.now()
	expired := q.advance(now)
	if duplicates := q.dedup.takeExpired(); len(expired) > 0 || len(duplicates) > 0 {
		s.book.drop(q, expired, duplicates)
	}
	return now
}

func (s *Service) allQueues() []*queue {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*queue, 0, len(s.queues))
	for _, q := range s.queues {
		all = append(all, q)
	}
	return all
}
