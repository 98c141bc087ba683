package sqs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

const traceHeader = "AWSTraceHeader"

// outgoing is a checked message on its way into a queue.
type outgoing struct {
	content
	delay   time.Duration
	reply   sendReply
	message *message
	key     []byte
	sealed  []byte
	claim   *duplicate
}

func (s *Service) sendMessage(ctx context.Context, in *sendRequest) (*sendReply, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	c := q.currentConfig()
	o, invalid := s.check(&c, &in.sendEntry)
	if invalid != nil {
		return nil, invalid
	}
	o.traced(ctx)
	if err := s.send(q, &c, []*outgoing{o}); err != nil {
		return nil, err
	}
	return &o.reply, nil
}

func (s *Service) sendMessageBatch(ctx context.Context, in *sendBatchRequest) (*batchReply[sendReply], error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("SendMessage", in.Entries, func(e sendEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	if total := batchSize(in.Entries); total > maxMessageSize {
		return nil, modelled("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.",
			maxMessageSize, total)
	}
	c := q.currentConfig()
	if err := checkFIFOBatch(&c, in.Entries); err != nil {
		return nil, err
	}
	reply := &batchReply[sendReply]{}
	var batch []*outgoing
	for i := range in.Entries {
		o, invalid := s.check(&c, &in.Entries[i])
		if invalid != nil {
			reply.Failed = append(reply.Failed, failed(in.Entries[i].Id, invalid))
			continue
		}
		o.reply.Id = in.Entries[i].Id
		o.traced(ctx)
		batch = append(batch, o)
	}
	if err := s.send(q, &c, batch); err != nil {
		return nil, err
	}
	for _, o := range batch {
		reply.Successful = append(reply.Successful, o.reply)
	}
	return reply, nil
}

func (q *queue) currentConfig() config {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.config
}

// checkFIFOBatch refuses the whole batch for what the service does not report by entry.
func checkFIFOBatch(c *config, entries []sendEntry) error {
	for _, e := range entries {
		switch {
		case !c.Fifo:
		case e.MessageGroupId == nil:
			return invalidParameter("The request must contain the parameter MessageGroupId.")
		case e.MessageDeduplicationId == nil && !c.ContentBased:
			return noDeduplication()
		}
	}
	return nil
}

func noDeduplication() *awsjson.Error {
	return invalidParameter("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
}

func batchSize(entries []sendEntry) int {
	total := 0
	for _, e := range entries {
		if e.MessageBody != nil {
			total += len(*e.MessageBody)
		}
		for name, v := range e.MessageAttributes {
			total += len(name) + len(v.DataType) + len(v.BinaryValue)
			if v.StringValue != nil {
				total += len(*v.StringValue)
			}
		}
	}
	return total
}

// check makes a message of a request's entry, or says what is wrong with it.
func (s *Service) check(c *config, e *sendEntry) (*outgoing, *awsjson.Error) {
	if e.MessageBody == nil || *e.MessageBody == "" {
		return nil, missingParameter("MessageBody")
	}
	o := &outgoing{content: content{body: *e.MessageBody}, delay: c.Delay}
	if bad, ok := forbiddenCharacter(o.body); ok {
		return nil, plain("InvalidMessageContents", "Invalid binary character '#x%X' was found in the message body, "+
			"the set of allowed characters is %s", bad, allowedCharacters)
	}
	var err *awsjson.Error
	if o.attrs, err = checkAttributes(e.MessageAttributes); err != nil {
		return nil, err
	}
	if len(o.body)+size(o.attrs) > c.MaxSize {
		return nil, tooLong(c, e.Id != "")
	}
	system, err := o.checkSystemAttributes(e.MessageSystemAttributes)
	if err != nil {
		return nil, err
	}
	if err := o.checkDelay(c, e.DelaySeconds); err != nil {
		return nil, err
	}
	if err := o.checkGroup(c, e); err != nil {
		return nil, err
	}
	o.reply.MD5OfMessageBody = md5Hex(o.body)
	o.reply.MD5OfMessageAttributes = digest(o.attrs)
	o.reply.MD5OfMessageSystemAttributes = digest(system)
	return o, nil
}

// tooLong says that a message is too long; of an entry of a batch the service says it in other words.
func tooLong(c *config, inBatch bool) *awsjson.Error {
	what := "are invalid"
	if inBatch {
		what = "cannot be validated"
	}
	return invalidParameter("One or more parameters %s. Reason: Message must be shorter than %d bytes.", what, c.MaxSize)
}

func (o *outgoing) checkSystemAttributes(sent map[string]attributeValue) ([]attribute, *awsjson.Error) {
	var system []attribute
	for name, v := range sent {
		if name != traceHeader {
			return nil, invalidParameter("Message system attribute name '%s' is invalid: only %s can be sent.", name, traceHeader)
		}
		a, err := checkAttribute("system", name, v)
		if err != nil {
			return nil, err
		}
		if a.kind != "String" {
			return nil, invalidParameter("The type of message (system) attribute '%s' must be String.", name)
		}
		o.trace = a.value
		system = append(system, a)
	}
	return system, nil
}

func (o *outgoing) checkDelay(c *config, seconds *int) *awsjson.Error {
	if seconds == nil {
		return nil
	}
	if *seconds < 0 || *seconds > 900 {
		return invalidValue(*seconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	}
	if c.Fifo && *seconds > 0 {
		return invalidValue(*seconds, "DelaySeconds", "The request include parameter that is not valid for this queue type.")
	}
	if !c.Fifo {
		o.delay = time.Duration(*seconds) * time.Second
	}
	return nil
}

// checkGroup takes the message group and the deduplication id. Standard queues take a group too, for fair queueing.
func (o *outgoing) checkGroup(c *config, e *sendEntry) *awsjson.Error {
	if e.MessageGroupId != nil {
		if !isGroupID(*e.MessageGroupId) {
			return invalidValue(*e.MessageGroupId, "MessageGroupId",
				"MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
		}
		o.group = *e.MessageGroupId
	}
	if e.MessageDeduplicationId != nil {
		if !c.Fifo {
			return invalidValue(*e.MessageDeduplicationId, "MessageDeduplicationId",
				"The request include parameter that is not valid for this queue type.")
		}
		if !isGroupID(*e.MessageDeduplicationId) {
			return invalidValue(*e.MessageDeduplicationId, "MessageDeduplicationId",
				"MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
		}
		o.dedup = *e.MessageDeduplicationId
	}
	if !c.Fifo {
		return nil
	}
	if o.group == "" {
		return missingParameter("MessageGroupId")
	}
	if o.dedup == "" {
		if !c.ContentBased {
			return noDeduplication()
		}
		// By the body alone: attributes do not count for content-based deduplication.
		sum := sha256.Sum256([]byte(o.body))
		o.dedup = hex.EncodeToString(sum[:])
	}
	return nil
}

// isGroupID says whether s is 1 to 128 printable ASCII characters other than space.
func isGroupID(s string) bool {
	return len(s) >= 1 && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// send writes messages and makes them visible, in their order. Duplicates in a FIFO queue get the reply of the first.
func (s *Service) send(q *queue, c *config, batch []*outgoing) error {
	if len(batch) == 0 {
		return nil
	}
	for {
		fresh, other := s.enter(q, c, batch)
		if other != nil {
			// The first of the two is still being written: whether this one counts as its duplicate is not known yet.
			<-other.settled
			continue
		}
		err := s.update(func(tx *bbolt.Tx) error {
			for _, o := range fresh {
				if err := o.save(tx, q); err != nil {
					return err
				}
			}
			return nil
		})
		s.settle(q, fresh, err == nil)
		return err
	}
}

// enter reserves the places of the messages in the queue: sequence numbers, deduplication and, not yet visible, the
// index. It gives those that are no duplicates. When one is a duplicate of a message that another call is writing, it
// reserves nothing and gives that other one.
func (s *Service) enter(q *queue, c *config, batch []*outgoing) (fresh []*outgoing, unsettled *duplicate) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := s.advance(q)
	wall := s.time.wall()
	if c.Fifo {
		for _, o := range batch {
			if e := q.dedup.entries[c.deduplicationKey(o.group, o.dedup)]; e != nil && !e.isSettled() {
				return nil, e
			}
		}
	}
	for _, o := range batch {
		seq := s.seq.Add(1)
		o.id, o.sent, o.sentWall, o.due = newID(), now, wall, now.after(o.delay)
		if c.Fifo {
			e, first := q.dedup.claim(c.deduplicationKey(o.group, o.dedup),
				duplicateRecord{Expires: now.after(deduplicationInterval), ID: o.id, Seq: seq})
			o.reply.MessageId, o.reply.SequenceNumber = uuidText(e.record.ID), sequenceNumber(e.record.Seq)
			if !first {
				continue
			}
			o.claim = e
		}
		o.reply.MessageId = uuidText(o.id)
		o.message = &message{seq: seq, sent: o.sent, due: o.due, state: pending}
		o.key = messageKey(q.id, seq)
		o.sealed = store.Seal(o.key, appendContent(nil, &o.content))
		q.add(o.message, o.group)
		fresh = append(fresh, o)
	}
	return fresh, nil
}

func (e *duplicate) isSettled() bool {
	select {
	case <-e.settled:
		return true
	default:
		return false
	}
}

func (o *outgoing) save(tx *bbolt.Tx, q *queue) error {
	if o.claim != nil {
		if err := putJSON(tx, dedupBucket, o.claim.place(q.id).key, o.claim.record); err != nil {
			return err
		}
	}
	return putMessage(tx, o.key, o.sealed, o.message.seq)
}

// settle makes the messages visible once they are on disk, or withdraws them.
func (s *Service) settle(q *queue, fresh []*outgoing, written bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := s.time.now()
	for _, o := range fresh {
		switch {
		case o.message.state != pending:
			// It expired before it was written.
		case !written:
			q.turn(o.message, gone)
		case o.due > now:
			q.turn(o.message, delayed)
		default:
			q.turn(o.message, ready)
		}
		if o.claim != nil {
			q.dedup.settle(o.claim, written)
		}
	}
	q.signal()
}

// sequenceNumber writes a sequence number as 20 digits, the service's form.
func sequenceNumber(seq uint64) string { return fmt.Sprintf("%020d", 10_000_000_000_000_000_000+seq) }

// newID is a random UUID.
func newID() (id [16]byte) {
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// checkBatch checks what is common to all batches.
func checkBatch[E any](action string, entries []E, id func(E) string) *awsjson.Error {
	if len(entries) == 0 {
		return modelled("EmptyBatchRequest", "There should be at least one %sBatchRequestEntry in the request.", action)
	}
	if len(entries) > 10 {
		return modelled("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(entries))
	}
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		if !isBatchID(id(e)) {
			return modelled("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "+
				"It can be at most 80 letters long.")
		}
	}
	for _, e := range entries {
		if seen[id(e)] {
			return modelled("BatchEntryIdsNotDistinct", "Id %s repeated.", id(e))
		}
		seen[id(e)] = true
	}
	return nil
}

func isBatchID(id string) bool {
	return id != "" && len(id) <= 80 && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}
