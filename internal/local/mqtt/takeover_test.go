package mqtt

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestASecondClientOfAnIdentifierEndsTheFirstOneAndPublishesItsWill(t *testing.T) {
	b := startBroker(t)
	watcher, wills := connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetClientID("watcher") })
	subscribe(t, watcher, "wills/#", 1)
	lost := make(chan error, 1)
	connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) {
		o.SetClientID("same").SetWill("wills/first", "gone", 1, false).SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err })
	})
	connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetClientID("same") })
	if m := next(t, wills); m.Topic != "wills/first" || m.Payload != "gone" {
		t.Errorf("got %+v", m)
	}
	<-lost
}

// TestAClientMayConnectAgainAndAgain breaks connections off and connects with the same identifier at once, which
// nats-server by itself answers with a refusal for a second.
func TestAClientMayConnectAgainAndAgain(t *testing.T) {
	b := startBroker(t)
	sender, _ := connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetClientID("sender") })
	for i := range 20 {
		c := rawConnect(t, b, "again") // expects CONNACK
		if i%2 == 0 {
			_ = c.Close()
			continue
		}
		c.subscribe("again/#", 0)
		await(t, "PUBLISH", sender.Publish(fmt.Sprint("again/", i), 1, false, "x"))
		c.expect(packets.Publish) // the next client takes this one's place
	}
}

// TestClientsThatContendForAnIdentifierAreAllLetIn has none of them ended before it was told that it is in.
func TestClientsThatContendForAnIdentifierAreAllLetIn(t *testing.T) {
	b := startBroker(t)
	var contending sync.WaitGroup
	for range 20 {
		contending.Go(func() {
			conn, err := net.Dial("tcp", b.Addr())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write(packets311("10(s'MQTT' 04 02 0000 s'wanted')"))
			answer, err := io.ReadAll(io.LimitReader(conn, 4))
			if err != nil || !bytes.Equal(answer, packets311("20(00 00)")) {
				t.Errorf("got % x, %v", answer, err)
			}
		})
	}
	contending.Wait()
}

// subscribe gives the return code.
func (c *rawClient) subscribe(filter string, qos byte) byte {
	c.t.Helper()
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = 1, []string{filter}, []byte{qos}
	c.send(p)
	answer, err := packets.ReadPacket(c)
	if err != nil {
		c.t.Fatal(err)
	}
	ack, ok := answer.(*packets.SubackPacket)
	if !ok || len(ack.ReturnCodes) != 1 {
		c.t.Fatalf("SUBSCRIBE %s: got %s", filter, answer)
	}
	return ack.ReturnCodes[0]
}
