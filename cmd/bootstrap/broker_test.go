package main

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// publishing is an app that publishes what it is called with.
const publishing = `
version: 1
env:
  BROKER:
  PASSWORD: {secret: true, default: ""}
resources:
  site: {type: mqtt.broker, url: "${{ env.BROKER }}", username: function, password: "${{ env.PASSWORD }}"}
flows:
  work:
    nodes:
      call: {type: invoke.in, next: out}
      out: {type: mqtt.out, broker: site, topic: calls, payload: "${{ event.body }}"}
`

// broker is an MQTT broker that takes one password and all messages.
type broker struct {
	l net.Listener

	mu       sync.Mutex
	password string
	silent   bool     // says nothing to a PUBLISH
	log      []string // the packets' names
	payloads []string
	conns    []net.Conn
}

func startBroker(t *testing.T, password string) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{l: l, password: password}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns = append(b.conns, c)
			b.mu.Unlock()
			wg.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.cut()
		wg.Wait()
	})
	return b
}

func (b *broker) url() string { return "mqtt://" + b.l.Addr().String() }

// cut closes all connections.
func (b *broker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		c.Close()
	}
}

// demand makes another password the right one, and ends who came with the old.
func (b *broker) demand(password string) {
	b.mu.Lock()
	b.password = password
	b.mu.Unlock()
	b.cut()
}

func (b *broker) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

func (b *broker) count(packet string) int {
	return len(slices.DeleteFunc(b.seen(), func(p string) bool { return p != packet }))
}

func (b *broker) note(packet string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, packet)
}

func (b *broker) serve(c net.Conn) {
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			if !b.admit(c, p) {
				return
			}
		case *packets.PublishPacket:
			b.mu.Lock()
			b.log, b.payloads = append(b.log, "PUBLISH"), append(b.payloads, string(p.Payload))
			silent := b.silent
			b.mu.Unlock()
			if silent {
				continue
			}
			_, _ = c.Write(binary.BigEndian.AppendUint16([]byte{0x40, 2}, p.MessageID)) // PUBACK
		case *packets.PingreqPacket:
			_, _ = io.WriteString(c, "\xd0\x00")
		case *packets.DisconnectPacket:
			b.note("DISCONNECT")
			return
		}
	}
}

// admit answers CONNECT: with 4, bad user name or password, where it is wrong.
func (b *broker) admit(c net.Conn, p *packets.ConnectPacket) bool {
	b.mu.Lock()
	right := string(p.Password) == b.password
	b.mu.Unlock()
	if !right {
		b.note("REFUSED")
		_, _ = c.Write([]byte{0x20, 2, 0, 4})
		return false
	}
	b.note("CONNECT")
	_, _ = c.Write([]byte{0x20, 2, 0, 0})
	return true
}
