package awsjson

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// dynamoDB is the service whose requests are checked here before the service sees them.
const dynamoDB = "DynamoDB_20120810"

// coral is the framework that the services' fronts are made with.
const coral = "com.amazon.coral.service#"

var (
	errUnknownOperation = &Error{Type: coral + "UnknownOperationException"}
	errNotJSON          = &Error{Type: coral + "SerializationException"}
)

const (
	json10    = "application/x-amz-json-1.0"
	plainJSON = "application/json"
)

// page is an answer without JSON.
type page struct {
	status int
	text   string
}

var errNoPage = &page{status: http.StatusNotFound, text: "<UnknownOperationException/>\n"}

func (p *page) Error() string { return strings.TrimSpace(p.text) }

func (p *page) write(w http.ResponseWriter) {
	header := w.Header()
	header["X-Amz-Crc32"] = []string{strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(p.text))), 10)}
	header["Content-Length"] = []string{strconv.Itoa(len(p.text))}
	header["Content-Type"] = nil // net/http would guess one
	w.WriteHeader(p.status)
	_, _ = io.WriteString(w, p.text)
}

// answerDynamoDB checks a request in the order in which DynamoDB does.
func (h *handler) answerDynamoDB(r *http.Request, target, op string) ([]byte, error) {
	service := h.services[dynamoDB]
	body, err := readBody(r, maxDynamoDBBody)
	if err == nil {
		body, err = decoded(r, body, maxDynamoDBBody)
	}
	switch {
	case err != nil:
		return nil, err
	case r.Method == http.MethodGet:
		return nil, &page{status: http.StatusOK, text: "healthy: " + service.Host() + " "}
	case r.Method != http.MethodPost:
		return nil, errNoPage
	case len(body) > 0 && mediaType(r) != json10 && mediaType(r) != plainJSON:
		h.log.Warn("a request is not of the AWS JSON protocol", "content_type", r.Header.Get("Content-Type"), "want", json10)
		return nil, errNoPage
	}
	named := strings.HasPrefix(target, dynamoDB+".")
	if named && service.Has(op) && len(body) > 0 {
		return call(r.Context(), service, op, body)
	}
	switch {
	case len(body) > 0 && !json.Valid(body):
		return nil, errNotJSON
	case named && service.Has(op):
		return nil, cmp.Or(signed(r), error(errNotJSON))
	case named && op != "":
		return call(r.Context(), service, op, body)
	}
	h.log.Warn("a request names no operation", "target", target, "served", h.targets())
	return nil, errUnknownOperation
}

// mediaType is the part of a Content-Type that DynamoDB looks at, whatever stands behind it.
func mediaType(r *http.Request) string {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(media)
}

// replyType is the Content-Type of DynamoDB's reply: one of the two that it knows, whichever the request has.
func replyType(r *http.Request) []string {
	if mediaType(r) == json10 {
		return contentTypes
	}
	return plainTypes
}

// shareWith lets the pages of a browser use the endpoint, as the services do, but only those of this machine: what is here is
// not protected by a secret, as the data of an account is. It says whether the request was only the question of a browser
// whether it may, which it has answered.
func shareWith(origin string, w http.ResponseWriter, r *http.Request) (answered bool) {
	if foreign(origin) {
		return false
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		header.Set("Access-Control-Expose-Headers", "x-amzn-RequestId, x-amz-crc32, x-amzn-query-error")
		return false
	}
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		header.Set("Access-Control-Allow-Headers", asked)
	}
	if asked := r.Header.Get("Access-Control-Request-Method"); asked != "" {
		header.Set("Access-Control-Allow-Methods", asked)
	}
	header.Set("Access-Control-Max-Age", "172800")
	header.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return true
}

// foreign tells of the origin of a page whether it came from another machine; a page that keeps its origin secret may have.
func foreign(origin string) bool {
	u, err := url.Parse(origin)
	switch {
	case err != nil || origin == "null":
		return true
	case u.Host == "": // no browser sends that
		return false
	}
	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}

// signed checks that a request has a signature in one of the two places for it, and all of its parts. Only a request that is
// refused all the same is asked for it: there are no accounts here, so a client need not sign.
func signed(r *http.Request) error {
	header := r.Header.Get("Authorization")
	var query url.Values
	inQuery := false
	if r.URL.RawQuery != "" {
		query = r.URL.Query()
		inQuery = query.Has("X-Amz-Algorithm")
	}
	var missing strings.Builder
	switch {
	case header != "" && inQuery:
		return &Error{Type: coral + "InvalidSignatureException",
			Message: "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."}
	case inQuery:
		for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
			if query.Get(name) == "" {
				fmt.Fprintf(&missing, "AWS query-string parameters must include '%s'. ", name)
			}
		}
		if missing.Len() > 0 {
			missing.WriteString("Re-examine the query-string parameters.")
		}
	case !strings.HasPrefix(header, "AWS4-"):
		return &Error{Type: coral + "MissingAuthenticationTokenException", Message: "Request is missing Authentication Token"}
	default:
		for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
			if !hasParameter(header, name) {
				fmt.Fprintf(&missing, "Authorization header requires '%s' parameter. ", name)
			}
		}
		if r.Header.Get("X-Amz-Date") == "" && r.Header.Get("Date") == "" {
			missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
		}
		if missing.Len() > 0 {
			missing.WriteString("Authorization=" + header)
		}
	}
	if missing.Len() > 0 {
		return &Error{Type: coral + "IncompleteSignatureException", Message: missing.String()}
	}
	return nil
}

// hasParameter looks for "name=value" behind the algorithm of an Authorization header.
func hasParameter(header, name string) bool {
	for rest := header; ; {
		at := strings.IndexAny(rest, ", ")
		if at < 0 {
			return false
		}
		rest = rest[at+1:]
		if value, ok := strings.CutPrefix(rest, name+"="); ok && value != "" && value[0] != ',' && value[0] != ' ' {
			return true
		}
	}
}

// isForm tells whether a request is of the older Query protocol.
func isForm(r *http.Request) bool {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return media == "application/x-www-form-urlencoded" || r.URL.Query().Get("Action") != ""
}
