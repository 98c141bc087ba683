// Package http is the node family for HTTP: http.in takes requests and
// http.response answers them.
//
// The routes of all http.in sources of a process are served by one Server,
// which is a service of the app (engine.Provide). A Server is also a plain
// net/http.Handler, so that whatever can make a *http.Request out of what it
// receives, as an AWS Lambda adapter does, has the same routes, limits and
// answers without a listener.
package http

import "github.com/flowctl-dev/flowctl/engine"

// Kinds are the family's node types.
func Kinds() []*engine.Kind {
	return []*engine.Kind{engine.Define(inSpec), engine.Define(responseSpec)}
}
