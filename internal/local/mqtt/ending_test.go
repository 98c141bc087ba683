package mqtt

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// receiver takes messages of QoS 2 on the topic t and acknowledges them at once.
type receiver struct {
	net.Conn
	r        *bufio.Reader
	payloads map[uint16]string // by packet identifier
	released map[string]uint16 // packet identifiers of the payloads that the broker has sent PUBREL for
}

func receive(t *testing.T, b *Broker, connect string) *receiver {
	t.Helper()
	conn := rawConn(t, b)
	if _, err := conn.Write(packets311(connect)); err != nil {
		t.Fatal(err)
	}
	return &receiver{conn, bufio.NewReader(conn), map[uint16]string{}, map[string]uint16{}}
}

// next gives the payload of the packet, if it is a message.
func (c *receiver) next() (payload string, err error) {
	p, err := readRawPacket(c.r)
	if err != nil {
		return "", err
	}
	switch p[0] >> 4 {
	case typePublish:
		id := p[5:7]
		payload = string(p[7:])
		c.payloads[binary.BigEndian.Uint16(id)] = payload
		_, err = c.Write([]byte{typePubrec << 4, 2, id[0], id[1]})
	case typePubrel:
		id := binary.BigEndian.Uint16(p[2:])
		switch before := c.released[c.payloads[id]]; before {
		case 0:
			c.released[c.payloads[id]] = id
		case id: // PUBCOMP was lost
		default:
			return "", fmt.Errorf("%q was released as %d and comes again as %d", c.payloads[id], before, id)
		}
		_, err = c.Write([]byte{typePubcomp << 4, 2, p[2], p[3]})
	}
	return payload, err
}

// TestAPoliteEndAmidTrafficForgetsNoAcknowledgement ends the broker while messages go back and forth: none that a client has
// been sent PUBREL for may come again (MQTT-4.3.3-1).
func TestAPoliteEndAmidTrafficForgetsNoAcknowledgement(t *testing.T) {
	for round := range 8 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := startBroker(t, func(o *Options) { o.Dir = dir })
			before := receive(t, first, "10(s'MQTT' 04 00 0000 s'receiver') 82(0001 s't' 02)")
			var senders sync.WaitGroup
			for i := range 4 {
				c, _ := connect(t, "mqtt://"+first.Addr(), func(o *paho.ClientOptions) { o.SetClientID(fmt.Sprint("sender-", i)) })
				senders.Go(func() {
					for n := 0; ; n++ {
						token := c.Publish("t", 2, false, fmt.Sprint(i, " ", n))
						if !token.WaitTimeout(patience) || token.Error() != nil {
							return
						}
					}
				})
			}
			const enough = 50
			var ending sync.WaitGroup
			for once := false; ; {
				if _, err := before.next(); err != nil {
					break
				}
				if len(before.released) == enough && !once {
					once = true
					ending.Go(func() { _ = first.Close() })
				}
			}
			ending.Wait()
			senders.Wait()
			if len(before.released) < enough {
				t.Fatalf("only %d messages were released", len(before.released))
			}

			second := startBroker(t, func(o *Options) { o.Dir = dir })
			after := receive(t, second, "10(s'MQTT' 04 00 0000 s'receiver')")
			after.payloads, after.released = before.payloads, before.released
			c, _ := connect(t, "mqtt://"+second.Addr())
			await(t, "PUBLISH", c.Publish("t", 2, false, "last"))
			for after.released["last"] == 0 {
				payload, err := after.next()
				if err != nil {
					t.Fatal(err)
				}
				if after.released[payload] != 0 {
					t.Errorf("%q comes again", payload)
				}
			}
		})
	}
}

// TestTheEndWaitsForLateAcknowledgementsOnly leaves out sessions of which the backend must know all by now.
func TestTheEndWaitsForLateAcknowledgementsOnly(t *testing.T) {
	c := &connected{
		byID:    map[string]*session{"here": {}, "early": {}},
		flights: map[string]*flights{"here": newFlights(), "gone": newFlights(), "early": newFlights(), "never": newFlights()},
	}
	for id, ago := range map[string]time.Duration{"here": 0, "gone": 0, "early": 2 * settleTimeout} {
		f := c.flights[id]
		if client, _, pass := f.publish(7, 2, false); !pass || client != 7 {
			t.Fatalf("got %d, %v", client, pass)
		}
		if todo, err := f.acknowledge(typePubrec, 7); todo.toBackend != 7 || err != nil {
			t.Fatalf("got %+v, %v", todo, err)
		}
		f.acknowledged = f.acknowledged.Add(-ago)
	}
	here, gone := c.end()
	if len(here) != 1 || here[sessionHash("here")] == nil || len(gone) != 1 || !gone[sessionHash("gone")] {
		t.Errorf("got %v and %v", here, gone)
	}
	f := c.flights["here"]
	if n := f.unacknowledged(); n != 0 {
		t.Errorf("%d messages are not acknowledged", n)
	}
	if client, _, pass := f.publish(8, 1, false); !pass || client != 8 {
		t.Fatalf("got %d, %v", client, pass)
	}
	if todo, err := f.acknowledge(typePuback, 8); todo != (answer{}) || err != nil || f.unacknowledged() != 1 {
		t.Errorf("got %+v, %v, want the acknowledgement to come too late", todo, err)
	}
}
