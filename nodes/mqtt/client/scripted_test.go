package client

import (
	"net"
	"sync"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// scriptedBroker is a listener whose every connection is played by a script, in raw MQTT.
type scriptedBroker struct {
	t    testing.TB
	url  string
	done sync.WaitGroup

	mu      sync.Mutex
	conns   []net.Conn
	clients []string // identifiers of the CONNECT packets, in order
}

// brokerConn is one connection in the hand of a script.
type brokerConn struct {
	net.Conn
	broker *scriptedBroker
	number int // 0 for the first connection to the broker
}

// script starts a broker that plays each connection with play and closes it when that returns.
func script(t testing.TB, play func(c *brokerConn)) *scriptedBroker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return scriptOn(t, ln, "mqtt", play)
}

func scriptOn(t testing.TB, ln net.Listener, scheme string, play func(c *brokerConn)) *scriptedBroker {
	t.Helper()
	b := &scriptedBroker{t: t, url: scheme + "://" + ln.Addr().String()}
	b.done.Go(func() {
		for number := 0; ; number++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns = append(b.conns, conn)
			b.mu.Unlock()
			b.done.Go(func() {
				defer conn.Close()
				play(&brokerConn{conn, b, number})
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
		b.done.Wait()
	})
	return b
}

// read gives the next packet, or nil at the end of the connection.
func (c *brokerConn) read() packets.ControlPacket {
	p, err := packets.ReadPacket(c)
	if err != nil {
		return nil
	}
	return p
}

func (c *brokerConn) write(p packets.ControlPacket) { _ = p.Write(c) }

// accept reads CONNECT and answers it with the return code; it gives nil when no CONNECT came.
func (c *brokerConn) accept(code byte) *packets.ConnectPacket {
	connect, ok := c.read().(*packets.ConnectPacket)
	if !ok {
		return nil
	}
	c.broker.mu.Lock()
	c.broker.clients = append(c.broker.clients, connect.ClientIdentifier)
	c.broker.mu.Unlock()
	connack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	connack.ReturnCode = code
	c.write(connack)
	return connect
}

func (c *brokerConn) puback(id uint16) {
	p := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	p.MessageID = id
	c.write(p)
}

// serve answers like a broker until the client leaves; before each PUBLISH is acknowledged, publish may veto.
func (c *brokerConn) serve(publish func(*packets.PublishPacket) bool) {
	for {
		switch p := c.read().(type) {
		case nil, *packets.DisconnectPacket:
			return
		case *packets.PublishPacket:
			if publish != nil && !publish(p) {
				return
			}
			switch p.Qos {
			case 1:
				c.puback(p.MessageID)
			case 2:
				rec := packets.NewControlPacket(packets.Pubrec).(*packets.PubrecPacket)
				rec.MessageID = p.MessageID
				c.write(rec)
			}
		case *packets.PubrelPacket:
			comp := packets.NewControlPacket(packets.Pubcomp).(*packets.PubcompPacket)
			comp.MessageID = p.MessageID
			c.write(comp)
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, p.Qoss
			c.write(ack)
		case *packets.PingreqPacket:
			c.write(packets.NewControlPacket(packets.Pingresp))
		}
	}
}

func (b *scriptedBroker) connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

func (b *scriptedBroker) identifiers() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.clients...)
}
