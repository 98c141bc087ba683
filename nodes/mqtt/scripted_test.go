package mqtt

import (
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// scripted is a broker whose every connection is played by a script, in raw MQTT.
type scripted struct {
	url string

	mu        sync.Mutex
	conns     []net.Conn
	published []string // payloads, in order
}

// script starts a broker. verdict says, for each PUBLISH of the connection with that number, whether it is
// acknowledged; if not, the connection is closed instead.
func script(t testing.TB, verdict func(number int, p *packets.PublishPacket) bool) *scripted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &scripted{url: "mqtt://" + ln.Addr().String()}
	var done sync.WaitGroup
	done.Go(func() {
		for number := 0; ; number++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns = append(b.conns, conn)
			b.mu.Unlock()
			done.Go(func() {
				defer conn.Close()
				b.play(conn, func(p *packets.PublishPacket) bool { return verdict(number, p) })
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		b.mu.Lock()
		for _, conn := range b.conns {
			_ = conn.Close()
		}
		b.mu.Unlock()
		done.Wait()
	})
	return b
}

func (b *scripted) play(conn net.Conn, verdict func(*packets.PublishPacket) bool) {
	answer := func(kind byte, id uint16) {
		p := packets.NewControlPacket(kind)
		switch p := p.(type) {
		case *packets.PubackPacket:
			p.MessageID = id
		case *packets.PubrecPacket:
			p.MessageID = id
		case *packets.PubcompPacket:
			p.MessageID = id
		}
		_ = p.Write(conn)
	}
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			answer(packets.Connack, 0)
		case *packets.PublishPacket:
			b.mu.Lock()
			b.published = append(b.published, string(p.Payload))
			b.mu.Unlock()
			if !verdict(p) {
				return
			}
			answer(map[byte]byte{1: packets.Puback, 2: packets.Pubrec}[p.Qos], p.MessageID)
		case *packets.PubrelPacket:
			answer(packets.Pubcomp, p.MessageID)
		case *packets.PingreqPacket:
			answer(packets.Pingresp, 0)
		case *packets.DisconnectPacket:
			return
		}
	}
}

func (b *scripted) seen() (connections int, payloads []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns), append([]string(nil), b.published...)
}
