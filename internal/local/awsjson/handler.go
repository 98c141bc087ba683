package awsjson

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// The Content-Types of replies; nothing changes them.
var (
	contentTypes = []string{json10}
	plainTypes   = []string{plainJSON}
	serverNames  = []string{"Server"} // what DynamoDB calls its own
)

// NewHandler serves the given services. It routes by X-Amz-Target alone, whatever the path: queue URLs of any host lead
// here too. Signatures are not checked.
func NewHandler(log *slog.Logger, services ...Service) http.Handler {
	h := &handler{log: log, services: make(map[string]Service, len(services)), relatives: map[string]Service{}}
	for _, s := range services {
		h.services[s.Target()] = s
		for _, target := range s.Relatives() {
			h.relatives[target] = s
		}
	}
	return h
}

type handler struct {
	log      *slog.Logger
	services map[string]Service
	// relatives are the services by the targets of their Relatives.
	relatives map[string]Service
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	name, op, _ := strings.Cut(target, ".")
	if h.isDynamoDBs(target, name) {
		name = dynamoDB
	}
	id := requestID(name)
	w.Header()["X-Amzn-Requestid"] = []string{id} // as Set would have it
	if origin := r.Header.Get("Origin"); origin != "" && shareWith(origin, w, r) {
		return
	}
	reply, err := h.answer(r, target, name, op)
	if err == nil {
		write(w, r, name, http.StatusOK, reply)
		return
	}
	if page, ok := errors.AsType[*page](err); ok {
		page.write(w)
		return
	}
	if errors.Is(err, http.ErrAbortHandler) || r.Context().Err() != nil && errors.Is(err, r.Context().Err()) {
		// The service wants the connection closed, or nobody is there to read a reply.
		panic(http.ErrAbortHandler)
	}
	e := h.asError(err, name, op, id)
	if e.QueryCode != "" {
		fault := "Sender"
		if e.status() >= 500 {
			fault = "Receiver"
		}
		w.Header().Set("x-amzn-query-error", e.QueryCode+";"+fault)
	}
	body, err := e.body()
	if err != nil {
		h.log.Error("error reply cannot be encoded", "target", target, "request_id", id, "error", err)
	}
	write(w, r, name, e.status(), body)
}

// isDynamoDBs tells whether a request is answered as DynamoDB answers: also one that names no service at all.
func (h *handler) isDynamoDBs(target, name string) bool {
	return h.services[dynamoDB] != nil && (strings.HasPrefix(name, "DynamoDB_") || !strings.Contains(target, ".") && h.services[target] == nil)
}

// answer checks the request's form and calls the service.
func (h *handler) answer(r *http.Request, target, name, op string) ([]byte, error) {
	if target == "" && (name != dynamoDB || isForm(r)) {
		return nil, h.notJSON(r)
	}
	if name == dynamoDB && h.services[name] != nil {
		return h.answerDynamoDB(r, target, op)
	}
	if r.Method != http.MethodPost {
		return nil, &Error{Status: http.StatusMethodNotAllowed, Type: "UnsupportedOperationException",
			Message: fmt.Sprintf("the AWS JSON protocol takes POST, not %s", r.Method)}
	}
	service := cmp.Or(h.services[name], h.relatives[name])
	if service == nil || op == "" {
		return nil, &Error{Type: "UnknownOperationException",
			Message: fmt.Sprintf("X-Amz-Target %q is not served here; services: %s", target, h.targets())}
	}
	body, err := readBody(r, MaxBody)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	return call(r.Context(), service, op, body)
}

// maxAhead is how many bytes of memory are taken for a body before it has come: a request can announce much and send
// nothing.
const maxAhead = 1 << 20

// readBody gives the whole body.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, refuseBody(r, limit)
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), maxAhead)+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, &Error{Type: "SerializationException", Message: "the request body ended early"}
	}
	if n > limit {
		return nil, refuseBody(r, limit)
	}
	return buf.Bytes(), nil
}

func refuseBody(r *http.Request, limit int64) error {
	drain(r.Body)
	return &Error{Status: http.StatusRequestEntityTooLarge, Type: "RequestEntityTooLargeException",
		Message: fmt.Sprintf("the request body is longer than %d bytes: send less at a time", limit)}
}

// drain reads what is left of a body that is refused, up to a limit: closing the connection on a client that is still
// sending would have it see a reset instead of the reply.
func drain(body io.Reader) {
	_, _ = io.CopyN(io.Discard, body, 2*MaxBody)
}

// call turns a panic of the service into an error, so that one bad request does not end the others.
func call(ctx context.Context, s Service, op string, body []byte) (reply []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return s.Call(ctx, op, body)
}

// notJSON explains what is wrong with a request that names no operation.
func (h *handler) notJSON(r *http.Request) error {
	if isForm(r) {
		return &Error{Type: "UnsupportedProtocol", Message: "this endpoint speaks the AWS JSON 1.0 protocol and not the older Query protocol " +
			"(Action=...): use a client of November 2023 or newer, for SQS awscli 1.29.82, boto3 1.28.82, " +
			"aws-sdk-go-v2 service/sqs 1.28.0, @aws-sdk/client-sqs 3.447.0 or newer"}
	}
	return &Error{Type: "MissingAction",
		Message: fmt.Sprintf("no X-Amz-Target header: this is a local stand-in of AWS services (%s); point an AWS SDK or the aws "+
			"command at it, as in aws --endpoint-url http://%s sqs list-queues", h.targets(), r.Host)}
}

func (h *handler) targets() string {
	names := make([]string, 0, len(h.services))
	for name := range h.services {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// asError gives the reply for any error of a service.
func (h *handler) asError(err error, name, op, id string) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	log := h.log.With("operation", name+"."+op, "request_id", id, "error", err)
	if errors.Is(err, store.ErrNoSpace) || errors.Is(err, store.ErrClosed) {
		log.Warn("write refused")
		return &Error{Status: http.StatusServiceUnavailable, Type: "ServiceUnavailable", QueryCode: "ServiceUnavailable", Message: err.Error()}
	}
	log.Error("operation failed")
	message := "internal error of the local stand-in; its log says more under request id " + id
	if isDynamoDB(name) {
		return &Error{Status: http.StatusInternalServerError, Type: "com.amazonaws.dynamodb.v20120810#InternalServerError", Message: message}
	}
	return &Error{Status: http.StatusInternalServerError, Type: "InternalFailure", QueryCode: "InternalFailure", Message: message}
}

func write(w http.ResponseWriter, r *http.Request, name string, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = contentTypes
	if isDynamoDB(name) && len(body) >= compressedFrom {
		if e := accepted(r); e != nil {
			header["Content-Encoding"] = []string{e.name}
			body = e.compress(body)
		}
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	if isDynamoDB(name) {
		header["Server"] = serverNames
		header["Content-Type"] = replyType(r)
		header["X-Amz-Crc32"] = []string{strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)}
	}
	w.WriteHeader(status)
	// An error of writing means that the client has gone.
	_, _ = w.Write(body)
}

func isDynamoDB(name string) bool { return name == dynamoDB }

// requestID is a new id in the form that the service gives it: 52 base32 characters of DynamoDB, else a UUID.
func requestID(name string) string {
	if isDynamoDB(name) {
		var b [35]byte // which encodes without padding
		rand.Read(b[:])
		var text [56]byte
		base32.StdEncoding.Encode(text[:], b[:])
		return string(text[:52])
	}
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
