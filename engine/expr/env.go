package expr

import (
	"fmt"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// Record is an object that gives its fields on demand, so that a source need
// not build what no expression reads. It is safe for concurrent use, and a
// field's value never changes.
type Record interface {
	// Field is nil for a name that the record does not have.
	Field(name string) (any, error)
	// Fields is the whole record as an object.
	Fields() (map[string]any, error)
}

// Plain is v with the records in it as objects, which alone have a JSON form. A
// document in it that is not JSON is the error. v is not edited.
func Plain(v any) (any, error) {
	switch v := v.(type) {
	case Record:
		fields, err := v.Fields()
		if err != nil {
			return nil, err
		}
		return Plain(fields)
	case *value.Doc:
		if _, err := v.Value(); err != nil {
			return nil, err
		}
		return v, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, was := range v {
			is, err := Plain(was)
			if err != nil {
				return nil, err
			}
			out[key] = is
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, was := range v {
			is, err := Plain(was)
			if err != nil {
				return nil, err
			}
			out[i] = is
		}
		return out, nil
	}
	return v, nil
}

// Fields is a Record over a map.
type Fields map[string]any

// Field gives the map's entry.
func (f Fields) Field(name string) (any, error) { return f[name], nil }

// Fields gives the map itself.
func (f Fields) Fields() (map[string]any, error) { return f, nil }

// Env is the data of one run that expressions read. What it holds is shared
// between branches and is never edited in place.
type Env struct {
	// Event is what the source brought.
	Event Record
	// Nodes holds each node's output at its slot, nil where it has not run.
	Nodes []any
	// Vars holds each variable at its slot.
	Vars []any
	// Failure is `error` in a catch chain, nil elsewhere.
	Failure map[string]any
	// Run is `run`: the id of the run and what it belongs to.
	Run Record
}

// Scope says what the names in an expression mean at one place of a flow.
type Scope struct {
	Event Type
	Nodes map[string]Slot
	Vars  map[string]Slot
	// Env holds the checked values of the app's env. They are constant for the
	// life of the process.
	Env map[string]string
	// Failure is the type of `error`; Any outside a catch chain, where InCatch
	// is false and reading it is an error.
	Failure Type
	InCatch bool
	Run     Type
	// OnlyEnv says that there is no message: reading anything but env is an
	// error.
	OnlyEnv bool
}

// Slot is where a node's output or a variable is found at run time.
type Slot struct {
	Index int
	Type  Type
	// Always says that the value is there on every path to this place, Never
	// that it is there on none.
	Always, Never bool
	// Note says why the value cannot be read at all, "" if it can.
	Note string
}

type root uint8

const (
	rootEvent root = iota
	rootEventField
	rootNode
	rootVar
	rootEnv
	rootEnvAll
	rootFailure
	rootRun
	rootRunField
)

// ref is a name of the scope, resolved to where its value is found.
type ref struct {
	root  root
	index int
	key   string
	value any // of rootEnv and rootEnvAll
}

func (r ref) load(e *Env) (any, error) {
	switch r.root {
	case rootNode:
		return e.Nodes[r.index], nil
	case rootVar:
		return e.Vars[r.index], nil
	case rootEventField:
		return e.Event.Field(r.key)
	case rootEvent:
		return record(e.Event)
	case rootEnv, rootEnvAll:
		return r.value, nil
	case rootFailure:
		if e.Failure == nil {
			return nil, nil
		}
		return e.Failure, nil
	case rootRun:
		return record(e.Run)
	case rootRunField:
		return e.Run.Field(r.key)
	}
	return nil, fmt.Errorf("unknown reference %d", r.root)
}

func record(r Record) (any, error) {
	if r == nil {
		return nil, nil
	}
	return r.Fields()
}

// open gives v in a form that can be looked into: documents decoded, records
// as objects.
func open(v any) (any, error) {
	switch v := v.(type) {
	case int, string, bool, nil:
		return v, nil // the most usual ones before the dear question of an interface
	case *value.Doc:
		return v.Value()
	case Record:
		return v.Fields()
	}
	return v, nil
}
