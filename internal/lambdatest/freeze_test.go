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

// freeze stops the process for a time, during which something happens.
func (f *frozen) freeze(d time.Duration, meanwhile func()) {
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
	over := time.After(d)
	meanwhile()
	<-over
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

func TestNothingIsLostWhenAConnectionBreaksWhileTheFunctionIsFrozen(t *testing.T) {
	t.Parallel()
	for _, d := range freezes() {
		for _, flow := range []string{"sure", "trusting", "hasty"} {
			t.Run(fmt.Sprintf("%s, the broker restarts within %s", flow, d), func(t *testing.T) {
				t.Parallel()
				b := newBroker(t)
				f := &frozen{function: startFunction(t, functionOptions{path: "testdata/freeze", flow: flow, env: []string{"MQTT_URL=" + b.url()}}), hear: listen(t, b.url(), "freeze")}
				if failed := f.publish(func() {}); len(failed) > 0 {
					t.Fatalf("failed at once: %v\n%s", failed, f.tail())
				}
				f.freeze(d, func() {
					b.stop()
					b.start()
					f.hear.ready()
				})
				failed := f.publish(f.thaw)
				t.Logf("reported as failed after the freeze: %v", failed)
				if failed := f.publish(func() {}); len(failed) > 0 {
					t.Errorf("failed when all works again: %v\n%s", failed, f.tail())
				}
				if lost := f.lost(); len(lost) > 0 {
					t.Errorf("reported as done, but not heard: %v\n%s", lost, f.tail())
				}
			})
			t.Run(fmt.Sprintf("%s, something on the way forgets the connection within %s", flow, d), func(t *testing.T) {
				t.Parallel()
				b := newBroker(t)
				w := newWire(t, b.addr)
				f := &frozen{function: startFunction(t, functionOptions{path: "testdata/freeze", flow: flow, env: []string{"MQTT_URL=" + w.url()}}), hear: listen(t, b.url(), "freeze")}
				if failed := f.publish(func() {}); len(failed) > 0 {
					t.Fatalf("failed at once: %v\n%s", failed, f.tail())
				}
				f.freeze(d, func() {
					if n := w.cut(); n != 1 {
						t.Errorf("%d connections were cut, want the function's one", n)
					}
				})
				failed := f.publish(f.thaw)
				t.Logf("reported as failed after the freeze: %v", failed)
				if lost := f.lost(); len(lost) > 0 {
					t.Errorf("reported as done, but not heard: %v\n%s", lost, f.tail())
				}
			})
		}
	}
}

func TestAFunctionThatThawsWithoutABrokerFailsHonestlyAndRecovers(t *testing.T) {
	t.Parallel()
	for _, flow := range []string{"sure", "trusting", "hasty"} {
		t.Run(flow, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t)
			f := &frozen{function: startFunction(t, functionOptions{path: "testdata/freeze", flow: flow, env: []string{"MQTT_URL=" + b.url()}}), hear: listen(t, b.url(), "freeze")}
			if failed := f.publish(func() {}); len(failed) > 0 {
				t.Fatalf("failed at once: %v\n%s", failed, f.tail())
			}
			f.freeze(5*time.Second, b.stop)
			if failed := f.publish(f.thaw); len(failed) != 3 {
				t.Errorf("without a broker only %v are reported as failed\n%s", failed, f.tail())
			}
			b.start()
			f.hear.ready()
			if failed := f.publish(func() {}); len(failed) > 0 {
				t.Errorf("failed when all works again: %v\n%s", failed, f.tail())
			}
			if lost := f.lost(); len(lost) > 0 {
				t.Errorf("reported as done, but not heard: %v\n%s", lost, f.tail())
			}
		})
	}
}
