package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// Connections is the service that keeps the process's connections: one per
// broker to publish on, shared by all nodes, and the sessions in use. Its
// methods may be called by any goroutine.
type Connections struct {
	mu         sync.Mutex
	publishers map[*Broker]*client.Client
	sessions   map[session]string // to the node that receives in it
	closed     bool
}

type session struct{ url, id string }

// NewConnections opens nothing: the first message does.
func NewConnections() *Connections {
	return &Connections{publishers: map[*Broker]*client.Client{}, sessions: map[session]string{}}
}

// Close waits for the publishes under way, until ctx ends or 5 s have passed,
// and takes leave of the brokers. Publishes that come later fail, so close the
// app first. Sources close their own connections.
func (c *Connections) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	publishers := c.publishers
	c.publishers = nil
	c.mu.Unlock()

	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, p := range publishers {
		wg.Go(func() {
			if err := p.Close(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// publisher is the client that all nodes publish with to a broker.
func publisher(d engine.Deps, broker engine.Ref[Broker]) (*client.Client, error) {
	c, err := engine.Service[*Connections](d)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, client.ErrClosed
	}
	if p := c.publishers[broker.Resource]; p != nil {
		return p, nil
	}
	cfg, err := configFor(d, broker)
	if err != nil {
		return nil, err
	}
	p, err := client.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("the broker %q: %w", broker.Name, err)
	}
	c.publishers[broker.Resource] = p
	return p, nil
}

func configFor(d engine.Deps, broker engine.Ref[Broker]) (client.Config, error) {
	local, err := engine.Service[Local](d)
	if err != nil {
		local = Local{} // it is provided only where there is such a broker
	}
	return broker.Resource.clientConfig(broker.Name, local.URL, d)
}

// claim reserves a session for a node; release gives it back.
func (c *Connections) claim(s session, node string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, taken := c.sessions[s]; taken {
		return fmt.Errorf("the session %q is in use by %s already; at the broker a session belongs to one client", s.id, other)
	}
	c.sessions[s] = node
	return nil
}

func (c *Connections) release(s session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sessions, s)
}
