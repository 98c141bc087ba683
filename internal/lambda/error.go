package lambda

import (
	"errors"
	"fmt"

	"github.com/flowctl-dev/flowctl/engine"
)

// Error is an invocation that failed, as Lambda is told.
type Error struct {
	// Code is short and stable: a code of the engine, or one of those below.
	Code string
	// Message is for people. It may quote what the flow was working on, as the
	// message of a fail node does.
	Message string
}

func (e *Error) Error() string { return e.Message }

// Codes of an Error that are not the engine's.
const (
	// CodeUnexpectedEvent: the event is for no source of the flow.
	CodeUnexpectedEvent = "unexpected_event"
	// CodeMalformedEvent: the event has not the form that its kind promises.
	CodeMalformedEvent = "malformed_event"
	// CodeReplyTooLarge: the flow's result is larger than Lambda passes on.
	CodeReplyTooLarge = "reply_too_large"
)

func fail(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// failureOf is a run's error for Lambda.
func failureOf(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return &Error{Code: engine.CodeOf(err), Message: err.Error()}
}
