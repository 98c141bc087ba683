package lambdatest

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
)

// chance is a source of randomness whose seed is printed; LAMBDATEST_SEED
// repeats a run.
func chance(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("LAMBDATEST_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("LAMBDATEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// amount is n, ten times that in the long form.
func amount(n int) int {
	if long {
		return 10 * n
	}
	return n
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// message is a message to send to a queue.
type message struct{ queue, group, id, body string }

// sendAll sends the same messages to both sides.
func sendAll(t *testing.T, messages []message, sides ...*side) {
	t.Helper()
	for _, s := range sides {
		for _, m := range messages {
			s.account.send(m.queue, m.group, m.id, m.body)
		}
	}
}

// ask sends the same requests to both sides, one after the other, and compares
// the answers.
func ask(t *testing.T, requests []request, left, right *side) {
	t.Helper()
	var found []string
	for i, r := range requests {
		a, b := left.do(r).line(), right.do(r).line()
		if a != b {
			found = append(found, fmt.Sprintf("request %d, %s %s?%s %v %q:\n  %s: %s\n  %s: %s", i, r.method, r.path, r.query, r.header, r.body, left.name, a, right.name, b))
		}
	}
	report(t, found)
}

// compare waits until both sides are settled and compares what they left
// behind.
func compare(t *testing.T, ordered bool, left, right *side) []string {
	t.Helper()
	left.settled()
	right.settled()
	moved(left, right)
	a, b := left.remains(ordered), right.remains(ordered)
	report(t, differences(left, right, a, b))
	left.finish()
	right.finish()
	return a
}

func TestTheTaxiFlowsDoTheSamePackagedAsUnderFlowctlRun(t *testing.T) {
	t.Parallel()
	r := chance(t)
	path := appWith(t, "../../examples/taxi", "dead_letter: {after: 5}", "dead_letter: {after: 2}")
	left, right := runLocally(t, path, "testtopic"), runPackaged(t, path, "testtopic", eventV2)
	var requests []request
	for i := range amount(60) {
		requests = append(requests, passenger(r, i))
	}
	ask(t, requests, left, right)
	var messages []message
	for i := range amount(30) {
		area := pick(r, "2330", "2331", "2332", "2333", "2334", "9999")
		body := pick(r, `{not json`, `{"areacode":5}`, `[]`, `""`, `null`, "\n",
			fmt.Sprintf(`{"areacode":%q,"name":"direct %d","seat":"1","more":[1.50,12345678901234567890]}`, area, i),
			fmt.Sprintf(`{"areacode":%q, "seat":"1","name":"direct %d"}`, area, i))
		messages = append(messages, message{queue: "passengers", id: strconv.Itoa(i), body: body})
	}
	sendAll(t, messages, left, right)
	same := compare(t, false, left, right)
	t.Logf("%d requests, %d messages, %d lines the same", len(requests), len(messages), len(same))
}

// passenger is a request to the taxi app, mostly a good one.
func passenger(r *rand.Rand, i int) request {
	in := request{method: "POST", path: "/passenger/request", header: [][2]string{{"Content-Type", "application/json"}, {"X-Correlation-Id", fmt.Sprint("c-", i)}}}
	area := pick(r, "2330", "2331", "2332", "2333", "2334", "0000", "23 31", "münchen")
	in.body = fmt.Appendf(nil, `{"areacode":%q,"name":"passenger %d","seat":"4"}`, area, i)
	switch r.IntN(8) {
	case 0:
		in.body = pick(r, nil, []byte("{"), []byte(`{"areacode":7}`), []byte(`{"areacode":"","name":"","seat":""}`), []byte("\xff\xfe"), []byte(`"text"`))
	case 1:
		in.header[0][1] = pick(r, "text/plain", "application/x-www-form-urlencoded", "application/cloudevents+json", "image/png")
	case 2:
		in.method = pick(r, "GET", "PUT", "DELETE", "HEAD")
		if in.method != "PUT" {
			in.body = nil
		}
	case 3:
		in.path = pick(r, "/", "/passenger", "/passenger/request/", "/passenger/request/x")
	}
	return in
}

func TestAStandardQueueIsSettledTheSamePackagedAsUnderFlowctlRun(t *testing.T) {
	t.Parallel()
	r := chance(t)
	left, right := runLocally(t, "testdata/claims", "claims"), runPackaged(t, "testdata/claims", "claims", eventV2)
	// One that is the last to fail for a reason that may pass looks like an outage
	// to flowctl run, which is then slow: so there are few of them.
	messages := []message{{queue: "jobs", id: "busy", body: `{"id":"busy","kind":"busy","fails":1}`}}
	for i := range amount(250) {
		m := message{queue: "jobs", id: fmt.Sprint("m-", i)}
		switch kind := pick(r, "claim", "claim", "claim", "flaky", "caught", "poison", "exact", "both", "both", "half", "nothing", "stray", "bad"); kind {
		case "bad":
			m.body = pick(r, "{", "[]", `{"id":""}`, `{"id":1,"kind":"claim"}`, "\t", `{"id":"x"}`, `{"id":"x","kind":"claim","fails":1.5}`) + pick(r, "", " ", "  ")
		case "claim":
			m.body = fmt.Sprintf(`{"id":"m-%d","kind":"claim","claim":"seat %d"}`, i, r.IntN(20))
		case "flaky":
			m.body = fmt.Sprintf(`{"id":"m-%d","kind":"flaky","fails":%d}`, i, r.IntN(5))
		case "exact":
			m.body = fmt.Sprintf(`{"id":"m-%d","kind":"exact","amount":%s}`, i, pick(r, "9223372036854775807", "-9223372036854775809", "0.1", "1e3", "1234567890123456789012345678.9012345678", "3.140", "1e200", "1234567890123456789012345678901234567890"))
		default:
			m.body = fmt.Sprintf(`{"id":"m-%d","kind":%q,"z":1,"a":[true,null]}`, i, kind)
		}
		messages = append(messages, m)
	}
	sendAll(t, messages, left, right)
	same := compare(t, false, left, right)
	t.Logf("%d messages, %d lines the same", len(messages), len(same))
}

func TestAFIFOQueueIsSettledTheSameAndInOrderPackagedAsUnderFlowctlRun(t *testing.T) {
	t.Parallel()
	r := chance(t)
	left, right := runLocally(t, "testdata/orders", "orders"), runPackaged(t, "testdata/orders", "orders", eventV2)
	var messages []message
	number := map[string]int{}
	failing := map[string]int{}
	add := func(queue, group, body string) {
		messages = append(messages, message{queue: queue, group: group, id: fmt.Sprint("m-", len(messages)), body: body})
	}
	for range amount(160) {
		group := fmt.Sprint("g", r.IntN(12))
		number[group]++
		fails := 0
		if failing[group] < 2 && r.IntN(4) == 0 {
			failing[group]++
			fails = 1 + r.IntN(2)
		}
		add("orders.fifo", group, fmt.Sprintf(`{"number":%d,"fails":%d}`, number[group], fails))
	}
	poisoned := map[string]int{}
	for range amount(60) {
		group := fmt.Sprint("s", r.IntN(8))
		number[group]++
		poison := poisoned[group] < 2 && r.IntN(5) == 0
		if poison {
			poisoned[group]++
		}
		add("strict.fifo", group, pickBody(number[group], poison, r))
	}
	sendAll(t, messages, left, right)
	same := compare(t, true, left, right)
	t.Logf("%d messages of %d groups, %d lines the same", len(messages), len(number), len(same))
}

func pickBody(number int, poison bool, r *rand.Rand) string {
	if poison {
		return pick(r, fmt.Sprintf(`{"number":%d,"poison":true}`, number), fmt.Sprintf(`{"number":%d,`, number))
	}
	return fmt.Sprintf(`{"number":%d}`, number)
}

func TestRoutesAnswerTheSameThroughAPIGatewayAsUnderFlowctlRun(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(testing.TB, request) any{"HTTP API": eventV2, "REST API": eventV1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := chance(t)
			left, right := runLocally(t, "testdata/web", "web"), runPackaged(t, "testdata/web", "web", event)
			var requests []request
			for i := range amount(120) {
				requests = append(requests, webRequest(r, i))
			}
			ask(t, requests, left, right)
			same := compare(t, false, left, right)
			t.Logf("%d requests, %d lines the same", len(requests), len(same))
		})
	}
}

// webRequest is a request to testdata/web.
func webRequest(r *rand.Rand, i int) request {
	in := request{header: [][2]string{{"X-Correlation-Id", fmt.Sprint("w-", i)}}}
	id := pick(r, "1", "a b", "münchen", "100%", "+", "a.b~c", "'()*!", "x;y=z", "§")
	asJSON := func(text string) {
		in.method, in.body = "POST", []byte(text)
		in.header = append(in.header, [2]string{"Content-Type", "application/json"})
	}
	switch r.IntN(10) {
	case 0, 1:
		in.method, in.path = pick(r, "GET", "GET", "GET", "HEAD", "OPTIONS"), "/items/"+url.PathEscape(id)
		in.query = pick(r, "", "a=1", "a=1&a=2&b=", "q=m%C3%BCnchen+ost&z=%26%3D", "empty", "a=b%20c&a=", "x=%E2%9C%93&x=y")
		in.cookies = pick(r, nil, []string{"session=abc"}, []string{"a=1", "b=2", "c=\"x y\""})
		in.header = append(in.header, pick(r, [2]string{"X-Thing", "value"}, [2]string{"x-thing", "VALUE"}, [2]string{"Origin", "https://shop.example.com"}, [2]string{"Origin", "https://elsewhere.example.com"}))
		if in.method == "OPTIONS" {
			in.header = append(in.header, [2]string{"Access-Control-Request-Method", "GET"})
		}
	case 2, 3:
		in.path = "/items"
		asJSON(pick(r, fmt.Sprintf(`{"id":%q,"price":%s,"tags":["x"]}`, pick(r, "a", "b7", "c-c"), pick(r, "1", "0.10", "9007199254740993", "1e2", "12345678901234567890.12")),
			`{"id":"","price":-1}`, `{"price":1}`, "{", "", "[1,2]", `{"id":"x","price":"1"}`, "{\"id\":\"\xff\",\"price\":1}"))
	case 4:
		in.method, in.path = "PUT", "/blobs/"+pick(r, "one", "deep/er/name", url.PathEscape(id), "")
		in.body = make([]byte, pick(r, 0, 1, 100, 5000, 64<<10, 64<<10+1))
		for j := range in.body {
			in.body[j] = byte(r.Uint32())
		}
		in.header = append(in.header, [2]string{"Content-Type", "application/octet-stream"})
	case 5:
		in.method, in.path, in.body = "POST", "/form", []byte(pick(r, "a=1&b=2&a=3", "x=%C3%BC+y", "", "=", "a=%zz"))
		in.header = append(in.header, [2]string{"Content-Type", pick(r, "application/x-www-form-urlencoded", "application/json")})
	case 6:
		in.method, in.path, in.query = "GET", "/page", pick(r, "", "name=Ann", "name=%C3%9F")
	case 7:
		in.method, in.path = pick(r, "DELETE", "PATCH", "TRACE"), pick(r, "/items/1", "/nowhere", "/items/")
	case 8:
		in.path = "/broken"
		asJSON(fmt.Sprintf(`{"how":%q}`, pick(r, "permanent", "retryable", "caught", "unknown")))
	case 9:
		in.path = "/stock/" + url.PathEscape(pick(r, "nuts", "nuts", "bolts", "none")) + "/take"
		asJSON(fmt.Sprintf(`{"count":%s,"who":"w-%d"}`, pick(r, "1", "7", "12345678901234567880", `"1"`), i))
	}
	return in
}
