package mqtt

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// TestABacklogComesInOrder has several subscriptions of a session more to send at once than may be on their way. By
// itself nats-server leaves out what is too much, and sends it when it repeats what was not acknowledged.
func TestABacklogComesInOrder(t *testing.T) {
	const filters, each = 3, 2 * maxInFlight
	b := startBroker(t)
	stays := func(o *paho.ClientOptions) { o.SetClientID("stays").SetCleanSession(false) }
	c, _ := connect(t, "mqtt://"+b.Addr(), stays)
	for i := range filters {
		subscribe(t, c, fmt.Sprintf("backlog/%d/#", i), 1)
	}
	c.Disconnect(1000)

	sender, _ := connect(t, "mqtt://"+b.Addr())
	var last paho.Token
	for n := range each {
		for i := range filters {
			last = sender.Publish(fmt.Sprintf("backlog/%d/x", i), 1, false, strconv.Itoa(n))
		}
	}
	await(t, "PUBLISH", last)

	_, messages := connect(t, "mqtt://"+b.Addr(), stays)
	var want [filters]int
	for range filters * each {
		m := next(t, messages)
		i, err := strconv.Atoi(strings.Split(m.Topic, "/")[1])
		if err != nil {
			t.Fatal(err)
		}
		if m.Payload != strconv.Itoa(want[i]) {
			t.Fatalf("%s: got message %s, want %d", m.Topic, m.Payload, want[i])
		}
		want[i]++
	}
}

// TestACrashBetweenTheStepsOfARepetitionDoesNoHarm leaves a consumer as such a crash would.
func TestACrashBetweenTheStepsOfARepetitionDoesNoHarm(t *testing.T) {
	b := startBroker(t)
	runScript(t, overTCP(b.Addr()), `
		a +p0 halfway
		a > 82(0001 s'halfway' 01)
		a < 90(0001 01)
		a -`)
	stored, err := b.backend.storedSession("halfway")
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range stored.Consumers {
		config["deliver_subject"] = nowhere
		if err := b.backend.updateConsumer(messageStream, config.name(), config); err != nil {
			t.Fatal(err)
		}
	}
	runScript(t, overTCP(b.Addr()), `
		s + halfway-sender
		s > 32(s'halfway' 0001 'x')
		s < 40(0001)
		a +p1 halfway
		a ~ 32(s'halfway' 0001 'x')
		a > 40(0001)
		a .`)
}

// TestASubscriptionWithMessagesIsNotReplaced changes the QoS of one: nats-server has a new subscription for that, and the
// messages went with the old one.
func TestASubscriptionWithMessagesIsNotReplaced(t *testing.T) {
	for name, filter := range map[string]string{"topic": "changes", "all below": "changes/#", "a long level": strings.Repeat("changes", 200)} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t)
			topic := strings.TrimSuffix(filter, "/#")
			script := strings.NewReplacer("FILTER", filter, "TOPIC", topic).Replace(`
				a +p0 changes
				a > 82(0001 s'FILTER' 01)
				a < 90(0001 01)
				s + changes-sender
				s > 32(s'TOPIC' 0001 'x')
				s < 40(0001)
				a < 32(s'TOPIC' 0001 'x')
				a > 82(0002 s'FILTER' 02)
				a < 90(0002 02)
				a x
				b +p1 changes
				b < 3a(s'TOPIC' 0001 'x')
				b > 40(0001)
				b .
				s > 34(s'TOPIC' 0002 'y')
				s < 50(0002)
				s > 62(0002)
				s < 70(0002)
				b < 34(s'TOPIC' 0002 'y')
				b > 50(0002)
				b < 62(0002)
				b > 70(0002)
				b .`)
			runScript(t, overTCP(b.Addr()), script)
		})
	}
}

func TestNothingIsKeptOfSubscriptionsThatAreGone(t *testing.T) {
	b := startBroker(t)
	c, _ := connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetClientID("cycles").SetCleanSession(false) })
	subscribe(t, c, "stays", 1)
	for range 10 {
		subscribe(t, c, "goes", 1)
		await(t, "UNSUBSCRIBE", c.Unsubscribe("goes"))
	}
	f := b.gateway.clients.flightsOf("cycles", false)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.shares) > 2 || len(f.granted) != 1 {
		t.Errorf("%d shares and %d subscriptions are known, want no more than 2 and 1", len(f.shares), len(f.granted))
	}
}
