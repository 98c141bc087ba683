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
