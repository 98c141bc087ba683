package lambda

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// The library's own way to read a batch, which does nothing with it, is the
// measure.
func BenchmarkABatchOfTen(b *testing.B) {
	payload := batchOf(queueARN, numbered(10)...)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.Run("flow", func(b *testing.B) {
		f := app{flow: fromJobs, resources: jobs}.function(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Invoke(ctx, payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("events.SQSEvent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e events.SQSEvent
			if err := json.Unmarshal(payload, &e); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkARequest(b *testing.B) {
	payload := get("/x", map[string]string{"accept": "*/*", "user-agent": "bench", "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793"})
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.Run("flow", func(b *testing.B) {
		f := app{flow: answering}.function(b)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Invoke(ctx, payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("events.APIGatewayV2HTTPRequest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var e events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(payload, &e); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(events.APIGatewayV2HTTPResponse{StatusCode: 201, Body: `{"id":"x"}`}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
