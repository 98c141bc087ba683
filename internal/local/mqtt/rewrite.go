package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Control packet types, MQTT 3.1.1 table 2.1.
const (
	typeConnect     = 1
	typePublish     = 3
	typeSubscribe   = 8
	typeUnsubscribe = 10
)

const (
	maxTopic = 65535

	// maxHeld bounds what is read into memory of one packet. Payloads of PUBLISH are streamed and not held.
	maxHeld = 1 << 20
)

// errNotUnderstood marks a packet that is not well-formed. The backend, not the gateway, is the judge of the protocol:
// such a packet and all behind it are passed on untouched.
var errNotUnderstood = errors.New("malformed packet")

// A rewriter copies one direction of an MQTT connection and maps the topics in it.
type rewriter struct {
	r *bufio.Reader
	w *bufio.Writer

	mapTopic func([]byte) []byte
	// fromClient: the packets are a client's, of which some carry topics elsewhere than at the start.
	fromClient bool
	hooks
}

// hooks are called on the way from a client to the backend; each may be nil.
type hooks struct {
	// connect is called before a CONNECT is passed on, with the client identifier as the backend gets it; "" is one that
	// the backend chooses.
	connect func(clientID string, cleanSession, will bool)
	// cut is called when the client's side ends between two packets.
	cut func()
	// before is called before a CONNECT or PUBLISH is passed on, with its type. Its error ends the copying at once, last
	// ends it behind this packet.
	before func(packetType byte) (last bool, err error)
}

// inbound copies from a client to the backend, outbound the other way. Both flush dst before they wait for src, and
// return nil at the end of src.
func inbound(dst io.Writer, src io.Reader, h hooks) error {
	return relay(dst, src, rewriter{mapTopic: toBackend, fromClient: true, hooks: h})
}

func outbound(dst io.Writer, src io.Reader) error {
	return relay(dst, src, rewriter{mapTopic: fromBackend})
}

const relayBuffer = 16 << 10

func relay(dst io.Writer, src io.Reader, rw rewriter) error {
	rw.w = bufio.NewWriterSize(dst, relayBuffer)
	rw.r = bufio.NewReaderSize(flushFirst{rw.w, src}, relayBuffer)
	err := rw.run()
	if flushErr := rw.w.Flush(); err == nil {
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

func (rw *rewriter) run() error {
	for {
		err := rw.packet()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errNotUnderstood):
			if err = rw.copyN(math.MaxInt); err == io.EOF {
				return nil
			}
			return err
		case err != nil:
			return err
		}
	}
}

// packet copies one packet. On errNotUnderstood everything read of the packet has been copied as it came.
func (rw *rewriter) packet() error {
	header, length, err := rw.fixedHeader()
	if err != nil {
		return err
	}
	packetType := header[0] >> 4
	if rw.before == nil || packetType != typeConnect && packetType != typePublish {
		return rw.pass(packetType, header, length)
	}
	last, err := rw.before(packetType)
	if err != nil {
		return err
	}
	if err := rw.pass(packetType, header, length); err != nil || !last {
		return err
	}
	return errFault
}

// pass copies the packet whose fixed header has been read.
func (rw *rewriter) pass(packetType byte, header []byte, length int) error {
	switch {
	case packetType == typePublish:
		return rw.publish(header, length)
	case rw.fromClient && (packetType == typeConnect || packetType == typeSubscribe || packetType == typeUnsubscribe):
		return rw.whole(header, length)
	default:
		if _, err := rw.w.Write(header); err != nil {
			return err
		}
		return rw.copyN(length)
	}
}

// fixedHeader reads the type and the remaining length, MQTT 3.1.1 section 2.2.
func (rw *rewriter) fixedHeader() (header []byte, length int, err error) {
	header = make([]byte, 0, 5)
	for i := 0; i < 5; i++ {
		b, err := rw.r.ReadByte()
		if err == io.EOF && i > 0 {
			return nil, 0, rw.verbatim(header)
		}
		if err != nil {
			if i == 0 && rw.cut != nil {
				rw.cut()
			}
			return nil, 0, err
		}
		header = append(header, b)
		if i == 0 {
			continue
		}
		length |= int(b&0x7f) << (7 * (i - 1))
		if b&0x80 == 0 {
			return header, length, nil
		}
	}
	return nil, 0, rw.verbatim(header)
}

// verbatim copies parts as they are and ends the rewriting.
func (rw *rewriter) verbatim(parts ...[]byte) error {
	for _, part := range parts {
		if _, err := rw.w.Write(part); err != nil {
			return err
		}
	}
	return errNotUnderstood
}

// publish maps the topic at the start of a PUBLISH and streams the rest, section 3.3.
func (rw *rewriter) publish(header []byte, length int) error {
	if length < 2 {
		return rw.verbatim(header)
	}
	var prefix [2]byte
	if n, err := io.ReadFull(rw.r, prefix[:]); err != nil {
		return rw.cutOff(err, header, prefix[:n])
	}
	size := int(binary.BigEndian.Uint16(prefix[:]))
	if size > length-2 {
		return rw.verbatim(header, prefix[:])
	}
	topic := make([]byte, size)
	if n, err := io.ReadFull(rw.r, topic); err != nil {
		return rw.cutOff(err, header, prefix[:], topic[:n])
	}
	mapped := rw.mapTopic(topic)
	if len(mapped) > maxTopic {
		return fmt.Errorf("topic of %d bytes is too long for the embedded broker once %d bytes are escaped", size, len(mapped)-size)
	}
	start := appendFixedHeader(nil, header[0], length-size+len(mapped))
	start = appendString(start, mapped)
	if _, err := rw.w.Write(start); err != nil {
		return err
	}
	return rw.copyN(length - 2 - size)
}

// cutOff copies what came of a packet whose rest did not.
func (rw *rewriter) cutOff(err error, parts ...[]byte) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return rw.verbatim(parts...)
}

// whole reads one packet, maps its topics and writes it.
func (rw *rewriter) whole(header []byte, length int) error {
	if length > maxHeld {
		return fmt.Errorf("control packet of %d bytes exceeds the embedded broker's limit of %d", length, maxHeld)
	}
	body := make([]byte, length)
	if n, err := io.ReadFull(rw.r, body); err != nil {
		return rw.cutOff(err, header, body[:n])
	}
	mapped, ok := rw.mapBody(header[0]>>4, body)
	if !ok {
		return rw.verbatim(header, body)
	}
	if _, err := rw.w.Write(appendFixedHeader(nil, header[0], len(mapped))); err != nil {
		return err
	}
	_, err := rw.w.Write(mapped)
	return err
}

// copyN copies n bytes. It is not io.CopyN, because that reads straight into the writer's buffer, which flushFirst
// empties in the middle of the read.
func (rw *rewriter) copyN(n int) error {
	for n > 0 {
		if _, err := rw.r.Peek(1); err != nil {
			return err
		}
		chunk, _ := rw.r.Peek(min(n, rw.r.Buffered()))
		if _, err := rw.w.Write(chunk); err != nil {
			return err
		}
		n -= len(chunk)
		_, _ = rw.r.Discard(len(chunk))
	}
	return nil
}

func (rw *rewriter) mapBody(packetType byte, body []byte) ([]byte, bool) {
	switch packetType {
	case typeConnect:
		return rw.mapConnect(body)
	case typeSubscribe:
		return rw.mapFilters(body, 1)
	default:
		return rw.mapFilters(body, 0)
	}
}

// mapFilters maps the filters of SUBSCRIBE (one byte of QoS behind each) or UNSUBSCRIBE, sections 3.8.3 and 3.10.3.
func (rw *rewriter) mapFilters(body []byte, trailing int) ([]byte, bool) {
	if len(body) < 2 {
		return nil, false
	}
	out := append(make([]byte, 0, len(body)+16), body[:2]...) // packet identifier
	for rest := body[2:]; len(rest) > 0; {
		filter, tail, ok := cutString(rest)
		if !ok || len(tail) < trailing {
			return nil, false
		}
		mapped := refusedFilter
		if wellFormed(filter) {
			mapped = rw.mapTopic(filter)
		}
		if len(mapped) > maxTopic {
			return nil, false
		}
		out = appendString(out, mapped)
		out = append(out, tail[:trailing]...)
		rest = tail[trailing:]
	}
	return out, true
}

// Flags of CONNECT.
const (
	cleanSessionFlag = 0x02
	willFlag         = 0x04
)

// mapConnect maps the client identifier and the will topic of CONNECT, which follow the protocol name, level, flags and
// keep alive; sections 3.1.2 and 3.1.3.
func (rw *rewriter) mapConnect(body []byte) ([]byte, bool) {
	_, rest, ok := cutString(body)
	if !ok || len(rest) < 4 {
		return nil, false
	}
	flags, rest := rest[1], rest[4:]
	out := append(make([]byte, 0, len(body)+16), body[:len(body)-len(rest)]...)

	id, rest, ok := cutString(rest)
	if id = clientIDToBackend(id); !ok || len(id) > maxTopic {
		return nil, false
	}
	if rw.connect != nil {
		rw.connect(string(id), flags&cleanSessionFlag != 0, flags&willFlag != 0)
	}
	out = appendString(out, id)
	if flags&willFlag == 0 {
		return append(out, rest...), true
	}
	topic, rest, ok := cutString(rest)
	if topic = rw.mapTopic(topic); !ok || len(topic) > maxTopic {
		return nil, false
	}
	out = appendString(out, topic)
	return append(out, rest...), true
}

// cutString splits off a length-prefixed string, section 1.5.3.
func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b)-2 < n {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}

func appendString(b, s []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func appendFixedHeader(b []byte, first byte, length int) []byte {
	b = append(b, first)
	for {
		digit := byte(length & 0x7f)
		length >>= 7
		if length == 0 {
			return append(b, digit)
		}
		b = append(b, digit|0x80)
	}
}
