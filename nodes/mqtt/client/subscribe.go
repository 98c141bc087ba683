package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Message is a message that arrived; the handler owns it.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte // at which the broker delivers: the lower of the publisher's and the subscription's

	// Retained is true for a message that was published earlier and kept by the broker for new subscribers.
	Retained bool

	// Duplicate is true when the broker may have sent the message before.
	Duplicate bool

	// Attempt counts from 1 how often the message, as the broker sent it, was given to the handler.
	Attempt int
}

// Handler takes one message. The broker gets the acknowledgement when it returns nil, and not before. After an error the
// message stays unacknowledged and is given to the handler again after a pause, for as long as the subscription lasts;
// a handler that wants to be rid of a message returns nil. Messages of QoS 0 are not given again.
type Handler func(ctx context.Context, m Message) error

// Subscribe receives the messages of a topic filter until ctx ends, on a connection of its own, and returns nil then.
// It calls handle for up to maxInFlight messages at once; with 1, in the order of their arrival.
//
// MQTT 3.1.1 lets a broker send an unacknowledged message again only when a client comes back to a persistent session
// (MQTT-4.4.0-1). So what Config.SessionID gives is that messages outlive this process: those not acknowledged when the
// connection or the process ends come again, the first also while their handler still runs. While the connection
// stands, a message whose handler failed is kept here and given to it again, without a reconnect that would have all
// others in flight repeated too. Without SessionID a message of QoS 1 or 2 is lost if the process ends before it is
// handled. In either case it is delivered at least once, not exactly once, also with QoS 2.
//
// A lost connection is opened again after a growing pause, and the filter subscribed again unless the broker kept the
// session. If the very first connect or the subscription is refused for good, Subscribe returns that error.
//
// The end of ctx stops the reception at once. Handlers that run are not interrupted, and Subscribe returns when they
// have; Close interrupts them.
func (c *Client) Subscribe(ctx context.Context, filter string, qos byte, maxInFlight int, handle Handler) error {
	return c.SubscribeAll(ctx, []string{filter}, qos, maxInFlight, handle)
}

// SubscribeAll is Subscribe for several filters on one connection. A message that several of them match may come several
// times.
func (c *Client) SubscribeAll(ctx context.Context, filters []string, qos byte, maxInFlight int, handle Handler) error {
	if err := validSubscribe(filters, qos, maxInFlight); err != nil {
		return &Error{Op: "subscribe", Broker: c.set.name, Err: err}
	}
	if !c.enter() {
		return c.closedError("subscribe")
	}
	defer c.leave()
	if !c.claimSession() {
		return &Error{Op: "subscribe", Broker: c.set.name, Err: fmt.Errorf("session %q is in use by another Subscribe of this client", c.set.SessionID)}
	}
	defer c.releaseSession()
	s := &subscription{
		client:  c,
		filters: filters,
		qos:     qos,
		handle:  handle,
		role:    role{clientID: c.set.SessionID, persistent: c.set.SessionID != ""},
		inbox:   newInbox(),
	}
	if !s.role.persistent {
		s.role.clientID = c.set.newClientID()
	}
	return s.run(ctx, maxInFlight)
}

func validSubscribe(filters []string, qos byte, maxInFlight int) error {
	if len(filters) == 0 {
		return errors.New("no topic filter is given")
	}
	for _, filter := range filters {
		if err := ValidateFilter(filter); err != nil {
			return err
		}
	}
	if qos > 2 {
		return fmt.Errorf("QoS is 0, 1 or 2, not %d", qos)
	}
	if maxInFlight < 1 {
		return fmt.Errorf("at least 1 message must be allowed in flight, not %d", maxInFlight)
	}
	return nil
}

func (c *Client) claimSession() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set.SessionID == "" {
		return true
	}
	free := !c.subscribed
	c.subscribed = true
	return free
}

func (c *Client) releaseSession() {
	c.mu.Lock()
	c.subscribed = false
	c.mu.Unlock()
}

// subscription is one call of Subscribe.
type subscription struct {
	client  *Client
	filters []string
	qos     byte
	handle  Handler
	role    role
	inbox   *inbox

	receiving context.Context // ends with the caller's context or with Close
	handling  context.Context // ends when Close has run out of patience
	workers   sync.WaitGroup
	connected bool // at least once
	// subscribed says that the broker's session has the filters. That there is a session says less: the connection that
	// began it may have been lost before they were in force.
	subscribed bool
	unhandled  atomic.Int64 // messages of QoS 1 and 2 that were taken and dropped at the end
}

func (s *subscription) run(ctx context.Context, maxInFlight int) error {
	c := s.client
	receiving, stop := context.WithCancel(ctx)
	defer stop()
	handling, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	defer context.AfterFunc(c.life, interrupt)()
	s.receiving, s.handling = receiving, handling

	defer context.AfterFunc(receiving, s.inbox.stop)()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-c.closed:
			stop()
		case <-receiving.Done():
		}
	}()
	for range maxInFlight {
		s.workers.Go(s.work)
	}

	err := s.stayConnected()
	stop()
	s.inbox.stop()
	s.workers.Wait()
	<-watched
	s.tellUnhandled()
	if err == nil && ctx.Err() == nil {
		return c.closedError("subscribe")
	}
	return err
}

// tellUnhandled tells of the messages that the subscription had and leaves unacknowledged.
func (s *subscription) tellUnhandled() {
	n := s.unhandled.Load() + s.inbox.left()
	if n == 0 {
		return
	}
	if s.role.persistent {
		s.client.set.Log.Info("mqtt messages were not handled before the end; the broker keeps them in the session", "messages", n)
		return
	}
	s.client.set.Log.Warn("mqtt messages were not handled before the end and are lost; a session would keep them", "messages", n)
}

// Pauses between the connections of a subscription. No one waits for one that is down, so they grow long.
const (
	firstReconnect = 100 * time.Millisecond
	lastReconnect  = 30 * time.Second

	// steady is how long a connection must last for the pauses to start over.
	steady = 10 * time.Second
)

// stayConnected returns nil at the end of receiving, and the error of a refusal for good.
func (s *subscription) stayConnected() error {
	log := s.client.set.Log.With("broker", s.client.set.name)
	for failures := 0; s.receiving.Err() == nil; failures++ {
		since := s.client.now()
		err := s.receive()
		if s.receiving.Err() != nil {
			return nil
		}
		var e *Error
		if errors.As(err, &e) && !e.Retryable() && !s.connected {
			return err
		}
		if s.client.now().Sub(since) >= steady {
			failures = 0
		}
		pause := backoff(failures, firstReconnect, lastReconnect)
		log.Warn("mqtt subscriber reconnects", "filters", s.filters, "pause", pause, "error", err)
		_ = wait(s.receiving, pause)
	}
	return nil
}

// receive opens a connection, subscribes and stays until the connection is lost or receiving ends.
func (s *subscription) receive() error {
	c := s.client
	l := &link{pending: map[uint16]bool{}}
	r := s.role
	r.receive = func(_ paho.Client, m paho.Message) { s.arrived(l, m) }
	conn, err := open(s.receiving, c.set, c.now, r)
	if err != nil {
		return err
	}
	l.session.Store(conn)
	s.subscribed = s.subscribed && conn.resumed
	if !s.subscribed {
		if err := s.subscribe(conn); err != nil {
			conn.disconnect()
			return err
		}
	}
	s.connected, s.subscribed = true, true
	if c.set.Subscribed != nil {
		c.set.Subscribed(s.filters)
	}
	select {
	case <-conn.lost:
		if s.role.persistent {
			s.inbox.discard(l) // the broker sends them again
		}
		return conn.lostError("subscribe")
	case <-s.receiving.Done():
		s.inbox.stop()
		s.workers.Wait() // their acknowledgements go out before the goodbye
		conn.disconnect()
		return nil
	}
}

const refused = 0x80 // in SUBACK, MQTT 3.1.1 section 3.9.3

func (s *subscription) subscribe(conn *session) error {
	set := s.client.set
	filters := make(map[string]byte, len(s.filters))
	for _, filter := range s.filters {
		filters[filter] = s.qos
	}
	timer := time.NewTimer(set.ConnectTimeout)
	defer timer.Stop()
	token := conn.paho.SubscribeMultiple(filters, nil)
	select {
	case <-token.Done():
	case <-conn.lost:
		return conn.lostError("subscribe")
	case <-s.receiving.Done():
		return context.Cause(s.receiving)
	case <-timer.C:
		return &Error{Op: "subscribe", Broker: set.name, Err: fmt.Errorf("%w: no SUBACK within %s", ErrTimeout, set.ConnectTimeout), retryable: true}
	}
	if err := token.Error(); err != nil {
		return &Error{Op: "subscribe", Broker: set.name, Err: err, retryable: true}
	}
	for filter, granted := range token.(*paho.SubscribeToken).Result() {
		switch {
		case granted == refused:
			return &Error{Op: "subscribe", Broker: set.name, Err: fmt.Errorf("the broker refuses the filter %s", quoted(filter))}
		case granted < s.qos:
			set.Log.Warn("mqtt broker grants less than was asked for", "filter", filter, "asked", s.qos, "granted", granted)
		}
	}
	return nil
}

// arrived takes a message from paho, whose only goroutine for all that comes in must not be held up: it sees to the
// acknowledgements and the keep alive as well.
func (s *subscription) arrived(l *link, m paho.Message) {
	if m.Qos() > 0 && !l.begin(m.MessageID()) {
		return // sent again while the first copy is still here; one acknowledgement serves both
	}
	dropped := s.inbox.put(&arrival{link: l, paho: m, message: Message{
		Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained(), Duplicate: m.Duplicate(),
	}})
	if dropped != 0 && dropped&(dropped-1) == 0 { // at 1, 2, 4, 8 …
		s.client.set.Log.Warn("mqtt messages of QoS 0 were dropped, the handler does not keep up", "dropped", dropped)
	}
}

// work handles messages one after the other until the inbox stops.
func (s *subscription) work() {
	for a := s.inbox.take(); a != nil; a = s.inbox.take() {
		// The inbox learns of the end a moment after it.
		if s.receiving.Err() != nil {
			s.leave(a)
			return
		}
		s.deliver(a)
	}
}

// leave is for a message that the end has come before.
func (s *subscription) leave(a *arrival) {
	if a.message.QoS > 0 {
		s.unhandled.Add(1)
	}
}

// Pauses before a message is given to its handler again.
const (
	firstRedelivery = 500 * time.Millisecond
	lastRedelivery  = 30 * time.Second
)

func (s *subscription) deliver(a *arrival) {
	for failures := 0; ; failures++ {
		a.message.Attempt = failures + 1
		err := s.handle(s.handling, a.message)
		if err == nil {
			a.acknowledge()
			return
		}
		log := s.client.set.Log.With("topic", a.message.Topic, "error", err)
		if a.message.QoS == 0 {
			log.Warn("mqtt message of QoS 0 was not handled and is lost")
			return
		}
		pause := backoff(failures, firstRedelivery, lastRedelivery)
		log.Warn("mqtt message was not handled and stays unacknowledged", "next try in", pause)
		if wait(s.receiving, pause) != nil {
			s.leave(a)
			return
		}
		if s.role.persistent && !a.link.alive() {
			return // the broker sends it again
		}
	}
}
