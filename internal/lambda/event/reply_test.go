package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// exchanges are an exchange for a request on each form of reply.
func exchanges(t testing.TB, method string) map[string]*Exchange {
	t.Helper()
	out := map[string]*Exchange{}
	for _, p := range platforms {
		out[p.name] = p.opened(t, sent{method: method, target: "/", header: [][2]string{{"Host", host}}})
	}
	return out
}

func replyOf(t testing.TB, x *Exchange) string {
	t.Helper()
	raw, err := x.Reply()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestReplyHasTheFormOfItsPlatform(t *testing.T) {
	want := map[string]string{
		"HTTP API":                               `{"statusCode":201,"headers":{"Content-Type":"text/plain","X-A":"1, 2"},"cookies":["a=1; Path=/","b=2"],"body":"<grüße>","isBase64Encoded":false}`,
		"HTTP API with a stage":                  `{"statusCode":201,"headers":{"Content-Type":"text/plain","X-A":"1, 2"},"cookies":["a=1; Path=/","b=2"],"body":"<grüße>","isBase64Encoded":false}`,
		"function URL":                           `{"statusCode":201,"headers":{"Content-Type":"text/plain","X-A":"1, 2"},"cookies":["a=1; Path=/","b=2"],"body":"<grüße>","isBase64Encoded":false}`,
		"REST API":                               `{"statusCode":201,"multiValueHeaders":{"Content-Type":["text/plain"],"Set-Cookie":["a=1; Path=/","b=2"],"X-A":["1","2"]},"body":"<grüße>","isBase64Encoded":false}`,
		"REST API with a base path":              `{"statusCode":201,"multiValueHeaders":{"Content-Type":["text/plain"],"Set-Cookie":["a=1; Path=/","b=2"],"X-A":["1","2"]},"body":"<grüße>","isBase64Encoded":false}`,
		"HTTP API in format 1.0 with a stage":    `{"statusCode":201,"multiValueHeaders":{"Content-Type":["text/plain"],"Set-Cookie":["a=1; Path=/","b=2"],"X-A":["1","2"]},"body":"<grüße>","isBase64Encoded":false}`,
		"load balancer":                          `{"statusCode":201,"statusDescription":"201 Created","headers":{"Content-Type":"text/plain","Set-Cookie":"b=2","X-A":"1, 2"},"body":"<grüße>","isBase64Encoded":false}`,
		"load balancer with multi-value headers": `{"statusCode":201,"statusDescription":"201 Created","multiValueHeaders":{"Content-Type":["text/plain"],"Set-Cookie":["a=1; Path=/","b=2"],"X-A":["1","2"]},"body":"<grüße>","isBase64Encoded":false}`,
	}
	for name, x := range exchanges(t, "GET") {
		h := x.Header()
		h["X-A"] = []string{"1", "2"}
		h["Set-Cookie"] = []string{"a=1; Path=/", "b=2"}
		h.Set("Content-Type", "text/plain")
		for _, own := range []string{"Connection", "Transfer-Encoding", "Content-Length", "Keep-Alive", "Upgrade", "Trailer"} {
			h.Set(own, "7")
		}
		x.WriteHeader(http.StatusCreated)
		h.Set("X-Late", "1")
		x.WriteHeader(http.StatusTeapot)
		for _, part := range []string{"<grü", "ße>"} {
			if n, err := x.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got := replyOf(t, x); got != want[name] {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want[name])
		}
		omitted := x.Omitted()
		if (name == "load balancer") != (len(omitted) == 1) || len(omitted) > 0 && !strings.Contains(omitted[0], "all but the last of 2 Set-Cookie") {
			t.Errorf("%s: omitted %q", name, omitted)
		}
		if again := replyOf(t, x); again != want[name] || len(x.Omitted()) != len(omitted) {
			t.Errorf("%s: the second time the reply is %s, omitted %q", name, again, x.Omitted())
		}
	}
}

func TestReplyWithoutAnAnswerIs200(t *testing.T) {
	for name, x := range exchanges(t, "GET") {
		if got := replyOf(t, x); !strings.HasPrefix(got, `{"statusCode":200,`) || !strings.HasSuffix(got, `"body":"","isBase64Encoded":false}`) || strings.Contains(got, "eaders") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestReplyIsBase64WhereTextCannotCarryTheBody(t *testing.T) {
	for _, c := range []struct{ body, encoding, want string }{
		{"text", "", `"body":"text","isBase64Encoded":false`},
		{"\xff\xfe", "", `"body":"//4=","isBase64Encoded":true`},
		{"text", "br", `"body":"dGV4dA==","isBase64Encoded":true`},
		{"", "br", `"body":"","isBase64Encoded":false`},
		{"a\u2028\"\\\x00", "", `"body":"a\u2028\"\\\u0000","isBase64Encoded":false`},
	} {
		for name, x := range exchanges(t, "GET") {
			if c.encoding != "" {
				x.Header().Set("Content-Encoding", c.encoding)
			}
			if _, err := x.Write([]byte(c.body)); err != nil {
				t.Fatal(err)
			}
			if got := replyOf(t, x); !strings.Contains(got, c.want) {
				t.Errorf("%s %q: %s", name, c.body, got)
			}
		}
	}
}

func TestContentTypeIsGuessedAsNetHTTPDoes(t *testing.T) {
	for _, c := range []struct {
		given []string
		body  string
		want  string
	}{
		{nil, "<html>", "text/html; charset=utf-8"},
		{nil, "\x89PNG\x0D\x0A\x1A\x0A", "image/png"},
		{[]string{"a/b"}, "<html>", "a/b"},
		{nil, "", ""},
	} {
		for _, p := range platforms {
			x := p.opened(t, sent{method: "GET", target: "/", header: [][2]string{{"Host", host}}})
			if c.given != nil {
				x.Header()["Content-Type"] = c.given
			}
			if _, err := x.Write([]byte(c.body)); err != nil {
				t.Fatal(err)
			}
			if _, h, body := p.replied(t, []byte(replyOf(t, x))); h.Get("Content-Type") != c.want || body != c.body {
				t.Errorf("%s: %v %q", p.name, h, body)
			}
		}
	}
	x := platforms[0].opened(t, sent{method: "GET", target: "/"})
	x.Header()["Content-Type"] = nil
	_, _ = x.Write([]byte("<html>"))
	if got := replyOf(t, x); strings.Contains(got, "Content-Type") {
		t.Errorf("a type that was ruled out: %s", got)
	}
}

func TestAnswersThatHaveNoBodyGetNone(t *testing.T) {
	for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
		for name, x := range exchanges(t, "GET") {
			x.WriteHeader(status)
			if n, err := x.Write([]byte("body")); n != 0 || !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("%s: Write gives %d, %v", name, n, err)
			}
			if got := replyOf(t, x); !strings.Contains(got, `"body":""`) {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
	for name, x := range exchanges(t, "HEAD") {
		if n, err := x.Write([]byte("body")); n != 4 || err != nil {
			t.Errorf("%s: Write gives %d, %v", name, n, err)
		}
		if got := replyOf(t, x); !strings.Contains(got, `"body":""`) || !strings.Contains(got, `"statusCode":200`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestInformationalStatusIsPassedOver(t *testing.T) {
	for name, x := range exchanges(t, "GET") {
		x.WriteHeader(http.StatusEarlyHints)
		x.WriteHeader(http.StatusAccepted)
		if got := replyOf(t, x); !strings.HasPrefix(got, `{"statusCode":202,`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWriteHeaderPanicsAtWhatIsNoStatus(t *testing.T) {
	for _, status := range []int{0, 99, 1000} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d was taken", status)
				}
			}()
			exchanges(t, "GET")["REST API"].WriteHeader(status)
		}()
	}
}

func TestReplyThatIsTooLargeSaysSo(t *testing.T) {
	for _, p := range platforms {
		limit := 6_291_556
		if p.kind == ALB {
			limit = 1 << 20
		}
		x := p.opened(t, sent{method: "GET", target: "/", header: [][2]string{{"Host", host}}})
		x.Header().Set("Content-Type", "text/plain")
		x.Header().Set("X-Correlation-Id", "c-1")
		x.Header().Set("X-Other", "1")
		rest := limit - len(replyOf(t, x))
		if _, err := x.Write(bytes.Repeat([]byte("a"), rest)); err != nil {
			t.Fatal(err)
		}
		if got := replyOf(t, x); len(got) != limit || !strings.HasPrefix(got, `{"statusCode":200,`) || len(x.Omitted()) != 0 {
			t.Errorf("%s: a reply that just fits has %d bytes, want %d: %.80s", p.name, len(got), limit, got)
		}
		_, _ = x.Write([]byte("a"))
		status, h, body := p.replied(t, []byte(replyOf(t, x)))
		var said struct{ Error string }
		if err := json.Unmarshal([]byte(body), &said); err != nil || !strings.Contains(said.Error, "the reply is too large") {
			t.Errorf("%s: the body is %q (%v)", p.name, body, err)
		}
		if status != http.StatusInternalServerError || h.Get("Content-Type") != "application/json" || h.Get("X-Correlation-Id") != "c-1" || h.Get("X-Other") != "" {
			t.Errorf("%s: %d %v", p.name, status, h)
		}
		if omitted := x.Omitted(); !slices.ContainsFunc(omitted, func(s string) bool { return strings.Contains(s, "the whole reply") }) {
			t.Errorf("%s: omitted %q", p.name, omitted)
		}
	}
}
