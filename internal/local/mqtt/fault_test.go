package mqtt

import (
	"slices"
	"strconv"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/flowctl-dev/flowctl/internal/local/clock"
	"github.com/flowctl-dev/flowctl/internal/local/fault"
)

func injector(t *testing.T, rule string, c clock.Clock) *fault.Injector {
	t.Helper()
	r, err := fault.Parse(rule)
	if err != nil {
		t.Fatal(err)
	}
	return fault.New(fault.Options{Seed: 4, Rules: []fault.Rule{r}, Clock: c})
}

func withFaults(i *fault.Injector) func(*Options) {
	return func(o *Options) { o.Faults = i }
}

func TestPublishesMeetTheirFaults(t *testing.T) {
	const rule = "mqtt.publish:drop=30%,drop-reply=30%"
	b := startBroker(t, withFaults(injector(t, rule, nil)), func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	subscriber, messages := connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetClientID("subscriber") })
	subscribe(t, subscriber, "t", 1)

	foreseen := injector(t, rule, nil)
	var want, got []string
	met := map[fault.Kind]int{}
	urls := []string{"mqtt://" + b.Addr(), "ws://" + b.WebSocketAddr()}
	for n := range 30 {
		payload := strconv.Itoa(n)
		lost := make(chan error, 1)
		c, _ := connect(t, urls[n%2], func(o *paho.ClientOptions) {
			o.SetClientID("publisher").SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err })
		})
		token := c.Publish("t", 1, false, payload)
		kind, err := foreseen.Act(t.Context(), fault.MQTT, fault.Publish)
		if err != nil {
			t.Fatal(err)
		}
		met[kind]++
		if kind != fault.Drop {
			want = append(want, payload)
		}
		if kind == fault.None {
			await(t, "PUBLISH", token)
			c.Disconnect(250)
			continue
		}
		select {
		case <-lost:
		case <-time.After(patience):
			t.Fatalf("%s: the connection is still there", kind)
		}
	}
	if met[fault.None] == 0 || met[fault.Drop] == 0 || met[fault.DropReply] == 0 {
		t.Fatalf("this seed does not try all: %v", met)
	}
	for range want {
		got = append(got, next(t, messages).Payload)
	}
	if !slices.Equal(got, want) {
		t.Errorf("came %q\nwant %q", got, want)
	}
}

func TestConnectsAreRefused(t *testing.T) {
	b := startBroker(t, withFaults(injector(t, "mqtt.connect:refuse=100%", nil)), func(o *Options) { o.WebSocketAddr = "127.0.0.1:0" })
	for _, url := range []string{"mqtt://" + b.Addr(), "ws://" + b.WebSocketAddr()} {
		c := paho.NewClient(paho.NewClientOptions().AddBroker(url).SetProtocolVersion(4))
		token := c.Connect()
		if !token.WaitTimeout(patience) {
			t.Fatal("no answer")
		}
		if code := token.(*paho.ConnectToken).ReturnCode(); code != packets.ErrRefusedServerUnavailable {
			t.Errorf("%s: return code %d: %v", url, code, token.Error())
		}
	}
}

func TestConnectsAreDropped(t *testing.T) {
	b := startBroker(t, withFaults(injector(t, "mqtt.connect:drop=100%", nil)))
	token := paho.NewClient(paho.NewClientOptions().AddBroker("mqtt://" + b.Addr()).SetProtocolVersion(4)).Connect()
	if !token.WaitTimeout(patience) || token.Error() == nil {
		t.Errorf("error %v", token.Error())
	}
}

func TestPublishesWaitForTheirDelay(t *testing.T) {
	fake := clock.NewFake(time.Unix(0, 0))
	b := startBroker(t, withFaults(injector(t, "mqtt.publish:delay=1m", fake)))
	c, _ := connect(t, "mqtt://"+b.Addr())
	token := c.Publish("t", 1, false, "late")
	fake.AwaitTimers(1)
	select {
	case <-token.Done():
		t.Error("acknowledged before its time")
	default:
	}
	fake.Advance(time.Minute)
	await(t, "PUBLISH", token)
}

func TestADelayDoesNotHoldUpTheClose(t *testing.T) {
	fake := clock.NewFake(time.Unix(0, 0))
	b := startBroker(t, withFaults(injector(t, "mqtt.publish:delay=1m", fake)))
	c, _ := connect(t, "mqtt://"+b.Addr())
	c.Publish("t", 1, false, "never")
	fake.AwaitTimers(1)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestConnectsMayBeDelayedWithAPassword waits for longer than nats-server by itself does for the CONNECT of a client that
// is to give a password.
func TestConnectsMayBeDelayedWithAPassword(t *testing.T) {
	t.Parallel()
	b := startBroker(t, withFaults(injector(t, "mqtt.connect:delay=2.2s", clock.System())), func(o *Options) { o.User, o.Password = "u", "p" })
	connect(t, "mqtt://"+b.Addr(), func(o *paho.ClientOptions) { o.SetUsername("u").SetPassword("p") })
}
