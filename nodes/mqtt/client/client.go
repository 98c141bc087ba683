package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Client publishes to and subscribes at one broker. It is safe for concurrent use.
//
// Publishes share one connection, which is opened when it is first needed and again after it was lost: by the next
// Publish, never in the background, so that nothing happens between the invocations of a function. Each Subscribe has a
// connection of its own.
type Client struct {
	set      *settings
	now      func() time.Time
	clientID string

	life   context.Context // ends when Close has run out of patience
	end    context.CancelFunc
	closed chan struct{} // closed by Close

	mu         sync.Mutex
	current    *session
	attempt    *attempt
	failures   int // connects that led to nothing, in a row
	retryAt    time.Time
	work       int           // publishes and subscriptions under way
	idle       chan struct{} // closed when work falls to 0 after Close
	subscribed bool          // someone uses Config.SessionID
}

// New checks the configuration and opens nothing. The error, of type *Error, names every mistake.
func New(cfg Config) (*Client, error) {
	set, err := check(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{set: set, now: time.Now, clientID: set.newClientID(), closed: make(chan struct{}), idle: make(chan struct{})}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

// Publish sends one message. With QoS 1 or 2 it returns nil only after the broker's PUBACK or PUBCOMP, on the
// connection that carried the message; with QoS 0 after the message was written to a connection, which proves nothing
// about its arrival. It connects if need be and does not try twice. ctx bounds all of it; the Config's timeouts bound
// the parts. A message whose Publish failed retryably may arrive all the same.
func (c *Client) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	if err := validPublish(topic, qos, payload); err != nil {
		return &Error{Op: "publish", Broker: c.set.name, Err: err}
	}
	if !c.enter() {
		return c.closedError("publish")
	}
	defer c.leave()
	s, err := c.connected(ctx)
	if err != nil {
		return err
	}
	return s.publish(ctx, topic, qos, retain, payload)
}

// Connect opens the connection that publishes share, unless it is open. Publish does so by itself; Connect tells early
// whether it can.
func (c *Client) Connect(ctx context.Context) error {
	if !c.enter() {
		return c.closedError("connect")
	}
	defer c.leave()
	_, err := c.connected(ctx)
	return err
}

func validPublish(topic string, qos byte, payload []byte) error {
	if err := ValidateTopic(topic); err != nil {
		return err
	}
	if qos > 2 {
		return fmt.Errorf("QoS is 0, 1 or 2, not %d", qos)
	}
	if size := len(topic) + len(payload) + 4; size > maxRemaining {
		return fmt.Errorf("topic and payload of %d bytes exceed what MQTT carries, %d", size, maxRemaining)
	}
	return nil
}

// closeQuiesce bounds Close when its context does not.
const closeQuiesce = 5 * time.Second

// Close waits for the publishes and handlers under way, until ctx ends or 5 s have passed, says DISCONNECT and closes
// the connections. Calls that come later fail with ErrClosed. The error tells that work was cut short.
func (c *Client) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeQuiesce)
	defer cancel()
	c.mu.Lock()
	select {
	case <-c.closed:
	default:
		close(c.closed)
		if c.work == 0 {
			close(c.idle)
		}
	}
	c.mu.Unlock()

	var err error
	select {
	case <-c.idle:
	case <-ctx.Done():
		err = &Error{Op: "close", Broker: c.set.name, Err: fmt.Errorf("work under way was cut short: %w", ctx.Err()), retryable: true}
	}
	c.end()
	c.mu.Lock()
	s := c.current
	c.current = nil
	c.mu.Unlock()
	if s != nil {
		s.disconnect()
	}
	return err
}

func (c *Client) closedError(op string) error {
	return &Error{Op: op, Broker: c.set.name, Err: ErrClosed}
}

// enter counts a call in, unless the client is closed.
func (c *Client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return false
	default:
		c.work++
		return true
	}
}

func (c *Client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work--
	select {
	case <-c.closed:
		if c.work == 0 {
			close(c.idle)
		}
	default:
	}
}

// attempt is one try to connect, shared by all who wait for a connection.
type attempt struct {
	cancel  context.CancelFunc
	waiters int

	done    chan struct{}
	session *session // set with err before done is closed
	err     error
}

// connected gives the connection to publish on, or waits for the attempt to open one.
func (c *Client) connected(ctx context.Context) (*session, error) {
	if ctx.Err() != nil {
		return nil, c.waitError(ctx)
	}
	c.mu.Lock()
	if s := c.usable(); s != nil {
		c.mu.Unlock()
		return s, nil
	}
	a := c.attempt
	if a == nil {
		a = c.startAttempt()
	}
	a.waiters++
	c.mu.Unlock()

	select {
	case <-a.done:
		return a.session, a.err
	case <-ctx.Done():
		c.stopWaiting(a)
		return nil, c.waitError(ctx)
	case <-c.life.Done():
		c.stopWaiting(a)
		return nil, c.closedError("publish")
	}
}

func (c *Client) waitError(ctx context.Context) error {
	return &Error{Op: "connect", Broker: c.set.name, Err: context.Cause(ctx), retryable: true}
}

// usable gives the current connection if it can be trusted, and puts it away if not. The lock is held.
func (c *Client) usable() *session {
	s := c.current
	switch {
	case s == nil:
		return nil
	case s.alive() && !s.stale():
		if s.useful() {
			c.failures = 0
		}
		return s
	case s.alive():
		s.drop(errors.New("nothing was heard of the broker for longer than the keep alive"))
	case !s.useful():
		// It came to nothing as much as one that could not be opened.
		c.failed()
	}
	c.current = nil
	return nil
}

func (c *Client) stopWaiting(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.waiters--
	if a.waiters == 0 {
		a.cancel()
		if c.attempt == a {
			c.attempt = nil
		}
	}
}

// startAttempt connects in a goroutine that ends with the last one who waits for it. The lock is held.
func (c *Client) startAttempt() *attempt {
	ctx, cancel := context.WithCancel(c.life)
	a := &attempt{cancel: cancel, done: make(chan struct{})}
	c.attempt = a
	pause := c.retryAt.Sub(c.now())
	go func() {
		defer cancel()
		a.session, a.err = c.connect(ctx, pause)
		c.finish(ctx, a)
		close(a.done)
	}()
	return a
}

func (c *Client) connect(ctx context.Context, pause time.Duration) (*session, error) {
	if err := wait(ctx, pause); err != nil {
		return nil, c.waitError(ctx)
	}
	return open(ctx, c.set, c.now, role{clientID: c.clientID, will: c.set.Will})
}

func (c *Client) finish(ctx context.Context, a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	orphan := c.attempt != a // all who waited are gone
	if !orphan {
		c.attempt = nil
	}
	switch {
	case a.err == nil && (orphan || c.life.Err() != nil):
		go a.session.disconnect()
	case a.err == nil:
		c.current = a.session
	case ctx.Err() == nil:
		c.failed()
	}
}

// Pauses between connects that lead to nothing: short, for someone waits, but a broker that is down is not hammered.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// failed sets the pause before the next attempt. The lock is held.
func (c *Client) failed() {
	c.retryAt = c.now().Add(backoff(c.failures, firstPause, lastPause))
	c.failures++
}

// backoff doubles first up to last and takes a random half of it off, so that clients do not come back in step.
func backoff(failures int, first, last time.Duration) time.Duration {
	d := last
	if failures < 30 {
		d = min(first<<failures, last)
	}
	return d/2 + rand.N(d/2+1)
}

// wait returns nil after d, or earlier with the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
