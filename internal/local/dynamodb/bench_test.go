package dynamodb

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// benchmark runs the operation from 32 clients over HTTP on a durable store.
func benchmark(b *testing.B, run func(s *server, n int64) error) {
	s := startServer(b, b.TempDir(), store.Options{})
	defer s.stop()
	s.ok("CreateTable", `{"TableName":"things","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}`)
	for i := range int64(1000) {
		if err := put(s, i); err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			s.ok("Scan", `{"TableName":"things"}`)
		}
	}
	var n atomic.Int64
	b.SetParallelism(16) // times GOMAXPROCS, 2 on the machines that count
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := run(s, n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func put(s *server, n int64) error {
	_, err := s.PutItem(s.t.Context(), &sdk.PutItemInput{TableName: aws.String("things"), Item: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: fmt.Sprint(n)}, "n": &types.AttributeValueMemberN{Value: fmt.Sprint(n)},
		"text": &types.AttributeValueMemberS{Value: "a hundred bytes or so of text, which is what a small item of a small flow holds on an average day"}}})
	return err
}

func get(s *server, n int64) error {
	_, err := s.GetItem(s.t.Context(), &sdk.GetItemInput{TableName: aws.String("things"), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: fmt.Sprint(n % 1000)}}})
	return err
}

func BenchmarkPutFrom32Clients(b *testing.B) { benchmark(b, put) }

func BenchmarkGetFrom32Clients(b *testing.B) { benchmark(b, get) }

func BenchmarkPutAndGetFrom32Clients(b *testing.B) {
	benchmark(b, func(s *server, n int64) error {
		if n%2 == 0 {
			return put(s, n)
		}
		return get(s, n)
	})
}
