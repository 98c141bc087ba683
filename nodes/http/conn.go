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
	return &patientConn{TCPConn: tcp, timeout: p.timeout}, nil
}

type patientConn struct {
	*net.TCPConn
	timeout time.Duration
	// until is the deadline that is set. Writes of one connection do not
	// overlap.
	until time.Time
}

// Write implements net.Conn. The deadline is moved only when less than half of
// the timeout is left, since moving it costs more than a small write.
func (c *patientConn) Write(b []byte) (int, error) {
	if now := time.Now(); c.until.Sub(now) < c.timeout/2 {
		c.until = now.Add(c.timeout)
		if err := c.SetWriteDeadline(c.until); err != nil {
			return 0, err
		}
	}
	return c.TCPConn.Write(b)
}
