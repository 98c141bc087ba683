package conformance

import (
	"crypto/rand"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// auditSession is a client whose session stays while it is away and gets every message of inbox/#.
const auditSession = "audit"

// brokerLedger is what MQTT clients know of what they were told.
type brokerLedger struct {
	mu                  sync.Mutex
	sent                map[string]bool // payloads in inbox
	tried, acknowledged map[string]int  // versions of retained messages
}

func newBrokerLedger() *brokerLedger {
	return &brokerLedger{sent: map[string]bool{}, tried: map[string]int{}, acknowledged: map[string]int{}}
}

// connectBroker connects a client that tells of every publish whether it was acknowledged on its connection.
func connectBroker(t *testing.T, addr, id string, clean bool, handle paho.MessageHandler) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("mqtt://" + addr).SetClientID(id).SetCleanSession(clean).SetProtocolVersion(4).
		SetAutoReconnect(false).SetConnectTimeout(patience).SetWriteTimeout(patience).SetDefaultPublishHandler(handle))
	settle(t, c.Connect())
	return c
}

func settle(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) {
		t.Fatal("the broker does not answer")
	}
	if err := token.Error(); err != nil {
		t.Fatal(err)
	}
}

// openSession makes the session that has to outlive the kills.
func openSession(t *testing.T, c *child) {
	t.Helper()
	client := connectBroker(t, c.mqtt, auditSession, false, nil)
	settle(t, client.Subscribe("inbox/#", 1, nil))
	client.Disconnect(250)
}

// brokerWork publishes messages for the absent session and versions of retained messages, in turn, until the broker is
// gone. acked is called after each acknowledgement.
func (l *brokerLedger) brokerWork(client paho.Client, round int, acked func()) {
	for i := 0; ; i++ {
		payload := fmt.Sprintf("%d-%d", round, i)
		if !published(client.Publish("inbox/x", 1, false, payload)) {
			return
		}
		state := fmt.Sprint("state/", i%10)
		l.mu.Lock()
		l.sent[payload] = true
		l.tried[state]++
		version := l.tried[state]
		l.mu.Unlock()
		acked()
		if !published(client.Publish(state, 1, true, strconv.Itoa(version))) {
			return
		}
		l.mu.Lock()
		l.acknowledged[state] = version
		l.mu.Unlock()
		acked()
	}
}

func published(token paho.Token) bool { return token.WaitTimeout(patience) && token.Error() == nil }

// checkRetained compares the retained messages with the versions that were acknowledged.
func (l *brokerLedger) checkRetained(t *testing.T, c *child) {
	t.Helper()
	got := make(chan paho.Message, 100)
	client := connectBroker(t, c.mqtt, "retained-"+rand.Text(), true, func(_ paho.Client, m paho.Message) { got <- m })
	defer client.Disconnect(250)
	settle(t, client.Subscribe("state/#", 1, nil))
	missing := maps.Clone(l.acknowledged)
	late := time.After(patience)
	for len(missing) > 0 {
		select {
		case m := <-got:
			version, err := strconv.Atoi(string(m.Payload()))
			if err != nil || version < l.acknowledged[m.Topic()] || version > l.tried[m.Topic()] {
				t.Errorf("%s retains version %q, acknowledged %d, tried %d", m.Topic(), m.Payload(), l.acknowledged[m.Topic()], l.tried[m.Topic()])
			}
			delete(missing, m.Topic())
		case <-late:
			t.Fatalf("retained messages %v were acknowledged and are lost", missing)
		}
	}
}

// checkInbox connects the session and awaits every message that was acknowledged to its senders.
func (l *brokerLedger) checkInbox(t *testing.T, c *child) {
	t.Helper()
	got := make(chan string, 100)
	done := make(chan struct{})
	client := connectBroker(t, c.mqtt, auditSession, false, func(_ paho.Client, m paho.Message) {
		select {
		case got <- string(m.Payload()):
		case <-done:
		}
	})
	defer client.Disconnect(250)
	defer close(done)
	missing := maps.Clone(l.sent)
	late := time.After(patience)
	for len(missing) > 0 {
		select {
		case payload := <-got:
			delete(missing, payload)
		case <-late:
			t.Fatalf("%d of %d messages were acknowledged and do not come to the session", len(missing), len(l.sent))
		}
	}
}
