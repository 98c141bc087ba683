package mqtt

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
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
			o.SetClientID(fmt.Sprint("publisher-", p))
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

// goingOn are scripts on both sides of an end of the broker. politely says that the end must be a polite one: a kill -9 may
// make it forget that a message it has sent was acknowledged.
var goingOn = map[string]struct {
	before, after string
	politely      bool
}{
	"subscriptions": {before: `
			a +p0 kill
			a > 82(0001 s'kill/+' 01)
			a < 90(0001 01)`, after: `
			a +p1 kill
			a > 32(s'kill/x' 0001 'x')
			a ? 40(0001) 32(s'kill/x' 0001 'x')
			a > 40(0001)
			a .`},
	"subscriptions that change their QoS": {before: `
			a +p0 kill
			a > 82(0001 s'kill/a.b c//+' 01 s'kill/lower' 02)
			a < 90(0001 01 02)`, after: `
			a +p1 kill
			a > 82(0001 s'kill/a.b c//+' 02 s'kill/lower' 01)
			a < 90(0001 02 01)
			s + sender
			s > 34(s'kill/a.b c//x' 0001 'x')
			s < 50(0001)
			s > 62(0001)
			s < 70(0001)
			a < 34(s'kill/a.b c//x' 0001 'x')
			a > 50(0001)
			a < 62(0001)
			a > 70(0001)
			s > 34(s'kill/lower' 0002 'x')
			s < 50(0002)
			s > 62(0002)
			s < 70(0002)
			a < 32(s'kill/lower' 0002 'x')
			a > 40(0002)
			a .`},
	"messages that came while the client was away": {before: `
			a +p0 kill
			a > 82(0001 s'kill/+' 02)
			a < 90(0001 02)
			a x
			s + sender
			s > 32(s'kill/1' 0001 'one') 34(s'kill/2' 0002 'two')
			s < 40(0001) 50(0002)
			s > 62(0002)
			s < 70(0002)`, after: `
			a +p1 kill
			a < 32(s'kill/1' 0001 'one') 34(s'kill/2' 0002 'two')
			a > 40(0001) 50(0002)
			a < 62(0002)
			a > 70(0002)
			a .`},
	"a message of QoS 1 that was not acknowledged": {before: `
			a +p0 kill
			a > 82(0001 s'kill/+' 01)
			a < 90(0001 01)
			s + sender
			s > 32(s'kill/1' 0001 'one') 32(s'kill/2' 0002 'two')
			s < 40(0001) 40(0002)
			a < 32(s'kill/1' 0001 'one') 32(s'kill/2' 0002 'two')`, after: `
			a +p1 kill
			a ~ 32(s'kill/1' 0001 'one') 32(s'kill/2' 0002 'two')
			a > 40(0001) 40(0002)
			a .`},
	"a message of QoS 2 that was not released": {before: `
			a +p0 kill
			a > 82(0001 s'kill/+' 02)
			a < 90(0001 02)
			s + sender
			s > 34(s'kill/1' 0001 'one')
			s < 50(0001)
			s > 62(0001)
			s < 70(0001)
			a < 34(s'kill/1' 0001 'one')
			a > 50(0001)
			a < 62(0001)`, after: `
			a +p1 kill
			a < 62(0001)
			a > 70(0001)
			a .`, politely: true},
	"a message of QoS 2 that its sender had not released": {before: `
			w +p0 watcher
			w > 82(0001 s'kill/+' 01)
			w < 90(0001 01)
			a +p0 kill
			a > 34(s'kill/1' 0001 'one')
			a < 50(0001)`, after: `
			w +p1 watcher
			a +p1 kill
			a > 3c(s'kill/1' 0001 'one')
			a < 50(0001)
			a > 62(0001)
			a < 70(0001)
			w < 32(s'kill/1' 0001 'one')
			w > 40(0001)
			w .`},
	"a message on a topic that is longer than names in the data folder": {before: `
			a +p0 kill
			a > 82(0001 s'kill/+' 01)
			a < 90(0001 01)
			a x
			s + sender
			s > 32(s('kill/' 'x' *60000) 0001 'one')
			s < 40(0001)`, after: `
			a +p1 kill
			a < 32(s('kill/' 'x' *60000) 0001 'one')
			a > 40(0001)
			a .`},
	"retained messages": {before: `
			a + kill
			a > 33(s'kill/1' 0001 'one') 33(s'kill/2' 0002 'two') 33(s'kill/3' 0003 'three')
			a < 40(0001) 40(0002) 40(0003)
			a > 33(s'kill/1' 0004 'other') 33(s'kill/2' 0005)
			a < 40(0004) 40(0005)`, after: `
			a + kill
			a > 82(0001 s'kill/#' 01)
			a < 90(0001 01) 33(s'kill/1' 0001 'other') 33(s'kill/3' 0002 'three')
			a > 40(0001) 40(0002)
			a .`},
}

func TestSessionsGoOnAfterKill(t *testing.T) {
	for name, tt := range goingOn {
		if tt.politely {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := startKillable(t, dir)
			runScript(t, overTCP(first.addr), tt.before)
			first.kill()
			second := startKillable(t, dir)
			runScript(t, overTCP(second.addr), tt.after)
		})
	}
}

func TestSessionsGoOnAfterRestart(t *testing.T) {
	for name, tt := range goingOn {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := startBroker(t, func(o *Options) { o.Dir = dir })
			runScript(t, overTCP(first.Addr()), tt.before)
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			second := startBroker(t, func(o *Options) { o.Dir = dir })
			runScript(t, overTCP(second.Addr()), tt.after)
		})
	}
}

// exchange gives the packets of messages of QoS 2.
func exchange(topic string, messages int) (publishes, pubrecs, pubrels, pubcomps string) {
	for id := 1; id <= messages; id++ {
		publishes += fmt.Sprintf(" 34(s'%s' %04x 'x')", topic, id)
		pubrecs += fmt.Sprintf(" 50(%04x)", id)
		pubrels += fmt.Sprintf(" 62(%04x)", id)
		pubcomps += fmt.Sprintf(" 70(%04x)", id)
	}
	return publishes, pubrecs, pubrels, pubcomps
}

// TestAPoliteEndForgetsNoAcknowledgement ends the broker the moment it has answered many PUBREC: none of the messages may
// come again (MQTT-4.3.3-1).
func TestAPoliteEndForgetsNoAcknowledgement(t *testing.T) {
	dir := t.TempDir()
	first := startBroker(t, func(o *Options) { o.Dir = dir })
	publishes, pubrecs, pubrels, pubcomps := exchange("kill/x", maxInFlight/2)
	runScript(t, overTCP(first.Addr()), `
		a +p0 kill
		a > 82(0001 s'kill/+' 02)
		a < 90(0001 02)
		s + sender
		s >`+publishes+`
		s <`+pubrecs+`
		s >`+pubrels+`
		s <`+pubcomps+`
		a <`+publishes+`
		a >`+pubrecs+`
		a <`+pubrels)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := startBroker(t, func(o *Options) { o.Dir = dir })
	runScript(t, overTCP(second.Addr()), `
		a +p1 kill
		a ?`+pubrels+`
		a >`+pubcomps+`
		a .`)
}

// TestWhatWasAcknowledgedDoesNotComeAgain breaks a connection off behind many PUBREC and connects again at once, upon which
// the message that was not acknowledged comes again, and no other (MQTT-4.3.3-1).
func TestWhatWasAcknowledgedDoesNotComeAgain(t *testing.T) {
	b := startBroker(t)
	for id := range 8 {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			t.Parallel()
			runScript(t, overTCP(b.Addr()), brokenOffBehindPubrecs(fmt.Sprint("again", id)))
		})
	}
}

func brokenOffBehindPubrecs(id string) string {
	const messages = maxInFlight
	publishes, pubrecs, pubrels, pubcomps := exchange(id+"/x", messages)
	last := fmt.Sprintf("%04x", messages)
	return `
		a +p0 ` + id + `
		a > 82(0001 s'` + id + `/+' 02)
		a < 90(0001 02)
		s + ` + id + `sender
		s >` + publishes + `
		s <` + pubrecs + `
		s >` + pubrels + `
		s <` + pubcomps + `
		a <` + publishes + `
		a >` + strings.TrimSuffix(pubrecs, " 50("+last+")") + `
		a x
		a +p1 ` + id + `
		a ?` + strings.TrimSuffix(pubrels, " 62("+last+")") + ` 3c(s'` + id + `/x' ` + last + ` 'x')
		a > 50(` + last + `)
		a < 62(` + last + `)
		a >` + pubcomps + `
		a .`
}

// A client leaves between PUBREC and PUBREL and comes back with a clean session: what it sends then under the same
// packet identifier is a new message (MQTT-3.1.2-6).
func TestCleanSessionForgetsTheMessageOfAnExchangeThatWasBrokenOff(t *testing.T) {
	b := startBroker(t)
	watcher, messages := connect(t, "mqtt://"+b.Addr())
	subscribe(t, watcher, "t", 1)

	for _, id := range []string{"plain", "with.dots and spaces"} {
		old := rawConnect(t, b, id)
		old.publishQoS2(1, "old")
		_ = old.Close()

		fresh := rawConnect(t, b, id)
		fresh.publishQoS2(1, "new")
		fresh.exchange(packets.Pubrel, 1, packets.Pubcomp)
		_ = fresh.Close()
		if got := next(t, messages); got.Payload != "new" {
			t.Errorf("client %q: got %+v, want the new message", id, got)
		}
	}
}

// rawClient speaks packet by packet.
type rawClient struct {
	net.Conn
	t *testing.T
}

// rawConn is a connection on which nothing has been said yet, which fails when the test's patience ends.
func rawConn(t *testing.T, b *Broker) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func rawConnect(t *testing.T, b *Broker, id string) *rawClient {
	t.Helper()
	conn := rawConn(t, b)
	c := &rawClient{conn, t}
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion = "MQTT", 4
	connect.CleanSession, connect.ClientIdentifier = true, id
	c.send(connect)
	c.expect(packets.Connack)
	return c
}

func (c *rawClient) send(p packets.ControlPacket) {
	c.t.Helper()
	if err := p.Write(c); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawClient) expect(packetType byte) {
	c.t.Helper()
	p, err := packets.ReadPacket(c)
	if err != nil {
		c.t.Fatal(err)
	}
	if got := fmt.Sprintf("%T", p); got != fmt.Sprintf("%T", packets.NewControlPacket(packetType)) {
		c.t.Fatalf("got %s %v, want %s", got, p, packets.PacketNames[packetType])
	}
}

func (c *rawClient) publishQoS2(id uint16, payload string) {
	c.t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = "t", 2, id, []byte(payload)
	c.send(p)
	c.expect(packets.Pubrec)
}

func (c *rawClient) exchange(send byte, id uint16, expect byte) {
	c.t.Helper()
	p := packets.NewControlPacket(send).(*packets.PubrelPacket)
	p.MessageID = id
	c.send(p)
	c.expect(expect)
}
