package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// Control packet types, MQTT 3.1.1 table 2.1.
const (
	typeConnect     = 1
	typeConnack     = 2
	typePublish     = 3
	typePuback      = 4
	typePubrec      = 5
	typePubrel      = 6
	typePubcomp     = 7
	typeSubscribe   = 8
	typeSuback      = 9
	typeUnsubscribe = 10
	typeUnsuback    = 11
	typePingreq     = 12
	typeDisconnect  = 14
)

// Flags of PUBLISH, section 3.3.1.
const (
	retainFlag = 0x01
	qosFlags   = 0x06
	dupFlag    = 0x08
)

const (
	maxTopic = 65535

	// maxHeld bounds what is read into memory of one packet but for retained messages. Other payloads are streamed.
	maxHeld = 1 << 20

	relayBuffer = 16 << 10
)

// errNotUnderstood marks a packet that is not well-formed. Once a client is let in, the backend, not the gateway, is the
// judge of the protocol: such a packet and all behind it are passed on untouched.
var errNotUnderstood = errors.New("malformed packet")

// relay copies one direction of an MQTT connection packet by packet.
type relay struct {
	r *bufio.Reader
	w *bufio.Writer
}

// packetReader reads and writes one packet. On errNotUnderstood everything read of the packet has been copied as it came.
type packetReader func() error

func (rl *relay) run(packet packetReader) error {
	for {
		err := packet()
		if errors.Is(err, errNotUnderstood) {
			err = rl.copyN(math.MaxInt)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fixedHeader reads the type and the remaining length, section 2.2.
func (rl *relay) fixedHeader() (header []byte, length int, err error) {
	header = make([]byte, 0, 5)
	for i := 0; i < 5; i++ {
		b, err := rl.r.ReadByte()
		if err == io.EOF && i > 0 {
			return nil, 0, rl.verbatim(header)
		}
		if err != nil {
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
	return nil, 0, rl.verbatim(header)
}

// verbatim copies parts as they are and ends the relay's understanding.
func (rl *relay) verbatim(parts ...[]byte) error {
	for _, part := range parts {
		if _, err := rl.w.Write(part); err != nil {
			return err
		}
	}
	return errNotUnderstood
}

// cutOff copies what came of a packet whose rest did not.
func (rl *relay) cutOff(err error, parts ...[]byte) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return rl.verbatim(parts...)
}

// body reads the rest of a packet.
func (rl *relay) body(header []byte, length int) ([]byte, error) {
	body := make([]byte, length)
	if n, err := io.ReadFull(rl.r, body); err != nil {
		return nil, rl.cutOff(err, header, body[:n])
	}
	return body, nil
}

// publishStart reads the start of a PUBLISH, section 3.3.2: its topic and, if it has one, its packet identifier. raw is
// all that was read behind the fixed header.
func (rl *relay) publishStart(header []byte, length int) (topic, id, raw []byte, err error) {
	idSize := 0
	if header[0]&qosFlags != 0 {
		idSize = 2
	}
	if length < 2+idSize {
		return nil, nil, nil, rl.verbatim(header)
	}
	var prefix [2]byte
	if n, err := io.ReadFull(rl.r, prefix[:]); err != nil {
		return nil, nil, nil, rl.cutOff(err, header, prefix[:n])
	}
	size := int(binary.BigEndian.Uint16(prefix[:]))
	if size+idSize > length-2 {
		return nil, nil, nil, rl.verbatim(header, prefix[:])
	}
	raw = append(make([]byte, 0, 2+size+idSize), prefix[:]...)
	raw = raw[:cap(raw)]
	if n, err := io.ReadFull(rl.r, raw[2:]); err != nil {
		return nil, nil, nil, rl.cutOff(err, header, raw[:2+n])
	}
	return raw[2 : 2+size], raw[2+size:], raw, nil
}

// copyN copies n bytes. It is not io.CopyN, because that reads straight into the writer's buffer, which may be emptied in
// the middle of the read.
func (rl *relay) copyN(n int) error {
	return rl.eachChunk(n, func(chunk []byte) error {
		_, err := rl.w.Write(chunk)
		return err
	})
}

func (rl *relay) skip(n int) error {
	return rl.eachChunk(n, func([]byte) error { return nil })
}

func (rl *relay) eachChunk(n int, do func([]byte) error) error {
	for n > 0 {
		if _, err := rl.r.Peek(1); err != nil {
			return err
		}
		chunk, _ := rl.r.Peek(min(n, rl.r.Buffered()))
		if err := do(chunk); err != nil {
			return err
		}
		n -= len(chunk)
		_, _ = rl.r.Discard(len(chunk))
	}
	return nil
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
