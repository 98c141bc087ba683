package mqtt

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// connectTimeout is how long a client may take to send CONNECT.
	connectTimeout = 30 * time.Second

	// endTimeout bounds how long the backend may take to end a client that is gone.
	endTimeout = requestTimeout

	// willTime is what nats-server needs at most, after it has closed the connection, to publish a will and to set the
	// client's session free.
	willTime = 50 * time.Millisecond
)

// disconnect is the packet by which a client says goodbye, MQTT 3.1.1 section 3.14.
var disconnect = []byte{0xE0, 0x00}

// session is one client's connection. What outlives it is in flights.
type session struct {
	client, backend net.Conn
	out             *packetWriter
	answered        chan struct{} // closed when the client has been sent its CONNACK
	ended           chan struct{} // closed when the backend has let go of the client

	// What the gateway does for the session: let the client in with the packet that the backend gets, keep a retained
	// message, find those of a filter, and meet faults before a CONNECT or PUBLISH. An error of before ends the copying
	// at once, last ends it behind this packet. before may be nil.
	letIn    func(*connectPacket) ([]byte, error)
	retain   func(*retainedMessage) error
	matching func(filter string) []*retainedMessage
	levels   *longLevels
	before   func(packetType byte) (last bool, err error)
	// shareWindow is called when the client has several subscriptions.
	shareWindow func()
	// backlog says whether there are messages for a subscription that the client has not acknowledged.
	backlog func(filter string) bool

	// Set when the client is let in.
	id       string
	level    byte
	flights  *flights
	will     *will
	idle     time.Duration
	accepted atomic.Bool // by the backend

	// whole says that the client's side ended between two packets, goodbye that it did so with DISCONNECT.
	whole, goodbye bool

	mu       sync.Mutex
	expected []expected
	// unsettled counts what the backend has not acknowledged, CONNECT and messages; settled is told when there is nothing
	// left, or when the backend is gone.
	unsettled int
	gone      bool
	settled   sync.Cond
}

// expected is a SUBACK or UNSUBACK that the backend owes, which it sends in the order of the requests.
type expected struct {
	swallow    bool // the client did not ask for it
	subscribed []subscription
}

func (s *session) expectAnswer(e expected) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected = append(s.expected, e)
}

func (s *session) nextExpected() expected {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expected) == 0 {
		return expected{}
	}
	e := s.expected[0]
	s.expected = s.expected[1:]
	return e
}

// awaiting says that the backend owes the client the acknowledgement of a packet: of a message that it is to pass on, or
// of CONNECT.
func (s *session) awaiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsettled++
}

// settle says that the backend has acknowledged what it owed, or is gone.
func (s *session) settle(gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsettled--
	s.gone = s.gone || gone
	if s.unsettled == 0 || s.gone {
		s.settled.Broadcast()
	}
}

// awaitSettled returns when the backend has acknowledged CONNECT and all messages of the client. nats-server acknowledges
// them when they are on disk, but goes on with what comes behind them before.
func (s *session) awaitSettled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.unsettled > 0 && !s.gone {
		s.settled.Wait()
	}
}

// grant notes subscriptions and gives those that take the place of one of the other of QoS 1 and 2. One that has messages
// for the client keeps its place until the client connects again: they would be lost with it.
func (s *session) grant(list []subscription) (replaced []subscription) {
	for _, f := range list {
		if s.flights.grant(f.filter, f.qos) && !s.backlog(f.filter) {
			replaced = append(replaced, f)
		}
	}
	return replaced
}

// Read reads from the client, for as long as its keep alive allows (MQTT-3.1.2-24).
func (s *session) Read(p []byte) (int, error) {
	var deadline time.Time
	switch {
	case s.flights == nil:
		deadline = time.Now().Add(connectTimeout)
	case s.idle > 0:
		deadline = time.Now().Add(s.idle)
	}
	if err := s.client.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := s.client.Read(p)
	var netErr net.Error // WebSocket's is not os.ErrDeadlineExceeded
	if errors.As(err, &netErr) && netErr.Timeout() {
		err = errSilent
	}
	return n, err
}

var errSilent = errors.New("nothing came from the client for longer than its keep alive allows")

// connected are the clients by their identifiers, as the backend gets them.
//
// A second client of an identifier ends the first one (MQTT-3.1.4-2). nats-server would do so too, but without the
// first one's will, and refuses the identifier for the next second, which meets clients that merely connect again before
// it has noticed that they were gone. So the gateway ends the first one and waits until the backend has let go of it.
type connected struct {
	mu      sync.Mutex
	byID    map[string]*session
	flights map[string]*flights // of sessions that are not clean
}

// takeOver makes s the client of an identifier, once the one before has ended.
func (c *connected) takeOver(id string, s *session) {
	c.mu.Lock()
	before := c.byID[id]
	s.id = id
	c.byID[id] = s
	c.mu.Unlock()
	if before == nil {
		return
	}
	select { // clients that keep ending each other must get somewhere in between
	case <-before.answered:
	case <-before.ended:
	}
	_ = before.client.Close()
	<-before.ended
}

// flightsOf gives those of an identifier, new ones for a clean session.
func (c *connected) flightsOf(id string, clean bool) *flights {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flights[id]
	switch {
	case clean:
		delete(c.flights, id)
		f = newFlights()
	case f == nil:
		f = newFlights()
		c.flights[id] = f
	}
	f.newConnection()
	return f
}

// end says that the broker ends, and gives the sessions that stay of which the backend may not have noted what their
// clients acknowledged, by their hashes: with a client that is here, or that is gone.
func (c *connected) end() (here map[string]*flights, gone map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	here, gone = map[string]*flights{}, map[string]bool{}
	for id, f := range c.flights {
		switch {
		case !f.end():
		case c.byID[id] != nil:
			here[sessionHash(id)] = f
		default:
			gone[sessionHash(id)] = true
		}
	}
	return here, gone
}

// leave forgets s.
func (c *connected) leave(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[s.id] == s {
		delete(c.byID, s.id)
	}
}

// broken says that the client is gone without a goodbye, so that its will is due.
func (s *session) broken() bool { return s.will != nil && !s.goodbye && s.accepted.Load() }

// endInput tells the backend that the client sends nothing more. It says goodbye for a client without a will, which
// changes nothing but that the backend lets go of the session before it closes the connection, not after.
func (s *session) endInput() {
	if s.whole && s.will == nil {
		_, _ = s.backend.Write(disconnect) // the backend may have closed first
	}
	// Only the sending half: a close would reset the connection if the backend has something on the way, and lose
	// the DISCONNECT that keeps it from publishing the will.
	_ = s.backend.(*net.TCPConn).CloseWrite()
}

// awaitEnd returns when the backend has let go of the client, whose side has been closed.
func (s *session) awaitEnd() {
	_, err := io.Copy(io.Discard, s.backend)
	if s.will != nil && !errors.Is(err, net.ErrClosed) { // closed by the gateway: the broker shuts down
		time.Sleep(willTime)
	}
}

// serve relays one client until either side ends, and closes it.
func (g *gateway) serve(client net.Conn) {
	defer client.Close()
	var d net.Dialer
	conn, err := d.DialContext(g.ctx, "tcp", g.backend.addr)
	if err != nil {
		if g.ctx.Err() == nil {
			g.log.Warn("mqtt broker: cannot serve a client", "client", client.RemoteAddr().String(), "error", err)
		}
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(g.ctx, func() {
		_ = client.Close()
		_ = conn.Close()
	})
	defer stop()

	s := g.newSession(client, conn)
	defer close(s.ended)
	defer g.clients.leave(s)
	silent := make(chan struct{}) // closed when the backend says nothing more
	var in sync.WaitGroup
	in.Go(func() {
		err := s.inbound(conn, s)
		g.report(client, err)
		if refused, ok := errors.AsType[*refusal](err); ok {
			_ = s.toClient(refused.connack)
		}
		if s.will != nil { // the backend may be about to accept a client that did not wait for that
			select {
			case <-s.answered:
			case <-silent:
			}
		}
		// New subscribers must find the will as soon as the backend sends it to those who are there.
		if s.broken() && s.will.retain && !g.ending.Load() {
			g.report(client, s.retain(&retainedMessage{topic: string(s.will.topic), qos: s.will.qos, payload: s.will.payload}))
		}
		s.endInput()
	})
	g.report(client, s.outbound(conn))
	s.settle(true)
	close(silent)
	_ = client.Close()
	_ = conn.SetDeadline(time.Now().Add(endTimeout))
	in.Wait()
	s.awaitEnd()
}

// admit lets a client in, or refuses it.
func (g *gateway) admit(s *session, p *connectPacket) ([]byte, error) {
	if g.user != "" && !p.authorized(g.user, g.password) {
		return nil, refuse(refusedAuth, "wrong user name or password")
	}
	named := len(p.id) > 0
	if !named { // MQTT-3.1.3-6
		p.id = []byte(rand.Text())
	}
	packet, err := p.forBackend(g.levels, g.user, g.password)
	if err != nil {
		return nil, err
	}
	s.level, s.will = p.level, p.will
	s.idle = time.Duration(p.keepAlive) * time.Second * 3 / 2
	id := string(clientIDToBackend(p.id))
	g.clients.takeOver(id, s)
	s.flights = g.clients.flightsOf(id, p.clean)
	if !named {
		return packet, nil
	}
	prepare := g.resume
	if p.clean {
		prepare = g.forgetHeld
	}
	if err := prepare(s); err != nil && g.ctx.Err() == nil {
		g.log.Warn("mqtt broker: cannot prepare a client's session", "error", err)
	}
	return packet, nil
}

// resume makes ready what there is of a session before its client is let in again.
func (g *gateway) resume(s *session) error {
	stored, err := g.backend.storedSession(s.id)
	if err != nil || stored == nil {
		return err
	}
	s.flights.restore(stored.filters(g.levels))
	return g.backend.repeat(g.ctx, stored)
}

func (g *gateway) forgetHeld(s *session) error { return g.backend.forgetHeld(s.id) }
