package e2e

import (
	"bufio"
	"io"
	"net"
	"sync"
	"testing"
)

// droppingBroker speaks as much MQTT 3.1.1 as a publisher needs. It drops every
// other connection after its first PUBLISH, before the PUBACK.
type droppingBroker struct {
	t        testing.TB
	listener net.Listener
	mu       sync.Mutex
	accepted int
	drops    int
	acked    map[string]bool
	open     map[net.Conn]bool
	serving  sync.WaitGroup
}

func newDroppingBroker(t testing.TB) *droppingBroker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &droppingBroker{t: t, listener: l, acked: map[string]bool{}, open: map[net.Conn]bool{}}
	b.serving.Go(b.accept)
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for c := range b.open {
			c.Close()
		}
		b.mu.Unlock()
		b.serving.Wait()
	})
	return b
}

func (b *droppingBroker) url() string { return "mqtt://" + b.listener.Addr().String() }

func (b *droppingBroker) accept() {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.accepted++
		bad := b.accepted%2 == 1
		b.open[c] = true
		b.mu.Unlock()
		b.serving.Go(func() {
			b.serve(c, bad)
			c.Close()
			b.mu.Lock()
			delete(b.open, c)
			b.mu.Unlock()
		})
	}
}

// serve answers CONNECT, PUBLISH of QoS 1 and PINGREQ (sections 3.1, 3.3, 3.12).
func (b *droppingBroker) serve(c net.Conn, bad bool) {
	r := bufio.NewReader(c)
	published := 0
	for {
		kind, body, err := packet(r)
		if err != nil {
			return
		}
		var reply []byte
		switch kind >> 4 {
		case 1:
			reply = []byte{0x20, 2, 0, 0}
		case 3:
			published++
			n := int(body[0])<<8 | int(body[1])
			id, payload := body[2+n:4+n], body[4+n:]
			b.mu.Lock()
			if bad {
				b.drops++
				b.mu.Unlock()
				return
			}
			b.acked[name(string(payload))] = true
			b.mu.Unlock()
			reply = []byte{0x40, 2, id[0], id[1]}
			// A good connection does not last either, so that the next is bad.
			if published == 5 {
				c.Write(reply)
				return
			}
		case 12:
			reply = []byte{0xd0, 0}
		case 14:
			return
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

func packet(r *bufio.Reader) (kind byte, body []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	length, shift := 0, 0
	for {
		c, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		length |= int(c&127) << shift
		if c < 128 {
			break
		}
		shift += 7
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return kind, body, err
}

// acknowledged are the passengers whose PUBACK was sent.
func (b *droppingBroker) acknowledged() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]bool{}
	for who := range b.acked {
		out[who] = true
	}
	return out
}

func (b *droppingBroker) dropped() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.drops
}
