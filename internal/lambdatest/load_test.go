package lambdatest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// atOnce is how many invocations one process takes at the same time, as on
// Lambda Managed Instances.
const atOnce = 16

// flood makes n invocations, atOnce of them at a time; each gets its number.
func flood(n int, invoke func(i int)) {
	var next atomic.Int64
	var working sync.WaitGroup
	for range atOnce {
		working.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				invoke(int(i))
			}
		})
	}
	working.Wait()
}

func TestManyInvocationsAtOnceInOneProcessDoNotMixUp(t *testing.T) {
	t.Parallel()
	n := amount(1000)
	path := "../../examples/taxi"
	a, mqtt := deploy(t, load(t, path))
	hear := listen(t, mqtt, "testtopic")
	start := func(flow string) *function {
		return startFunction(t, functionOptions{path: path, flow: flow, account: a, parallel: fmt.Sprint(atOnce),
			env: []string{"MQTT_URL=" + mqtt, "AWS_LAMBDA_LOG_LEVEL=ERROR"}})
	}

	t.Run("requests", func(t *testing.T) {
		f := start("request")
		ask := gateway(t, eventV2, func(string) *function { return f })
		var accepted atomic.Int64
		flood(n, func(i int) {
			id := fmt.Sprint("c-", i)
			in := request{method: "POST", path: "/passenger/request", header: [][2]string{{"Content-Type", "application/json"}, {"X-Correlation-Id", id}}}
			want := 202
			if i%7 == 0 {
				want = 400
				in.body = fmt.Appendf(nil, `{"areacode":%d}`, i)
			} else {
				accepted.Add(1)
				in.body = fmt.Appendf(nil, `{"areacode":"0000","name":"p%d","seat":"4"}`, i)
			}
			if got := ask(in); got.status != want || got.header.Get("X-Correlation-Id") != id {
				t.Errorf("request %d is answered with %s, want %d", i, got.line(), want)
			}
		})
		if got := a.depth("passengers"); got != int(accepted.Load()) {
			t.Errorf("the queue has %d messages, %d were accepted", got, accepted.Load())
		}
	})

	t.Run("batches", func(t *testing.T) {
		f := start("dispatch")
		var mu sync.Mutex
		var want []string
		flood(n, func(i int) {
			payload, failing, published := taxiBatch(t, i)
			reply, failure, err := f.api.Invoke(context.Background(), payload, runtimeapi.Call{Timeout: invocationTimeout})
			if err != nil || failure != nil {
				t.Errorf("batch %d: %v %v", i, err, failure)
				return
			}
			if got := listed(t, reply); !slices.Equal(got, failing) {
				t.Errorf("batch %d: the reply lists %v, want %v", i, got, failing)
			}
			mu.Lock()
			defer mu.Unlock()
			want = append(want, published...)
		})
		var heard []string
		for _, p := range hear.all("end") {
			heard = append(heard, p.topic+" "+p.payload)
		}
		slices.Sort(heard)
		slices.Sort(want)
		if !slices.Equal(heard, want) {
			t.Errorf("%d messages were published, want %d", len(heard), len(want))
		}
		if code := f.stop(terminate); code != 0 {
			t.Errorf("the function ended with %d\n%s", code, f.tail())
		}
	})
}

// taxiBatch is a batch of up to five messages, those among them that must fail,
// and what must be published.
func taxiBatch(t *testing.T, i int) (payload []byte, failing, published []string) {
	r := rand.New(rand.NewPCG(uint64(i), 0))
	e := sqsEvent("passengers", nil)
	failing = []string{}
	var bodies []string
	for j := range 1 + r.IntN(5) {
		area := pick(r, "2330", "2331", "2332", "2333", "2334", "9999")
		body := fmt.Sprintf(`{"areacode":%q,"name":"b%d-%d","seat":"1"}`, area, i, j)
		if r.IntN(10) == 0 {
			body = strings.TrimSuffix(body, "}")
			area = "2334"
		}
		id := fmt.Sprintf("b%d-%d", i, j)
		bodies = append(bodies, body)
		switch area {
		case "2334":
			failing = append(failing, id)
		case "2330", "2331", "2332":
			published = append(published, fmt.Sprintf("testtopic/%cseater %s", area[3]+3, body))
		}
	}
	for j, body := range bodies {
		e.Records = append(e.Records, sqsRecord("passengers", fmt.Sprintf("b%d-%d", i, j), body))
	}
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(failing)
	return payload, failing, published
}
