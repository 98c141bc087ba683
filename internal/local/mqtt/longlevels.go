package mqtt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
)

const (
	// longLevel is how long a level of a topic may be for the embedded server. It stores messages under subjects that
	// hold the topic, and has less room for them than MQTT has for a topic.
	longLevel = 1024

	levelStream  = "flowctl_levels"
	levelSubject = "$flowctl.level."

	// levelMark stands before the hash of a level that is too long.
	levelMark  = escapeSeq + "h"
	hashLength = 32
)

// longLevels are the levels of topics that are too long for the embedded server, by the hashes that stand for them there.
// They are kept for as long as the broker's data, since messages may be stored under them. A nil one knows of none.
type longLevels struct {
	nats *natsConn

	mu     sync.RWMutex
	byHash map[string]string
}

func loadLevels(nats *natsConn) (*longLevels, error) {
	l := &longLevels{nats: nats, byHash: map[string]string{}}
	levels, err := nats.openStream(levelStream, levelSubject+"*")
	if err != nil {
		return nil, fmt.Errorf("long topics: %w", err)
	}
	for _, level := range levels {
		l.byHash[hashOfLevel(level)] = string(level)
	}
	return l, nil
}

func hashOfLevel(level []byte) string {
	sum := sha256.Sum256(level)
	return hex.EncodeToString(sum[:hashLength/2])
}

// maxStored is how long a mapped topic may be under which nats-server stores a message: it writes the length of the
// subject, which holds more than the topic, into two bytes.
const maxStored = 65400

// topic gives a topic name as nats-server can carry it, and store for a QoS that is not 0.
func (l *longLevels) topic(name []byte, qos byte) ([]byte, error) {
	mapped, err := l.toBackend(name)
	if err == nil && qos > 0 && lengthOfSubject(mapped) > maxStored {
		return nil, fmt.Errorf("a topic of %d bytes is too long for the embedded server to store messages under", len(name))
	}
	return mapped, err
}

// lengthOfSubject is at least what nats-server makes of a topic: it writes dots and empty levels in two bytes.
func lengthOfSubject(topic []byte) int {
	n := len(topic)
	if n <= maxStored/2 {
		return n
	}
	for level := range bytes.SplitSeq(topic, []byte("/")) {
		if n += bytes.Count(level, []byte(".")); len(level) == 0 {
			n++
		}
	}
	return n
}

// toBackend gives the topic name or filter as nats-server can carry it, once its long levels are on disk.
func (l *longLevels) toBackend(topic []byte) ([]byte, error) {
	if len(topic) <= longLevel {
		return toBackend(topic), nil
	}
	levels := bytes.Split(topic, []byte("/"))
	for i, level := range levels {
		if len(level) <= longLevel {
			levels[i] = []byte(escapes.Replace(string(level)))
			continue
		}
		hash, err := l.keep(level)
		if err != nil {
			return nil, err
		}
		levels[i] = []byte(levelMark + hash)
	}
	mapped := bytes.Join(levels, []byte("/"))
	if isReserved(topic) {
		mapped = append([]byte("$"+reservedMark), bytes.TrimPrefix(mapped, []byte("$"))...)
	}
	if len(mapped) > maxTopic {
		return nil, fmt.Errorf("a topic of %d bytes is too long for the embedded server once it is escaped", len(topic))
	}
	return mapped, nil
}

// keep returns the hash of a level once it is on disk.
func (l *longLevels) keep(level []byte) (string, error) {
	hash := hashOfLevel(level)
	l.mu.RLock()
	_, known := l.byHash[hash]
	l.mu.RUnlock()
	if known {
		return hash, nil
	}
	if err := l.nats.store(levelSubject+hash, level); err != nil {
		return "", fmt.Errorf("a level of a topic of %d bytes: %w", len(level), err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byHash[hash] = string(level)
	return hash, nil
}

// fromBackend undoes toBackend.
func (l *longLevels) fromBackend(topic []byte) []byte {
	if l == nil || !bytes.Contains(topic, []byte(levelMark)) {
		return fromBackend(topic)
	}
	rest := string(topic)
	var b strings.Builder
	if strings.HasPrefix(rest, "$"+reservedMark) {
		rest = strings.TrimPrefix(rest, "$"+reservedMark)
		if !strings.HasPrefix(rest, levelMark) { // a long level brings its own
			b.WriteByte('$')
		}
	}
	for i, level := range strings.Split(rest, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		if hash, ok := strings.CutPrefix(level, levelMark); ok {
			l.mu.RLock()
			b.WriteString(l.byHash[hash])
			l.mu.RUnlock()
			continue
		}
		b.WriteString(unescapes.Replace(level))
	}
	return []byte(b.String())
}
