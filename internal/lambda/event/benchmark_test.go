package event

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// batch is an SQS batch of n messages with bodies of size bytes.
func batch(b *testing.B, n, size int) []byte {
	var records []any
	for i := range n {
		records = append(records, map[string]any{"messageId": fmt.Sprint(i), "receiptHandle": strings.Repeat("r", 400),
			"body": `{"text":"` + strings.Repeat("a \"b\" ", size/6) + `"}`, "attributes": map[string]any{"ApproximateReceiveCount": "1", "SentTimestamp": "1767225600000"},
			"messageAttributes": map[string]any{}, "md5OfBody": "d41d8cd98f00b204e9800998ecf8427e", "eventSource": "aws:sqs",
			"eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders", "awsRegion": "eu-west-1"})
	}
	raw, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

func BenchmarkDetect(b *testing.B) {
	direct, err := json.Marshal(map[string]any{"text": strings.Repeat("a \"b\" ", 1000), "list": []int{1, 2, 3}})
	if err != nil {
		b.Fatal(err)
	}
	request := sent{method: "POST", target: "/orders?x=1", header: [][2]string{{"Host", host}, {"User-Agent", "benchmark"}, {"Accept", "*/*"}}, body: strings.Repeat(`{"a":1}`, 100)}
	second, err := json.Marshal(platforms[0].event(b, request))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		payload []byte
		want    Kind
	}{
		{"SQS of one small message", batch(b, 1, 100), SQS},
		{"SQS of ten messages of 1 KB", batch(b, 10, 1000), SQS},
		{"SQS of ten messages of 100 KB", batch(b, 10, 100_000), SQS},
		{"HTTP API", second, HTTPAPI},
		{"direct of 7 KB", direct, Direct},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := Detect(c.payload); got != c.want {
					b.Fatal(got)
				}
			}
		})
	}
}

func BenchmarkExchange(b *testing.B) {
	request := sent{method: "POST", target: "/orders?x=1", body: `{"a":1}`, header: [][2]string{{"Host", host}, {"User-Agent", "benchmark"}, {"Accept", "*/*"},
		{"Content-Type", "application/json"}, {"X-Forwarded-For", "203.0.113.9"}, {"X-Forwarded-Proto", "https"}, {"X-Amzn-Trace-Id", "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c"}}}
	for _, p := range platforms {
		payload, err := json.Marshal(p.event(b, request))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x, err := Open(p.kind, payload)
				if err != nil {
					b.Fatal(err)
				}
				x.Request(b.Context())
				x.Header().Set("Content-Type", "application/json")
				x.WriteHeader(http.StatusOK)
				_, _ = x.Write([]byte(`{"ok":true}`))
				if _, err := x.Reply(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
