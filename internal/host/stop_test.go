package host

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	httpnode "github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/logic"
	"github.com/flowctl-dev/flowctl/nodes/mqtt"
)

// gate is a node type that holds a message until the test lets it go on.
type gate struct{}

func gateKind(entered, open chan struct{}) *engine.Kind {
	return engine.Define(engine.Spec[gate]{Type: "test.gate", New: func(*gate, engine.Deps) (engine.Node, error) {
		return engine.NodeFunc(func(context.Context, *engine.Message) (engine.Port, error) {
			close(entered)
			<-open
			return engine.Next, nil
		}), nil
	}})
}

const gateApp = `
version: 1
resources:
  site: {type: mqtt.broker}
flows:
  tell:
    nodes:
      post: {type: http.in, method: POST, path: /tell, next: gate}
      gate: {type: test.gate, next: publish}
      publish: {type: mqtt.out, broker: site, topic: told, payload: hello, next: told}
      told: {type: http.response, status: 200}
`

// TestWhatIsUnderWayAtAStopStillReachesTheLocalBroker stops with one context
// what was started with it, as Ctrl-C does.
func TestWhatIsUnderWayAtAStopStillReachesTheLocalBroker(t *testing.T) {
	entered, open := make(chan struct{}), make(chan struct{})
	registry := engine.NewRegistry(append(slices.Concat(httpnode.Kinds(), mqtt.Kinds(), logic.Kinds()), gateKind(entered, open)), mqtt.Resources())
	app, found := flows.Parse("app.flow.yaml", []byte(gateApp), flows.Options{Registry: registry})
	if len(found) > 0 {
		t.Fatal(found)
	}
	ctx, ctrlC := context.WithCancel(context.Background())
	defer ctrlC()
	h, err := Start(ctx, Options{App: app, HTTPAddr: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", AWSAddr: Off,
		DataDir: t.TempDir(), Grace: patience, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended, answered := make(chan error, 1), make(chan int, 1)
	go func() { ended <- h.Run(ctx) }()
	url := "http://" + h.HTTPAddr().String()
	go func() {
		resp, err := http.Post(url+"/tell", "text/plain", nil)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-entered
	ctrlC()
	eventually(t, "the app is not ready any more", func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return true
		}
		resp.Body.Close()
		return resp.StatusCode != http.StatusOK
	})
	close(open)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("a request that was under way at the stop is answered %d, want 200", status)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := h.Close(context.Background()); err != nil {
		t.Errorf("Close: %v", err)
	}
}
