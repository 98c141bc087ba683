package http

import "github.com/flowctl-dev/flowctl/engine"

// trigger is the route. The server answers preflight requests for it wherever
// web pages of other origins may call.
func (c *In) trigger() engine.Trigger {
	return engine.RouteTrigger{Method: c.Method, Path: c.Path, Preflight: c.CORS.given()}
}
