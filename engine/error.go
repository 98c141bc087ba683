package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Class says whether trying a message again may help.
type Class uint8

const (
	// Retryable is a failure that may pass: a broker that is down, a timeout.
	// Errors that say nothing else are of this class, so that nothing is given
	// up by mistake.
	Retryable Class = iota
	// Permanent is a failure that comes back with the same message: a body that
	// breaks its schema, an expression that meets null.
	Permanent
)

// String is the class as `error.class` in a flow and in logs.
func (c Class) String() string {
	if c == Permanent {
		return "permanent"
	}
	return "retryable"
}

// Error is a failed step of a run.
type Error struct {
	Class Class
	// Code is a short stable name for programs, such as "timeout" or
	// "condition_failed".
	Code string
	// Message is for people; it holds no secret.
	Message string
	// Flow and Node say where; the engine fills them.
	Flow, Node string
	Err        error
	// Caught is the failure that a catch chain was dealing with when this one
	// happened; without it nobody would hear of that one.
	Caught *Error
}

func (e *Error) Error() string {
	if e.Caught == nil {
		return e.text()
	}
	return e.text() + "; it was dealing with: " + e.Caught.Error()
}

func (e *Error) text() string {
	msg := e.Message
	if e.Err != nil {
		if msg != "" {
			msg += ": "
		}
		msg += e.Err.Error()
	}
	if e.Node != "" {
		return fmt.Sprintf("node %s of flow %s: %s", e.Node, e.Flow, msg)
	}
	return msg
}

func (e *Error) Unwrap() error { return e.Err }

// CodeDeadline is the code of a run that did not end in its time; a node that
// did not end in its own has "timeout".
const CodeDeadline = "deadline"

// Fail makes an error of the given class. err may be nil.
func Fail(class Class, code, message string, err error) error {
	return &Error{Class: class, Code: code, Message: message, Err: err}
}

// ClassOf is the class of any error: of the Error in its chain, else of a
// `Retryable() bool` in it, else Permanent for an expression that failed and
// Retryable for everything else.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	var r interface{ Retryable() bool }
	if errors.As(err, &r) {
		if r.Retryable() {
			return Retryable
		}
		return Permanent
	}
	var ee *expr.EvalError
	if errors.As(err, &ee) {
		return Permanent
	}
	return Retryable
}

// CodeOf is the code of any error.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Code != "" {
		return e.Code
	}
	var ee *expr.EvalError
	switch {
	case errors.As(err, &ee):
		return "expression"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "stopped"
	}
	return "error"
}

// at says where an error happened. An error that already knows keeps it, and
// what is wrapped around an Error is kept as well.
func at(err error, s *step, flow string) *Error {
	if e, ok := err.(*Error); ok {
		if e.Node != "" {
			return e
		}
		located := *e
		located.Flow, located.Node = flow, s.name
		return &located
	}
	return &Error{Class: ClassOf(err), Code: CodeOf(err), Flow: flow, Node: s.name, Err: err}
}

// FailureType types `error` in a catch chain.
var FailureType = expr.Object(map[string]expr.Type{
	"message": expr.String, "code": expr.String, "class": expr.String, "node": expr.String, "flow": expr.String,
})

// failure is `error` in a catch chain.
func failure(e *Error) map[string]any {
	bare := *e
	bare.Node = ""
	return map[string]any{"message": bare.text(), "code": e.Code, "class": e.Class.String(), "node": e.Node, "flow": e.Flow}
}
