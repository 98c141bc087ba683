package mqtt

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// TestAClientMayTakeItsTimeForWhatIsOnItsWay has more on its way to a client that reads nothing than nats-server keeps for
// one by default.
func TestAClientMayTakeItsTimeForWhatIsOnItsWay(t *testing.T) {
	const messages = 80 // of 1 MiB
	b := startBroker(t)
	s := &script{t: t, dial: overTCP(b.Addr()), clients: map[string]*scriptClient{}}
	step := func(line string) {
		t.Helper()
		if err := s.step(line); err != nil {
			t.Fatal(err)
		}
	}
	step("a +p0 slow")
	step("a > 82(0001 s'slow' 01)")
	step("a < 90(0001 01)")
	step("a x")
	step("s + sender")
	for id := 1; id <= messages; id++ {
		step(fmt.Sprintf("s > 32(s'slow' %04x 'x' *1048576)", id))
		step(fmt.Sprintf("s < 40(%04x)", id))
	}
	step("a +p1 slow")
	awaitDelivered(t, b, "slow", messages)
	for id := 1; id <= messages; id++ {
		p, err := readRawPacket(s.clients["a"].r)
		if want := packets311(fmt.Sprintf("32(s'slow' %04x 'x' *1048576)", id)); err != nil || !bytes.Equal(p, want) {
			t.Fatalf("message %d of %d: got %d bytes, %v", id, messages, len(p), err)
		}
	}
	step("a .")
}

// awaitDelivered returns when nats-server has so many messages on their way to a client.
func awaitDelivered(t *testing.T, b *Broker, id string, messages int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		consumers, err := b.backend.ackPending()
		if err != nil {
			t.Fatal(err)
		}
		pending := consumers.bySession()[sessionHash(id)]
		if pending == messages {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d messages are on their way", pending, messages)
		}
	}
}

// TestTheEndDoesNotWaitForAClientThatReadsNothing would not come to its own end otherwise.
func TestTheEndDoesNotWaitForAClientThatReadsNothing(t *testing.T) {
	const messages = 32 // of 1 MiB: more than the buffers of two connections hold
	b := startBroker(t)
	var publishes, pubacks string
	for id := 1; id <= messages; id++ {
		publishes += fmt.Sprintf(" 32(s'stuck' %04x 'x' *1048576)", id)
		pubacks += fmt.Sprintf(" 40(%04x)", id)
	}
	stuck, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	if _, err := stuck.Write(packets311("10(s'MQTT' 04 00 0000 s'stuck') 82(0001 s'stuck' 01)")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stuck, make([]byte, len(packets311("20(00 00) 90(0001 01)")))); err != nil {
		t.Fatal(err)
	}
	runScript(t, overTCP(b.Addr()), `
		s + sender
		s >`+publishes+`
		s <`+pubacks)
	awaitDelivered(t, b, "stuck", messages)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// writes notes what is written, and when its time began.
type writes struct {
	net.Conn
	deadlines int
	sizes     []int
}

func (w *writes) SetWriteDeadline(time.Time) error {
	w.deadlines++
	return nil
}

func (w *writes) Write(p []byte) (int, error) {
	w.sizes = append(w.sizes, len(p))
	return len(p), nil
}

func TestALongWriteHasTimeForEachOfItsChunks(t *testing.T) {
	w := &writes{}
	n, err := deadlineWriter{w}.Write(make([]byte, 2*writeChunk+1))
	if n != 2*writeChunk+1 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if want := []int{writeChunk, writeChunk, 1}; w.deadlines != 3 || !slices.Equal(w.sizes, want) {
		t.Errorf("got %d deadlines for writes of %v, want one each of %v", w.deadlines, w.sizes, want)
	}
}
