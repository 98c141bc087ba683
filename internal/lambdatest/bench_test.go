package lambdatest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// works are what the flows of testdata/bench and the programs in handwritten
// do, by the flow's name.
var works = []struct {
	flow   string
	hand   *program
	status int
}{{"api", handAPI, 200}, {"send", handSend, 202}}

// rideEvent is the request that both answer.
func rideEvent(b *testing.B, flow string) []byte {
	b.Helper()
	payload, err := json.Marshal(eventV2(b, request{method: "POST", path: "/" + flow, header: [][2]string{{"Content-Type", "application/json"}},
		body: []byte(`{"areacode":"2331","name":"John","seat":"4","vehicle_type":"sedan"}`)}))
	if err != nil {
		b.Fatal(err)
	}
	return payload
}

// contender is one of the two that are measured against each other.
type contender struct {
	program *program
	env     []string
}

// contenders are the bootstrap with the flow, and the hand-written function.
func contenders(b *testing.B, flow string, hand *program) (both [2]contender) {
	b.Helper()
	a, _ := deploy(b, load(b, "testdata/bench"))
	env := plainEnv("AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_ENDPOINT_URL="+a.endpoint,
		lambda.EnvFlow+"="+flow, lambda.EnvResource("passengers")+"="+a.addresses()["passengers"])
	return [2]contender{{bootstrap, env}, {hand, env}}
}

// begin starts a contender without keeping what it writes, and tells how long
// it took from exec to its first call of next. end gives the processor's time
// that it has used.
func (c contender) begin(b *testing.B) (api *runtimeapi.API, took time.Duration, end func() time.Duration) {
	b.Helper()
	api = runtimeapi.New()
	cmd := exec.Command(c.program.file(b))
	cmd.Env = append(api.Env("function", "testdata/bench"), c.env...)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	select {
	case <-api.Started():
	case <-time.After(patience):
		b.Fatalf("%s asks for no invocation", c.program.path)
	}
	return api, time.Since(began), func() time.Duration {
		cmd.Process.Kill()
		_ = cmd.Wait()
		api.Close()
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
}

// duel is the times of the two, taken in turns so that what else the machine
// does meets both.
type duel [2][]time.Duration

func (d *duel) report(b *testing.B, unit time.Duration, name string) {
	medians := [2]time.Duration{}
	for i := range d {
		slices.Sort(d[i])
		medians[i] = d[i][len(d[i])/2]
	}
	b.ReportMetric(0, "ns/op") // of both together: says nothing
	b.ReportMetric(float64(medians[0])/float64(unit), "flow-"+name)
	b.ReportMetric(float64(medians[1])/float64(unit), "hand-"+name)
	b.ReportMetric(float64(medians[0])/float64(medians[1]), name+"-ratio")
}

// BenchmarkInit is the time from exec to the first /next, and the processor's
// time that it takes: medians, in ms.
func BenchmarkInit(b *testing.B) {
	for _, w := range works {
		b.Run(w.flow, func(b *testing.B) {
			both := contenders(b, w.flow, w.hand)
			for _, c := range both {
				_, _, end := c.begin(b) // so that both are in the page cache
				end()
			}
			var wall, cpu duel
			for n := 0; b.Loop(); n++ {
				for i := range both {
					who := (n + i) % 2
					_, took, end := both[who].begin(b)
					wall[who], cpu[who] = append(wall[who], took), append(cpu[who], end())
				}
			}
			wall.report(b, time.Millisecond, "ms")
			cpu.report(b, time.Millisecond, "cpu-ms")
		})
	}
}

// BenchmarkInvocation is the time of a warm invocation, from the Runtime API's
// side: medians, in µs.
func BenchmarkInvocation(b *testing.B) {
	for _, w := range works {
		b.Run(w.flow, func(b *testing.B) {
			both := contenders(b, w.flow, w.hand)
			payload := rideEvent(b, w.flow)
			var apis [2]*runtimeapi.API
			for i, c := range both {
				api, _, end := c.begin(b)
				defer end()
				apis[i] = api
				for range 50 {
					call(b, api, payload, w.status)
				}
			}
			const inARow = 10
			var d duel
			for n := 0; b.Loop(); n++ {
				for i := range both {
					who := (n + i) % 2
					for range inARow {
						d[who] = append(d[who], call(b, apis[who], payload, w.status))
					}
				}
			}
			d.report(b, time.Microsecond, "µs")
		})
	}
}

// call is one invocation, whose answer is checked.
func call(b *testing.B, api *runtimeapi.API, payload []byte, status int) time.Duration {
	began := time.Now()
	reply, failure, err := api.Invoke(context.Background(), payload, runtimeapi.Call{Timeout: invocationTimeout})
	took := time.Since(began)
	if err != nil || failure != nil {
		b.Fatal(err, failure)
	}
	if got := answerOf(b, reply); got.status != status {
		b.Fatalf("answered with %d, want %d: %s", got.status, status, got.body)
	}
	return took
}

// BenchmarkSize tells how large the programs are.
func BenchmarkSize(b *testing.B) {
	for _, p := range []*program{bootstrap, handAPI, handSend} {
		b.Run(p.path, func(b *testing.B) {
			info, err := os.Stat(p.file(b))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
		})
	}
}
