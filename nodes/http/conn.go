package http

import (
	"net"
	"time"
)

// patient is a listener whose connections give up on a caller that takes none
// of an answer for the timeout, however long the answer took to come about: the
// WriteTimeout of net/http would count that too.
type patient struct {
	net.Listener
	timeout time.Duration
}

// Accept implements net.Listener.
func (p patient) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	tcp, ok := c.(*net.TCPConn)
	if err != nil || !ok {
		return c, err
	}
	return &patientConn{TCPConn: tcp, timeout: p.timeout, now: time.Now}, nil
}

type patientConn struct {
	*net.TCPConn
	timeout time.Duration
	now     func() time.Time
	// until is the deadline that is set. Writes of one connection do not
	// overlap.
	until time.Time
}

// writePiece is how much of an answer a caller must take within the timeout:
// a large answer may last longer on a slow line, while a caller that takes
// nothing is found out.
const writePiece = 64 << 10

// Write implements net.Conn.
func (c *patientConn) Write(b []byte) (int, error) {
	written := 0
	for {
		n, err := c.writePiece(b[written:min(written+writePiece, len(b))])
		written += n
		if err != nil || written == len(b) {
			return written, err
		}
	}
}

// writePiece moves the deadline only when less than half of the timeout is
// left, since moving it costs more than a small write.
func (c *patientConn) writePiece(b []byte) (int, error) {
	if now := c.now(); c.until.Sub(now) < c.timeout/2 {
		c.until = now.Add(c.timeout)
		if err := c.SetWriteDeadline(c.until); err != nil {
			return 0, err
		}
	}
	return c.TCPConn.Write(b)
}
