package client

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// disconnectQuiesce is how long a goodbye may take to be written.
const disconnectQuiesce = 250 * time.Millisecond

// session is one connection to the broker, from CONNECT to its end; it is never reconnected.
type session struct {
	set  *settings
	now  func() time.Time
	paho paho.Client

	resumed bool // the broker had a session under this client identifier

	slot  chan struct{} // held by the one who hands paho a message
	lost  chan struct{} // closed when the connection is no longer usable
	quiet chan struct{} // closed when it is lost and no message is being handed to paho

	mu    sync.Mutex
	cause error // why it was lost, set before lost is closed
	conn  net.Conn
	last  time.Time // of the last traffic in either direction
	acked bool      // the broker has confirmed something: it is no one that only lets clients in
}

// role is what differs between a connection to publish on and one to receive on.
type role struct {
	clientID   string
	persistent bool
	will       *Will
	receive    paho.MessageHandler // nil: nothing is subscribed to
}

// open connects; ctx bounds it as the connect timeout does.
func open(ctx context.Context, set *settings, now func() time.Time, r role) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, set.ConnectTimeout)
	defer cancel()
	s := &session{set: set, now: now, last: now(),
		slot: make(chan struct{}, 1), lost: make(chan struct{}), quiet: make(chan struct{})}
	s.paho = paho.NewClient(s.options(ctx, r))
	stop := context.AfterFunc(ctx, func() { s.closeConn() })
	token := s.paho.Connect()
	<-token.Done() // soon after ctx at the latest: the dial ends with it, and the handshake with the connection
	if !stop() && token.Error() == nil {
		s.drop(context.Cause(ctx))
		return nil, connectError(set.name, context.Cause(ctx))
	}
	if err := token.Error(); err != nil {
		s.closeConn()
		switch lost := s.lostBy(); {
		case ctx.Err() != nil:
			err = ctx.Err()
		case lost != nil:
			err = lost
		}
		return nil, connectError(set.name, err)
	}
	if ct, ok := token.(*paho.ConnectToken); ok {
		s.resumed = ct.SessionPresent()
	}
	return s, nil
}

func (s *session) options(ctx context.Context, r role) *paho.ClientOptions {
	o := paho.NewClientOptions().
		SetClientID(r.clientID).
		SetUsername(s.set.Username).
		SetPassword(s.set.Password).
		SetProtocolVersion(4). // 0 would try MQTT 3.1 after a failure and double the time
		SetCleanSession(!r.persistent).
		SetAutoReconnect(false). // a reconnecting paho completes publishes that were not acknowledged
		SetConnectRetry(false).
		SetKeepAlive(s.set.KeepAlive).
		SetPingTimeout(min(s.set.KeepAlive, defaultTimeout)).
		SetConnectTimeout(s.set.ConnectTimeout).
		SetWriteTimeout(s.set.PublishTimeout). // for the wait in paho's queue; guardedConn times the writes
		SetOrderMatters(true).
		SetAutoAckDisabled(true).
		SetDefaultPublishHandler(r.receive).
		SetConnectionLostHandler(func(_ paho.Client, err error) { s.drop(err) }).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return s.dial(ctx) })
	o.Servers = []*url.URL{s.set.broker}
	if w := r.will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retain)
	}
	return o
}

func (s *session) dial(ctx context.Context) (net.Conn, error) {
	raw, err := s.set.dial(ctx)
	if err != nil {
		return nil, err
	}
	conn := guard(raw, s.set.WriteTimeout, s)
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	if ctx.Err() != nil { // ended before there was a connection to close
		_ = raw.Close()
		return nil, ctx.Err()
	}
	return conn, nil
}

func (s *session) closeConn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// heard notes that something came from the broker.
func (s *session) heard() {
	now := s.now()
	s.mu.Lock()
	s.last = now
	s.mu.Unlock()
}

// wrote notes that something was written. That does not make a connection fresh again which was silent for too long: a
// write succeeds though nobody is left to read it, and after a freeze paho's overdue ping is the first.
func (s *session) wrote() {
	now := s.now()
	s.mu.Lock()
	if !s.tooOld(now) {
		s.last = now
	}
	s.mu.Unlock()
}

// stale says whether nothing came or went for longer than the keep alive, as after a freeze of the process or machine:
// the broker or something between may have forgotten the connection, and a write would succeed into the void.
func (s *session) stale() bool {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tooOld(now)
}

// tooOld compares by both clocks: the monotonic one may stand still in a freeze, the wall clock may be set. The lock is
// held.
func (s *session) tooOld(now time.Time) bool {
	return max(now.Sub(s.last), now.Round(0).Sub(s.last.Round(0))) > s.set.KeepAlive
}

func (s *session) alive() bool {
	select {
	case <-s.lost:
		return false
	default:
		return true
	}
}

// lose marks the connection as unusable; it says whether it was usable until now.
func (s *session) lose(cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return false
	}
	s.cause = cause
	close(s.lost)
	return true
}

func (s *session) lostBy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// drop ends the connection without a goodbye. Whatever waits for the broker on it fails. It does not block.
func (s *session) drop(cause error) {
	if !s.lose(cause) {
		return
	}
	s.closeConn()
	go func() {
		s.slot <- struct{}{} // kept: nothing is handed over any more
		close(s.quiet)
		// paho does not notice a connection that was closed on this side, and would leave its goroutines behind.
		s.paho.Disconnect(0)
	}()
}

// lostError is for what waited when the connection was dropped.
func (s *session) lostError(op string) *Error {
	return &Error{Op: op, Broker: s.set.name, Err: fmt.Errorf("%w: %w", ErrConnectionLost, s.lostBy()), retryable: true}
}

// disconnect says goodbye, which keeps the broker from publishing the will, and closes the connection.
func (s *session) disconnect() {
	if !s.lose(ErrClosed) {
		return
	}
	select {
	case s.slot <- struct{}{}:
	case <-time.After(disconnectQuiesce):
	}
	close(s.quiet)
	s.paho.Disconnect(uint(disconnectQuiesce / time.Millisecond))
	s.closeConn()
}

// readFailed and writeFailed are told of the first error of the connection. What they return is handed to paho instead,
// which says nothing of a connection that was closed on this side: so that paho goes on taking the message that is
// being handed to it, which it would else leave waiting, until drop ends it.
func (s *session) readFailed(err error) error {
	s.drop(err)
	<-s.quiet
	return net.ErrClosed
}

func (s *session) writeFailed(err error) error {
	s.drop(err)
	return net.ErrClosed
}

func (s *session) confirmed() {
	s.mu.Lock()
	s.acked = true
	s.mu.Unlock()
}

func (s *session) useful() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// publish returns nil when the message is written (QoS 0), or acknowledged by PUBACK (QoS 1) or PUBCOMP (QoS 2) on this
// very connection.
func (s *session) publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	deadline := time.NewTimer(s.set.PublishTimeout)
	defer deadline.Stop()

	select {
	case s.slot <- struct{}{}:
	case <-s.lost:
		return s.lostError("publish")
	case <-deadline.C:
		return s.giveUp("the broker takes no more data")
	case <-ctx.Done():
		return &Error{Op: "publish", Broker: s.set.name, Err: context.Cause(ctx), retryable: true}
	}
	d := s.hand(topic, qos, retain, payload)

	select {
	case <-d.done:
		return s.outcome(d.err)
	case <-deadline.C:
		return s.giveUp("no acknowledgement")
	case <-ctx.Done():
		go s.watchAbandoned(d)
		return &Error{Op: "publish", Broker: s.set.name, Err: context.Cause(ctx), retryable: true}
	}
}

// delivery is what came of a message handed to paho: done is closed, and err set before, when it is acknowledged or the
// connection lost.
type delivery struct {
	done chan struct{}
	err  error
}

// hand gives paho a message and the slot back when paho has taken it. paho's Publish waits, deaf to any context, while
// another message is being written.
func (s *session) hand(topic string, qos byte, retain bool, payload []byte) *delivery {
	d := &delivery{done: make(chan struct{})}
	payload = bytes.Clone(payload) // paho may still write it when the caller has long given up
	go func() {
		token := s.paho.Publish(topic, qos, retain, payload)
		<-s.slot
		select {
		case <-token.Done():
		case <-s.lost:
		}
		select {
		case <-token.Done():
			d.err = token.Error()
		default:
			d.err = ErrConnectionLost
		}
		close(d.done)
	}()
	return d
}

func (s *session) outcome(err error) error {
	if err == nil {
		s.confirmed()
		return nil
	}
	if !s.alive() {
		return s.lostError("publish")
	}
	return &Error{Op: "publish", Broker: s.set.name, Err: err, retryable: true}
}

// giveUp drops a connection on which the broker does not answer in time, for those behind it would wait as long, and
// the packet identifier would stay in use.
func (s *session) giveUp(what string) error {
	err := fmt.Errorf("%w: %s within %s", ErrTimeout, what, s.set.PublishTimeout)
	s.drop(err)
	return &Error{Op: "publish", Broker: s.set.name, Err: err, retryable: true}
}

// watchAbandoned follows a message whose sender has no more time. If the broker does not acknowledge it in the time that
// is usual, the connection is given up as in giveUp.
func (s *session) watchAbandoned(d *delivery) {
	timer := time.NewTimer(s.set.PublishTimeout)
	defer timer.Stop()
	select {
	case <-d.done:
	case <-s.lost:
	case <-timer.C:
		s.drop(fmt.Errorf("%w: no acknowledgement within %s", ErrTimeout, s.set.PublishTimeout))
	}
}
