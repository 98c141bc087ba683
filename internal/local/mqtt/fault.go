package mqtt

import (
	"errors"
	"io"
	"net"
	"sync/atomic"

	"github.com/flowctl-dev/flowctl/internal/local/fault"
)

// errFault ends a connection that is to break on demand.
var errFault = errors.New("connection broken on demand")

// serverUnavailable is CONNACK with return code 3, MQTT 3.1.1 section 3.2.2.3.
var serverUnavailable = []byte{0x20, 0x02, 0x00, 0x03}

// faultsOn gives what is called before each CONNECT and PUBLISH of a client, nil without faults.
func (g *gateway) faultsOn(client net.Conn, out *replies) func(packetType byte) (last bool, err error) {
	if g.faults == nil {
		return nil
	}
	return func(packetType byte) (last bool, err error) {
		operation := fault.Publish
		if packetType == typeConnect {
			operation = fault.Connect
		}
		kind, err := g.faults.Act(g.ctx, fault.MQTT, operation)
		switch {
		case err != nil:
			return false, err
		case kind == fault.Drop:
			return false, errFault
		case kind == fault.Refuse:
			// The backend has nothing to say to a client that it does not know of, so nobody else writes.
			_, _ = deadlineWriter{client}.Write(serverUnavailable)
			return false, errFault
		case kind == fault.DropReply:
			out.withheld.Store(true)
			return true, nil
		}
		return false, nil
	}
}

// replies is what goes to a client, for as long as it is not withheld. Withholding instead of closing has the backend
// finish what it was given: a reset could overtake it.
type replies struct {
	io.Writer
	withheld atomic.Bool
}

func (r *replies) Write(p []byte) (int, error) {
	if r.withheld.Load() {
		return len(p), nil
	}
	return r.Writer.Write(p)
}
