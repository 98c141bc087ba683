package mqtt

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func TestMappedTopicsComeBackAsTheyWere(t *testing.T) {
	for _, topic := range []string{
		"", "a", "a b", " ", "*", ">", "a/*/>", "$SYS/x", "$", "$$", "$JS.API", "$sparkplug/x y",
		escapeSeq, escapeSeq + "s", "$" + escapeSeq + "$x", "\x7f\f\r\n\t", "\xff\xfe invalid",
	} {
		if got := fromBackend(toBackend([]byte(topic))); string(got) != topic {
			t.Errorf("%q became %q", topic, got)
		}
	}
}

func TestOrdinaryTopicsAreLeftAlone(t *testing.T) {
	for _, topic := range []string{"a/b/c", "+/#", "a.b", "Grüße", "$sparkplug/certificates/x"} {
		if got := toBackend([]byte(topic)); string(got) != topic {
			t.Errorf("%q became %q", topic, got)
		}
	}
}

func TestTopicsWithLongLevelsComeBackAsTheyWere(t *testing.T) {
	b := startBroker(t)
	long := strings.Repeat("l", longLevel+1)
	for _, topic := range []string{
		long, long + "/" + long, "a b/" + long + "/*", "$" + long, "$" + long + "/x y", "$SYS/" + long, "/" + long + "//",
		"$sparkplug/" + long, strings.Repeat("é", longLevel) + "/x", long[1:] + "/" + long,
	} {
		mapped, err := b.gateway.levels.toBackend([]byte(topic))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(mapped), "/") != strings.Count(topic, "/") || len(mapped) > 3*longLevel || (mapped[0] == '$') != (topic[0] == '$') {
			t.Errorf("%.20q became %q", topic, mapped)
		}
		if got := b.gateway.levels.fromBackend(mapped); string(got) != topic {
			t.Errorf("%.20q became %.20q became %.20q", topic, mapped, got)
		}
	}
}

func TestFiltersComeBackFromTheStoredSession(t *testing.T) {
	b := startBroker(t)
	c := rawConnect(t, b, "filters")
	want := map[string]byte{
		"plain": 1, "a/b/c": 2, "+/#": 0, "#": 1, "/": 1, "//": 1, "/lead/+": 1, "trail/": 1, "em//pty": 1, "dots/a.b/./..": 1,
		"with spaces/and *": 2, "$SYS/#": 1, "/+/x//": 1, strings.Repeat("l", longLevel+1) + "/+": 1, "Grüße/日本": 1,
	}
	for filter, qos := range want {
		if got := c.subscribe(filter, qos); got != qos {
			t.Errorf("SUBSCRIBE %.30q: %#x", filter, got)
		}
	}
	stored, err := b.backend.storedSession("filters")
	if err != nil {
		t.Fatal(err)
	}
	if got := stored.filters(b.gateway.levels); !maps.Equal(got, want) {
		t.Errorf("got %.300q\nwant %.300q", got, want)
	}
}

func FuzzTopicMapping(f *testing.F) {
	f.Add("a b/$x", "a*b")
	f.Add("$"+escapeSeq, escapeSeq)
	f.Fuzz(func(t *testing.T, a, b string) {
		ma, mb := toBackend([]byte(a)), toBackend([]byte(b))
		if got := fromBackend(ma); string(got) != a {
			t.Errorf("%q became %q became %q", a, ma, got)
		}
		if a != b && bytes.Equal(ma, mb) {
			t.Errorf("%q and %q both became %q", a, b, ma)
		}
		if bytes.ContainsAny(ma, notInTopics) {
			t.Errorf("%q became %q", a, ma)
		}
		if strings.Count(a, "/") != strings.Count(string(ma), "/") {
			t.Errorf("%q became %q: other levels", a, ma)
		}
	})
}

// letIn makes a session whose client the gateway has let in already.
func letIn() *session {
	s := &session{
		level: level311, flights: newFlights(),
		out:         &packetWriter{w: bufio.NewWriter(io.Discard)},
		retain:      func(*retainedMessage) error { return nil },
		matching:    func(string) []*retainedMessage { return nil },
		shareWindow: func() {},
		gone:        true,
		answered:    make(chan struct{}),
	}
	s.settled.L = &s.mu
	return s
}

// connecting makes a session whose client is yet to send CONNECT.
func connecting() *session {
	s := letIn()
	flights := s.flights
	s.flights = nil
	s.letIn = func(p *connectPacket) ([]byte, error) {
		s.flights = flights
		packet, _ := p.forBackend(nil, "", "")
		return packet, nil
	}
	return s
}

// fromServer copies what a server sends.
func fromServer(dst io.Writer, src io.Reader) error {
	s := letIn()
	s.out.w = bufio.NewWriter(dst)
	return s.outbound(src)
}

// stream is a session's worth of packets whose topics need no mapping, so that a relay must give the same bytes.
func stream(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	write := func(p packets.ControlPacket) {
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion = "MQTT", 4
	connect.ClientIdentifier = "id"
	connect.WillFlag, connect.WillTopic, connect.WillMessage = true, "will", []byte("gone")
	write(connect)
	subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 1, []string{"a/#", "b/+"}, []byte{1, 2}
	write(subscribe)
	unsubscribe := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
	unsubscribe.MessageID, unsubscribe.Topics = 2, []string{"a/#"}
	write(unsubscribe)
	for i, size := range []int{0, 1, 127, 128, 16_384, 70_000} {
		publish := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		publish.TopicName, publish.Qos, publish.MessageID = "b/x", 1, uint16(i+1)
		publish.Payload = bytes.Repeat([]byte{byte(i)}, size)
		write(publish)
	}
	write(packets.NewControlPacket(packets.Pingreq))
	write(packets.NewControlPacket(packets.Disconnect))
	return b.Bytes()
}

func TestPacketsWithoutSuchTopicsPassUnchangedHoweverTheyAreCut(t *testing.T) {
	want := stream(t)
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole":       func(r io.Reader) io.Reader { return r },
		"byte by one": iotest.OneByteReader,
		"halves":      iotest.HalfReader,
		"with EOF":    iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := connecting().inbound(&got, cut(bytes.NewReader(want))); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Error("the stream was changed")
			}
		})
	}
}

func TestWhatIsReadIsHandedOnBeforeTheNextWait(t *testing.T) {
	clientEnd, gatewayIn := io.Pipe()
	gatewayOut, backendEnd := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := letIn().inbound(backendEnd, clientEnd)
		_ = backendEnd.Close()
		done <- err
	}()
	ping := []byte{0xc0, 0x00}
	// A whole packet and the start of the next: the whole one must not wait for the rest.
	if _, err := gatewayIn.Write(append(bytes.Clone(ping), 0x30)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2)
	if _, err := io.ReadFull(gatewayOut, got); err != nil || !bytes.Equal(got, ping) {
		t.Fatalf("got % x, %v", got, err)
	}
	_ = gatewayIn.Close()
	if rest, err := io.ReadAll(gatewayOut); err != nil || len(rest) > 0 {
		t.Errorf("rest % x, %v", rest, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMalformedPacketsEndTheConnection(t *testing.T) {
	for name, in := range map[string][]byte{
		"length of five bytes":         {0x30, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3},
		"topic longer than the packet": {0x30, 0x04, 0x00, 0x09, 'a', 'b', 0xc0, 0x00},
		"PUBLISH of one byte":          {0x30, 0x01, 0x00},
		"SUBSCRIBE without a QoS":      {0x82, 0x05, 0x00, 0x01, 0x00, 0x01, 'a'},
		"SUBSCRIBE of one byte":        {0x82, 0x01, 0x00},
		"UNSUBSCRIBE of half a filter": {0xa2, 0x05, 0x00, 0x01, 0x00, 0x02, 'a'},
		"a control packet of 256 MB":   {0x82, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x01},
		"a payload of 256 MB":          {0x30, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x01, 'a'},
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := letIn().inbound(&got, bytes.NewReader(in)); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v", err)
			}
			if got.Len() > 0 {
				t.Errorf("% x was passed on", got.Bytes())
			}
		})
	}
}

func FuzzRelay(f *testing.F) {
	f.Add(stream(f))
	f.Add([]byte{0x30, 0x05, 0x00, 0x03, 'a', ' ', 'b'})
	f.Add([]byte{0x82, 0x08, 0x00, 0x01, 0x00, 0x03, '$', 'x', '*', 0x01})
	f.Fuzz(func(t *testing.T, in []byte) {
		var there, back bytes.Buffer
		if err := letIn().inbound(&there, bytes.NewReader(in)); err != nil {
			return // a packet over the limits
		}
		// Read in small pieces, the relay must give the same.
		var again bytes.Buffer
		if err := letIn().inbound(&again, iotest.OneByteReader(bytes.NewReader(in))); err != nil || !bytes.Equal(again.Bytes(), there.Bytes()) {
			t.Errorf("% x: cut in bytes gives % x, %v, want % x", in, again.Bytes(), err, there.Bytes())
		}
		if err := fromServer(&back, bytes.NewReader(there.Bytes())); err != nil {
			t.Errorf("% x: %v on the way back", there.Bytes(), err)
		}
	})
}

func TestRetainedMessageThatCouldNotBeKeptIsKeptWhenItComesAgain(t *testing.T) {
	s := letIn()
	kept, broken := 0, true
	s.retain = func(*retainedMessage) error {
		if broken {
			return errors.New("disk full")
		}
		kept++
		return nil
	}
	publish := packets311("35(s'a' 0001 'x')")
	if err := s.inbound(io.Discard, bytes.NewReader(publish)); err == nil {
		t.Error("passed on though it is not kept")
	}
	broken = false
	publish[0] |= dupFlag
	for range 2 {
		if err := s.inbound(io.Discard, bytes.NewReader(publish)); err != nil {
			t.Error(err)
		}
	}
	if kept != 1 {
		t.Errorf("kept %d times, want once", kept)
	}
}

func TestRetainedMessagesAreSentWithoutACopyOfThemAll(t *testing.T) {
	payload := make([]byte, 1<<20)
	for qos := range byte(2) {
		var ds []*delivery
		for range 64 {
			ds = append(ds, &delivery{message: &retainedMessage{topic: "a", qos: qos, payload: payload}, qos: qos})
		}
		var before, after runtime.MemStats
		f := newFlights()
		runtime.ReadMemStats(&before)
		packets := f.retained(ds...)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("QoS %d: %d bytes for messages of 64 MiB", qos, got)
		}
		runtime.KeepAlive(packets)
	}
}
