package main

import (
	"strings"

	"github.com/flowctl-dev/flowctl/internal/lambda"
)

// environment is what the template has set for the function.
type environment struct {
	variables map[string]string
	// references say where secret settings are kept, addresses where resources
	// are; both by name.
	references, addresses map[string]string
}

func newEnvironment(environ []string) *environment {
	e := &environment{variables: map[string]string{}, references: map[string]string{}, addresses: map[string]string{}}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		e.variables[name] = text
		if setting, ok := strings.CutPrefix(name, lambda.EnvSecret("")); ok && setting != "" {
			e.references[setting] = text
		}
		if resource, ok := strings.CutPrefix(name, lambda.EnvResource("")); ok && text != "" {
			e.addresses[resource] = text
		}
	}
	return e
}

func (e *environment) get(name string) string { return e.variables[name] }

// root is the folder of the flow files.
func (e *environment) root() string {
	if at := e.get("LAMBDA_TASK_ROOT"); at != "" {
		return at
	}
	return "."
}

// lookUp gives the app its settings: the secrets, and the variables of the
// settings' own names.
func (e *environment) lookUp(secrets map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if v, ok := secrets[name]; ok {
			return v, true
		}
		v, ok := e.variables[name]
		return v, ok
	}
}
