package lambdatest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
)

// freezes are how long a function is frozen between two invocations.
func freezes() []time.Duration {
	if long {
		return []time.Duration{5 * time.Second, 60 * time.Second}
	}
	return []time.Duration{5 * time.Second}
}

// frozen is a function that publishes, and who hears it.
type frozen struct {
	*function
	hear *listener
	n    int
	sent []string
}

// publish invokes the function with a batch of three messages and gives those
// that it reports as failed. thaw is called when the invocation waits for it.
func (f *frozen) publish(thaw func()) (failed []string) {
	f.t.Helper()
	var records []record
	for range 3 {
		f.n++
		records = append(records, record{id: fmt.Sprint("m", f.n)})
	}
	payload := batchEvent(f.t, "work", records)
	type outcome struct {
		reply   []byte
		failure *runtimeapi.Error
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		reply, failure, err := f.api.Invoke(context.Background(), payload, runtimeapi.Call{Timeout: invocationTimeout})
		done <- outcome{reply, failure, err}
	}()
	thaw()
	o := <-done
	if o.err != nil || o.failure != nil {
		f.t.Fatalf("invocation: %v %v\n%s", o.err, o.failure, f.tail())
	}
	failed = listed(f.t, o.reply)
	for _, r := range records {
		if !slices.Contains(failed, r.id) {
			f.sent = append(f.sent, r.id)
		}
	}
	return failed
}

// freeze stops the process.
func (f *frozen) freeze() {
	f.t.Helper()
	// What was published before has arrived: QoS 0 asks for no more than that.
	eventually(f.t, "what was sent is heard", func() bool { return len(f.lost()) == 0 })
	f.signal(syscall.SIGSTOP)
	status := fmt.Sprintf("/proc/%d/stat", f.cmd.Process.Pid)
	eventually(f.t, "the process is stopped", func() bool {
		text, err := os.ReadFile(status)
		if err != nil {
			f.t.Fatal(err)
		}
		_, state, _ := strings.Cut(string(text), ") ")
		return strings.HasPrefix(state, "T")
	})
}

func (f *frozen) thaw() { f.signal(syscall.SIGCONT) }

// lost are the messages that were reported as done and that nobody has heard.
func (f *frozen) lost() (ids []string) {
	f.t.Helper()
	heard := map[string]bool{}
	for _, p := range f.hear.all(fmt.Sprint("after ", f.n)) {
		heard[p.payload] = true
	}
	for _, id := range f.sent {
		if !heard[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// breakage is what becomes of a function's connection while it is frozen.
type breakage int

const (
	restarts  breakage = iota // the broker goes and comes back
	forgotten                 // something on the way forgets the connection
	gone                      // the broker goes, and is back only after the next invocation
)

func (b breakage) String() string {
	return []string{"the broker restarts", "something on the way forgets the connection", "the broker is gone"}[b]
}

// freezing is a function, its broker and what happens to them.
type freezing struct {
	*frozen
	flow   string
	what   breakage
	broker *broker
	wire   *wire
}

func newFreezing(t *testing.T, flow string, what breakage) *freezing {
	z := &freezing{flow: flow, what: what, broker: newBroker(t)}
	url := z.broker.url()
	if what == forgotten {
		z.wire = newWire(t, z.broker.addr)
		url = z.wire.url()
	}
	z.frozen = &frozen{function: startFunction(t, functionOptions{path: "testdata/freeze", flow: flow, env: []string{"MQTT_URL=" + url}}),
		hear: listen(t, z.broker.url(), "freeze")}
	if failed := z.publish(func() {}); len(failed) > 0 {
		t.Fatalf("%s: failed at once: %v\n%s", flow, failed, z.tail())
	}
	return z
}

// breaks does what happens during the freeze.
func (z *freezing) breaks() {
	z.t.Helper()
	switch z.what {
	case restarts:
		z.broker.stop()
		z.broker.start()
		z.hear.ready()
	case forgotten:
		if n := z.wire.cut(); n != 1 {
			z.t.Errorf("%d connections were cut, want the function's one", n)
		}
	case gone:
		z.broker.stop()
	}
}

// recovers thaws the function, which must lose nothing that it calls done.
func (z *freezing) recovers(t *testing.T) {
	failed := z.publish(z.thaw)
	t.Logf("reported as failed after the freeze: %v", failed)
	if z.what == gone {
		if len(failed) != 3 {
			t.Errorf("without a broker only %v are reported as failed\n%s", failed, z.tail())
		}
		z.broker.start()
		z.hear.ready()
	}
	if failed := z.publish(func() {}); len(failed) > 0 {
		t.Errorf("failed when all works again: %v\n%s", failed, z.tail())
	}
	if lost := z.lost(); len(lost) > 0 {
		t.Errorf("reported as done, but not heard: %v\n%s", lost, z.tail())
	}
}

func TestNothingIsLostWhenAConnectionBreaksWhileTheFunctionIsFrozen(t *testing.T) {
	t.Parallel()
	for _, d := range freezes() {
		var all []*freezing
		for _, flow := range []string{"sure", "trusting", "hasty"} {
			for _, what := range []breakage{restarts, forgotten, gone} {
				all = append(all, newFreezing(t, flow, what))
			}
		}
		for _, z := range all {
			z.freeze()
		}
		over := time.After(d)
		for _, z := range all {
			z.breaks()
		}
		<-over
		for _, z := range all {
			t.Run(fmt.Sprintf("%s, %s, for %s", z.flow, z.what, d), z.recovers)
		}
	}
}
