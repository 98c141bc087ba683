package mqtt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// nats-server maps a topic to a subject and cannot carry some characters that MQTT allows: it ends the connection at
// white space and DEL, takes '*' and '>' for wildcards, and lets a client of the topic "$JS/API/..." command JetStream.
// The gateway therefore writes these as an escape on the way in and undoes it on the way out. The mapping is injective
// on levels, so that filters keep matching exactly the topics they matched before.
const escape = '\U000F1A53' // private use: in no one's topics by accident, and escaped itself

const (
	escapeSeq   = string(escape)
	notInTopics = " \t\n\r\f\x7f*>"
	notInNames  = notInTopics + "."
)

var (
	escapes = strings.NewReplacer(
		" ", escapeSeq+"s",
		"\t", escapeSeq+"t",
		"\n", escapeSeq+"n",
		"\r", escapeSeq+"r",
		"\f", escapeSeq+"f",
		"\x7f", escapeSeq+"d",
		"*", escapeSeq+"a",
		">", escapeSeq+"g",
		escapeSeq, escapeSeq+"e",
	)
	unescapes = strings.NewReplacer(
		escapeSeq+"s", " ",
		escapeSeq+"t", "\t",
		escapeSeq+"n", "\n",
		escapeSeq+"r", "\r",
		escapeSeq+"f", "\f",
		escapeSeq+"d", "\x7f",
		escapeSeq+"a", "*",
		escapeSeq+"g", ">",
		escapeSeq+"e", escapeSeq,
		escapeSeq+"$", "",
	)
)

// reservedMark follows the '$' of a topic that MQTT sets apart from wildcards (MQTT-4.7.2-1), and keeps it apart from
// the subjects of nats-server as well.
const reservedMark = escapeSeq + "$"

// sparkplugPrefix is the one reserved tree that nats-server itself fills for MQTT clients.
const sparkplugPrefix = "$sparkplug/"

// toBackend gives the topic name or filter as nats-server can carry it.
func toBackend(topic []byte) []byte {
	reserved := isReserved(topic)
	if !reserved && !bytes.ContainsAny(topic, notInTopics+escapeSeq) {
		return topic
	}
	escaped := escapes.Replace(string(topic))
	if reserved {
		escaped = "$" + reservedMark + escaped[1:]
	}
	return []byte(escaped)
}

func isReserved(topic []byte) bool {
	return len(topic) > 0 && topic[0] == '$' && !bytes.HasPrefix(topic, []byte(sparkplugPrefix))
}

// fromBackend undoes toBackend.
func fromBackend(topic []byte) []byte {
	if !bytes.Contains(topic, []byte(escapeSeq)) {
		return topic
	}
	return []byte(unescapes.Replace(string(topic)))
}

// longID is how long a client identifier may be for nats-server, which stores messages under subjects that hold it.
const longID = 1024

// clientIDToBackend gives the client identifier as a name that nats-server takes: beside the characters it refuses in
// topics it refuses dots there. Identifiers never come back, so nothing undoes this.
func clientIDToBackend(id []byte) []byte {
	if len(id) > longID {
		sum := sha256.Sum256(id)
		return hex.AppendEncode([]byte(escapeSeq+"h"), sum[:])
	}
	if !bytes.ContainsAny(id, notInNames+escapeSeq) {
		return id
	}
	return []byte(strings.ReplaceAll(escapes.Replace(string(id)), ".", escapeSeq+"p"))
}

// wellFormed says whether the wildcards of a filter stand where MQTT allows them: alone on their levels, # on the last
// (MQTT-4.7.1-2 and MQTT-4.7.1-3). nats-server takes others for plain characters and promises messages that never come.
func wellFormed(filter string) bool {
	for {
		level, deeper, more := strings.Cut(filter, "/")
		if len(level) > 1 && strings.ContainsAny(level, "+#") || level == "#" && more {
			return false
		}
		if !more {
			return true
		}
		filter = deeper
	}
}
