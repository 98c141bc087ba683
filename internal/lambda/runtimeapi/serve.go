package runtimeapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

func (a *API) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.invocationError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.initError)
	mux.HandleFunc("POST /2020-01-01/extension/register", a.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", a.extensionNext)
	return mux
}

// next waits for an invocation, however long that takes.
func (a *API) next(w http.ResponseWriter, r *http.Request) {
	a.start.Do(func() { close(a.started) })
	var f *flight
	select {
	case f = <-a.pending:
	case <-a.closed:
		refuse(w, http.StatusInternalServerError, "Closed", "the Runtime API is closed")
		return
	case <-r.Context().Done():
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", f.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(f.end.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", f.call.FunctionARN)
	h.Set("Lambda-Runtime-Trace-Id", f.call.TraceID)
	if f.call.ClientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", f.call.ClientContext)
	}
	if f.call.CognitoIdentity != "" {
		h.Set("Lambda-Runtime-Cognito-Identity", f.call.CognitoIdentity)
	}
	h.Set("Content-Length", strconv.Itoa(len(f.payload)))
	_, _ = w.Write(f.payload) // a function that has gone away does not reply, which Invoke reports
}

func (a *API) response(w http.ResponseWriter, r *http.Request) {
	reply, err := readAll(w, r)
	o := outcome{reply: reply, err: trailing(r.Trailer)}
	if o.err != nil {
		o.reply = nil
	}
	if err != nil {
		o = outcome{err: &Error{Type: "Function.ResponseSizeTooLarge", Message: "Response payload size exceeded maximum allowed payload size (6291556 bytes)."}}
	}
	switch known := a.settle(r.PathValue("id"), o); {
	case err != nil:
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", o.err.Message)
	case !known:
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
	default:
		accept(w)
	}
}

func (a *API) invocationError(w http.ResponseWriter, r *http.Request) {
	e, err := readError(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidErrorShape", err.Error())
		return
	}
	if !a.settle(r.PathValue("id"), outcome{err: e}) {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	accept(w)
}

func (a *API) initError(w http.ResponseWriter, r *http.Request) {
	e, err := readError(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidErrorShape", err.Error())
		return
	}
	if kind := r.Header.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		e.Type = kind
	}
	select {
	case a.failed <- e:
	default: // only the first is of interest
	}
	accept(w)
}

// register takes an extension; it may ask for events, which do not come.
func (a *API) register(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get("Lambda-Extension-Name")
	if name == "" {
		refuse(w, http.StatusBadRequest, "Extension.InvalidExtensionName", "Empty extension name")
		return
	}
	id := uuid.NewString()
	a.mu.Lock()
	a.extensions[id] = name
	a.mu.Unlock()
	w.Header().Set("Lambda-Extension-Identifier", id)
	writeJSON(w, http.StatusOK, map[string]string{"functionName": "function", "functionVersion": "$LATEST", "handler": "bootstrap"})
}

// extensionNext never answers: no extension is sent an event.
func (a *API) extensionNext(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	_, known := a.extensions[r.Header.Get("Lambda-Extension-Identifier")]
	a.mu.Unlock()
	if !known {
		refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension identifier")
		return
	}
	select {
	case <-a.closed:
	case <-r.Context().Done():
	}
}

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
}

func readError(w http.ResponseWriter, r *http.Request) (*Error, error) {
	body, err := readAll(w, r)
	if err != nil {
		return nil, err
	}
	e := &Error{}
	if err := json.Unmarshal(body, e); err != nil {
		return nil, errors.New("the error is not of the form {errorMessage, errorType, stackTrace}")
	}
	return e, nil
}

func accept(w http.ResponseWriter) {
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	writeJSON(w, status, map[string]string{"errorType": kind, "errorMessage": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // to a client that may have gone away
}
