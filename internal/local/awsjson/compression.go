package awsjson

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressedFrom is the length in bytes from which DynamoDB compresses a reply for a client that takes it compressed.
const compressedFrom = 4096

// errEncoding is DynamoDB's answer to a body that is not encoded as its Content-Encoding says.
var errEncoding = &Error{Status: http.StatusInternalServerError, Type: "com.amazonaws.dynamodb.v20120810#InternalServerError"}

// decoded undoes the request's Content-Encoding. The body must not have more than limit bytes without it either: the
// service takes more, but only for white space could a request need it.
func decoded(r *http.Request, body []byte, limit int64) ([]byte, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		return gunzip(r, body, limit)
	}
	return nil, errEncoding
}

// gunzip decompresses the body's gzip members. What stands behind them is left out, as the service does.
func gunzip(r *http.Request, body []byte, limit int64) ([]byte, error) {
	rest := bytes.NewReader(body)
	z, err := gzip.NewReader(rest)
	if err != nil {
		return nil, errEncoding
	}
	var plain bytes.Buffer
	for {
		z.Multistream(false)
		if _, err := plain.ReadFrom(io.LimitReader(z, limit+1-int64(plain.Len()))); err != nil {
			return nil, errEncoding
		}
		if int64(plain.Len()) > limit {
			return nil, refuseBody(r, limit)
		}
		if z.Reset(rest) != nil {
			return plain.Bytes(), nil
		}
	}
}

// encoding is a way to compress replies.
type encoding struct {
	name    string
	writers *sync.Pool // of compressor
}

type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// encodings are those that DynamoDB knows, the one first that it takes when a client does not care.
var encodings = []*encoding{
	{name: "gzip", writers: &sync.Pool{New: func() any { return gzip.NewWriter(nil) }}},
	{name: "deflate", writers: &sync.Pool{New: func() any { return zlib.NewWriter(nil) }}},
}

func (e *encoding) compress(body []byte) []byte {
	var out bytes.Buffer
	w := e.writers.Get().(compressor)
	defer e.writers.Put(w)
	w.Reset(&out)
	// A bytes.Buffer takes all that is written.
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}

// accepted is the encoding that the request's Accept-Encoding prefers, nil for none. It is read as loosely as DynamoDB reads
// it: identity counts as little as an encoding that is not known, and of several headers only the last.
func accepted(r *http.Request) *encoding {
	given := r.Header["Accept-Encoding"]
	if len(given) == 0 {
		return nil
	}
	var best *encoding
	most, others := 0.0, 0.0
	named := make(map[string]bool, len(encodings))
	for _, entry := range strings.Split(given[len(given)-1], ",") {
		name, parameters, _ := strings.Cut(entry, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		q := quality(parameters)
		if name == "*" {
			others = max(others, q)
		}
		for _, e := range encodings {
			if e.name == name {
				named[name] = true
				if q > most {
					best, most = e, q
				}
			}
		}
	}
	for _, e := range encodings {
		if !named[e.name] && others > most {
			best, most = e, others
		}
	}
	return best
}

// quality is the first q of the parameters of an encoding; one that is no number counts as none, which is the highest.
func quality(parameters string) float64 {
	for _, p := range strings.Split(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.TrimSpace(name) != "q" {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return 1
		}
		return min(max(q, 0), 1)
	}
	return 1
}
