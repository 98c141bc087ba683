package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// errProtocol is a packet that ends the connection (MQTT-4.8.0-1).
var errProtocol = errors.New("protocol violation")

// relay copies one direction of an MQTT connection packet by packet. The gateway is the judge of packets: what it passes
// on is well-formed.
type relay struct {
	r *bufio.Reader
	w *bufio.Writer
}

// run copies until packet, which copies one, fails, and returns nil at the end of what there is to read.
func (rl *relay) run(packet func() error) error {
	for {
		switch err := packet(); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// fixedHeader reads the first byte and the remaining length, section 2.2.
func (rl *relay) fixedHeader() (first byte, length int, err error) {
	if first, err = rl.r.ReadByte(); err != nil {
		return 0, 0, err
	}
	for shift := 0; shift <= 21; shift += 7 {
		b, err := rl.r.ReadByte()
		if err != nil {
			return 0, 0, err
		}
		length |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return first, length, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: a remaining length of more than 4 bytes", errProtocol)
}

// body reads the rest of a packet that is held in memory.
func (rl *relay) body(length int) ([]byte, error) {
	if length > maxHeld {
		return nil, fmt.Errorf("control packet of %d bytes exceeds the broker's limit of %d", length, maxHeld)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(rl.r, body)
	return body, err
}

// write writes the parts of a packet.
func (rl *relay) write(parts ...[]byte) error {
	for _, part := range parts {
		if _, err := rl.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// publishStart reads the start of a PUBLISH, section 3.3.2: its topic and, if it has one, its packet identifier.
func (rl *relay) publishStart(first byte, length int) (topic, id []byte, err error) {
	idSize := 0
	if first&qosFlags != 0 {
		idSize = 2
	}
	if length < 2+idSize {
		return nil, nil, fmt.Errorf("%w: PUBLISH of %d bytes", errProtocol, length)
	}
	var prefix [2]byte
	if _, err := io.ReadFull(rl.r, prefix[:]); err != nil {
		return nil, nil, err
	}
	size := int(binary.BigEndian.Uint16(prefix[:]))
	if size+idSize > length-2 {
		return nil, nil, fmt.Errorf("%w: PUBLISH of %d bytes with a topic of %d", errProtocol, length, size)
	}
	start := make([]byte, size+idSize)
	if _, err := io.ReadFull(rl.r, start); err != nil {
		return nil, nil, err
	}
	return start[:size], start[size:], nil
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
