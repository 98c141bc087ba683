package http1

import (
	"context"
	"net"
	"sync"
	"time"
)

// requestContext is the context of a request. Only a handler that waits asks for Done, and only then the connection is
// watched for the client's going away.
type requestContext struct {
	in *reader

	mu   sync.Mutex
	done chan struct{} // made when it is asked for
	err  error
	// bodyRead says that nobody reads from the connection any more, so that watching may.
	bodyRead bool
	watched  bool
	finished bool
}

var _ context.Context = (*requestContext)(nil)

func (*requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (*requestContext) Value(any) any { return nil }

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
		c.watch()
	}
	return c.done
}

// bodyEnded says that the whole body has been read.
func (c *requestContext) bodyEnded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodyRead = true
	c.watch()
}

// watch begins to watch the connection when somebody waits and may be told. mu is held.
func (c *requestContext) watch() {
	if c.done != nil && c.bodyRead && c.err == nil && !c.watched && !c.finished {
		c.watched = true
		c.in.watch(c.end)
	}
}

// end says that the client has gone, or that the request is over.
func (c *requestContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
}

// finish ends the context when the handler has returned, and the watching with it.
func (c *requestContext) finish() {
	c.mu.Lock()
	c.finished = true
	watched := c.watched
	c.mu.Unlock()
	if watched {
		c.in.unwatch()
	}
	c.end()
}

// reader reads from a connection. While nobody else does it can watch for its end, for which it has to read: a byte that
// comes, of a request sent ahead, is kept for the next Read.
type reader struct {
	conn net.Conn
	left int64 // how much may be read

	kept    [1]byte
	keeps   bool
	err     error // what watching ended with
	watched chan struct{}
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.left <= 0 {
		return 0, errHeaderTooLarge
	}
	if r.keeps && len(p) > 0 {
		r.keeps = false
		p[0] = r.kept[0]
		return 1, nil
	}
	n, err := r.conn.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

// watch calls gone when the connection ends, in another goroutine, until unwatch.
func (r *reader) watch(gone func()) {
	if r.keeps {
		return // A client that has sent more is there; its end cannot be seen before that has been read.
	}
	r.watched = make(chan struct{})
	go func() {
		defer close(r.watched)
		n, err := r.conn.Read(r.kept[:])
		r.keeps = n > 0
		if timeout, ok := err.(net.Error); err != nil && !(ok && timeout.Timeout()) {
			r.err = err
			gone()
		}
	}()
}

// unwatch returns when nobody watches any more.
func (r *reader) unwatch() {
	if r.watched == nil {
		return
	}
	// A deadline in the past wakes the reading; it is taken back for the next request.
	_ = r.conn.SetReadDeadline(time.Unix(1, 0))
	<-r.watched
	r.watched = nil
	_ = r.conn.SetReadDeadline(time.Time{})
}
