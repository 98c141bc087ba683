package lambdatest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
	mqttnode "github.com/flowctl-dev/flowctl/nodes/mqtt"
)

// side is one of the two ways to run an app.
type side struct {
	t       testing.TB
	name    string
	account *account
	mqtt    string
	do      func(request) response
	hear    *listener
	// finish ends it and checks what is its own.
	finish func()
}

var (
	httpLine  = regexp.MustCompile(`(?m)^  http +\w+ (http://localhost:\d+)/`)
	awsLine   = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/000000000000/`)
	tableLine = regexp.MustCompile(`(?m)^  table .* (http://127\.0\.0\.1:\d+)`)
	mqttLine  = regexp.MustCompile(`(?m)^  broker +\S+ +(mqtt://127\.0\.0\.1:\d+)`)
)

const endOfBanner = "Ctrl-C stops."

// startRun starts `flowctl run` and gives its banner.
func startRun(t testing.TB, path string, env []string, flags ...string) (p *process, head string) {
	t.Helper()
	ready := make(chan struct{})
	tell := func(line string) {
		if strings.Contains(line, endOfBanner) {
			close(ready)
		}
	}
	args := append([]string{"run", path, "--http", "127.0.0.1:0", "--aws-endpoint", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data", t.TempDir()}, flags...)
	p = startProcess(t, flowctl.file(t), env, args, tell)
	select {
	case <-ready:
	case <-p.ended:
		t.Fatalf("flowctl run ended: %v\n%s", p.err, p.log())
	case <-time.After(patience):
		t.Fatalf("flowctl run shows no banner:\n%s", p.log())
	}
	return p, p.log()
}

// runLocally runs an app by `flowctl run`.
func runLocally(t testing.TB, path, topics string) *side {
	t.Helper()
	p, head := startRun(t, path, plainEnv(), "--log-level", "error")
	endpoint := first(awsLine, head)
	if endpoint == "" {
		endpoint = first(tableLine, head)
	}
	s := &side{t: t, name: "flowctl run", account: newAccount(t, load(t, path), endpoint), mqtt: first(mqttLine, head)}
	if base := first(httpLine, head); base != "" {
		s.do = serve(t, base)
	}
	if s.mqtt != "" {
		s.hear = listen(t, s.mqtt, topics)
	}
	s.finish = func() {
		if code := p.stop(interrupt); code != 0 {
			t.Errorf("flowctl run ended with %d:\n%s", code, p.log())
		}
	}
	return s
}

func first(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// runPackaged starts a function for each flow of the app, mappings for their
// queues, and an API that puts requests into events of the given form.
func runPackaged(t testing.TB, path, topics string, event func(testing.TB, request) any, env ...string) *side {
	t.Helper()
	app := load(t, path)
	a, mqtt := deploy(t, app)
	s := &side{t: t, name: "packaged", account: a, mqtt: mqtt, hear: listen(t, mqtt, topics)}
	triggers := queueTriggers(app)
	var functions []*function
	var mappings []*mapping
	var stops []func()
	var api *function
	for _, flow := range app.Flows {
		f := startFunction(t, functionOptions{path: path, flow: flow.Name, account: a, env: append([]string{"MQTT_URL=" + mqtt}, env...)})
		f.broker = hasBroker(flow)
		functions = append(functions, f)
		if hasRoute(flow) {
			api = f
		}
		for _, q := range triggers[flow.Name] {
			m, stop := mapQueue(t, a, queueName(app, q.Resource), q.Batch, 2, f)
			mappings, stops = append(mappings, m), append(stops, stop)
		}
	}
	s.do = gateway(t, event, func(string) *function { return api })
	s.finish = func() {
		for _, stop := range stops {
			stop()
		}
		for _, m := range mappings {
			if err := m.whole(); err != nil {
				t.Errorf("whole batches of %s failed: %v", m.queue, err)
			}
		}
		for _, f := range functions {
			// Only a function with connections to close asks for SIGTERM.
			if code := f.stop(terminate); code != 0 && f.broker {
				t.Errorf("the function ended with %d:\n%s", code, f.tail())
			}
		}
	}
	return s
}

func hasRoute(f *flows.Flow) bool {
	return slices.ContainsFunc(f.Nodes, func(n *engine.NodePlan) bool {
		if !n.Kind.IsSource() {
			return false
		}
		_, ok := n.Kind.Trigger(n.Config).(engine.RouteTrigger)
		return ok
	})
}

func hasBroker(f *flows.Flow) bool {
	return slices.ContainsFunc(f.Nodes, func(n *engine.NodePlan) bool { _, ok := n.Config.(*mqttnode.Out); return ok })
}

func queueName(app *flows.App, resource string) string {
	for _, r := range app.Resources {
		if q, ok := r.Config.(interface{ Name(string) string }); ok && r.Name == resource {
			return q.Name(r.Name)
		}
	}
	return resource
}

// settled waits until the app's queues are empty: every message is deleted or a
// dead letter.
func (s *side) settled() {
	s.t.Helper()
	names, _ := s.account.queues()
	for _, q := range names {
		eventually(s.t, s.name+": the queue "+q+" is empty", func() bool { return s.account.depth(q) == 0 })
	}
}

// dead counts the dead letters of the app's queues.
func (s *side) dead() (n int) {
	_, dead := s.account.queues()
	for _, q := range dead {
		n += s.account.depth(q)
	}
	return n
}

// moved waits until two settled sides have as many dead letters, for a while: a
// message on its way to the dead-letter queue is counted nowhere.
func moved(left, right *side) {
	end := time.NewTimer(patience / 3)
	defer end.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for left.dead() != right.dead() {
		select {
		case <-again.C:
		case <-end.C:
			return // what they have tells the difference
		}
	}
}

// remains is what is left behind in the world when all is settled: dead
// letters, tables, and what was published. The order of the messages of a topic
// is a part of it where ordered.
func (s *side) remains(ordered bool) (lines []string) {
	s.t.Helper()
	names, dead := s.account.queues()
	for i := range names {
		for _, m := range s.account.drain(dead[i]) {
			lines = append(lines, fmt.Sprintf("dead letter of %s, received %d times, group %q: %s", names[i], m.receives, m.group, m.body))
		}
	}
	lines = append(lines, s.account.tables()...)
	if s.hear == nil {
		return lines
	}
	at := map[string]int{}
	for _, p := range s.hear.all("end") {
		at[p.topic]++
		place := ""
		if ordered {
			place = fmt.Sprintf(", number %d", at[p.topic])
		}
		lines = append(lines, fmt.Sprintf("published to %s%s: %s", p.topic, place, p.payload))
	}
	return lines
}

// differences are the lines that one of two has and the other has not, as often
// as it has it.
func differences(left, right *side, a, b []string) (out []string) {
	count := map[string]int{}
	for _, l := range a {
		count[l]++
	}
	for _, l := range b {
		count[l]--
	}
	for l, n := range count {
		for ; n > 0; n-- {
			out = append(out, left.name+" only: "+l)
		}
		for ; n < 0; n++ {
			out = append(out, right.name+" only: "+l)
		}
	}
	slices.SortFunc(out, func(x, y string) int {
		_, x, _ = strings.Cut(x, ": ")
		_, y, _ = strings.Cut(y, ": ")
		return strings.Compare(x, y)
	})
	return out
}

// report fails the test with the first of the differences.
func report(t testing.TB, found []string) {
	t.Helper()
	if len(found) > 0 {
		t.Errorf("%d differences:\n%s", len(found), strings.Join(found[:min(len(found), 30)], "\n"))
	}
}
