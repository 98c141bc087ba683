// Package engine compiles a graph of nodes into one blocking function and runs
// messages through it.
//
// A flow's compiled form is a Handler: it returns when the message and all that
// was made from it are done, and its return value is the acknowledgement. So
// the same flow serves a local HTTP server, a queue poller and a Lambda
// invocation, and nothing is left running when it returns.
//
// The package knows no file format, no cloud and no protocol. Node types come
// from outside as Specs in a Registry.
package engine

import (
	"context"
	"reflect"
)

// Handler settles a message: nil is the acknowledgement, an error says that the
// message is not done and, by its Class, whether trying again may help.
type Handler func(ctx context.Context, m *Message) error

// Node does one step of work and names the port by which the message leaves. It
// never calls the next node; so retry, timeout and catch cover the node's own
// work and nothing behind it.
//
// Do is called by many goroutines at once. It must return soon after ctx ends,
// and its error should say by Permanent whether trying again is useless. A
// panic becomes a permanent error of the message.
type Node interface {
	Do(ctx context.Context, m *Message) (Port, error)
}

// NodeFunc is a Node of one function.
type NodeFunc func(ctx context.Context, m *Message) (Port, error)

// Do calls the function.
func (f NodeFunc) Do(ctx context.Context, m *Message) (Port, error) { return f(ctx, m) }

// Closer is a Node or Source that holds something open. Close is called once,
// after the last Do or after Run returned.
type Closer interface {
	Close(ctx context.Context) error
}

// Source brings messages in.
//
// Run takes messages until ctx ends, hands each to deliver and settles it by
// what deliver returns. It then waits for the deliveries under way before it
// returns. Deliveries must not use ctx itself, which ends when no more are to
// be taken, but Work(ctx), which ends when the grace period is over. An error
// from Run stops the app.
type Source interface {
	Run(ctx context.Context, deliver Handler) error
}

type workKey struct{}

// Work is the context for work that was taken before a source's context ended.
func Work(ctx context.Context) context.Context {
	if w, ok := ctx.Value(workKey{}).(context.Context); ok {
		return w
	}
	return context.WithoutCancel(ctx)
}

// WithWork gives a source's context the context its work runs under.
func WithWork(ctx, work context.Context) context.Context {
	return context.WithValue(ctx, workKey{}, work)
}

// Port is where a message leaves a node.
type Port int

// Next is the port that every node has; the others are the Wires in its config.
const Next Port = 0

// forked stands for the ports that Message.Fork was given.
const forked Port = -1

// Wire is a config field that is a port of its own: the author gives the names
// of the nodes behind it, one or a list. The zero Wire leads nowhere.
type Wire struct {
	Targets []string
	port    Port
}

// Wired reports whether the author joined the port to anything.
func (w Wire) Wired() bool { return len(w.Targets) > 0 }

// Port is what Do returns to send the message this way.
func (w Wire) Port() Port { return w.port }

// Number gives the wire its port; the loader calls it once per wire of a node.
func (w *Wire) Number(p Port) { w.port = p }

// Ref is a config field that names a resource of the app; the loader puts its
// config in Resource. C is the resource's config struct.
type Ref[C any] struct {
	Name     string
	Resource *C
}

// Reference is a Ref of any kind, as the loader sees it.
type Reference interface {
	// Config is the type of the config struct that the reference takes.
	Config() reflect.Type
	// Target is the name of the resource, "" before Resolve.
	Target() string
	// Resolve sets the reference. config is a pointer to a Config struct.
	Resolve(name string, config any)
}

// Config is the type of the config struct that the reference takes.
func (r *Ref[C]) Config() reflect.Type { return reflect.TypeFor[C]() }

// Target is the name of the resource.
func (r *Ref[C]) Target() string { return r.Name }

// Resolve sets the reference. config is a *C.
func (r *Ref[C]) Resolve(name string, config any) { r.Name, r.Resource = name, config.(*C) }
