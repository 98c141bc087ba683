package mqtt

import (
	"errors"
	"strings"
	"sync"
	"time"
)

// maxRetainedInFlight bounds the retained messages that a client has not acknowledged yet; more wait for their turn.
const maxRetainedInFlight = 256

// errWrongAck is an acknowledgement of the other QoS, which ends the connection (MQTT-4.8.0-1).
var errWrongAck = errors.New("the client acknowledged a message as of another QoS")

// flights are the messages of QoS 1 and 2 on their way to one client, by packet identifier. They belong to the session
// and outlive its connections, though not the process: after a restart nats-server sends all that is left anew.
//
// A client sees other identifiers than nats-server, because the gateway sends retained messages of its own. And
// nats-server repeats a message every ackWait until it is acknowledged, where MQTT asks for it only when the client has
// connected again (MQTT-4.4.0-1): here it is known which is which.
type flights struct {
	mu        sync.Mutex
	byClient  map[uint16]*flight
	byBackend map[uint16]*flight
	last      uint16
	// connection counts the client's connections.
	connection int
	// acknowledged is when the client last acknowledged a message of the backend, or that was answered.
	acknowledged time.Time
	// ending says that the broker ends.
	ending bool

	ownInFlight int
	waiting     []*delivery

	// held are the identifiers of messages of QoS 2 that the client has sent and not released.
	held map[uint16]bool
	// granted are the subscriptions, by filter, with their QoS.
	granted map[string]byte
	// shares are the parts of maxInFlight that the backend's consumers have.
	shares map[string]int
}

// flight is one message on its way.
type flight struct {
	client, backend uint16 // backend is 0 for a retained message
	qos             byte
	received        bool // PUBREC has come and was passed on
	released        bool // the backend has answered it: what follows is about PUBREL
	sent            int  // the connection on which it was sent last
	own             *delivery
}

// delivery is a retained message for one subscription.
type delivery struct {
	message *retainedMessage
	qos     byte
}

func newFlights() *flights {
	return &flights{
		byClient: map[uint16]*flight{}, byBackend: map[uint16]*flight{}, held: map[uint16]bool{}, granted: map[string]byte{},
		shares: map[string]int{},
	}
}

// newConnection says that the client is connected anew.
func (f *flights) newConnection() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.connection++
}

// restore tells of the filters that the backend has of a session, which this process may not have seen subscribed.
func (f *flights) restore(filters map[string]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for filter, qos := range filters {
		if _, known := f.granted[filter]; !known {
			f.granted[filter] = qos
		}
	}
}

// publish is called for a PUBLISH of the backend. pass is false when the client has it on this very connection already.
func (f *flights) publish(backend uint16, qos byte, dup bool) (client uint16, again, pass bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.byBackend[backend]; m != nil && dup && !m.released {
		again, pass = true, m.sent != f.connection
		m.sent, m.qos, m.received = f.connection, qos, false
		return m.client, again, pass
	} else if m != nil && m.released && dup {
		return 0, false, false
	} else if m != nil { // the backend has done with the older message
		f.forget(m)
	}
	m := f.addAs(backend, qos)
	if m == nil {
		return 0, false, false // the backend sends it again
	}
	m.backend = backend
	f.byBackend[backend] = m
	return m.client, dup, true
}

// addAs takes the identifier that the backend chose, unless a retained message has it: after a restart the client knows
// it, and nothing else does.
func (f *flights) addAs(backend uint16, qos byte) *flight {
	if f.byClient[backend] != nil {
		return f.add(qos)
	}
	f.last = backend
	m := &flight{client: backend, qos: qos, sent: f.connection}
	f.byClient[backend] = m
	return m
}

// add finds an identifier, or gives nil when all are in use.
func (f *flights) add(qos byte) *flight {
	for range 0xffff {
		f.last++
		if f.last == 0 {
			f.last = 1
		}
		if f.byClient[f.last] == nil {
			m := &flight{client: f.last, qos: qos, sent: f.connection}
			f.byClient[f.last] = m
			return m
		}
	}
	return nil
}

func (f *flights) forget(m *flight) {
	delete(f.byClient, m.client)
	if f.byBackend[m.backend] == m {
		delete(f.byBackend, m.backend)
	}
	if m.own != nil {
		f.ownInFlight--
	}
}

// release is called for a PUBREL of the backend.
func (f *flights) release(backend uint16) (client uint16, pass bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.byBackend[backend]
	if m == nil { // of a message that was sent before a restart, by an identifier that the client knows
		if f.byClient[backend] != nil {
			return 0, false
		}
		m = &flight{client: backend, backend: backend, qos: 2, received: true}
		f.byClient[backend], f.byBackend[backend] = m, m
	}
	pass = !m.released || m.sent != f.connection
	m.released, m.sent = true, f.connection
	f.acknowledged = time.Now()
	return m.client, pass
}

// An answer is what is to be done about an acknowledgement of the client.
type answer struct {
	toBackend uint16 // passed on with this identifier, unless 0
	pubrel    bool   // the gateway answers with PUBREL itself
}

// acknowledge is called for a PUBACK, PUBREC or PUBCOMP of the client. While the broker ends it takes no more messages for
// acknowledged: it is open whether the backend would note that in time.
func (f *flights) acknowledge(packetType byte, client uint16) (answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.byClient[client]
	if m == nil {
		return answer{pubrel: packetType == typePubrec}, nil
	}
	switch {
	case packetType == typePubrec && m.qos == 2:
		again := m.released
		if m.own != nil || again {
			m.released, m.sent = true, f.connection
			return answer{pubrel: true}, nil
		}
		if f.ending {
			return answer{}, nil
		}
		m.received, f.acknowledged = true, time.Now()
		return answer{toBackend: m.backend}, nil
	case packetType == typePuback && m.qos == 1, packetType == typePubcomp && m.released:
		if f.ending && m.own == nil {
			return answer{}, nil
		}
		f.acknowledged = time.Now()
		f.forget(m)
		return answer{toBackend: m.backend}, nil
	}
	return answer{}, errWrongAck
}

// clear is for a clean session.
func (f *flights) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byClient, f.byBackend = map[uint16]*flight{}, map[uint16]*flight{}
	f.ownInFlight, f.waiting, f.last = 0, nil, 0
	f.held, f.granted, f.shares = map[uint16]bool{}, map[string]byte{}, map[string]int{}
}

// retained takes deliveries in and gives the packets of those whose turn it is, in parts: all retained messages together
// may be more than there should be a copy of.
func (f *flights) retained(ds ...*delivery) [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var packets [][]byte
	for _, d := range ds {
		if d.qos == 0 {
			packets = d.append(packets, 0, false)
			continue
		}
		f.waiting = append(f.waiting, d)
	}
	return f.next(packets)
}

// moreRetained gives the packets of deliveries whose turn has come, in parts.
func (f *flights) moreRetained() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		return nil
	}
	return f.next(nil)
}

func (f *flights) next(packets [][]byte) [][]byte {
	for len(f.waiting) > 0 && f.ownInFlight < maxRetainedInFlight {
		m := f.add(f.waiting[0].qos)
		if m == nil {
			break
		}
		m.own, f.waiting = f.waiting[0], f.waiting[1:]
		f.ownInFlight++
		packets = m.own.append(packets, m.client, false)
	}
	return packets
}

// again gives the packets of the retained messages that a client that is back has not acknowledged, in parts.
func (f *flights) again() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var packets [][]byte
	for _, m := range f.inOrder() {
		switch {
		case m.released:
			packets = append(packets, []byte{typePubrel<<4 | 2, 2, byte(m.client >> 8), byte(m.client)})
		default:
			packets = m.own.append(packets, m.client, true)
		}
		m.sent = f.connection
	}
	return packets
}

// inOrder gives the retained messages on their way, the oldest first, as far as identifiers tell.
func (f *flights) inOrder() []*flight {
	var ordered []*flight
	for i := 1; i <= 1<<16 && len(ordered) < f.ownInFlight; i++ {
		if m := f.byClient[f.last+uint16(i)]; m != nil && m.own != nil {
			ordered = append(ordered, m)
		}
	}
	return ordered
}

func (d *delivery) append(packets [][]byte, id uint16, dup bool) [][]byte {
	first, length := byte(typePublish<<4|retainFlag)|d.qos<<1, 2+len(d.message.topic)+len(d.message.payload)
	if d.qos > 0 {
		length += 2
	}
	if dup {
		first |= dupFlag
	}
	start := appendString(appendFixedHeader(nil, first, length), []byte(d.message.topic))
	if d.qos > 0 {
		start = append(start, byte(id>>8), byte(id))
	}
	return append(packets, start, d.message.payload)
}

// hold is called for a PUBLISH of QoS 2 of the client, and says whether it is a new message.
func (f *flights) hold(id uint16) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	isNew := !f.held[id]
	f.held[id] = true
	return isNew
}

func (f *flights) letGo(id uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.held, id)
}

// fromBackend says whether messages of the backend are on their way.
func (f *flights) fromBackend() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.byBackend) > 0
}

// end says that the broker ends, and whether the client acknowledged something so lately that the backend may not have
// noted it.
func (f *flights) end() (unsettled bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending = true
	return time.Since(f.acknowledged) < settleTimeout
}

// unacknowledged counts the messages of the backend that the client has not acknowledged.
func (f *flights) unacknowledged() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.byBackend {
		if !m.received {
			n++
		}
	}
	return n
}

// grant notes a subscription and says whether it takes the place of one of the other of QoS 1 and 2.
func (f *flights) grant(filter string, qos byte) (replaced bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, ok := f.granted[filter]
	f.granted[filter] = qos
	return ok && before != qos && before > 0 && qos > 0
}

func (f *flights) revoke(filter string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.granted, filter)
}

// newShares notes the part of maxInFlight that each of the consumers is to have, and gives those that had another. Others
// are gone with their subscriptions.
func (f *flights) newShares(consumers map[string]consumerConfig, share int) (changed []consumerConfig) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shares := make(map[string]int, len(consumers))
	for _, config := range consumers {
		name := config.name()
		before, ok := f.shares[name]
		if before != share && (ok || share != maxInFlight) {
			changed = append(changed, config)
		}
		shares[name] = share
	}
	f.shares = shares
	return changed
}

// severalGranted says whether more than one consumer may serve the client.
func (f *flights) severalGranted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for filter, qos := range f.granted {
		switch {
		case qos == 0:
		case strings.HasSuffix(filter, "/#"):
			n += 2
		default:
			n++
		}
	}
	return n > 1
}
