package mqtt

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// requestTimeout is how long JetStream may take to answer the gateway, and nats-server itself, which ends a client's
// connection then. A machine that is busy with other things needs more than its default of 5 seconds.
const requestTimeout = 20 * time.Second

// natsConn is a client of the embedded server in its own protocol (docs.nats.io, "Client Protocol"), by which the
// gateway asks JetStream for what MQTT has no words for. It is safe for concurrent use.
type natsConn struct {
	conn net.Conn
	done chan struct{} // closed when nothing is read any more

	mu      sync.Mutex // guards writes and what follows
	next    uint64
	waiting map[string]chan []byte
	err     error
}

// inboxes begin with $, which keeps what is sent there from MQTT clients that subscribe to #.
const (
	inboxes    = "$flowctl.answer."
	deliveries = "$flowctl.delivery."
	inboxesID  = "1" // of the subscription to all of inboxes
)

func dialNATS(conn net.Conn) (*natsConn, error) {
	c := &natsConn{conn: conn, done: make(chan struct{}), waiting: map[string]chan []byte{}}
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "INFO ") {
		_ = conn.Close()
		return nil, fmt.Errorf("no INFO, but %q: %w", line, err)
	}
	if _, err := io.WriteString(conn, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB "+inboxes+"> 1\r\n"); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go c.read(r)
	return c, nil
}

func (c *natsConn) close() {
	_ = c.conn.Close()
	<-c.done
}

// request makes a request and gives the answer, which must come within requestTimeout.
func (c *natsConn) request(subject string, payload []byte) ([]byte, error) {
	inbox, answers := c.expect()
	defer c.forget(inbox)
	if err := c.publish(subject, inbox, payload); err != nil {
		return nil, err
	}
	return c.await(answers)
}

// expect gives an inbox to which one answer may come.
func (c *natsConn) expect() (inbox string, answers chan []byte) {
	answers = make(chan []byte, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	inbox = inboxes + strconv.FormatUint(c.next, 36)
	c.waiting[inbox] = answers
	return inbox, answers
}

// subscribe gives a subject to which up to n messages may be sent under subjects of their own, as consumers do.
func (c *natsConn) subscribe(n int) (inbox, id string, messages chan []byte, err error) {
	messages = make(chan []byte, n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	id = strconv.FormatUint(c.next+1, 10)
	inbox = deliveries + id
	c.waiting[id] = messages
	_, err = fmt.Fprintf(c.conn, "SUB %s %s\r\n", inbox, id)
	return inbox, id, messages, err
}

func (c *natsConn) forget(inbox string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, inbox)
}

// unsubscribe ends what subscribe began.
func (c *natsConn) unsubscribe(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
	_, _ = fmt.Fprintf(c.conn, "UNSUB %s\r\n", id) // a connection that is gone has no subscriptions
}

func (c *natsConn) publish(subject, inbox string, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := fmt.Appendf(nil, "PUB %s %s %d\r\n", subject, inbox, len(payload))
	buffers := net.Buffers{head, payload, []byte("\r\n")}
	_, err := buffers.WriteTo(c.conn)
	return err
}

func (c *natsConn) await(answers chan []byte) ([]byte, error) {
	timeout := time.NewTimer(requestTimeout)
	defer timeout.Stop()
	select {
	case answer := <-answers:
		return answer, nil
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return nil, c.err
	case <-timeout.C:
		return nil, errors.New("the embedded broker does not answer")
	}
}

func (c *natsConn) read(r *bufio.Reader) {
	defer close(c.done)
	err := c.readAll(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *natsConn) readAll(r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		switch verb, rest, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "MSG", "HMSG":
			if err := c.readMessage(r, rest, verb == "HMSG"); err != nil {
				return err
			}
		case "PING":
			c.mu.Lock()
			_, err = io.WriteString(c.conn, "PONG\r\n")
			c.mu.Unlock()
			if err != nil {
				return err
			}
		case "-ERR":
			return errors.New(rest)
		}
	}
}

// readMessage reads what follows "subject subscription [reply] [size of the headers] size".
func (c *natsConn) readMessage(r *bufio.Reader, line string, headers bool) error {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return fmt.Errorf("MSG %s: too short", line)
	}
	size, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil || size < 0 || size > backendPayload {
		return fmt.Errorf("MSG %s: bad size", line)
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return err
	}
	if headers {
		n, err := strconv.Atoi(fields[len(fields)-2])
		if err != nil || n < 0 || n > size {
			return fmt.Errorf("HMSG %s: bad size", line)
		}
		payload = payload[n:]
	}
	to := fields[1]
	if to == inboxesID {
		to = fields[0]
	}
	c.mu.Lock()
	answers := c.waiting[to]
	c.mu.Unlock()
	select {
	case answers <- payload:
	default: // no one waits any more
	}
	return nil
}

// apiError is how JetStream says no; codes are in the server's errors.json.
type apiError struct {
	Code        int `json:"err_code"`
	Description string
}

func (e *apiError) Error() string { return "jetstream: " + e.Description }

const (
	noMessageFound       = 10037
	consumerNotFound     = 10014
	consumerDoesNotExist = 10149
)

// api makes a request to JetStream and reads the answer into answer.
func (c *natsConn) api(subject string, request, answer any) error {
	payload, err := json.Marshal(request)
	if err != nil {
		return err
	}
	raw, err := c.request("$JS.API."+subject, payload)
	if err != nil {
		return err
	}
	var failed struct{ Error *apiError }
	if err := json.Unmarshal(raw, &failed); err != nil {
		return fmt.Errorf("jetstream answers %.100q: %w", raw, err)
	}
	if failed.Error != nil {
		return failed.Error
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(raw, answer)
}

// store publishes to a stream and returns when the message is on disk.
func (c *natsConn) store(subject string, message []byte) error {
	raw, err := c.request(subject, message)
	if err != nil {
		return err
	}
	var answer struct {
		Stream string
		Error  *apiError
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("jetstream answers %.100q: %w", raw, err)
	}
	if answer.Error != nil {
		return answer.Error
	}
	return nil
}

func isAPIError(err error, code int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Code == code
}

// openStream makes a stream that keeps the last message of each of its subjects, unless it is there, and gives what it
// holds.
func (c *natsConn) openStream(name, subjects string) ([][]byte, error) {
	err := c.api("STREAM.CREATE."+name, map[string]any{
		"name": name, "subjects": []string{subjects}, "max_msgs_per_subject": 1,
		"retention": "limits", "discard": "old", "storage": "file", "max_msgs": -1, "max_bytes": -1, "max_consumers": -1,
	}, nil)
	if err != nil {
		return nil, err
	}
	var info struct {
		State struct{ Messages int }
	}
	if err := c.api("STREAM.INFO."+name, struct{}{}, &info); err != nil || info.State.Messages == 0 {
		return nil, err
	}
	inbox, id, messages, err := c.subscribe(info.State.Messages)
	if err != nil {
		return nil, err
	}
	defer c.unsubscribe(id)
	err = c.api("CONSUMER.CREATE."+name, map[string]any{
		"stream_name": name,
		"config": map[string]any{
			"deliver_subject": inbox, "deliver_policy": "all", "ack_policy": "none", "replay_policy": "instant", "mem_storage": true,
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	all := make([][]byte, info.State.Messages)
	for i := range all {
		if all[i], err = c.await(messages); err != nil {
			return nil, err
		}
	}
	return all, nil
}
