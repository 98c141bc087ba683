package mqtt

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

type silentSource struct{}

func (silentSource) Run(context.Context, engine.Handler) error { return nil }

var silentKind = engine.Define(engine.Spec[struct{}]{Type: "test.in",
	Source: func(*struct{}, engine.Deps) (engine.Source, error) { return silentSource{}, nil }})

// quiet is a flow of one mqtt.out that logs nothing.
func quiet(b *testing.B, url string) engine.Handler {
	b.Helper()
	c := enginetest.Config[Out](b)
	c.Broker, c.Topic, c.Payload = site(b, url), topicField(b, "a/${{ event.topic }}"), enginetest.Expr[[]byte](b, "${{ event.body }}")
	app, err := engine.Build(&engine.Plan{Name: "bench", Flows: []*engine.FlowPlan{{Name: "flow", Nodes: []*engine.NodePlan{
		{Name: "in", Slot: 0, Kind: silentKind, Config: &struct{}{}, Next: []string{"out"}},
		{Name: "out", Slot: 1, Kind: outKind, Config: c},
	}}}}, engine.Options{Services: services(b)})
	if err != nil {
		b.Fatal(err)
	}
	h, err := app.Flow("flow").Handler("in")
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// spread runs work n times on as many goroutines as there are workers.
func spread(workers, n int, work func()) {
	turns := make(chan struct{})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range turns {
				work()
			}
		})
	}
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	wg.Wait()
}

func BenchmarkPublishAtQoS1(b *testing.B) {
	event := expr.Fields{"topic": "x", "body": strings.Repeat("x", 256)}
	for _, kind := range brokerProcesses {
		for _, publishers := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("%s/publishers=%d", kind.name, publishers), func(b *testing.B) {
				h := quiet(b, kind.new(b).url())
				b.ReportAllocs()
				b.ResetTimer()
				spread(publishers, b.N, func() {
					if err := h(context.Background(), engine.NewMessage(event, "")); err != nil {
						b.Error(err)
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

// From a publish to the end of the flow behind mqtt.in, through the broker.
func BenchmarkPublishAndReceive(b *testing.B) {
	event := expr.Fields{"topic": "x", "body": `{"id": 7}`}
	for _, kind := range brokerProcesses {
		b.Run(kind.name, func(b *testing.B) {
			url := kind.new(b).url()
			done := make(chan struct{}, 1000)
			run(b, services(b), site(b, url), func(context.Context, *engine.Message) error { done <- struct{}{}; return nil })
			h := quiet(b, url)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			wg.Go(func() {
				spread(32, b.N, func() {
					if err := h(context.Background(), engine.NewMessage(event, "")); err != nil {
						b.Error(err)
					}
				})
			})
			for range b.N {
				receive(b, "message", done)
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

func BenchmarkTopic(b *testing.B) {
	f := topicField(b, "drivers/${{ event.area }}/${{ event.id }}")
	env := &expr.Env{Event: expr.Fields{"area": "north", "id": "17"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Get(env); err != nil {
			b.Fatal(err)
		}
	}
}
