package engine

import (
	"time"
)

// Plan is an app as a loader hands it over: checked, every config complete,
// every expression compiled.
type Plan struct {
	Name string
	// Dir is the folder that paths in the app are relative to.
	Dir   string
	Flows []*FlowPlan
}

// FlowPlan is one flow of a Plan.
type FlowPlan struct {
	Name, Doc string
	// Concurrency bounds how many messages are in the flow at once; 0 leaves it
	// to the sources.
	Concurrency int
	// Timeout bounds a whole run; 0 leaves it to the source.
	Timeout time.Duration
	// Catch names the nodes that take over a failure no node caught.
	Catch []string
	Nodes []*NodePlan
	// Vars names the variables in order of their slots.
	Vars []string
}

// NodePlan is one node of a FlowPlan. The loader has numbered its slot, which
// the expressions that read it were compiled for.
type NodePlan struct {
	Name   string
	Slot   int
	Kind   *Kind
	Config any
	Next   []string
	Catch  []string
	// Wires are the ports in the config, each with its key for people.
	Wires   []NamedWire
	Retry   Retry
	Timeout time.Duration
}

// NamedWire is a Wire of a config and the key it stands under.
type NamedWire struct {
	Key  string
	Wire *Wire
}

// Retry is how often a node's own work is tried. The zero value is once.
type Retry struct {
	// Attempts counts all tries; 0 and 1 are one.
	Attempts int
	// Backoff is the longest wait before the second try; it doubles with each
	// further one up to MaxBackoff. Each wait is drawn between half of it and
	// all of it, so that many messages do not come back at once.
	Backoff, MaxBackoff time.Duration
}
