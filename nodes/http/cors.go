package http

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// defaultCORSHeaders are what pages may send where the author names none.
var defaultCORSHeaders = []string{"Authorization", "Content-Type", correlationHeader}

// crossOrigin is a CORS made ready.
type crossOrigin struct {
	config  *CORS
	any     bool
	headers string // joined
	expose  string
}

func newCrossOrigin(c *CORS) *crossOrigin {
	if !c.given() {
		return nil
	}
	headers := c.Headers
	if len(headers) == 0 {
		headers = defaultCORSHeaders
	}
	return &crossOrigin{config: c, any: slices.Contains(c.Origins, "*"), headers: strings.Join(headers, ", "), expose: strings.Join(c.Expose, ", ")}
}

// allow gives the answer what the browser needs to show it to the page, and
// reports whether the page's origin may call.
func (c *crossOrigin) allow(h http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if c.any {
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", "*")
		}
		return origin != ""
	}
	h.Add("Vary", "Origin")
	if !slices.Contains(c.config.Origins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.config.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}

// mark is allow for an answer that is not about a preflight request.
func (c *crossOrigin) mark(h http.Header, r *http.Request) {
	if c.allow(h, r) && c.expose != "" {
		h.Set("Access-Control-Expose-Headers", c.expose)
	}
}

// isPreflight reports whether a browser asks with r if it may send another
// request (Fetch Standard, section 3.2.2, CORS-preflight request).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers OPTIONS for the sources of one path.
type preflight []*Source

// ServeHTTP implements net/http.Handler. What may not be done is answered
// without the headers that would allow it: the browser then refuses.
func (p preflight) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	echoCorrelation(h, r)
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	wanted := r.Header.Get("Access-Control-Request-Method")
	if s := p.source(wanted); s != nil && s.cors.allow(h, r) {
		if allowed := p.methods(s, wanted); slices.Contains(allowed, wanted) {
			h.Set("Access-Control-Allow-Methods", strings.Join(allowed, ", "))
		}
		h.Set("Access-Control-Allow-Headers", s.cors.allowedHeaders(r))
		if age := s.cors.config.MaxAge.Std(); age > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(age.Seconds())))
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// source is the one that would take a request of the method.
func (p preflight) source(method string) *Source {
	var other *Source
	for _, s := range p {
		if s.takes(method) {
			return s
		}
		if s.config.Method == anyMethod {
			other = s
		}
	}
	return other
}

// methods are those that the page may use, as the source says or else the
// sources of the path.
func (p preflight) methods(s *Source, wanted string) []string {
	if len(s.cors.config.Methods) > 0 {
		return s.cors.config.Methods
	}
	var all []string
	for _, each := range p {
		switch each.config.Method {
		case anyMethod:
			all = append(all, wanted)
		case http.MethodGet:
			all = append(all, http.MethodGet, http.MethodHead)
		default:
			all = append(all, each.config.Method)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *crossOrigin) allowedHeaders(r *http.Request) string {
	if !slices.Contains(c.config.Headers, "*") {
		return c.headers
	}
	// A literal * does not cover Authorization, nor anything when credentials
	// are sent; the names that were asked for always do.
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		return asked
	}
	return "*"
}
