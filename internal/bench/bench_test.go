// Package bench measures the engine against hand-written Go that does the same
// work, in one run: ratios within a run count, figures of two runs do not
// compare.
package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes"
	httpnode "github.com/flowctl-dev/flowctl/nodes/http"
)

// rides parses a passenger's request, switches on the vehicle three ways and
// transforms.
const rides = `
version: 1
flows:
  ride:
    nodes:
      request: {type: http.in, method: POST, path: /passenger/request, format: json, next: vehicle}
      vehicle:
        type: switch
        value: event.body.vehicle_type
        cases:
          - {is: sedan, next: economy}
          - {is: suv, next: family}
          - {is: van, next: group}
        default: unknown
      economy: {type: set, vars: {ride: economy}, next: answer}
      family: {type: set, vars: {ride: family}, next: answer}
      group: {type: set, vars: {ride: group}, next: answer}
      answer:
        type: http.response
        body: {ride: "${{ vars.ride }}", passenger: "${{ event.body.name }}", pickup: "${{ event.body.areacode }}/${{ event.body.seat }}"}
      unknown: {type: http.response, status: 400, body: {error: unknown vehicle}}
`

// chain is a request through 50 nodes that each add 1.
func chain() string {
	var b strings.Builder
	b.WriteString("version: 1\nflows:\n  chain:\n    nodes:\n      request: {type: http.in, method: POST, path: /passenger/request, format: json, next: start}\n")
	b.WriteString("      start: {type: set, vars: {n: 0}, next: n1}\n")
	for i := 1; i <= 50; i++ {
		next := fmt.Sprint("n", i+1)
		if i == 50 {
			next = "answer"
		}
		fmt.Fprintf(&b, "      n%d: {type: set, vars: {n: \"${{ vars.n + 1 }}\"}, next: %s}\n", i, next)
	}
	b.WriteString("      answer: {type: http.response, body: {n: \"${{ vars.n }}\", passenger: \"${{ event.body.name }}\"}}\n")
	return b.String()
}

var passenger = []byte(`{"areacode":"2331","name":"John","seat":"4","vehicle_type":"sedan"}`)

type request struct {
	AreaCode    string `json:"areacode"`
	Name        string `json:"name"`
	Seat        string `json:"seat"`
	VehicleType string `json:"vehicle_type"`
}

// handRide is the work of rides as one would write it by hand.
func handRide(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	var ride string
	switch in.VehicleType {
	case "sedan":
		ride = "economy"
	case "suv":
		ride = "family"
	case "van":
		ride = "group"
	default:
		answer(w, http.StatusBadRequest, map[string]string{"error": "unknown vehicle"})
		return
	}
	answer(w, http.StatusOK, struct {
		Ride      string `json:"ride"`
		Passenger string `json:"passenger"`
		Pickup    string `json:"pickup"`
	}{ride, in.Name, in.AreaCode + "/" + in.Seat})
}

func handChain(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	n := 0
	for range 50 {
		n = increment(n)
	}
	answer(w, http.StatusOK, struct {
		N         int    `json:"n"`
		Passenger string `json:"passenger"`
	}{n, in.Name})
}

//go:noinline
func increment(n int) int { return n + 1 }

func answer(w http.ResponseWriter, status int, v any) {
	out, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(out)
}

// serveFlow runs a flow behind its own HTTP server and gives the address.
func serveFlow(b *testing.B, text string) string {
	b.Helper()
	app, found := flows.Parse("bench.flow.yaml", []byte(text), flows.Options{Registry: nodes.All()})
	if len(found) > 0 {
		b.Fatal(found)
	}
	plan, err := app.Plan()
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn}))
	server := httpnode.NewServer(httpnode.ServerOptions{Log: log})
	if err := server.Listen("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	services := &engine.Services{}
	engine.Provide(services, server)
	built, err := engine.Build(plan, engine.Options{Log: log, Services: services})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- server.Serve() }()
	go func() { ended <- built.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		wait, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		server.Shutdown(wait)
		<-ended
		<-ended
	})
	return server.Addr().String()
}

func serveHand(b *testing.B, handler http.HandlerFunc) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /passenger/request", handler)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	b.Cleanup(func() { s.Close(); <-ended })
	return l.Addr().String()
}

// load posts the passenger from many connections and checks each answer.
func load(b *testing.B, addr string, want string) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Post("http://"+addr+"/passenger/request", "application/json", bytes.NewReader(passenger))
			if err != nil {
				b.Error(err)
				return
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !sameJSON(body, want) {
				b.Errorf("answer %d %s, %v; want %s", resp.StatusCode, body, err, want)
				return
			}
		}
	})
}

func sameJSON(got []byte, want string) bool {
	return len(got) >= len(want) && strings.TrimSpace(string(got)) == want || equalJSON(got, want)
}

func equalJSON(got []byte, want string) bool {
	a, errA := value.Decode(got)
	b, errB := value.Decode([]byte(want))
	if errA != nil || errB != nil {
		return false
	}
	x, errX := value.Append(nil, a)
	y, errY := value.Append(nil, b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// BenchmarkHTTP alternates hand-written Go and a flow over loopback HTTP and
// prints the ratio of their requests per second, each the best of its rounds,
// since other work on the machine only ever slows one down; 1.00 is as fast as
// by hand.
func BenchmarkHTTP(b *testing.B) {
	for _, work := range []struct {
		name, flow string
		hand       http.HandlerFunc
		want       string
	}{
		{"ride", rides, handRide, `{"passenger":"John","pickup":"2331/4","ride":"economy"}`},
		{"chain50", chain(), handChain, `{"n":50,"passenger":"John"}`},
	} {
		b.Run(work.name, func(b *testing.B) {
			hand, flow := serveHand(b, work.hand), serveFlow(b, work.flow)
			perSecond := map[string]float64{}
			for round := range 6 {
				for _, side := range []struct{ name, addr string }{{"hand", hand}, {"flow", flow}} {
					b.Run(fmt.Sprintf("%s-%d", side.name, round+1), func(b *testing.B) {
						b.ReportAllocs()
						load(b, side.addr, work.want)
						perSecond[side.name] = max(perSecond[side.name], float64(b.N)/b.Elapsed().Seconds())
					})
				}
			}
			if perSecond["hand"] > 0 {
				fmt.Printf("ratio %s over HTTP: flow %.0f/s, hand-written %.0f/s: %.2f\n", work.name, perSecond["flow"], perSecond["hand"], perSecond["flow"]/perSecond["hand"])
			}
		})
	}
}

// BenchmarkEngine is a flow without HTTP: the engine's, the expressions' and the
// nodes' own cost.
func BenchmarkEngine(b *testing.B) {
	text := strings.NewReplacer(
		"{type: http.in, method: POST, path: /passenger/request, format: json, next: start}", "{type: http.in, method: POST, path: /x, next: start}",
		`answer: {type: http.response, body: {n: "${{ vars.n }}", passenger: "${{ event.body.name }}"}}`, "answer: {type: drop}",
	).Replace(chain())
	app, found := flows.Parse("bench.flow.yaml", []byte(text), flows.Options{Registry: nodes.All()})
	if len(found) > 0 {
		b.Fatal(found)
	}
	plan, err := app.Plan()
	if err != nil {
		b.Fatal(err)
	}
	services := &engine.Services{}
	engine.Provide(services, httpnode.NewServer(httpnode.ServerOptions{}))
	built, err := engine.Build(plan, engine.Options{Services: services})
	if err != nil {
		b.Fatal(err)
	}
	deliver, err := built.Flow("chain").Handler("request")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("chain50", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := deliver(context.Background(), engine.NewMessage(expr.Fields{}, "x")); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50, "ns/node")
	})
}
