package mqtt

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	retainedStream  = "flowctl_retained"
	retainedSubject = "$flowctl.retained."
)

// retainedMessages are those that new subscribers are given, MQTT 3.1.1 section 3.3.1.3.
//
// nats-server has its own, but takes a retained message into account only some time after it has acknowledged it, gives
// the ones whose topics begin with $ to filters that begin with a wildcard, and never sends one again that a client did
// not acknowledge. So the gateway keeps them, in a stream of the embedded server, and tells nats-server of ordinary
// messages only.
type retainedMessages struct {
	nats *natsConn

	writing sync.Mutex // held for a change, so that memory and disk agree on the last one

	mu      sync.RWMutex
	byTopic map[string]*retainedMessage
}

type retainedMessage struct {
	topic   string
	qos     byte
	payload []byte
}

func loadRetained(nats *natsConn) (*retainedMessages, error) {
	r := &retainedMessages{nats: nats, byTopic: map[string]*retainedMessage{}}
	stored, err := nats.openStream(retainedStream, retainedSubject+"*")
	if err != nil {
		return nil, fmt.Errorf("retained messages: %w", err)
	}
	for _, raw := range stored {
		m, err := decodeRetained(raw)
		if err == nil && len(m.payload) == 0 {
			err = nats.api("STREAM.PURGE."+retainedStream, map[string]string{"filter": subjectOfRetained(m.topic)}, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("retained messages: %w", err)
		}
		r.remember(m)
	}
	return r, nil
}

// set makes m the retained message of its topic, or takes the topic's away when its payload is empty. It returns when
// that is on disk.
func (r *retainedMessages) set(m *retainedMessage) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if len(m.payload) == 0 && r.of(m.topic) == nil {
		return nil
	}
	if err := r.nats.store(subjectOfRetained(m.topic), encodeRetained(m)); err != nil {
		return err
	}
	r.remember(m)
	return nil
}

func (r *retainedMessages) of(topic string) *retainedMessage {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byTopic[topic]
}

func (r *retainedMessages) remember(m *retainedMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(m.payload) == 0 {
		delete(r.byTopic, m.topic)
		return
	}
	r.byTopic[m.topic] = m
}

// matching gives those of a filter, in the order of their topics.
func (r *retainedMessages) matching(filter string) []*retainedMessage {
	if !strings.ContainsAny(filter, "+#") {
		if m := r.of(filter); m != nil {
			return []*retainedMessage{m}
		}
		return nil
	}
	var found []*retainedMessage
	r.mu.RLock()
	for topic, m := range r.byTopic {
		if filterMatches(filter, topic) {
			found = append(found, m)
		}
	}
	r.mu.RUnlock()
	slices.SortFunc(found, func(a, b *retainedMessage) int { return strings.Compare(a.topic, b.topic) })
	return found
}

// subjectOfRetained names a topic in the stream: topics may be longer than subjects.
func subjectOfRetained(topic string) string {
	sum := sha256.Sum256([]byte(topic))
	return retainedSubject + hex.EncodeToString(sum[:])
}

func encodeRetained(m *retainedMessage) []byte {
	b := append(make([]byte, 0, 3+len(m.topic)+len(m.payload)), m.qos)
	b = appendString(b, []byte(m.topic))
	return append(b, m.payload...)
}

func decodeRetained(raw []byte) (*retainedMessage, error) {
	if len(raw) < 3 || len(raw) < 3+int(binary.BigEndian.Uint16(raw[1:])) || raw[0] > 2 {
		return nil, fmt.Errorf("not a retained message: %.20x", raw)
	}
	topic, payload, _ := cutString(raw[1:])
	return &retainedMessage{topic: string(topic), qos: raw[0], payload: payload}, nil
}

// filterMatches says whether a topic matches a well-formed filter, MQTT 3.1.1 section 4.7.
func filterMatches(filter, topic string) bool {
	if filter[0] != topic[0] && topic[0] == '$' { // MQTT-4.7.2-1
		return false
	}
	for {
		level, moreFilter, deeperFilter := strings.Cut(filter, "/")
		if level == "#" {
			return true
		}
		name, moreTopic, deeperTopic := strings.Cut(topic, "/")
		if level != "+" && level != name {
			return false
		}
		switch {
		case !deeperFilter && !deeperTopic:
			return true
		case !deeperFilter:
			return false
		case !deeperTopic:
			return moreFilter == "#" // which stands for the level above it too
		}
		filter, topic = moreFilter, moreTopic
	}
}
