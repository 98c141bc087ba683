package dynamodb

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// handler is a node alone, without recorder and log.
func handler[C any](b *testing.B, s *server, spec engine.Spec[C], config *C) engine.Handler {
	b.Helper()
	app, err := engine.Build(&engine.Plan{Name: "bench", Flows: []*engine.FlowPlan{{Name: "flow", Nodes: []*engine.NodePlan{
		{Name: "in", Slot: 0, Kind: entryKind, Config: &struct{}{}, Next: []string{"node"}},
		{Name: "node", Slot: 1, Kind: engine.Define(spec), Config: config, Wires: enginetest.Wires(config)},
	}}}}, engine.Options{Services: s.services, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	h, err := app.Flow("flow").Handler("in")
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// BenchmarkGet is one read over HTTP on loopback: client, server and stand-in
// share the processors.
func BenchmarkGet(b *testing.B) {
	s := newServer(b)
	c := enginetest.Config[Get](b)
	c.Table = s.table("drivers", drivers(b), map[string]any{"area_code": "0231", "availability": "yes", "vehicle_type": "3seater", "n": 5})
	c.Key = object(b, "${{ {area_code: event.area} }}")
	h := handler(b, s, getSpec, c)
	event := expr.Fields{"area": "0231"}
	for _, workers := range []int{1, 32} {
		b.Run(fmt.Sprintf("%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(workers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := h(b.Context(), engine.NewMessage(event, "")); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkItem is what the node itself adds to a read: the reply made plain.
func BenchmarkItem(b *testing.B) {
	item, err := marshalItem(map[string]any{"area_code": "0231", "availability": "yes", "vehicle_type": "3seater", "n": 5, "seats": []any{1, 2, 3}, "driver": map[string]any{"name": "Ann", "rating": 4.9}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := unmarshalItem(item); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("key", func(b *testing.B) {
		b.ReportAllocs()
		k, values := drivers(b).Key, map[string]any{"area_code": "0231"}
		var out map[string]types.AttributeValue
		for b.Loop() {
			if out, err = k.marshal(values); err != nil || len(out) != 1 {
				b.Fatal(err)
			}
		}
	})
}
