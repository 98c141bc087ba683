package sqs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// BenchmarkSend measures sqs.send against the durable stand-in in the same process, both ends of the wire included.
func BenchmarkSend(b *testing.B) {
	for _, senders := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			s := openWith(b, nil, store.Options{})
			queue, _ := s.queue("orders", nil)
			h := s.send(queue, nil).Handler()
			event := expr.Fields(body(strings.Repeat("x", 300)))
			b.SetParallelism(max(1, senders/2))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := h(ctx, engine.NewMessage(event, "c")); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(b.N)/float64(s.front.calls("SendMessageBatch")), "msg/call")
		})
	}
}

// BenchmarkIn measures sqs.in: receive, deliver to nothing, delete.
func BenchmarkIn(b *testing.B) {
	for _, inFlight := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("max_in_flight=%d", inFlight), func(b *testing.B) {
			s := openWith(b, nil, store.Options{})
			queue, url := s.queue("orders", nil)
			s.fill(url, b.N)
			s.front.set(nil)
			var n atomic.Int64
			done := make(chan struct{})
			b.ReportAllocs()
			b.ResetTimer()
			r := s.start(s.in(queue, func(c *In) { c.MaxInFlight = inFlight }), func(context.Context, *engine.Message) error {
				if n.Add(1) == int64(b.N) {
					close(done)
				}
				return nil
			})
			<-done
			r.end()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(b.N)/float64(s.front.calls("ReceiveMessage")), "msg/receive")
			b.ReportMetric(float64(b.N)/float64(s.front.calls("DeleteMessageBatch")), "msg/delete")
		})
	}
}

// fill stores n messages.
func (s *sandbox) fill(url string, n int) {
	s.t.Helper()
	text := strings.Repeat("x", 300)
	for n > 0 {
		in := &sdk.SendMessageBatchInput{QueueUrl: &url}
		for i := range min(n, maxBatch) {
			id := strconv.Itoa(i)
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &text})
		}
		if _, err := s.SendMessageBatch(ctx, in); err != nil {
			s.t.Fatal(err)
		}
		n -= len(in.Entries)
	}
}

// BenchmarkMessage measures what a delivery costs before any node sees it.
func BenchmarkMessage(b *testing.B) {
	system := map[string]string{"SentTimestamp": "1772366400123", "ApproximateReceiveCount": "1", "SenderId": "AIDA"}
	for _, c := range []struct {
		about string
		in    In
		body  string
	}{
		{"unwrap=none", In{Format: formatJSON}, `{"areacode":"2331","name":"John","seat":"4"}`},
		{"unwrap=sns", In{Format: formatJSON, Unwrap: unwrapSNS}, notification},
		{"unwrap=s3", In{Format: formatJSON, Unwrap: unwrapS3}, bucketChange},
		{"unwrap=eventbridge", In{Format: formatJSON, Unwrap: unwrapEventBridge}, busEvent},
	} {
		b.Run(c.about, func(b *testing.B) {
			d := &Delivery{MessageID: "m-1", Body: c.body, System: system, Attributes: map[string]string{"correlation_id": "c-1"}}
			b.ReportAllocs()
			for b.Loop() {
				m, err := c.in.Message(d)
				if err != nil {
					b.Fatal(err)
				}
				if v, err := m.Env.Event.Field("body"); v == nil || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
