package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A message comes twice as the SQS Developer Guide tells it under
// "At-least-once delivery": a server that was unavailable when the message was
// received or deleted gives its copy of it, with the same message id, to a
// later ReceiveMessage. So a copy comes even if the message was deleted
// meanwhile. FIFO queues promise that this does not happen.

// maxCopies bounds the copies kept of a queue that nobody reads on.
const maxCopies = 1000

// copies are the messages to come once more, by the name of their queue: its URL may have any host.
type copies struct {
	mu      sync.Mutex
	waiting map[string][]json.RawMessage
}

func (c *copies) add(queue string, message json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = map[string][]json.RawMessage{}
	}
	if len(c.waiting[queue]) < maxCopies {
		c.waiting[queue] = append(c.waiting[queue], message)
	}
}

func (c *copies) take(queue string, n int) []json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.waiting[queue]
	if n = min(n, len(all)); n == 0 {
		return nil
	}
	c.waiting[queue] = all[n:]
	if len(all) == n {
		delete(c.waiting, queue)
	}
	return all[:n:n]
}

func (c *copies) forget(queue string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, queue)
}

func queueOf(body []byte) string {
	var r struct{ QueueUrl string }
	_ = json.Unmarshal(body, &r) // the service tells the sender what is wrong
	return path.Base(r.QueueUrl)
}

// receive answers a ReceiveMessage with the copies that wait and what the queue
// has, and keeps copies of some of the latter.
func (f *faulty) receive(ctx context.Context, body []byte, again []duplication) ([]byte, error) {
	var request struct{ MaxNumberOfMessages *int }
	queue := queueOf(body)
	if json.Unmarshal(body, &request) != nil || strings.HasSuffix(queue, ".fifo") {
		return f.Service.Call(ctx, "ReceiveMessage", body)
	}
	most := 1
	if request.MaxNumberOfMessages != nil {
		most = *request.MaxNumberOfMessages
	}
	if most < 1 || most > 10 {
		return f.Service.Call(ctx, "ReceiveMessage", body) // which refuses it
	}
	waiting := f.copies.take(queue, most)
	if len(waiting) > 0 && len(waiting) == most {
		return withMessages([]byte("{}"), waiting)
	}
	if len(waiting) > 0 {
		body = shortened(body, most-len(waiting))
	}
	reply, err := f.Service.Call(ctx, "ReceiveMessage", body)
	if err != nil {
		return nil, err
	}
	f.keep(queue, reply, again)
	if len(waiting) == 0 {
		return reply, nil
	}
	return withMessages(reply, waiting)
}

// shortened is a ReceiveMessage for n messages that does not wait for them.
func shortened(body []byte, n int) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return body
	}
	members["MaxNumberOfMessages"] = json.RawMessage(strconv.Itoa(n))
	members["WaitTimeSeconds"] = json.RawMessage("0")
	short, err := json.Marshal(members)
	if err != nil {
		return body
	}
	return short
}

// keep makes copies of those messages of a reply that are to come twice.
func (f *faulty) keep(queue string, reply []byte, again []duplication) {
	if len(again) == 0 {
		return
	}
	var received struct{ Messages []json.RawMessage }
	if json.Unmarshal(reply, &received) != nil {
		return
	}
	for n, m := range received.Messages {
		if slices.ContainsFunc(again, func(d duplication) bool { return d.hits(n) }) {
			f.copies.add(queue, onceMore(m))
			f.injector.log.Info("fault injected", "operation", "sqs.ReceiveMessage", "fault", duplicate, "queue", queue, "message_id", idOf(m))
		}
	}
}

func idOf(message []byte) string {
	var m struct{ MessageId string }
	_ = json.Unmarshal(message, &m)
	return m.MessageId
}

// onceMore counts the copy as another receive, where the message tells.
func onceMore(message json.RawMessage) json.RawMessage {
	const counter = "ApproximateReceiveCount"
	var members map[string]json.RawMessage
	var attributes map[string]string
	if json.Unmarshal(message, &members) != nil || json.Unmarshal(members["Attributes"], &attributes) != nil {
		return message
	}
	n, err := strconv.Atoi(attributes[counter])
	if err != nil {
		return message
	}
	attributes[counter] = strconv.Itoa(n + 1)
	var errs [2]error
	members["Attributes"], errs[0] = json.Marshal(attributes)
	counted, err := encode(members)
	if errs[0] != nil || err != nil {
		return message
	}
	return counted
}

// withMessages puts messages in front of those of a reply.
func withMessages(reply []byte, messages []json.RawMessage) ([]byte, error) {
	var r struct{ Messages []json.RawMessage }
	if err := json.Unmarshal(reply, &r); err != nil {
		return nil, err
	}
	r.Messages = slices.Concat(messages, r.Messages)
	return encode(r)
}

// encode leaves texts as they are: their digests were made of them.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
