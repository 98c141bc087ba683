package mqtt

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// endTimeout bounds how long the backend may take to end a client that is gone.
	endTimeout = 2 * time.Second

	// willTime is what nats-server needs at most, after it has closed the connection, to publish a will and to set the
	// client's session free.
	willTime = 50 * time.Millisecond
)

// disconnect is the packet by which a client says goodbye, MQTT 3.1.1 section 3.14.
var disconnect = []byte{0xE0, 0x00}

// connected are the clients by their identifiers, as the backend gets them.
//
// A second client of an identifier ends the first one (MQTT-3.1.4-2). nats-server would do so too, but without the
// first one's will, and refuses the identifier for the next second, which meets clients that merely connect again before
// it has noticed that they were gone. So the gateway ends the first one and waits until the backend has let go of it.
type connected struct {
	mu   sync.Mutex
	byID map[string]*session
}

// session is one client's connection.
type session struct {
	client, backend net.Conn
	ended           chan struct{} // closed when the backend has let go of the client

	id      string // "" before CONNECT
	hasWill bool
	// whole says that the client's side ended between two packets.
	whole bool
}

// takeOver makes s the client of an identifier, once the one before has ended.
func (c *connected) takeOver(id string, s *session) {
	c.mu.Lock()
	before := c.byID[id]
	if before == s { // a second CONNECT on one connection, which the backend refuses
		c.mu.Unlock()
		return
	}
	s.id = id
	c.byID[id] = s
	c.mu.Unlock()
	if before != nil {
		_ = before.client.Close()
		<-before.ended
	}
}

// leave forgets s.
func (c *connected) leave(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[s.id] == s {
		delete(c.byID, s.id)
	}
}

// endInput tells the backend that the client sends nothing more. It says goodbye for a client without a will, which
// changes nothing but that the backend lets go of the session before it closes the connection, not after.
func (s *session) endInput() {
	if s.whole && !s.hasWill {
		_, _ = s.backend.Write(disconnect) // the backend may have closed first
	}
	// Only the sending half: a close would reset the connection if the backend has something on the way, and lose
	// the DISCONNECT that keeps it from publishing the will.
	_ = s.backend.(*net.TCPConn).CloseWrite()
}

// awaitEnd returns when the backend has let go of the client, whose side has been closed.
func (s *session) awaitEnd() {
	_, err := io.Copy(io.Discard, s.backend)
	if s.hasWill && !errors.Is(err, net.ErrClosed) { // closed by the gateway: the broker shuts down
		time.Sleep(willTime)
	}
}
