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
