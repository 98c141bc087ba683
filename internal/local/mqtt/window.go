package mqtt

import (
	"math/bits"
	"strconv"
)

// maxInFlight is how many messages of QoS 1 and 2 may be on their way to a client at a time. nats-server grants 65535 to
// the subscriptions of a session, and maxInFlight to each; one whose filter ends with # counts as two.
const maxInFlight = 256

// shareWindow divides maxInFlight among the subscriptions of a session. nats-server has each send that many, whatever the
// others do, and leaves out what comes on top for all together: that would come ackWait later, behind newer messages.
func (b *backend) shareWindow(clientID string, f *flights) error {
	stored, err := b.storedSession(clientID)
	if err != nil || stored == nil {
		return err
	}
	share := max(maxInFlight>>bits.Len(uint(max(len(stored.Consumers), 1)-1)), 1)
	for _, config := range f.newShares(stored.Consumers, share) {
		config["max_ack_pending"] = strconv.AppendInt(nil, int64(share), 10)
		if err := b.updateConsumer(messageStream, config.name(), config); err != nil {
			return err
		}
	}
	return nil
}
