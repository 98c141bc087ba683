package mqtt

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// inbound copies from a client to the backend: it lets the client in, keeps retained messages, maps topics and packet
// identifiers, and leaves all else as it is.
type inbound struct {
	relay
	s *session
}

// inbound flushes what it has for the backend before it waits for the client, and returns nil at the client's end.
func (s *session) inbound(dst io.Writer, src io.Reader) error {
	in := &inbound{s: s}
	in.w = bufio.NewWriterSize(dst, relayBuffer)
	in.r = bufio.NewReaderSize(flushFirst{in.w, src}, relayBuffer)
	err := in.run(in.packet)
	if flushErr := in.w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// flushFirst hands on what was copied so far before a read that may wait.
type flushFirst struct {
	w *bufio.Writer
	r io.Reader
}

func (f flushFirst) Read(p []byte) (int, error) {
	if err := f.w.Flush(); err != nil {
		return 0, err
	}
	return f.r.Read(p)
}

func (in *inbound) packet() error {
	in.s.whole = true
	if _, err := in.r.Peek(1); err != nil {
		return err
	}
	in.s.whole = false
	first, length, err := in.fixedHeader()
	if err != nil {
		return err
	}
	packetType := first >> 4
	if packetType != typeConnect && packetType != typePublish || in.s.before == nil {
		return in.pass(first, length)
	}
	last, err := in.s.before(packetType)
	if err != nil {
		return err
	}
	if err := in.pass(first, length); err != nil || !last {
		return err
	}
	return errFault
}

// pass copies the packet whose fixed header has been read.
func (in *inbound) pass(first byte, length int) error {
	packetType := first >> 4
	if (packetType == typeConnect) != (in.s.flights == nil) { // MQTT-3.1.0-1, MQTT-3.1.0-2
		return fmt.Errorf("%w: CONNECT is not the first packet and the only one of its kind", errProtocol)
	}
	if packetType == typePublish {
		return in.publish(first, length)
	}
	if first&0x0f != in.s.reserved(first) { // MQTT-2.2.2-2
		return fmt.Errorf("%w: reserved bits of a packet of type %d", errProtocol, packetType)
	}
	body, err := in.body(length)
	if err != nil {
		return err
	}
	switch packetType {
	case typeConnect:
		return in.connect(body)
	case typeSubscribe, typeUnsubscribe:
		return in.filters(packetType, body)
	case typePuback, typePubrec, typePubcomp, typePubrel:
		return in.acknowledgement(packetType, body)
	case typePingreq, typeDisconnect:
		return in.empty(packetType, body)
	}
	return fmt.Errorf("%w: a packet of type %d from a client", errProtocol, packetType)
}

// reserved gives the flags that a packet must have, section 2.2.2. MQTT 3.1 has DUP in some of them.
func (s *session) reserved(first byte) byte {
	switch first >> 4 {
	case typePubrel, typeSubscribe, typeUnsubscribe:
		if s.level == level31 {
			return 2 | first&dupFlag
		}
		return 2
	}
	return 0
}

// empty passes on what has no more than a fixed header.
func (in *inbound) empty(packetType byte, body []byte) error {
	if len(body) > 0 {
		return fmt.Errorf("%w: a packet of type %d and %d bytes", errProtocol, packetType, len(body))
	}
	if err := in.write([]byte{packetType << 4, 0}); err != nil || packetType == typePingreq {
		return err
	}
	in.s.goodbye = true
	return io.EOF // MQTT-3.14.4-2: what comes behind it is not the server's business
}

// connect lets a client in or refuses it.
func (in *inbound) connect(body []byte) error {
	p, err := parseConnect(body)
	if err != nil {
		return err
	}
	packet, err := in.s.letIn(p)
	if err != nil {
		return err
	}
	in.s.awaiting()
	return in.write(packet)
}

// publish maps the topic, section 3.3, and streams the payload, unless the message is to be retained.
func (in *inbound) publish(first byte, length int) error {
	qos := first & qosFlags >> 1
	switch {
	case qos == 0 && first&dupFlag != 0:
		return fmt.Errorf("%w: DUP with QoS 0 (MQTT-3.3.1-2)", errProtocol)
	case qos == 3:
		return fmt.Errorf("%w: QoS 3 (MQTT-3.3.1-4)", errProtocol)
	}
	topic, id, err := in.publishStart(first, length)
	switch {
	case err != nil:
		return err
	case len(topic) == 0 || !isText(topic) || bytes.ContainsAny(topic, "+#"):
		return fmt.Errorf("%w: topic %.50q", errProtocol, topic)
	case qos > 0 && binary.BigEndian.Uint16(id) == 0:
		return fmt.Errorf("%w: packet identifier 0 (MQTT-2.3.1-1)", errProtocol)
	}
	mapped, err := in.s.levels.topic(topic, qos)
	if err != nil {
		return err
	}
	size := length - 2 - len(topic) - len(id)
	if size > maxPayload {
		return fmt.Errorf("payload of %d bytes exceeds the broker's limit of %d", size, maxPayload)
	}
	start := appendFixedHeader(nil, first&^retainFlag, length-len(topic)+len(mapped))
	start = append(appendString(start, mapped), id...)
	if qos == 1 {
		in.s.awaiting()
	}
	if first&retainFlag != 0 {
		return in.publishRetained(start, &retainedMessage{topic: string(topic), qos: qos, payload: make([]byte, size)}, id)
	}
	if err := in.write(start); err != nil {
		return err
	}
	return in.copyN(size)
}

// publishRetained has the message on disk before the backend, who acknowledges it, knows of it.
func (in *inbound) publishRetained(start []byte, m *retainedMessage, id []byte) error {
	if _, err := io.ReadFull(in.r, m.payload); err != nil {
		return err
	}
	if err := in.retain(m, id); err != nil {
		return err
	}
	return in.write(start, m.payload)
}

func (in *inbound) retain(m *retainedMessage, id []byte) error {
	if m.qos < 2 {
		return in.s.retain(m)
	}
	if !in.s.accepted.Load() { // until then it is open which messages the session holds
		if err := in.w.Flush(); err != nil {
			return err
		}
		in.s.awaitSettled()
	}
	// One that comes again is the old one, and another may have been retained since.
	held := binary.BigEndian.Uint16(id)
	if !in.s.flights.hold(held) {
		return nil
	}
	err := in.s.retain(m)
	if err != nil {
		in.s.flights.letGo(held)
	}
	return err
}

// acknowledgement maps the packet identifier of an answer to a PUBLISH of the gateway's, or notes the release of one of
// the client's.
func (in *inbound) acknowledgement(packetType byte, body []byte) error {
	if len(body) != 2 {
		return fmt.Errorf("%w: an acknowledgement of %d bytes", errProtocol, len(body))
	}
	pubrel := []byte{typePubrel<<4 | 2, 2, body[0], body[1]}
	id := binary.BigEndian.Uint16(body)
	if packetType == typePubrel {
		in.s.flights.letGo(id)
		in.s.awaiting()
		return in.write(pubrel)
	}
	todo, err := in.s.flights.acknowledge(packetType, id)
	if err != nil {
		return err
	}
	if todo.pubrel {
		return in.s.toClient(pubrel)
	}
	if more := in.s.flights.moreRetained(); len(more) > 0 {
		if err := in.s.toClient(more...); err != nil {
			return err
		}
	}
	if todo.toBackend == 0 {
		return nil
	}
	return in.write([]byte{packetType << 4, 2, byte(todo.toBackend >> 8), byte(todo.toBackend)})
}

// filters maps the filters of SUBSCRIBE or UNSUBSCRIBE, sections 3.8.3 and 3.10.3, and notes what is to be done when the
// backend answers.
func (in *inbound) filters(packetType byte, body []byte) error {
	list, err := parseFilters(body, packetType == typeSubscribe)
	if err != nil {
		return err
	}
	// A new subscription is not for the messages before it, and belongs to the session that CONNACK tells of.
	if err := in.w.Flush(); err != nil {
		return err
	}
	in.s.awaitSettled()
	if packetType == typeUnsubscribe {
		for _, f := range list {
			in.s.flights.revoke(f.filter)
		}
		in.s.expectAnswer(expected{})
		return in.send(typeUnsubscribe, body[:2], list)
	}
	if replaced := in.s.grant(list); len(replaced) > 0 {
		// nats-server goes on with the QoS of the older subscription.
		in.s.expectAnswer(expected{swallow: true})
		if err := in.send(typeUnsubscribe, body[:2], replaced); err != nil {
			return err
		}
	}
	in.s.expectAnswer(expected{subscribed: list})
	return in.send(typeSubscribe, body[:2], list)
}

// subscription is a filter of SUBSCRIBE with its QoS, or one of UNSUBSCRIBE.
type subscription struct {
	filter string
	qos    byte
}

func parseFilters(body []byte, withQoS bool) (list []subscription, err error) {
	if len(body) < 5 || body[0] == 0 && body[1] == 0 { // MQTT-2.3.1-1, MQTT-3.8.3-3, MQTT-3.10.3-2
		return nil, fmt.Errorf("%w: SUBSCRIBE or UNSUBSCRIBE without a packet identifier or a filter", errProtocol)
	}
	for rest := body[2:]; len(rest) > 0; {
		filter, tail, ok := cutText(rest)
		if !ok || len(filter) == 0 {
			return nil, fmt.Errorf("%w: malformed filter", errProtocol)
		}
		f := subscription{filter: string(filter)}
		if !wellFormed(f.filter) {
			return nil, fmt.Errorf("%w: filter %.100q: a wildcard stands alone on its level, and # on the last one", errProtocol, filter)
		}
		if withQoS {
			if len(tail) == 0 || tail[0] > 2 { // MQTT-3.8.3-4
				return nil, fmt.Errorf("%w: filter %.100q has no QoS of 0, 1 or 2", errProtocol, filter)
			}
			f.qos, tail = tail[0], tail[1:]
		}
		list, rest = append(list, f), tail
	}
	return list, nil
}

// send writes a SUBSCRIBE or UNSUBSCRIBE for the backend.
func (in *inbound) send(packetType byte, id []byte, list []subscription) error {
	body := bytes.Clone(id)
	for _, f := range list {
		mapped, err := in.s.levels.toBackend([]byte(f.filter))
		if err != nil {
			return err
		}
		body = appendString(body, mapped)
		if packetType == typeSubscribe {
			body = append(body, f.qos)
		}
	}
	return in.write(appendFixedHeader(nil, packetType<<4|2, len(body)), body)
}
