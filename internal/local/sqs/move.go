package sqs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

const (
	running    = "RUNNING"
	completed  = "COMPLETED"
	cancelling = "CANCELLING"
	cancelled  = "CANCELLED"
	failedTask = "FAILED"

	keptTasks = 10  // of one source queue
	moveChunk = 100 // messages in one transaction of a task without a rate
)

// taskRecord is a message move task as it is kept on disk.
type taskRecord struct {
	ID          string
	Source      string // ARN
	Destination string // ARN; empty: back to where each message came from
	Rate        int    // messages a second; 0: as fast as it goes
	Status      string
	Moved       int64
	Total       int64
	Failure     string
	Started     int64 // wall clock in milliseconds
}

// moveTask moves the messages of a dead-letter queue. It belongs to the source queue's lock, but for saving.
type moveTask struct {
	taskRecord
	cancel chan struct{}
	// saving is held, taken before the queue's lock, by who changes the record, until the change is written: so no older
	// copy is written behind a newer one.
	saving sync.Mutex
}

// errNoSource says that a message without DeadLetterQueueSourceArn has nowhere to go back to.
var errNoSource = errors.New("CouldNotDetermineMessageSource")

func (s *Service) startMessageMoveTask(_ context.Context, in *startMoveRequest) (*taskHandleReply, error) {
	if in.SourceArn == "" {
		return nil, missingParameter("SourceArn")
	}
	rate := 0
	if in.MaxNumberOfMessagesPerSecond != nil {
		if rate = *in.MaxNumberOfMessagesPerSecond; rate < 1 || rate > 500 {
			return nil, invalidValue(rate, "MaxNumberOfMessagesPerSecond", "Must be between 1 and 500, if provided.")
		}
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	select {
	case <-s.closing:
		return nil, store.ErrClosed
	default:
	}
	source, err := s.moveQueues(in.SourceArn, in.DestinationArn)
	if err != nil {
		return nil, err
	}
	source.mu.Lock()
	s.advance(source)
	t := &moveTask{cancel: make(chan struct{}), taskRecord: taskRecord{
		ID: uuidText(newID()), Source: in.SourceArn, Destination: in.DestinationArn, Rate: rate, Status: running,
		Total: int64(source.counts[ready]), Started: s.time.wall(),
	}}
	busy := slices.ContainsFunc(source.tasks, func(t *moveTask) bool { return t.Status == running || t.Status == cancelling })
	source.mu.Unlock()
	if busy {
		return nil, invalidParameter("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	if err := s.saveTask(source, t.taskRecord); err != nil {
		return nil, err
	}
	source.mu.Lock()
	source.tasks = append(source.tasks, t)
	source.mu.Unlock()
	s.launch(source, t)
	return &taskHandleReply{t.handle()}, nil
}

// moveQueues gives the source queue of a task and checks both.
func (s *Service) moveQueues(source, destination string) (*queue, error) {
	for arn, parameter := range map[string]string{source: "SourceArn", destination: "DestinationArn"} {
		if arn != "" && arnName(arn) == "" {
			return nil, invalidParameter("You must use this format to specify the %s: "+
				"arn:<partition>:<service>:<region>:<account-id>:<resource-id>", parameter)
		}
	}
	q := s.byARN(source)
	if q == nil {
		return nil, resourceNotFound("The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	if len(s.sources(source)) == 0 {
		return nil, invalidParameter("Source queue must be configured as a Dead Letter Queue.")
	}
	if destination == "" {
		return q, nil
	}
	to := s.byARN(destination)
	switch {
	case to == nil:
		return nil, resourceNotFound("The resource that you specified for the DestinationArn parameter doesn't exist.")
	case to == q:
		return nil, invalidParameter("Source queue arn and destination queue arn cannot be the same.")
	case to.fifo != q.fifo:
		return nil, invalidParameter("Source and destination queue must be of the same type.")
	}
	return q, nil
}

// handle is opaque to users; it holds the task's id and source as the service's does.
func (t *moveTask) handle() string {
	b, _ := json.Marshal(map[string]string{"taskId": t.ID, "sourceArn": t.Source})
	return base64.StdEncoding.EncodeToString(b)
}

func (s *Service) saveTask(source *queue, r taskRecord) error {
	return s.update(func(tx *bbolt.Tx) error { return putTask(tx, source, r) })
}

// putTask writes a task's record, unless its queue has been deleted and all its tasks with it.
func putTask(tx *bbolt.Tx, source *queue, r taskRecord) error {
	if !exists(tx, source) {
		return nil
	}
	return putJSON(tx, tasksBucket, []byte(r.ID), r)
}

// deleteTasks removes the tasks of a queue: another queue of its name must not go on with them.
func deleteTasks(tx *bbolt.Tx, source *queue) error {
	b := tx.Bucket(tasksBucket)
	var keys [][]byte
	err := b.ForEach(func(key, sealed []byte) error {
		var r taskRecord
		err := parseJSON(key, sealed, &r)
		if err == nil && r.Source == source.arn {
			keys = append(keys, bytes.Clone(key))
		}
		return err
	})
	for _, key := range keys {
		err = errors.Join(err, b.Delete(key))
	}
	return err
}

func (s *Service) launch(source *queue, t *moveTask) {
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		err := s.run(source, t)
		if errors.Is(err, errClosing) {
			return
		}
		s.finish(source, t, err)
	}()
}

// errClosing says that a task stops because the service does; it goes on at the next start.
var errClosing = errors.New("the service is closing")

// run moves messages until there is none that can be received, the task is cancelled or fails.
func (s *Service) run(source *queue, t *moveTask) error {
	chunk := moveChunk
	if t.Rate > 0 {
		chunk = max(1, t.Rate/10)
	}
	for {
		source.mu.Lock()
		left := t.Total - t.Moved
		source.mu.Unlock()
		n, err := s.moveSome(source, t, min(chunk, int(left)))
		if n == 0 || err != nil {
			return err
		}
		if t.Rate > 0 {
			s.pause(t, time.Duration(n)*time.Second/time.Duration(t.Rate))
		}
		select {
		case <-t.cancel:
			return nil
		case <-s.closing:
			return errClosing
		default:
		}
	}
}

// pause waits, less long when the task is cancelled or the service closes.
func (s *Service) pause(t *moveTask, d time.Duration) {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-t.cancel:
	case <-s.closing:
	}
}

// moveSome moves up to n messages and says how many.
func (s *Service) moveSome(source *queue, t *moveTask, n int) (int, error) {
	source.mu.Lock()
	if source.deleted {
		source.mu.Unlock()
		return 0, errDestination
	}
	now := s.advance(source)
	messages := source.withdraw(n)
	source.mu.Unlock()
	if len(messages) == 0 {
		return 0, nil
	}
	wall := s.time.wall()
	byTarget, err := s.targets(source, t, messages)
	if err != nil {
		s.putBack(source, messages)
		return 0, err
	}
	total := 0
	for to, some := range byTarget {
		moved, failure := s.transfer(source, to, some, func(c *content) {
			c.id, c.source, c.sent, c.sentWall, c.due = newID(), "", now, wall, now
			c.receives, c.first = 0, 0
		})
		total += moved
		if failure != nil {
			err = failure
		}
	}
	t.saving.Lock()
	defer t.saving.Unlock()
	source.mu.Lock()
	t.Moved += int64(total)
	record := t.taskRecord
	source.mu.Unlock()
	if err != nil {
		return total, err
	}
	return total, s.saveTask(source, record)
}

// targets sorts messages by the queue that they go to.
func (s *Service) targets(source *queue, t *moveTask, messages []*message) (map[*queue][]*message, error) {
	if t.Destination != "" {
		to := s.byARN(t.Destination)
		if to == nil {
			return nil, errDestination
		}
		return map[*queue][]*message{to: messages}, nil
	}
	targets := make(map[*queue][]*message)
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, m := range messages {
			c, err := readContent(tx, messageKey(source.id, m.seq))
			if err != nil {
				return err
			}
			if c == nil {
				// Deleted meanwhile: any queue will do, transfer leaves it out.
				c = &content{source: source.arn}
			}
			to := s.byARN(c.source)
			switch {
			case c.source == "":
				return errNoSource
			case to == nil:
				return errDestination
			}
			targets[to] = append(targets[to], m)
		}
		return nil
	})
	return targets, err
}

// putBack makes messages that were to be moved ready again.
func (s *Service) putBack(q *queue, messages []*message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range messages {
		if m.state == moving {
			q.turn(m, ready)
		}
	}
	q.signal()
}

// finish records a task's end and forgets the oldest ones.
func (s *Service) finish(source *queue, t *moveTask, err error) {
	t.saving.Lock()
	defer t.saving.Unlock()
	source.mu.Lock()
	switch {
	case errors.Is(err, errDestination):
		t.Status, t.Failure = failedTask, legacy+"NonExistentQueue"
	case errors.Is(err, errNoSource):
		t.Status, t.Failure = failedTask, errNoSource.Error()
	case err != nil:
		s.log.Error("message move task failed", "source", t.Source, "error", err)
		t.Status, t.Failure = failedTask, "InternalError"
	case t.Status == cancelling:
		t.Status = cancelled
	default:
		t.Status = completed
	}
	record := t.taskRecord
	var old []*moveTask
	if n := len(source.tasks) - keptTasks; n > 0 {
		old, source.tasks = source.tasks[:n], slices.Clone(source.tasks[n:])
	}
	source.mu.Unlock()
	err = s.update(func(tx *bbolt.Tx) error {
		for _, t := range old {
			if err := tx.Bucket(tasksBucket).Delete([]byte(t.ID)); err != nil {
				return err
			}
		}
		return putTask(tx, source, record)
	})
	if err != nil {
		s.log.Error("end of message move task not written", "source", t.Source, "error", err)
	}
}

func (s *Service) cancelMessageMoveTask(_ context.Context, in *cancelMoveRequest) (*cancelMoveReply, error) {
	if in.TaskHandle == "" {
		return nil, missingParameter("TaskHandle")
	}
	var h struct{ TaskID, SourceArn string }
	text, err := base64.StdEncoding.DecodeString(in.TaskHandle)
	if err != nil || json.Unmarshal(text, &h) != nil || h.TaskID == "" {
		return nil, invalidParameter("Value for parameter TaskHandle is invalid.")
	}
	source := s.byARN(h.SourceArn)
	if source == nil {
		return nil, resourceNotFound("The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	source.mu.Lock()
	i := slices.IndexFunc(source.tasks, func(t *moveTask) bool { return t.ID == h.TaskID })
	var t *moveTask
	if i >= 0 {
		t = source.tasks[i]
	}
	source.mu.Unlock()
	if t == nil {
		return nil, resourceNotFound("Task does not exist.")
	}
	return s.cancel(source, t)
}

// cancel ends a task. That it does is on disk when it returns: else a restart would go on with the task.
func (s *Service) cancel(source *queue, t *moveTask) (*cancelMoveReply, error) {
	t.saving.Lock()
	defer t.saving.Unlock()
	source.mu.Lock()
	record := t.taskRecord
	source.mu.Unlock()
	if record.Status != running {
		return nil, invalidParameter("Only active tasks can be cancelled.")
	}
	record.Status = cancelling
	if err := s.saveTask(source, record); err != nil {
		return nil, err
	}
	source.mu.Lock()
	defer source.mu.Unlock()
	t.Status = cancelling
	close(t.cancel)
	return &cancelMoveReply{t.Moved}, nil
}

func (s *Service) listMessageMoveTasks(_ context.Context, in *listMovesRequest) (*listMovesReply, error) {
	n := 1
	if in.MaxResults != nil {
		if n = *in.MaxResults; n < 1 || n > keptTasks {
			return nil, invalidValue(n, "MaxResults", "MaxResults must be an integer between 1 and 10, if provided.")
		}
	}
	if in.SourceArn == "" {
		return nil, missingParameter("SourceArn")
	}
	source := s.byARN(in.SourceArn)
	if source == nil {
		return nil, resourceNotFound("The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	source.mu.Lock()
	defer source.mu.Unlock()
	reply := &listMovesReply{Results: []moveResult{}}
	for i := len(source.tasks) - 1; i >= 0 && len(reply.Results) < n; i-- {
		reply.Results = append(reply.Results, source.tasks[i].result())
	}
	return reply, nil
}

func (t *moveTask) result() moveResult {
	r := moveResult{
		Status: t.Status, SourceArn: t.Source, DestinationArn: t.Destination, MaxNumberOfMessagesPerSecond: t.Rate,
		ApproximateNumberOfMessagesMoved: t.Moved, ApproximateNumberOfMessagesToMove: t.Total,
		FailureReason: t.Failure, StartedTimestamp: t.Started,
	}
	if t.Status == running {
		r.TaskHandle = t.handle()
	}
	return r
}

// loadTasks reads the tasks of the queues that still are.
func (s *Service) loadTasks(tx *bbolt.Tx) error {
	err := tx.Bucket(tasksBucket).ForEach(func(key, sealed []byte) error {
		t := &moveTask{cancel: make(chan struct{})}
		if err := parseJSON(key, sealed, &t.taskRecord); err != nil {
			return err
		}
		if q := s.queues[arnName(t.Source)]; q != nil {
			q.tasks = append(q.tasks, t)
		}
		return nil
	})
	for _, q := range s.queues {
		slices.SortFunc(q.tasks, func(a, b *moveTask) int {
			if a.Started != b.Started {
				return int(a.Started - b.Started)
			}
			return strings.Compare(a.ID, b.ID)
		})
	}
	return err
}

// resumeTasks goes on with the tasks that were running when the service ended, and ends those that were being cancelled.
func (s *Service) resumeTasks() {
	for _, q := range s.allQueues() {
		for _, t := range slices.Clone(q.tasks) {
			switch t.Status {
			case running:
				s.launch(q, t)
			case cancelling:
				s.finish(q, t, nil)
			}
		}
	}
}
