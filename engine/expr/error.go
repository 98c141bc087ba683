package expr

import "fmt"

// Error says why an expression cannot be used. Offset and Length locate it in
// Source, in runes.
type Error struct {
	Source         string
	Offset, Length int
	Message        string
	// Hint says what to write instead; it may be empty.
	Hint string
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// EvalError is an expression that failed on a message. Trying again with the
// same message gives the same error.
type EvalError struct {
	Source string
	// Where is file:line:column of the expression, if it came from a file.
	Where string
	Err   error
}

func (e *EvalError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("expression `%s`: %v", e.Source, e.Err)
	}
	return fmt.Sprintf("%s: expression `%s`: %v", e.Where, e.Source, e.Err)
}

func (e *EvalError) Unwrap() error { return e.Err }
