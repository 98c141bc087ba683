package awsjson

import (
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

const (
	unknownBody = `{"__type":"com.amazon.coral.service#UnknownOperationException"}`
	notJSONBody = `{"__type":"com.amazon.coral.service#SerializationException"}`
	noPageBody  = "<UnknownOperationException/>\n"
)

func TestTheFormOfRequestsIsCheckedAsDynamoDBDoes(t *testing.T) {
	url, _ := serve(t)
	const list = "DynamoDB_20120810.Echo"
	tests := []struct {
		name, method, target, contentType, body string
		status                                  int
		reply, replyType                        string
	}{
		{"a browser", "GET", "", "", "", 200, "healthy: dynamodb_20120810.example.com ", ""},
		{"another method", "PUT", list, json10, "{}", 404, noPageBody, ""},
		{"a question of a browser that gives no origin", "OPTIONS", "", "", "", 404, noPageBody, ""},
		{"no content type", "POST", list, "", "{}", 404, noPageBody, ""},
		{"another version of the protocol", "POST", list, "application/x-amz-json-1.1", "{}", 404, noPageBody, ""},
		{"a longer content type", "POST", "", "application/jsonp", "{}", 404, noPageBody, ""},
		{"plain JSON", "POST", list, "application/json", `{"a":1}`, 200, `{"a":1}`, plainJSON},
		{"parameters of the content type", "POST", list, "application/x-amz-json-1.0; charset=utf-8", `{"a":1}`, 200, `{"a":1}`, json10},
		{"not JSON", "POST", "", "application/json ; q", "hello", 400, notJSONBody, plainJSON},
		{"not JSON for no operation", "POST", "DynamoDB_20120810.NoSuch", json10, "hello", 400, notJSONBody, json10},
		{"neither body nor target", "POST", "", "", "", 400, unknownBody, plainJSON},
		{"a target of no form", "POST", "Echo", json10, "{}", 400, unknownBody, json10},
		{"a version that there is not", "POST", "DynamoDB_20111205.Echo", json10, "{}", 400, unknownBody, json10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequest(test.method, url, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"X-Amz-Target": test.target, "Content-Type": test.contentType} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			resp, body := do(t, r)
			if resp.StatusCode != test.status || body != test.reply || resp.Header.Get("Content-Type") != test.replyType {
				t.Errorf("%d %s %q, want %d %s %q", resp.StatusCode, resp.Header.Get("Content-Type"), body, test.status, test.replyType, test.reply)
			}
			if sum := strconv.Itoa(int(crc32.ChecksumIEEE([]byte(body)))); resp.Header.Get("X-Amz-Crc32") != sum || resp.ContentLength != int64(len(body)) {
				t.Errorf("checksum %s of %d bytes, want %s of %d", resp.Header.Get("X-Amz-Crc32"), resp.ContentLength, sum, len(body))
			}
			if id := resp.Header.Get("X-Amzn-Requestid"); len(id) != 52 {
				t.Errorf("request id %q", id)
			}
		})
	}
	t.Run("larger than DynamoDB takes", func(t *testing.T) {
		resp, body := post(t, url, list, strings.Repeat(" ", maxDynamoDBBody+1))
		if resp.StatusCode != 413 || resp.ContentLength != int64(len(body)) {
			t.Errorf("%d with %d bytes, said to be %d", resp.StatusCode, len(body), resp.ContentLength)
		}
	})
}

func TestARequestWithoutABodyIsToldOfItsSignatureFirst(t *testing.T) {
	url, _ := serve(t)
	const kind = `{"__type":"com.amazon.coral.service#`
	noToken := kind + `MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}`
	incomplete := func(message string) string {
		return kind + `IncompleteSignatureException","message":"` + message + `"}`
	}
	const whole = "AWS4-HMAC-SHA256 Credential=id/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00"
	for _, test := range []struct{ name, query, authorization, date, reply string }{
		{"no signature", "", "", "", noToken},
		{"another scheme", "", "Bearer abc", "", noToken},
		{"all of a query but what says so", "?X-Amz-Credential=id&X-Amz-Signature=00&X-Amz-SignedHeaders=host&X-Amz-Date=now", "", "", noToken},
		{"two signatures", "?X-Amz-Algorithm=AWS4-HMAC-SHA256", whole, "now",
			kind + `InvalidSignatureException","message":"Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."}`},
		{"a part with nothing in it", "", "AWS4-HMAC-SHA256 Credential=,Signature=00,SignedHeaders=host", "now",
			incomplete("Authorization header requires 'Credential' parameter. Authorization=AWS4-HMAC-SHA256 Credential=,Signature=00,SignedHeaders=host")},
		{"no date", "", whole, "", incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=" + whole)},
		{"parts of a query", "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=id&X-Amz-Date=now", "", "", incomplete("AWS query-string parameters must include 'X-Amz-Signature'. " +
			"AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters.")},
		{"a whole signature", "", whole, "now", notJSONBody},
		{"a whole query", "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=id&X-Amz-Date=now&X-Amz-Signature=00&X-Amz-SignedHeaders=host", "", "", notJSONBody},
	} {
		r, err := http.NewRequest(http.MethodPost, url+"/"+test.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810.Echo")
		for name, value := range map[string]string{"Authorization": test.authorization, "X-Amz-Date": test.date} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if resp, body := do(t, r); resp.StatusCode != 400 || body != test.reply {
			t.Errorf("%s: %d %s\n\twant %s", test.name, resp.StatusCode, body, test.reply)
		}
	}
}

func TestPagesOfThisMachineMayUseTheEndpoint(t *testing.T) {
	url, _ := serve(t)
	allowed := map[string]bool{
		"http://localhost:3000": true, "https://app.localhost": true, "http://127.0.0.1": true, "http://[::1]:8080": true, "a program": true,
		"https://example.com": false, "http://localhost.example.com": false, "http://192.0.2.7": false, "null": false, "http://[": false,
	}
	for origin, may := range allowed {
		ask, err := http.NewRequest(http.MethodOptions, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		ask.Header.Set("Origin", origin)
		ask.Header.Set("Access-Control-Request-Headers", "x-amz-target, authorization")
		ask.Header.Set("Access-Control-Request-Method", "POST")
		use, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		use.Header.Set("Origin", origin)
		use.Header.Set("X-Amz-Target", "AmazonSQS.Echo")
		want := ""
		if may {
			want = "*"
		}
		asked, _ := do(t, ask)
		used, _ := do(t, use)
		if got := asked.Header.Get("Access-Control-Allow-Origin"); got != want || (asked.StatusCode == 200) != may {
			t.Errorf("%s asks: %d %q, want %q", origin, asked.StatusCode, got, want)
		}
		if got := asked.Header.Get("Access-Control-Allow-Headers"); may && (got != "x-amz-target, authorization" || asked.Header.Get("Access-Control-Allow-Methods") != "POST") {
			t.Errorf("%s may use headers %q", origin, got)
		}
		if got := used.Header.Get("Access-Control-Allow-Origin"); got != want || used.StatusCode != 200 {
			t.Errorf("%s uses it: %d %q, want %q", origin, used.StatusCode, got, want)
		}
	}
}
