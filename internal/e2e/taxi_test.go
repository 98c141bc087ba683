package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func TestAPassengersRequestReachesTheDriversOfTheArea(t *testing.T) {
	t.Parallel()
	a := start(t, taxi, nil, "--data", t.TempDir())
	l := listen(t, a.mqtt)
	for area, topic := range map[string]string{"2330": "testtopic/3seater", "2331": "testtopic/4seater", "2332": "testtopic/5seater"} {
		if status := a.post("for "+area, area); status != 202 {
			t.Fatalf("area %s: status %d", area, status)
		}
		eventually(t, "the drivers of "+area+" hear of it", func() bool { return l.heard("for " + area) })
		l.mu.Lock()
		if l.by[topic] == 0 {
			t.Errorf("area %s: published to %v; want %s", area, l.by, topic)
		}
		l.mu.Unlock()
	}
	if code := a.stop(); code != 0 {
		t.Errorf("exit code %d after SIGINT:\n%s", code, a.log())
	}
}

func TestDebiansClientHearsTheMessage(t *testing.T) {
	t.Parallel()
	sub, err := exec.LookPath("mosquitto_sub")
	if err != nil {
		t.Skip("mosquitto_sub is not installed: apt-get install mosquitto-clients")
	}
	a := start(t, taxi, nil, "--data", t.TempDir())
	host, port, _ := strings.Cut(strings.TrimPrefix(a.mqtt, "mqtt://"), ":")
	cmd := exec.Command(sub, "-h", host, "-p", port, "-t", "testtopic/#", "-v", "-C", "1", "-W", "60")
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := make(chan error, 1)
	go func() { heard <- cmd.Wait() }()
	// It does not say when its subscription is there, so ask until it hears.
	for asked := false; ; asked = true {
		if status := a.post("John", "2331"); status != 202 {
			t.Fatalf("status %d", status)
		}
		select {
		case err := <-heard:
			want := `testtopic/4seater {"areacode":"2331","name":"John","seat":"4"}`
			if err != nil || strings.TrimSpace(out.String()) != want {
				t.Errorf("mosquitto_sub: %v, %q; want %q", err, out.String(), want)
			}
			return
		case <-time.After(500 * time.Millisecond):
			if asked && testing.Verbose() {
				t.Log("asking again")
			}
		}
	}
}

func TestOneCorrelationIDGoesFromHTTPToMQTT(t *testing.T) {
	t.Parallel()
	a := start(t, taxi, nil, "--data", t.TempDir(), "--log-format", "json")
	if status := a.post("John", "2331"); status != 202 {
		t.Fatalf("status %d", status)
	}
	eventually(t, "the message is published", func() bool { return strings.Contains(a.log(), `"way":"driver > available > vehicle > publish"`) })
	var ids []string
	for line := range strings.SplitSeq(a.log(), "\n") {
		if _, rest, ok := strings.Cut(line, `"correlation":"`); ok && strings.Contains(line, "run done") {
			id, _, _ := strings.Cut(rest, `"`)
			ids = append(ids, id)
		}
	}
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("the runs of one request have the correlation ids %v", ids)
	}
}

func TestABrokerOutageLosesNothing(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	b.start()
	a := start(t, taxi, []string{"MQTT_URL=" + b.url()}, "--data", t.TempDir(), "--log-level", "error")
	if status := a.post("before", "2331"); status != 202 {
		t.Fatalf("status %d", status)
	}
	eventually(t, "the first message is done", func() bool { return a.depth("passengers") == 0 })
	b.stop()
	const n = 200
	for i := range n {
		if status := a.post(fmt.Sprint("p", i), "2331"); status != 202 {
			t.Fatalf("request %d while the broker is down: status %d", i, status)
		}
	}
	if waiting, dead := a.depth("passengers"), a.depth("passengers-dead"); waiting+dead != n {
		t.Errorf("%d messages in the queue and %d in the dead-letter queue while the broker is down; want %d", waiting, dead, n)
	}
	b.start()
	l := listen(t, b.url())
	eventually(t, "all messages are published", func() bool { return l.names() == n })
	eventually(t, "the queue is empty", func() bool { return a.depth("passengers") == 0 })
	if dead := a.depth("passengers-dead"); dead != 0 {
		t.Errorf("%d messages in the dead-letter queue", dead)
	}
}

func TestABrokerThatDropsConnectionsBeforePUBACKLosesNothing(t *testing.T) {
	t.Parallel()
	b := newDroppingBroker(t)
	a := start(t, taxi, []string{"MQTT_URL=" + b.url()}, "--data", t.TempDir(), "--log-level", "error")
	const n = 60
	for i := range n {
		if status := a.post(fmt.Sprint("p", i), "2331"); status != 202 {
			t.Fatalf("request %d: status %d", i, status)
		}
	}
	eventually(t, "every message is acknowledged by the broker or a dead letter", func() bool {
		return a.depth("passengers") == 0
	})
	acknowledged := b.acknowledged()
	for _, body := range a.drain("passengers-dead") {
		acknowledged[name(body)] = true
	}
	for i := range n {
		if who := fmt.Sprint("p", i); !acknowledged[who] {
			t.Errorf("%s left the queue without a PUBACK", who)
		}
	}
	if b.dropped() == 0 {
		t.Error("no connection was dropped: the test has tested nothing")
	}
}

func TestAPoisonMessageEndsInTheDeadLetterQueueAndHindersNobody(t *testing.T) {
	t.Parallel()
	a := start(t, taxi, nil, "--data", t.TempDir(), "--log-level", "error")
	l := listen(t, a.mqtt)
	for _, body := range []string{"{not json", `{"areacode":5}`, `{"areacode":"2334","name":"rickshaw","seat":"1"}`} {
		if _, err := a.queues().SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: a.queueURL("passengers"), MessageBody: aws.String(body)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if status := a.post(fmt.Sprint("p", i), "2331"); status != 202 {
			t.Fatalf("status %d", status)
		}
	}
	eventually(t, "the good messages are published", func() bool { return l.names() == 20 })
	eventually(t, "the bad ones are dead letters", func() bool { return a.depth("passengers-dead") == 3 })
	if n := a.depth("passengers"); n != 0 {
		t.Errorf("%d messages are still in the queue", n)
	}
}

// kills is how many times TestKillUnderLoad kills the process.
func kills() int {
	if testing.Short() {
		return 5
	}
	return 50
}

func TestKillUnderLoadLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	b.start()
	l := listen(t, b.url())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	data := t.TempDir()
	acknowledged := map[string]bool{}
	var mu sync.Mutex
	for round := range kills() {
		a := start(t, taxi, []string{"MQTT_URL=" + b.url()}, "--data", data, "--log-level", "error")
		var posting sync.WaitGroup
		for worker := range 4 {
			posting.Go(func() {
				for i := 0; ; i++ {
					who := fmt.Sprintf("k%d-%d-%d", round, worker, i)
					if a.post(who, "2331") != 202 {
						return
					}
					mu.Lock()
					acknowledged[who] = true
					mu.Unlock()
				}
			})
		}
		select {
		case <-time.After(time.Duration(chance.IntN(300)) * time.Millisecond):
		case <-a.ended:
			t.Fatalf("flowctl run ended by itself: %v\n%s", a.err, a.log())
		}
		a.kill()
		posting.Wait()
	}
	a := start(t, taxi, []string{"MQTT_URL=" + b.url()}, "--data", data, "--log-level", "error")
	eventually(t, "the queue is empty", func() bool { return a.depth("passengers") == 0 })
	dead := map[string]bool{}
	for _, body := range a.drain("passengers-dead") {
		dead[name(body)] = true
	}
	if len(acknowledged) == 0 {
		t.Fatal("no request was acknowledged: the test has tested nothing")
	}
	lost := func() (names []string) {
		for who := range acknowledged {
			if !dead[who] && !l.heard(who) {
				names = append(names, who)
			}
		}
		return names
	}
	eventually(t, "every acknowledged request is published or a dead letter", func() bool { return len(lost()) == 0 })
	t.Logf("%d kills, %d requests acknowledged, %d published, %d dead letters, 0 lost", kills(), len(acknowledged), l.names(), len(dead))
}
