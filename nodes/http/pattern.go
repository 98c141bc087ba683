package http

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// anyMethod is the author's word for a route of all methods.
const anyMethod = "ANY"

// pattern is a route as net/http.ServeMux takes it.
func pattern(method, path string) string {
	if method == anyMethod {
		return path
	}
	return method + " " + path
}

// register adds a route, with the panics of the mux as errors: a pattern that
// is malformed or takes the same requests as another.
func register(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(muxReason(fmt.Sprint(r)))
		}
	}()
	mux.Handle(pattern, h)
	return nil
}

// muxReason takes the reason out of a panic of the mux, which begins with where
// in the program each pattern was registered.
func muxReason(panicked string) string {
	if _, reason, ok := strings.Cut(panicked, "):\n"); ok {
		return strings.ReplaceAll(strings.TrimSuffix(reason, "."), "\n", " ")
	}
	if _, reason, ok := strings.Cut(panicked, ": "); ok && strings.HasPrefix(panicked, "parsing ") {
		return reason
	}
	return panicked
}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// colonParameter is how other tools write a parameter.
var colonParameter = regexp.MustCompile(`/:([A-Za-z_][A-Za-z0-9_]*)`)

// checkPath says what is wrong with a path and what to write instead.
func checkPath(path string) (problem, hint string) {
	switch {
	case path == "":
		return "the path is empty", "write for example /orders or /orders/{id}"
	case path[0] != '/':
		return fmt.Sprintf("the path %q does not begin with /", path), "write /" + path
	case strings.Contains(path, "+}"):
		return "a parameter for the rest of the path is written {name...}", "write " + strings.ReplaceAll(path, "+}", "...}")
	case colonParameter.MatchString(path):
		return "a parameter of the path is written {name}", "write " + colonParameter.ReplaceAllString(path, "/{$1}")
	case strings.HasSuffix(path, "/*"):
		return "the rest of the path is a parameter of its own", "write " + strings.TrimSuffix(path, "*") + "{rest...}"
	case strings.Contains(path, "?"):
		return "the path contains a query", "leave it out; query parameters are event.query.NAME"
	}
	if err := register(http.NewServeMux(), path, nothing); err != nil {
		return fmt.Sprintf("the path %q is not valid: %v", path, err), "write for example /orders/{id} or /files/{rest...}"
	}
	return "", ""
}

// paramNames are the names of a valid path's parameters.
func paramNames(path string) []string {
	var names []string
	for {
		_, rest, ok := strings.Cut(path, "{")
		if !ok {
			return names
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return names
		}
		if name = strings.TrimSuffix(name, "..."); name != "$" {
			names = append(names, name)
		}
		path = after
	}
}

// shape is the path without its parameters' names: two paths of one shape take
// the same requests.
func shape(path string) string {
	for _, name := range paramNames(path) {
		path = strings.Replace(path, "{"+name+"}", "{}", 1)
		path = strings.Replace(path, "{"+name+"...}", "{...}", 1)
	}
	return path
}
