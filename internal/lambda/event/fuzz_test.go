package event

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// addSamples gives the corpus the samples of this package.
func addSamples(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal("no samples", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			f.Fatal(err)
		}
		f.Add(compact.Bytes())
	}
}

// FuzzDetect holds Detect to asking maps, for all that is JSON.
func FuzzDetect(f *testing.F) {
	addSamples(f)
	f.Add([]byte(`{"\u0052ecords" : [ {"eventSource":"aws:s\u0071s","cf":null} ]}`))
	f.Add([]byte(`{"a":"\\","b":["]\"}",{"c":[[{}]]}],"detail-type":"x","source":"\ud800","detail":0}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		given := bytes.Clone(payload)
		got := Detect(payload)
		if !bytes.Equal(given, payload) {
			t.Fatal("Detect changed the payload")
		}
		if names[got] == "" {
			t.Fatalf("%q is no kind", got)
		}
		if !json.Valid(payload) || repeats(payload, "Records") {
			return
		}
		if want := slowly(payload); got != want {
			t.Fatalf("%s: got %s, want %s", payload, got, want)
		}
	})
}

// repeats reports whether the JSON may have the key more than once, of which
// Detect takes the first that decides and a map the last.
func repeats(payload []byte, key string) bool {
	d, n := json.NewDecoder(bytes.NewReader(payload)), 0
	for {
		token, err := d.Token()
		if err != nil {
			return n > 1
		}
		if token == key {
			n++
		}
	}
}

// FuzzOpen checks that what is opened is a request that net/http could have
// read, and that its reply is one JSON object.
func FuzzOpen(f *testing.F) {
	addSamples(f)
	f.Add([]byte(`{"version":"2.0","rawPath":"//a?#%","rawQueryString":"a=%zz&\u0000\u00e9 #","requestContext":{"stage":"a","http":{"method":"GET"}}}`))
	f.Add([]byte(`{"resource":"/{a}/{b+}","path":"/%/x/%2F/","pathParameters":{"a":"%","b":"x"},"httpMethod":"GET","requestContext":{}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, kind := range []Kind{HTTPAPI, FunctionURL, HTTPAPIv1, REST, ALB} {
			x, err := Open(kind, payload)
			if err != nil {
				continue
			}
			r := x.Request(t.Context())
			u, err := url.ParseRequestURI(r.RequestURI)
			if err != nil || u.Path != r.URL.Path || u.RawQuery != r.URL.RawQuery || !strings.HasPrefix(u.Path, "/") {
				t.Fatalf("%s: %s is not %v (%v)", kind, r.RequestURI, r.URL, err)
			}
			if strings.ContainsFunc(r.RequestURI, func(c rune) bool { return c <= ' ' || c >= 0x7F }) {
				t.Fatalf("%s: %q cannot stand in a request line", kind, r.RequestURI)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || int64(len(body)) != r.ContentLength {
				t.Fatalf("%s: the body has %d bytes, not %d (%v)", kind, len(body), r.ContentLength, err)
			}
			echoed(t, x, r, body)
		}
	})
}

func echoed(t *testing.T, x *Exchange, r *http.Request, body []byte) {
	for name, values := range r.Header {
		x.Header()[name] = values
	}
	if _, err := x.Write(body); err != nil {
		t.Fatal(err)
	}
	raw, err := x.Reply()
	if err != nil {
		t.Fatal(err)
	}
	_, h, got := platform{name: "fuzz"}.replied(t, raw)
	if want := string(body); r.Method != http.MethodHead && got != want {
		t.Fatalf("the body %q came back as %q", want, got)
	}
	for _, name := range framing {
		if _, has := h[name]; has {
			t.Fatalf("the reply has the header %s", name)
		}
	}
}
