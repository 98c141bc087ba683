package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

// takeBatch runs the messages of a batch and replies with those that are not
// done: they come again, and only they.
func (f *Function) takeBatch(ctx context.Context, l limits, payload []byte) ([]byte, error) {
	records, arn, err := readBatch(payload)
	if err != nil {
		return nil, err
	}
	s, err := f.queueSource(arn)
	if err != nil {
		return nil, err
	}
	b := &batch{Function: f, source: s, records: records, states: make([]state, len(records))}
	if strings.HasSuffix(arn, fifoSuffix) {
		b.lanes = groups(records)
	} else {
		for i := range records {
			b.lanes = append(b.lanes, []int{i})
		}
	}
	l.within(func() { b.run(ctx) })
	return json.Marshal(b.settle(ctx))
}

// batch is some messages on their way through the flow.
type batch struct {
	*Function
	*source
	records []*sqs.Delivery
	// lanes are the records' indexes: those of a lane run one after the other
	// until one fails.
	lanes [][]int
	next  atomic.Int64 // the lane to begin next

	mu      sync.Mutex
	states  []state // by record
	settled bool
}

// state is how far a message of a batch has come.
type state uint8

const (
	untouched state = iota
	running
	failed
	done
)

// groups are the records of each message group, in order.
func groups(records []*sqs.Delivery) [][]int {
	var lanes [][]int
	byGroup := map[string]int{}
	for i, r := range records {
		group := r.System["MessageGroupId"]
		lane, known := byGroup[group]
		if !known {
			lane = len(lanes)
			byGroup[group] = lane
			lanes = append(lanes, nil)
		}
		lanes[lane] = append(lanes[lane], i)
	}
	return lanes
}

// run works on the lanes, as many at once as the source and the flow allow.
func (b *batch) run(ctx context.Context) {
	workers := min(len(b.lanes), max(b.queue.MaxInFlight, 1))
	if b.parallel > 0 {
		workers = min(workers, b.parallel)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				lane := int(b.next.Add(1)) - 1
				if lane >= len(b.lanes) {
					return
				}
				b.follow(ctx, b.lanes[lane])
			}
		})
	}
	wg.Wait()
}

func (b *batch) follow(ctx context.Context, lane []int) {
	for _, i := range lane {
		if ctx.Err() != nil || !b.mark(i, running) {
			return
		}
		if err := b.work(ctx, b.records[i]); err != nil {
			b.mark(i, failed)
			return
		}
		b.mark(i, done)
	}
}

// mark notes a message's state. It is false once the batch is settled, when
// that comes too late.
func (b *batch) mark(i int, to state) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.settled {
		b.states[i] = to
	}
	return !b.settled
}

// work runs one message.
func (b *batch) work(ctx context.Context, d *sqs.Delivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = engine.Fail(engine.Permanent, "panic", fmt.Sprintf("the message could not be read: %v", r), nil)
			b.log.ErrorContext(ctx, "reading a message panicked; it fails, the function goes on", append(b.about(d, err), "stack", string(debug.Stack()))...)
		}
	}()
	m, err := b.queue.Message(d)
	if err != nil {
		b.log.ErrorContext(ctx, "a message cannot be taken into the flow", b.about(d, err)...)
		return err
	}
	if m == nil {
		b.log.DebugContext(ctx, "a message asks for nothing to be done", "flow", b.flow, "source", b.name, "message_id", d.MessageID)
		return nil
	}
	return b.deliver(ctx, m)
}

func (b *batch) about(d *sqs.Delivery, err error) []any {
	return []any{"flow", b.flow, "source", b.name, "message_id", d.MessageID, "receive_count", d.ReceiveCount(),
		"class", engine.ClassOf(err).String(), "code", engine.CodeOf(err), "error", err.Error()}
}

// settle ends the batch: what is not done by now has failed.
func (b *batch) settle(ctx context.Context) batchReply {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled = true
	reply := batchReply{Failures: []batchFailure{}}
	var count [done + 1]int
	for i, s := range b.states {
		count[s]++
		if s != done {
			reply.Failures = append(reply.Failures, batchFailure{b.records[i].MessageID})
		}
	}
	level, text := slog.LevelDebug, "batch done"
	if len(reply.Failures) > 0 {
		// Lambda neither counts a reply with failures as an error nor slows down.
		level, text = slog.LevelWarn, "some messages of the batch are not done; they come again"
	}
	b.log.Log(ctx, level, text, "flow", b.flow, "source", b.name, "messages", len(b.records), "done", count[done],
		"failed", count[failed], "cut_off", count[running], "not_begun", count[untouched])
	return reply
}
