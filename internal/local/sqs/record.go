package sqs

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
)

// content is what a message carries; it never changes while the message is in a queue.
type content struct {
	id       [16]byte
	sent     instant
	sentWall int64   // SentTimestamp, in milliseconds
	due      instant // when the message's delay ends
	// What other queues did with a dead letter: its receives there and the wall clock of the first of them. Clients see
	// them, but a queue's maxReceiveCount regards its own receives only.
	receives uint32
	first    int64
	body     string
	group    string
	dedup    string
	source   string // DeadLetterQueueSourceArn
	trace    string // AWSTraceHeader
	attrs    []attribute
}

// attribute is a user's message attribute. value holds text or bytes, as kind says.
type attribute struct {
	name, kind string
	value      string
}

func (a attribute) binary() bool { return isKind(a.kind, "Binary") }

// progress is what changes about a message while it is in a queue.
type progress struct {
	due      instant
	received instant
	first    int64
	receipt  uint64
	count    uint32
	inFlight bool
}

var errRecord = errors.New("record is cut off or of an unknown version")

const (
	recordVersion = 1
	headerSize    = 1 + 16 + 3*8 + 4 + 8
)

// appendContent writes the record of a message: fixed fields, then strings behind their lengths.
func appendContent(b []byte, c *content) []byte {
	b = append(b, recordVersion)
	b = append(b, c.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.sent))
	b = binary.BigEndian.AppendUint64(b, uint64(c.sentWall))
	b = binary.BigEndian.AppendUint64(b, uint64(c.due))
	b = binary.BigEndian.AppendUint32(b, c.receives)
	b = binary.BigEndian.AppendUint64(b, uint64(c.first))
	for _, s := range []string{c.group, c.dedup, c.source, c.trace, c.body} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(c.attrs)))
	for _, a := range c.attrs {
		b = appendString(appendString(appendString(b, a.name), a.kind), a.value)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseContent reads a record; the strings are copies.
func parseContent(b []byte) (*content, error) {
	c, r, err := parseHeader(b)
	if err != nil {
		return nil, err
	}
	c.dedup, c.source, c.trace, c.body = r.string(), r.string(), r.string(), r.string()
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		c.attrs = append(c.attrs, attribute{name: r.string(), kind: r.string(), value: r.string()})
	}
	if r.bad || len(r.rest) > 0 {
		return nil, errRecord
	}
	return c, nil
}

// parseHeader reads only what the index needs: the fixed fields and the group.
func parseHeader(b []byte) (*content, *reader, error) {
	if len(b) < headerSize || b[0] != recordVersion {
		return nil, nil, errRecord
	}
	c := &content{
		id:       [16]byte(b[1:17]),
		sent:     instant(binary.BigEndian.Uint64(b[17:])),
		sentWall: int64(binary.BigEndian.Uint64(b[25:])),
		due:      instant(binary.BigEndian.Uint64(b[33:])),
		receives: binary.BigEndian.Uint32(b[41:]),
		first:    int64(binary.BigEndian.Uint64(b[45:])),
	}
	r := &reader{rest: b[headerSize:]}
	c.group = r.string()
	if r.bad {
		return nil, nil, errRecord
	}
	return c, r, nil
}

// reader takes values off a record and remembers when one was cut off.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) string() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

const progressSize = 1 + 8*4 + 4

func appendProgress(b []byte, p progress) []byte {
	b = slices.Grow(b, progressSize)
	flag := byte(0)
	if p.inFlight {
		flag = 1
	}
	b = append(b, flag)
	for _, v := range []uint64{uint64(p.due), uint64(p.received), uint64(p.first), p.receipt} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return binary.BigEndian.AppendUint32(b, p.count)
}

func parseProgress(b []byte) (progress, error) {
	if len(b) != progressSize || b[0] > 1 {
		return progress{}, errRecord
	}
	return progress{
		inFlight: b[0] == 1,
		due:      instant(binary.BigEndian.Uint64(b[1:])),
		received: instant(binary.BigEndian.Uint64(b[9:])),
		first:    int64(binary.BigEndian.Uint64(b[17:])),
		receipt:  binary.BigEndian.Uint64(b[25:]),
		count:    binary.BigEndian.Uint32(b[33:]),
	}, nil
}

// messageKey is the key of a message's records: all messages of a queue follow each other in the order of sending.
func messageKey(queue, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 16), queue), seq)
}

// queueEnd is the first key after those of a queue's messages.
func queueEnd(queue uint64) []byte {
	if queue == math.MaxUint64 {
		return nil
	}
	return binary.BigEndian.AppendUint64(nil, queue+1)
}

// uuidText writes an id as a UUID.
func uuidText(id [16]byte) string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
