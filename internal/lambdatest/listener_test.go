package lambdatest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// publication is a message of a broker.
type publication struct{ topic, payload string }

// listener hears all that is published below some topics.
type listener struct {
	t      testing.TB
	url    string
	filter string
	// subscribed gets a value each time that the subscription comes into force.
	subscribed chan struct{}

	mu    sync.Mutex
	heard []publication
	marks map[string]bool
}

// mark is the last level of the topics of messages that the tests publish
// themselves, to know that the listener has heard everything before.
const mark = "mark"

// listen subscribes to all topics below root and waits until the subscription
// is in force.
func listen(t testing.TB, url, root string) *listener {
	t.Helper()
	l := &listener{t: t, url: url, filter: root + "/#", marks: map[string]bool{}, subscribed: make(chan struct{}, 1000)}
	c, err := client.New(client.Config{URL: url, Subscribed: func([]string) { l.subscribed <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Subscribe(ctx, l.filter, 1, 1, l.add) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("listening: %v", err)
		}
		c.Close(context.Background())
	})
	l.ready()
	return l
}

// ready waits until the subscription is in force, again after the broker was
// gone.
func (l *listener) ready() {
	l.t.Helper()
	select {
	case <-l.subscribed:
	case <-time.After(patience):
		l.t.Fatalf("no subscription at %s comes into force", l.url)
	}
}

func (l *listener) add(_ context.Context, m client.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	root := l.filter[:len(l.filter)-1]
	if m.Topic == root+mark {
		l.marks[string(m.Payload)] = true
		return nil
	}
	l.heard = append(l.heard, publication{m.Topic, string(m.Payload)})
	return nil
}

// all are the messages so far, and all that the broker acknowledged before the
// call, in the broker's order.
func (l *listener) all(id string) []publication {
	l.t.Helper()
	c, err := client.New(client.Config{URL: l.url})
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close(context.Background())
	root := l.filter[:len(l.filter)-1]
	if err := c.Publish(context.Background(), root+mark, 1, false, []byte(id)); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, "the listener hears the mark", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.marks[id]
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]publication(nil), l.heard...)
}
