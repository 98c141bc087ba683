package mqtt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// heldStream is where nats-server keeps messages of QoS 2 between PUBREC and PUBREL, by client and packet identifier.
	heldStream = "$MQTT_qos2in"
	// sessionStream is where it keeps what it knows of each session, by a hash of the client identifier.
	sessionStream = "$MQTT_sess"
	// messageStream and releaseStream are read for each session by consumers: one for each subscription, and one for the
	// PUBREL packets that are due.
	messageStream = "$MQTT_msgs"
	releaseStream = "$MQTT_out"

	// settleTimeout bounds how long the backend takes to note an acknowledgement that it has answered, and how long the
	// end of the broker waits for that.
	settleTimeout = 5 * time.Second
)

// forgetHeld drops what is held for a client that starts a clean session. nats-server leaves it there, and when the
// client uses the packet identifier again, acknowledges the new message and delivers the old one; MQTT-3.1.2-6 has it
// discarded.
func (b *backend) forgetHeld(clientID string) error {
	return b.nats.api("STREAM.PURGE."+heldStream, map[string]string{"filter": "$MQTT.qos2.in." + clientID + ".>"}, nil)
}

// levelUpSuffix marks the second consumer of a filter that ends with /#, which serves the level above.
const levelUpSuffix = " fwc"

// storedSession is what nats-server keeps of a session (mqttPersistedSession in server/mqtt.go).
type storedSession struct {
	Subs      map[string]byte           `json:"subs"` // QoS by the subject that the filter became
	Consumers map[string]consumerConfig `json:"cons"` // by the same subject, or by levelUpSuffix and the one above it
	Releases  consumerConfig            `json:"pubrel"`
}

// consumerConfig is the configuration of a consumer of JetStream.
type consumerConfig map[string]json.RawMessage

func (c consumerConfig) name() string {
	var name string
	_ = json.Unmarshal(c["durable_name"], &name) // "" is no consumer's
	return name
}

// storedSession gives nil for a client without a session.
func (b *backend) storedSession(clientID string) (*storedSession, error) {
	var stored struct {
		Message struct{ Data []byte }
	}
	err := b.nats.api("STREAM.MSG.GET."+sessionStream, map[string]string{"last_by_subj": "$MQTT.sess." + sessionHash(clientID)}, &stored)
	if isAPIError(err, noMessageFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &storedSession{}
	return s, json.Unmarshal(stored.Message.Data, s)
}

// sessionConsumer is a consumer as its session has it.
type sessionConsumer struct {
	stream string
	config consumerConfig
}

func (s *storedSession) consumers() []sessionConsumer {
	var all []sessionConsumer
	for _, config := range s.Consumers {
		all = append(all, sessionConsumer{messageStream, config})
	}
	if s.Releases != nil { // behind the messages
		all = append(all, sessionConsumer{releaseStream, s.Releases})
	}
	return all
}

// repeat has nats-server send again what the client of a session has not acknowledged, as soon as the client is back and
// before anything else (MQTT-4.4.0-1). By itself it does so when ackWait is over. No client of the session is connected.
func (b *backend) repeat(ctx context.Context, session *storedSession) error {
	var due []sessionConsumer
	for _, c := range session.consumers() {
		info, err := b.idleConsumer(c)
		if err != nil {
			return err
		}
		if c.repeats(info) {
			due = append(due, c)
		}
	}
	if len(due) == 0 {
		return nil
	}
	// nats-server has read what the client acknowledged, but hands it to the consumers by way of two queues: what has
	// not arrived would come again, as a new message. The probe goes through the first one.
	if err := b.probe(ctx); err != nil {
		return err
	}
	for _, c := range due {
		if err := b.repeatConsumer(c); err != nil {
			return err
		}
	}
	return nil
}

// filters gives the filters of a session as its client knows them, with their QoS.
func (s *storedSession) filters(levels *longLevels) map[string]byte {
	filters := map[string]byte{}
	for subject, qos := range s.Subs {
		filters[string(levels.fromBackend([]byte(filterOfSubject(subject))))] = qos
	}
	return filters
}

// filterOfSubject undoes what nats-server makes of a filter (mqttToNATSSubjectConversion in server/mqtt.go).
func filterOfSubject(subject string) string {
	levels := strings.Split(subject, ".")
	for i, level := range levels {
		switch level {
		case "/":
			levels[i] = ""
		case "*":
			levels[i] = "+"
		case ">":
			levels[i] = "#"
		default:
			levels[i] = strings.ReplaceAll(level, "//", ".")
		}
	}
	return strings.Join(levels, "/")
}

// hasBacklog says whether a session's subscription has messages that its client, to whom f are on their way, has not
// acknowledged.
func (b *backend) hasBacklog(clientID, filter string, f *flights, levels *longLevels) (bool, error) {
	stored, err := b.storedSession(clientID)
	if err != nil || stored == nil {
		return false, err
	}
	for id, config := range stored.Consumers {
		subject, levelUp := strings.CutSuffix(id, levelUpSuffix)
		served := string(levels.fromBackend([]byte(filterOfSubject(subject))))
		if levelUp {
			served += "/#"
		}
		if served != filter {
			continue
		}
		pending, err := b.consumerPending(config.name(), f)
		if pending || err != nil {
			return pending, err
		}
	}
	return false, nil
}

func (b *backend) consumerPending(name string, f *flights) (bool, error) {
	for deadline := time.Now().Add(requestTimeout); ; {
		var info consumerInfo
		err := b.nats.api("CONSUMER.INFO."+messageStream+"."+name, struct{}{}, &info)
		switch {
		case isAPIError(err, consumerNotFound):
			return false, nil
		case err != nil:
			return false, err
		case info.Pending > 0 || info.AckPending == 0:
			return info.Pending > 0, nil
		case f.fromBackend() || time.Now().After(deadline):
			return true, nil
		}
		time.Sleep(time.Millisecond) // a message is on its way to the gateway, or its acknowledgement to the consumer
	}
}

// awaitAcknowledged returns when the backend's consumers know of what clients have acknowledged, so that a restart does not
// send it anew: nats-server keeps PUBREC, and answers it, before its consumer has noted it. here are the flights to clients, gone the
// hashes of sessions whose client has left.
func (b *backend) awaitAcknowledged(ctx context.Context, here map[string]*flights, gone map[string]bool) error {
	for deadline := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		consumers, err := b.ackPending()
		if err != nil {
			return err
		}
		pending := consumers.bySession()
		settled := true
		for hash, f := range here {
			settled = settled && pending[hash] <= f.unacknowledged()
		}
		if settled || time.Now().After(deadline) {
			break
		}
	}
	if len(gone) == 0 {
		return nil
	}
	// nats-server has read all of these, but numbers do not tell: it may have sent more than the client took.
	if err := b.probe(ctx); err != nil {
		return err
	}
	consumers, err := b.ackPending()
	for name, pending := range consumers {
		if err == nil && pending > 0 && gone[hashOfConsumer(name)] {
			err = b.awaitAcknowledgements(messageStream, name)
		}
	}
	return err
}

// ackPending is how many messages each consumer waits to have acknowledged, by its name.
type ackPending map[string]int

func (b *backend) ackPending() (ackPending, error) {
	info, err := b.srv.Jsz(&server.JSzOptions{Consumer: true})
	if err != nil {
		return nil, err
	}
	consumers := ackPending{}
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Name != messageStream {
				continue
			}
			for _, consumer := range stream.Consumer {
				consumers[consumer.Name] = consumer.NumAckPending
			}
		}
	}
	return consumers, nil
}

// bySession adds them up by the hash of the session's client.
func (consumers ackPending) bySession() map[string]int {
	sums := map[string]int{}
	for name, pending := range consumers {
		sums[hashOfConsumer(name)] += pending
	}
	return sums
}

// hashOfConsumer gives the hash of its session's client (mqttSession.processJSConsumer in server/mqtt.go).
func hashOfConsumer(name string) string {
	hash, _, _ := strings.Cut(name, "_")
	return hash
}

// nowhere is a subject that no one listens to.
var nowhere = json.RawMessage(`"$flowctl.nowhere"`)

// repeatConsumer has a consumer deliver to another subject and back again, upon which JetStream delivers all that is
// pending anew.
func (b *backend) repeatConsumer(c sessionConsumer) error {
	if err := b.awaitAcknowledgements(c.stream, c.config.name()); err != nil {
		return err
	}
	info, err := b.idleConsumer(c)
	if err != nil || !c.repeats(info) {
		return err
	}
	for _, subject := range []json.RawMessage{nowhere, c.config["deliver_subject"]} {
		info.Config["deliver_subject"] = subject
		if err := b.updateConsumer(c.stream, c.config.name(), info.Config); err != nil {
			return err
		}
	}
	return nil
}

// repeats says whether there is something to send again, or a crash has left the consumer halfway through doing so.
func (c sessionConsumer) repeats(info consumerInfo) bool {
	return info.Config != nil && (info.AckPending > 0 || !bytes.Equal(info.Config["deliver_subject"], c.config["deliver_subject"]))
}

// awaitAcknowledgements returns when a consumer has gone through the acknowledgements in its queue: it answers one that
// stands behind them, which says "in progress" of a message that there is not.
func (b *backend) awaitAcknowledgements(stream, consumer string) error {
	const noMessage = "4611686018427387904"
	_, err := b.nats.request("$JS.ACK."+stream+"."+consumer+".1."+noMessage+"."+noMessage+".0.0", []byte("+WPI"))
	return err
}

type consumerInfo struct {
	Config     consumerConfig
	AckPending int  `json:"num_ack_pending"`
	Pending    int  `json:"num_pending"`
	Bound      bool `json:"push_bound"`
}

// idleConsumer gives what is known of a consumer once it has noticed that its client is gone. Until then it goes on
// sending, to no one.
func (b *backend) idleConsumer(c sessionConsumer) (info consumerInfo, err error) {
	for deadline := time.Now().Add(requestTimeout); ; {
		info = consumerInfo{}
		err = b.nats.api("CONSUMER.INFO."+c.stream+"."+c.config.name(), struct{}{}, &info)
		switch {
		case isAPIError(err, consumerNotFound):
			return consumerInfo{}, nil
		case err != nil || !info.Bound:
			return info, err
		case time.Now().After(deadline):
			return info, errors.New("the embedded broker does not notice that a client is gone")
		}
		time.Sleep(time.Millisecond)
	}
}

// updateConsumer changes a consumer, unless it has gone with its subscription.
func (b *backend) updateConsumer(stream, name string, config consumerConfig) error {
	err := b.nats.api("CONSUMER.DURABLE.CREATE."+stream+"."+name, map[string]any{"stream_name": stream, "config": config, "action": "update"}, nil)
	if isAPIError(err, consumerDoesNotExist) || isAPIError(err, consumerNotFound) {
		return nil
	}
	return err
}

// sessionHash is nats-server's (getHash in server/events.go).
func sessionHash(clientID string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(clientID))
	var hash strings.Builder
	for _, b := range sum[:8] {
		hash.WriteByte(digits[int(b)%len(digits)])
	}
	return hash.String()
}
