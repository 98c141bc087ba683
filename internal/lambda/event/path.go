package event

import (
	"net/url"
	"strings"
)

// What the platforms put into the path differs from platform to platform, and
// the documentation says little of it. What this file does was found in reports
// of what arrives:
//
//   - REST APIs, function URLs and load balancers pass the path as it was sent,
//     with its escapes. HTTP APIs decode it, in both payload formats
//     (github.com/middleapi/standard-server pull request 93, fastify/aws-lambda-fastify
//     issue 169, honojs/hono issue 2156), so an encoded slash cannot be told from
//     a slash any more behind one. Emulators pass it as sent there too.
//   - The path of an HTTP API begins with the stage unless that is $default, and
//     does so behind a domain of its own as well, in the place of the mapping
//     (aws-powertools/powertools-lambda-python issue 621, CodeGenieApp/serverless-express issue 465).
//   - The path of a REST API is without the stage, but has the base path behind
//     a domain of its own, and the stage if the mapping names none
//     (localstack/localstack issue 12295). Payload format 1.0 of an HTTP API has
//     the mapping as well (API Gateway Developer Guide, "Create AWS Lambda proxy
//     integrations for HTTP APIs").

const hexDigits = "0123456789ABCDEF"

// escapedPath is a path that was handed over with its escapes as a request line
// can carry it: what may stand in one stays as it is, all else is escaped.
func escapedPath(path string) string {
	return rooted(escape(path, inEscapedPath))
}

// decodedPath is the escaped form of a path that an HTTP API handed over, which
// has decoded it: a % in it is a %. But where nothing speaks against the path's
// being as it was sent, which is how emulators give it, its escapes are taken
// as such: it holds only what an escaped path may hold, and escapes only what
// has to be, and no %. So letters that were escaped twice to get past a route or
// an authorizer of the gateway are not decoded twice.
func decodedPath(path string) string {
	if canonical(path) {
		return escapedPath(path)
	}
	return rooted(escape(path, inPlainPath))
}

func rooted(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}

// canonical reports whether a path is in the form in which a careful client
// sends it.
func canonical(path string) bool {
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '%':
			b, ok := triplet(path[i:])
			if !ok || unreserved(b) || b == '%' {
				return false
			}
			i += 2
		case !legalInPath(path[i]):
			return false
		}
	}
	return true
}

// escape is text with the bytes escaped that may not stand in it; legal says
// that of the first byte of what follows.
func escape(text string, legal func(rest string) bool) string {
	var out []byte
	for i := range len(text) {
		b := text[i]
		if legal(text[i:]) {
			if out != nil {
				out = append(out, b)
			}
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(text)+8), text[:i]...)
		}
		out = append(out, '%', hexDigits[b>>4], hexDigits[b&15])
	}
	if out == nil {
		return text
	}
	return string(out)
}

func inPlainPath(rest string) bool { return legalInPath(rest[0]) }

func inEscapedPath(rest string) bool {
	_, escaped := triplet(rest)
	return escaped || legalInPath(rest[0])
}

// triplet is the byte that the %XX stands for with which text begins.
func triplet(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, upper(text[1])), strings.IndexByte(hexDigits, upper(text[2]))
	if high < 0 || low < 0 {
		return 0, false
	}
	return byte(high<<4 | low), true
}

func upper(b byte) byte {
	if b >= 'a' && b <= 'f' {
		return b - 'a' + 'A'
	}
	return b
}

// unreserved are the characters of RFC 3986, section 2.3, which need no escape
// anywhere.
func unreserved(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-._~", b) >= 0
}

// legalInPath are the characters of a path of RFC 3986, section 3.3, apart from
// escapes.
func legalInPath(b byte) bool {
	return unreserved(b) || strings.IndexByte("/!$&'()*+,;=:@", b) >= 0
}

// withoutStage takes an HTTP API's stage off an escaped path.
func withoutStage(path, stage string) string {
	if stage == "" || stage == "$default" {
		return path
	}
	rest, ok := strings.CutPrefix(path, "/"+stage)
	if !ok || rest != "" && rest[0] != '/' {
		return path
	}
	return rooted(rest)
}

// route is the path of a route as API Gateway writes it, /orders/{id} or
// /files/{name+}, and what its parameters are in a request.
type route struct {
	segments   []string
	parameters map[string]string
}

func newRoute(resource string, parameters map[string]string) (route, bool) {
	if !strings.HasPrefix(resource, "/") {
		return route{}, false
	}
	return route{strings.Split(resource[1:], "/"), parameters}, true
}

// maxBefore is how many segments are tried as the base path. API Gateway takes
// base paths of up to 300 characters, of which few have more than a handful; a
// made-up event of a million segments must not take quadratic time.
const maxBefore = 32

// relative is what is left of an escaped path without what stands before the
// route's own part of it: the base path of a domain, the stage. ok is false if
// no part of the path is the route's.
func (r route) relative(path string) (own string, ok bool) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for before := range min(len(segments), maxBefore) + 1 {
		if r.takes(segments[before:]) {
			return "/" + strings.Join(segments[before:], "/"), true
		}
	}
	return path, false
}

// takes reports whether escaped segments are the route with its parameters.
func (r route) takes(segments []string) bool {
	if len(segments) == 0 {
		return len(r.segments) == 1 && r.segments[0] == ""
	}
	for i, own := range r.segments {
		name, isParameter := parameter(own)
		if i >= len(segments) {
			return false
		}
		if rest, greedy := strings.CutSuffix(name, "+"); isParameter && greedy {
			return r.has(rest, strings.Join(segments[i:], "/"))
		}
		if isParameter && !r.has(name, segments[i]) || !isParameter && own != unescaped(segments[i]) {
			return false
		}
	}
	// API Gateway takes a path with a slash at its end for the one without.
	over := segments[len(r.segments):]
	return len(over) == 0 || len(over) == 1 && over[0] == ""
}

// has reports whether the parameter has the escaped value, which some platforms
// hand over decoded.
func (r route) has(name, escaped string) bool {
	value, ok := r.parameters[name]
	if !ok {
		return false
	}
	value, escaped = strings.TrimSuffix(value, "/"), strings.TrimSuffix(escaped, "/")
	return value == escaped || value == unescaped(escaped)
}

func parameter(segment string) (name string, ok bool) {
	if len(segment) < 2 || segment[0] != '{' || segment[len(segment)-1] != '}' {
		return "", false
	}
	return segment[1 : len(segment)-1], true
}

func unescaped(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}
