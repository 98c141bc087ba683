package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local"
)

// services are what cases name a service by, and its part of X-Amz-Target.
var services = map[string]string{"sqs": "AmazonSQS", "dynamodb": "DynamoDB_20120810"}

// endpoint is a server of SQS and DynamoDB.
type endpoint struct {
	name, url string
	client    *http.Client
	pid       int // 0 in this process
}

// outcome is a server's reply to one request.
type outcome struct {
	status int
	// code is an error's type without its namespace, "" for success.
	code, message string
	// query is the error's code for the older protocol, from the header x-amzn-query-error.
	query string
	body  map[string]any
}

func (o outcome) String() string {
	if o.code == "" {
		return fmt.Sprintf("success %s", compact(o.body))
	}
	return fmt.Sprintf("%d %s: %s", o.status, o.code, o.message)
}

// compact is a value as JSON on one line.
func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

const jsonType = "application/x-amz-json-1.0"

// call makes one request as the AWS JSON 1.0 protocol has it.
func (e *endpoint) call(ctx context.Context, service, op, body string) (outcome, error) {
	return e.post(ctx, services[service]+"."+op, jsonType, body, map[string]string{
		// Nobody checks the signature, but moto finds the service by it and dynalite wants its date.
		"X-Amz-Date":    "20260101T000000Z",
		"Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=0",
	})
}

// post makes a request with a target, "" for none, and headers.
func (e *endpoint) post(ctx context.Context, target, contentType, body string, headers map[string]string) (outcome, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/", strings.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	r.Header.Set("Content-Type", contentType)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	reply, err := e.client.Do(r)
	if err != nil {
		return outcome{}, fmt.Errorf("%s %s: %w", e.name, target, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return outcome{}, fmt.Errorf("%s %s: %w", e.name, target, err)
	}
	o := outcome{status: reply.StatusCode}
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&o.body); err != nil {
			// moto answers its own mistakes in HTML.
			o.body = map[string]any{"__type": "NotJSON", "message": firstLine(string(text))}
		}
	}
	if o.status == http.StatusOK {
		return o, nil
	}
	o.code, _ = o.body["__type"].(string)
	o.code = o.code[strings.LastIndex(o.code, "#")+1:]
	for _, member := range []string{"Message", "message"} {
		if m, ok := o.body[member].(string); ok {
			o.message = m
		}
		delete(o.body, member)
	}
	delete(o.body, "__type")
	o.query, _, _ = strings.Cut(reply.Header.Get("x-amzn-query-error"), ";")
	return o, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// startOurs starts the stand-ins on an empty folder.
func startOurs(t testing.TB) *endpoint {
	t.Helper()
	return &endpoint{name: "flowctl", url: startLocal(t, local.Options{Dir: t.TempDir(), AWSAddr: "127.0.0.1:0"}).AWSEndpoint(), client: newClient(t)}
}

func startLocal(t testing.TB, o local.Options) *local.Local {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	l, err := local.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func newClient(t testing.TB) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// startMoto starts moto's server, the independent implementation that the cases are compared with.
func startMoto(t testing.TB) *endpoint {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed: pip install 'moto[server]' to compare with it")
	}
	// Every warning counts as said, so the last line to await is the address.
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", "0")
	cmd.Env = append(os.Environ(), "MOTO_ACCOUNT_ID="+local.Account, "PYTHONUNBUFFERED=1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
	url := startProgram(t, cmd, regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`))
	return &endpoint{"moto", url, newClient(t), cmd.Process.Pid}
}

// reset has moto forget everything.
func (e *endpoint) reset(t testing.TB) {
	t.Helper()
	reply, err := e.client.Post(e.url+"/moto-api/reset", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("reset of moto: %s, %v", reply.Status, err)
	}
}

// startProgram starts a server and gives what it says its address is on standard error or output. It is killed when
// the test ends.
func startProgram(t testing.TB, cmd *exec.Cmd, address *regexp.Regexp) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	drained := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		r.Close()
		<-drained
	})
	found := make(chan string, 1)
	go func() {
		defer close(drained)
		var said strings.Builder
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for told := false; lines.Scan(); {
			if told {
				continue
			}
			fmt.Fprintln(&said, lines.Text())
			if m := address.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				told = true
			}
		}
		found <- "ended: " + said.String()
	}()
	url := <-found
	if strings.HasPrefix(url, "ended: ") {
		t.Fatalf("%s %s", cmd.Path, url)
	}
	return url
}
