package awsjson

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/internal/local/http1"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a service that answers by the name of the operation.
type echo struct{ target string }

func (e echo) Target() string { return e.target }

func (e echo) Relatives() []string { return []string{e.target + "Relative"} }

func (e echo) Host() string { return strings.ToLower(e.target) + ".example.com" }

func (e echo) Has(op string) bool { return !strings.HasPrefix(op, "No") }

func (e echo) Call(_ context.Context, op string, body []byte) ([]byte, error) {
	switch op {
	case "Echo":
		return body, nil
	case "Refuse":
		return nil, &Error{Type: "com.example#Refused", Message: "no", QueryCode: "AWS.Example.Refused", Fields: map[string]any{"Extra": 7}}
	case "Mistype":
		return nil, &Error{Type: "com.amazon.coral.service#SerializationException", Message: "not a list"}
	case "Wordless":
		return nil, &Error{Type: "com.example#Wordless"}
	case "Wrapped":
		return nil, fmt.Errorf("outer: %w", &Error{Status: 404, Type: "com.example#Missing", Message: "gone"})
	case "Fail":
		return nil, errors.New("inner detail")
	case "Panic":
		panic("inner detail")
	case "Full":
		return nil, fmt.Errorf("write: %w", store.ErrNoSpace)
	}
	return nil, &Error{Type: "com.example#UnknownOperationException", Message: op}
}

func serve(t *testing.T) (url string, log *strings.Builder) {
	t.Helper()
	log = &strings.Builder{}
	return serveOnly(t, log, echo{"AmazonSQS"}, echo{"DynamoDB_20120810"}), log
}

func serveOnly(t *testing.T, log io.Writer, services ...Service) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	server := http1.New(NewHandler(logger, services...), logger)
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	return "http://" + ln.Addr().String()
}

func post(t *testing.T, url, target, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	return do(t, r)
}

func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestReplies(t *testing.T) {
	url, log := serve(t)
	tests := []struct {
		name, target, body string
		status             int
		reply              string // a part of it
		query              string // x-amzn-query-error
	}{
		{"reply is passed on", "AmazonSQS.Echo", `{"a":1}`, 200, `{"a":1}`, ""},
		{"empty body is an empty object", "AmazonSQS.Echo", "", 200, `{}`, ""},
		{"path does not matter", "AmazonSQS.Echo", `{}`, 200, `{}`, ""},
		{"error has type, message, fields and query code", "AmazonSQS.Refuse", "", 400,
			`{"Extra":7,"__type":"com.example#Refused","message":"no"}`, "AWS.Example.Refused;Sender"},
		{"error of the framework has a capital", "DynamoDB_20120810.Mistype", "{}", 400,
			`{"Message":"not a list","__type":"com.amazon.coral.service#SerializationException"}`, ""},
		{"error without a text", "DynamoDB_20120810.Wordless", "{}", 400, `{"__type":"com.example#Wordless"}`, ""},
		{"wrapped error", "AmazonSQS.Wrapped", "", 404, `"__type":"com.example#Missing"`, ""},
		{"unexpected error tells nothing of the inside", "AmazonSQS.Fail", "", 500, `"__type":"InternalFailure"`, "InternalFailure;Receiver"},
		{"unexpected error of DynamoDB", "DynamoDB_20120810.Fail", "{}", 500, `#InternalServerError"`, ""},
		{"panic", "AmazonSQS.Panic", "", 500, `"InternalFailure"`, "InternalFailure;Receiver"},
		{"full disk", "AmazonSQS.Full", "", 503, `no space left`, "ServiceUnavailable;Receiver"},
		{"operation of a relative", "AmazonSQSRelative.Echo", `{"a":1}`, 200, `{"a":1}`, ""},
		{"unknown service", "Kinesis_20131202.PutRecord", "", 400, `services: AmazonSQS, DynamoDB_20120810`, ""},
		{"target without operation", "AmazonSQS", "", 400, `UnknownOperationException`, ""},
		{"no target", "", "{}", 400, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp, body := post(t, url+"/000000000000/any", test.target, test.body)
			if resp.StatusCode != test.status || !strings.Contains(body, test.reply) {
				t.Errorf("%d %s\nwant %d ...%s...", resp.StatusCode, body, test.status, test.reply)
			}
			if got := resp.Header.Get("x-amzn-query-error"); got != test.query {
				t.Errorf("x-amzn-query-error %q, want %q", got, test.query)
			}
			if !json.Valid([]byte(body)) || strings.Contains(body, "inner detail") {
				t.Errorf("body %s", body)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
				t.Errorf("content type %q", got)
			}
		})
	}
	if n := strings.Count(log.String(), "inner detail"); n < 3 {
		t.Errorf("the log tells of %d of 3 internal errors:\n%s", n, log)
	}
}

func TestRequestIDAndChecksumAreInEachServicesForm(t *testing.T) {
	url, _ := serve(t)
	resp, body := post(t, url, "DynamoDB_20120810.Echo", `{"a":"b"}`)
	if got, want := resp.Header.Get("X-Amz-Crc32"), strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(body))), 10); got != want {
		t.Errorf("X-Amz-Crc32 %q, want %q", got, want)
	}
	if id := resp.Header.Get("x-amzn-RequestId"); !regexp.MustCompile(`^[A-Z2-7]{52}$`).MatchString(id) {
		t.Errorf("request id %q", id)
	}
	resp, _ = post(t, url, "AmazonSQS.Echo", `{}`)
	if resp.Header.Get("X-Amz-Crc32") != "" {
		t.Error("checksum on an SQS reply")
	}
	uuid := `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	if id := resp.Header.Get("x-amzn-RequestId"); !regexp.MustCompile(uuid).MatchString(id) {
		t.Errorf("request id %q", id)
	}
}

func TestRequestsOfAnotherProtocolAreToldWhatToDo(t *testing.T) {
	url, _ := serve(t)
	form := "application/x-www-form-urlencoded; charset=utf-8"
	tests := []struct {
		name, method, path, contentType, target, body string
		status                                        int
		want                                          string
	}{
		{"query protocol by POST", "POST", "/", form, "", "Action=SendMessage&Version=2012-11-05", 400, "boto3 1.28.82"},
		{"query protocol by GET", "GET", "/?Action=ListQueues", "", "", "", 400, "awscli 1.29.82"},
		{"wrong method", "PUT", "/", "", "AmazonSQS.Echo", "{}", 405, "takes POST, not PUT"},
		{"announced to be too large", "POST", "/", "", "AmazonSQS.Echo", strings.Repeat(" ", MaxBody+1), 413, "send less"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequest(test.method, url+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", test.contentType)
			if test.target != "" {
				r.Header.Set("X-Amz-Target", test.target)
			}
			resp, body := do(t, r)
			if resp.StatusCode != test.status || !strings.Contains(body, test.want) {
				t.Errorf("%d %s, want %d ...%s...", resp.StatusCode, body, test.status, test.want)
			}
		})
	}
	t.Run("a browser, where there is only SQS", func(t *testing.T) {
		resp, err := http.Get(serveOnly(t, io.Discard, echo{"AmazonSQS"}))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "aws --endpoint-url http://127.0.0.1:") {
			t.Errorf("%s %v", body, err)
		}
	})
	t.Run("chunked and too large", func(t *testing.T) {
		r, err := http.NewRequest("POST", url, io.LimitReader(endless{}, MaxBody+100))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AmazonSQS.Echo")
		if resp, body := do(t, r); resp.StatusCode != 413 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// hanging is a service whose operations last until their client leaves.
type hanging struct {
	echo
	began chan struct{}
	ended chan error
}

func (h hanging) Call(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	h.began <- struct{}{}
	<-ctx.Done()
	h.ended <- ctx.Err()
	return nil, ctx.Err()
}

// silent is a log in which nothing may stand.
type silent struct{ t *testing.T }

func (s silent) Write(b []byte) (int, error) {
	s.t.Errorf("logged %s", b)
	return len(b), nil
}

func TestTheServiceLearnsThatItsClientHasLeft(t *testing.T) {
	service := hanging{echo{"AmazonSQS"}, make(chan struct{}), make(chan error)}
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "POST", serveOnly(t, silent{t}, service), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AmazonSQS.Hang")
	done := make(chan error)
	go func() {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	<-service.began
	cancel()
	if err := <-service.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the service learned of %v", err)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func FuzzHandler(f *testing.F) {
	f.Add("POST", "AmazonSQS.Echo", "application/x-amz-json-1.0", []byte(`{}`))
	f.Add("GET", "", "application/x-www-form-urlencoded", []byte(`Action=x`))
	f.Add("POST", "...", ";", []byte{0xff})
	handler := NewHandler(slog.New(slog.DiscardHandler), echo{"AmazonSQS"})
	f.Fuzz(func(t *testing.T, method, target, contentType string, body []byte) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
		r.Method = method
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 200 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("error body %q", w.Body)
		}
	})
}

// TestAnAnnouncedBodyTakesNoMemoryBeforeItComes has a client send nothing after a request's head.
func TestAnAnnouncedBodyTakesNoMemoryBeforeItComes(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(""))
	r.ContentLength = MaxBody
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	body, err := readBody(r, MaxBody)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; len(body) > 0 || err != nil || taken > MaxBody/2 {
		t.Errorf("%d bytes of memory for %d that came, %v", taken, len(body), err)
	}
}
