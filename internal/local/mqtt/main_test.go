package mqtt

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"
)

// brokerDirEnv makes this test binary a broker on the given folder, so that a test can kill it.
const brokerDirEnv = "FLOWCTL_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerDirEnv); dir != "" {
		os.Exit(serveUntilKilled(dir))
	}
	goleak.VerifyTestMain(m)
}

func serveUntilKilled(dir string) int {
	b, err := Start(context.Background(), Options{Addr: "127.0.0.1:0", Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(b.Addr())
	select {}
}

// patience bounds every wait of these tests; none of them takes it unless it fails.
const patience = 30 * time.Second

func startBroker(t testing.TB, change ...func(*Options)) *Broker {
	t.Helper()
	o := Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}
	for _, c := range change {
		c(&o)
	}
	b, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

type received struct {
	Topic    string
	Payload  string
	QoS      byte
	Retained bool
}

// connect gives a paho client with the options that make it honest, and a channel of what it receives.
func connect(t testing.TB, url string, change ...func(*paho.ClientOptions)) (paho.Client, <-chan received) {
	t.Helper()
	messages := make(chan received, 1000)
	o := paho.NewClientOptions().AddBroker(url).
		SetClientID("test-" + t.Name()).
		SetProtocolVersion(4).
		SetAutoReconnect(false).
		SetWriteTimeout(5 * time.Second).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			messages <- received{m.Topic(), string(m.Payload()), m.Qos(), m.Retained()}
		})
	for _, c := range change {
		c(o)
	}
	c := paho.NewClient(o)
	await(t, "CONNECT", c.Connect())
	t.Cleanup(func() { c.Disconnect(250) })
	return c, messages
}

func await(t testing.TB, what string, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) {
		t.Fatalf("%s: no answer in %s", what, patience)
	}
	if err := token.Error(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func subscribe(t testing.TB, c paho.Client, filter string, qos byte) {
	t.Helper()
	token := c.Subscribe(filter, qos, nil)
	await(t, "SUBSCRIBE "+filter, token)
	if got := token.(*paho.SubscribeToken).Result()[filter]; got != qos {
		t.Fatalf("SUBSCRIBE %s: granted %#x, want %#x", filter, got, qos)
	}
}

func next(t testing.TB, messages <-chan received) received {
	t.Helper()
	select {
	case m := <-messages:
		return m
	case <-time.After(patience):
		t.Fatalf("no message in %s", patience)
		return received{}
	}
}
