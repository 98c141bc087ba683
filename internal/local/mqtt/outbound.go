package mqtt

import (
	"bufio"
	"encoding/binary"
	"io"
	"sync"
)

// outbound copies from the backend to a client, and adds what the gateway itself has for the client: retained messages,
// and what is to be sent again.
type outbound struct {
	relay
	s *session
	// writing says that the lock of s.out is held, which it is for a packet at a time.
	writing bool
}

// packetWriter is where packets for a client go; whoever writes one holds the lock.
type packetWriter struct {
	sync.Mutex
	w *bufio.Writer
}

// outbound flushes what it has for the client before it waits for the backend, and returns nil at the backend's end.
func (s *session) outbound(src io.Reader) error {
	o := &outbound{s: s}
	o.w = s.out.w
	o.r = bufio.NewReaderSize(lockedFlush{o, src}, relayBuffer)
	err := o.run(o.packet)
	s.out.Lock()
	defer s.out.Unlock()
	if flushErr := o.w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

type lockedFlush struct {
	o *outbound
	r io.Reader
}

func (f lockedFlush) Read(p []byte) (int, error) {
	if !f.o.writing {
		f.o.s.out.Lock()
	}
	err := f.o.w.Flush()
	if !f.o.writing {
		f.o.s.out.Unlock()
	}
	if err != nil {
		return 0, err
	}
	return f.r.Read(p)
}

// toClient writes whole packets, given in parts, to the client.
func (s *session) toClient(parts ...[]byte) error {
	s.out.Lock()
	defer s.out.Unlock()
	for _, part := range parts {
		if _, err := s.out.w.Write(part); err != nil {
			return err
		}
	}
	return s.out.w.Flush()
}

func (o *outbound) packet() error {
	if _, err := o.r.Peek(1); err != nil {
		return err
	}
	o.s.out.Lock()
	o.writing = true
	defer func() {
		o.writing = false
		o.s.out.Unlock()
	}()
	first, length, err := o.fixedHeader()
	if err != nil {
		return err
	}
	packetType := first >> 4
	if packetType == typePublish {
		return o.publish(first, length)
	}
	body, err := o.body(length)
	if err != nil {
		return err
	}
	header := appendFixedHeader(nil, first, length)
	switch {
	case packetType == typeConnack && length == 2:
		return o.connack(body)
	case packetType == typePubrel && length == 2:
		return o.pubrel(header, body)
	case packetType == typePuback, packetType == typePubcomp:
		o.s.settle(false)
	case packetType == typeSuback && length > 2, packetType == typeUnsuback:
		return o.answer(packetType, header, body)
	}
	return o.write(header, body)
}

func (o *outbound) connack(body []byte) error {
	present := body[0]&1 != 0
	if o.s.level == level31 {
		body[0] = 0 // reserved there
	}
	if err := o.write([]byte{typeConnack << 4, 2}, body); err != nil || body[1] != 0 {
		return err
	}
	if !present {
		o.s.flights.clear()
	}
	o.s.accepted.Store(true) // even if the client is gone
	o.s.settle(false)
	if present {
		if err := o.write(append(o.s.flights.again(), o.s.flights.moreRetained()...)...); err != nil {
			return err
		}
	}
	err := o.w.Flush()
	close(o.s.answered)
	return err
}

// publish maps the topic and the packet identifier, and leaves out what the client has already.
func (o *outbound) publish(first byte, length int) error {
	topic, id, err := o.publishStart(first, length)
	if err != nil {
		return err
	}
	rest := length - 2 - len(topic) - len(id)
	if qos := first & qosFlags >> 1; qos > 0 {
		client, again, pass := o.s.flights.publish(binary.BigEndian.Uint16(id), qos, first&dupFlag != 0)
		if !pass {
			return o.skip(rest)
		}
		binary.BigEndian.PutUint16(id, client)
		if first &^= dupFlag; again {
			first |= dupFlag
		}
	}
	mapped := o.s.levels.fromBackend(topic)
	start := appendFixedHeader(nil, first, length-len(topic)+len(mapped))
	if err := o.write(appendString(start, mapped), id); err != nil {
		return err
	}
	return o.copyN(rest)
}

func (o *outbound) pubrel(header, body []byte) error {
	client, pass := o.s.flights.release(binary.BigEndian.Uint16(body))
	if !pass {
		return nil
	}
	binary.BigEndian.PutUint16(body, client)
	return o.write(header, body)
}

// answer passes SUBACK and UNSUBACK on, and the retained messages of a new subscription behind it.
func (o *outbound) answer(packetType byte, header, body []byte) error {
	e := o.s.nextExpected()
	if e.swallow {
		return nil
	}
	if packetType == typeSuback && o.s.flights.severalGranted() {
		o.s.shareWindow()
	}
	if err := o.write(header, body); err != nil || packetType != typeSuback {
		return err
	}
	var ds []*delivery
	for i, f := range e.subscribed {
		if i+2 >= len(body) {
			break
		}
		granted := body[i+2]
		if granted > 2 {
			o.s.flights.revoke(f.filter)
			continue
		}
		for _, m := range o.s.matching(f.filter) {
			ds = append(ds, &delivery{message: m, qos: min(m.qos, granted)})
		}
	}
	return o.write(o.s.flights.retained(ds...)...)
}
