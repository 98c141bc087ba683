package http

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/nodes/logic"
)

const passenger = `{"areacode":"2331","name":"John","seat":"4","vehicle_type":"4seater"}`

// switching is http.in → switch → http.response, answering with the name and
// the seat for a known type of vehicle.
func switching(t testing.TB, server *Server) *engine.App {
	t.Helper()
	c := enginetest.Config[logic.Switch](t)
	c.Value = enginetest.Bare(t, "event.body.vehicle_type")
	for _, name := range []string{"3seater", "4seater", "5seater"} {
		c.Cases = append(c.Cases, logic.Case{Is: compiled[any](t, name), Next: engine.Wire{Targets: []string{"answer"}}})
	}
	var switchKind *engine.Kind
	for _, k := range logic.Kinds() {
		if k.Type == "switch" {
			switchKind = k
		}
	}
	app, err := engine.Build(&engine.Plan{Flows: []*engine.FlowPlan{{Name: "bench", Nodes: []*engine.NodePlan{
		{Name: "in", Slot: 0, Kind: kind(t, "http.in"), Config: in(t, "POST", "/passenger/{id}"), Next: []string{"switch"}},
		{Name: "switch", Slot: 1, Kind: switchKind, Config: c, Wires: enginetest.Wires(c)},
		{Name: "answer", Slot: 2, Kind: kind(t, "http.response"), Config: respond(t, 202, map[string]any{
			"name": "${{ event.body.name }}", "seat": "${{ event.body.seat }}", "id": "${{ event.params.id }}"})},
	}}}}, engine.Options{Services: provided(server)})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// handwritten does what switching does, as one would write it with the standard
// library, with the same limit and checks.
func handwritten() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /passenger/{id}", func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "body", http.StatusRequestEntityTooLarge)
			return
		}
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		switch body["vehicle_type"] {
		case "3seater", "4seater", "5seater":
		default:
			http.Error(w, "vehicle type", http.StatusBadRequest)
			return
		}
		answer, err := json.Marshal(map[string]any{"name": body["name"], "seat": body["seat"], "id": r.PathValue("id")})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		w.Write(answer)
	})
	return mux
}

func open(b testing.TB, app *engine.App) {
	b.Helper()
	f := app.Flow("bench")
	deliver, err := f.Handler("in")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(f.Source("in").(*Source).Open(deliver, (*http.Request).Context))
}

func BenchmarkInProcess(b *testing.B) {
	server := NewServer(ServerOptions{})
	open(b, switching(b, server))
	for name, h := range map[string]http.Handler{"flow": server, "handwritten": handwritten()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/passenger/7", strings.NewReader(passenger))
				r.Header["Content-Type"] = []string{"application/json"}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusAccepted || !bytes.Contains(w.Body.Bytes(), []byte(`"name":"John"`)) {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}

func BenchmarkLoopback(b *testing.B) {
	server := NewServer(ServerOptions{})
	open(b, switching(b, server))
	for name, h := range map[string]http.Handler{"flow": server, "handwritten": handwritten()} {
		b.Run(name, func(b *testing.B) {
			plain := NewServer(ServerOptions{})
			plain.http.Handler = h
			if err := plain.Listen("127.0.0.1:0"); err != nil {
				b.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- plain.Serve() }()
			c := client(b)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					response, err := c.Post("http://"+plain.Addr().String()+"/passenger/7", "application/json", strings.NewReader(passenger))
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			})
			b.StopTimer()
			c.CloseIdleConnections()
			if err := plain.Shutdown(b.Context()); err != nil {
				b.Fatal(err)
			}
			<-served
		})
	}
}
