package http1

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// maxKept is how large a buffer a connection keeps for its next reply, in bytes.
const maxKept = 64 << 10

// response is the http.ResponseWriter of a connection's requests. It holds the reply until the handler has returned.
type response struct {
	header  http.Header
	status  int
	body    []byte
	out     []byte
	head    bool // no body may be sent
	minor   int  // of the request's HTTP/1.x
	closing bool // the connection is closed after the reply
}

func (w *response) reset(r *http.Request) {
	clear(w.header)
	w.status, w.body = 0, w.body[:0]
	w.head, w.minor, w.closing = r.Method == http.MethodHead, r.ProtoMinor, r.Close
}

// release lets go of the buffers of a large reply: the connection may be idle for long.
func (w *response) release() {
	if cap(w.out) > maxKept {
		w.out = nil
	}
	if cap(w.body) > maxKept {
		w.body = nil
	}
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

// bytes is the reply as it goes out; it is valid until release.
func (w *response) bytes() []byte {
	w.WriteHeader(http.StatusOK)
	b := append(w.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(append(append(b, ' '), http.StatusText(w.status)...), "\r\nDate: "...)
	b = append(b, date()...)
	for name, values := range w.header {
		switch name {
		case "Date", "Content-Length", "Connection": // of the server
			continue
		}
		for _, value := range values {
			b = append(append(append(b, "\r\n"...), name...), ": "...)
			b = append(b, oneLine(value)...)
		}
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(w.body)), 10)
	switch {
	case w.closing:
		b = append(b, "\r\nConnection: close"...)
	case w.minor == 0:
		b = append(b, "\r\nConnection: keep-alive"...)
	}
	b = append(b, "\r\n\r\n"...)
	if !w.head {
		b = append(b, w.body...)
	}
	w.out = b
	return b
}

// oneLine keeps a value from being more than a value.
func oneLine(value string) string {
	if strings.ContainsAny(value, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return value
}

// formatted is a Date header's value and the second that it stands for.
type formatted struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[formatted]

// date is the current Date header, formatted once a second.
func date() string {
	now := time.Now()
	if last := lastDate.Load(); last != nil && last.second == now.Unix() {
		return last.text
	}
	d := &formatted{now.Unix(), now.UTC().Format(http.TimeFormat)}
	lastDate.Store(d)
	return d.text
}
