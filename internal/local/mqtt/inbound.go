package mqtt

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errProtocol is a packet that ends the connection (MQTT-4.8.0-1).
var errProtocol = errors.New("protocol violation")

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
	header, length, err := in.fixedHeader()
	if errors.Is(err, errNotUnderstood) && in.s.flights == nil {
		return fmt.Errorf("%w before CONNECT", errProtocol)
	}
	if err != nil {
		return err
	}
	packetType := header[0] >> 4
	if packetType != typeConnect && packetType != typePublish || in.s.before == nil {
		return in.pass(packetType, header, length)
	}
	last, err := in.s.before(packetType)
	if err != nil {
		return err
	}
	if err := in.pass(packetType, header, length); err != nil || !last {
		return err
	}
	return errFault
}

// pass copies the packet whose fixed header has been read.
func (in *inbound) pass(packetType byte, header []byte, length int) error {
	if in.s.flights == nil {
		return in.connect(header, length)
	}
	switch packetType {
	case typeConnect: // MQTT-3.1.0-2
		return fmt.Errorf("%w: a second CONNECT", errProtocol)
	case typePublish:
		return in.publish(header, length)
	case typeSubscribe, typeUnsubscribe:
		return in.filters(packetType, header, length)
	case typePuback, typePubrec, typePubcomp, typePubrel:
		return in.acknowledgement(packetType, header, length)
	case typeDisconnect:
		if header[0]&0x0f != 0 || length != 0 {
			return fmt.Errorf("%w: malformed DISCONNECT", errProtocol)
		}
		in.s.goodbye = true
		if _, err := in.w.Write(header); err != nil {
			return err
		}
		return io.EOF // MQTT-3.14.4-2: what comes behind it is not the server's business
	}
	if _, err := in.w.Write(header); err != nil {
		return err
	}
	return in.copyN(length)
}

// connect lets a client in or refuses it. The gateway judges this packet itself.
func (in *inbound) connect(header []byte, length int) error {
	if header[0] != typeConnect<<4 { // MQTT-3.1.0-1, MQTT-2.2.2-2
		return fmt.Errorf("%w: the first packet is no CONNECT", errProtocol)
	}
	if length > maxHeld {
		return fmt.Errorf("%w: CONNECT of %d bytes", errProtocol, length)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(in.r, body); err != nil {
		return err
	}
	p, err := parseConnect(body)
	if err != nil {
		return err
	}
	packet, err := in.s.letIn(p)
	if err != nil {
		return err
	}
	_, err = in.w.Write(packet)
	return err
}

// publish maps the topic, section 3.3, and streams the payload, unless the message is to be retained.
func (in *inbound) publish(header []byte, length int) error {
	flags := header[0]
	if flags&qosFlags == 0 && flags&dupFlag != 0 {
		return fmt.Errorf("%w: DUP with QoS 0 (MQTT-3.3.1-2)", errProtocol)
	}
	if flags&qosFlags == qosFlags {
		return fmt.Errorf("%w: QoS 3 (MQTT-3.3.1-4)", errProtocol)
	}
	topic, id, raw, err := in.publishStart(header, length)
	if err != nil {
		return err
	}
	mapped := toBackend(topic)
	if len(mapped) > maxTopic {
		return fmt.Errorf("topic of %d bytes is too long for the embedded broker once %d bytes are escaped", len(topic), len(mapped)-len(topic))
	}
	start := appendFixedHeader(nil, flags&^retainFlag, length-len(topic)+len(mapped))
	start = append(appendString(start, mapped), id...)
	size := length - len(raw)
	if flags&retainFlag != 0 && isTopic(topic) && size <= maxPayload {
		return in.publishRetained(start, header, raw, topic, id, size)
	}
	if _, err := in.w.Write(start); err != nil {
		return err
	}
	return in.copyN(size)
}

// publishRetained has the message on disk before the backend, who acknowledges it, knows of it.
func (in *inbound) publishRetained(start, header, raw, topic, id []byte, size int) error {
	payload := make([]byte, size)
	if n, err := io.ReadFull(in.r, payload); err != nil {
		return in.cutOff(err, header, raw, payload[:n])
	}
	// A message of QoS 2 that comes again is the old one, and another may have been retained since.
	qos := header[0] & qosFlags >> 1
	if qos < 2 || in.s.flights.hold(binary.BigEndian.Uint16(id)) {
		m := &retainedMessage{topic: string(topic), qos: qos, payload: payload}
		if err := in.s.retain(m); err != nil {
			return err
		}
	}
	if _, err := in.w.Write(start); err != nil {
		return err
	}
	_, err := in.w.Write(payload)
	return err
}

func isTopic(b []byte) bool {
	return len(b) > 0 && isText(b) && !bytes.ContainsAny(b, "+#")
}

// acknowledgement maps the packet identifier of an answer to a PUBLISH of the gateway's, or notes the release of one of
// the client's.
func (in *inbound) acknowledgement(packetType byte, header []byte, length int) error {
	body, err := in.body(header, min(length, 2))
	if err != nil {
		return err
	}
	if length != 2 || len(header) != 2 || header[0]&0x0f != in.s.reserved(packetType, header[0]) {
		return in.verbatim(header, body)
	}
	id := binary.BigEndian.Uint16(body)
	if packetType == typePubrel {
		in.s.flights.letGo(id)
		_, err := in.w.Write([]byte{typePubrel<<4 | 2, 2, body[0], body[1]})
		return err
	}
	todo, err := in.s.flights.acknowledge(packetType, id)
	if err != nil {
		return err
	}
	if todo.pubrel {
		return in.s.toClient([]byte{typePubrel<<4 | 2, 2, body[0], body[1]})
	}
	if more := in.s.flights.moreRetained(); len(more) > 0 {
		if err := in.s.toClient(more); err != nil {
			return err
		}
	}
	if todo.toBackend == 0 {
		return nil
	}
	_, err = in.w.Write([]byte{header[0], 2, byte(todo.toBackend >> 8), byte(todo.toBackend)})
	return err
}

// reserved gives the flags that a packet must have, section 2.2.2. MQTT 3.1 has DUP in some of them.
func (s *session) reserved(packetType, first byte) byte {
	switch packetType {
	case typePubrel, typeSubscribe, typeUnsubscribe:
		if s.level == level31 {
			return 2 | first&dupFlag
		}
		return 2
	}
	return 0
}

// filters maps the filters of SUBSCRIBE or UNSUBSCRIBE, sections 3.8.3 and 3.10.3, and notes what is to be done when the
// backend answers.
func (in *inbound) filters(packetType byte, header []byte, length int) error {
	if length > maxHeld {
		return fmt.Errorf("control packet of %d bytes exceeds the embedded broker's limit of %d", length, maxHeld)
	}
	body, err := in.body(header, length)
	if err != nil {
		return err
	}
	list, ok := parseFilters(body, packetType == typeSubscribe)
	if !ok || header[0]&0x0f != in.s.reserved(packetType, header[0]) {
		return in.verbatim(header, body)
	}
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

func parseFilters(body []byte, withQoS bool) (list []subscription, ok bool) {
	if len(body) < 5 || body[0] == 0 && body[1] == 0 {
		return nil, false
	}
	for rest := body[2:]; len(rest) > 0; {
		filter, tail, ok := cutText(rest)
		if !ok || len(filter) == 0 || len(toBackend(filter)) > maxTopic {
			return nil, false
		}
		f := subscription{filter: string(filter)}
		if withQoS {
			if len(tail) == 0 || tail[0] > 2 {
				return nil, false
			}
			f.qos, tail = tail[0], tail[1:]
		}
		list, rest = append(list, f), tail
	}
	return list, true
}

// send writes a SUBSCRIBE or UNSUBSCRIBE for the backend.
func (in *inbound) send(packetType byte, id []byte, list []subscription) error {
	body := bytes.Clone(id)
	for _, f := range list {
		mapped := refusedFilter
		if wellFormed(f.filter) {
			mapped = toBackend([]byte(f.filter))
		}
		body = appendString(body, mapped)
		if packetType == typeSubscribe {
			body = append(body, f.qos)
		}
	}
	if _, err := in.w.Write(appendFixedHeader(nil, packetType<<4|2, len(body))); err != nil {
		return err
	}
	_, err := in.w.Write(body)
	return err
}
