package mqtt

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// killable is a broker in a process of its own.
type killable struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
}

func startKillable(t *testing.T, dir string) *killable {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), brokerDirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	k := &killable{t: t, cmd: cmd}
	t.Cleanup(k.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the broker did not start: %v", err)
	}
	k.addr = strings.TrimSpace(line)
	return k
}

// kill is kill -9: the broker gets no chance to write anything.
func (k *killable) kill() {
	if k.cmd.ProcessState != nil {
		return
	}
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Error(err)
	}
	_ = k.cmd.Wait()
}

func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	persistent := func(o *paho.ClientOptions) { o.SetClientID("reader").SetCleanSession(false) }

	var acknowledged []string
	for round := range 5 {
		broker := startKillable(t, dir)
		if round == 0 {
			reader, _ := connect(t, "mqtt://"+broker.addr, persistent)
			subscribe(t, reader, "log/#", 1)
			reader.Disconnect(1000)
		}
		acknowledged = append(acknowledged, publishUntilKilled(t, broker, round)...)
	}

	broker := startKillable(t, dir)
	_, messages := connect(t, "mqtt://"+broker.addr, persistent)
	missing := map[string]bool{}
	for _, payload := range acknowledged {
		missing[payload] = true
	}
	for len(missing) > 0 {
		select {
		case m := <-messages:
			delete(missing, m.Payload)
		case <-time.After(patience):
			t.Fatalf("%d of %d acknowledged messages are lost: %v", len(missing), len(acknowledged), missing)
		}
	}

	late, retained := connect(t, "mqtt://"+broker.addr, func(o *paho.ClientOptions) { o.SetClientID("late") })
	subscribe(t, late, "state/#", 1)
	want := map[string]bool{}
	for round := range 5 {
		want[fmt.Sprintf("state/%d", round)] = true
	}
	for len(want) > 0 {
		m := next(t, retained)
		if !m.Retained {
			t.Errorf("%+v is not retained", m)
		}
		delete(want, m.Topic)
	}
}

// publishUntilKilled has 8 clients publish while the broker is killed in their midst, and gives what was acknowledged.
func publishUntilKilled(t *testing.T, broker *killable, round int) []string {
	t.Helper()
	const enough = 200
	var (
		mu           sync.Mutex
		acknowledged []string
		killing      sync.Once
		publishers   sync.WaitGroup
	)
	first, _ := connect(t, "mqtt://"+broker.addr)
	await(t, "PUBLISH", first.Publish(fmt.Sprintf("state/%d", round), 1, true, "kept"))
	for p := range 8 {
		c, _ := connect(t, "mqtt://"+broker.addr, func(o *paho.ClientOptions) {
			o.SetClientID(fmt.Sprintf("publisher-%d-%d", round, p))
		})
		publishers.Go(func() {
			for i := 0; ; i++ {
				payload := fmt.Sprintf("%d/%d/%d", round, p, i)
				token := c.Publish("log/x", byte(1+i%2), false, payload)
				if token.WaitTimeout(patience); token.Error() != nil {
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, payload)
				done := len(acknowledged) >= enough
				mu.Unlock()
				if done {
					killing.Do(broker.kill)
				}
			}
		})
	}
	publishers.Wait()
	if len(acknowledged) < enough {
		t.Fatalf("only %d messages were acknowledged", len(acknowledged))
	}
	return acknowledged
}
