package engine

import "time"

// Recorder hears of every step of every run. Record is called by many
// goroutines at once, before the message moves on; it must be quick and must
// not edit what it is shown. A flow without a recorder pays nothing for it.
type Recorder interface {
	Record(s Step)
}

// Step is one node's work on one message.
type Step struct {
	// Message shows in its Env what the node could read: its input. It is only
	// valid during Record.
	Message          *Message
	Flow, Node, Type string
	// Port is the key of the port the message left by, Output what the node
	// gave; both are empty when Err is set.
	Port     string
	Output   any
	Err      error
	Attempts int
	Start    time.Time
	Duration time.Duration
}
