package sqs

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// BenchmarkSendReceiveDelete is the life of a 300-byte message over HTTP by 32 clients, each step durable.
func BenchmarkSendReceiveDelete(b *testing.B) {
	s := open(b)
	url := s.create("work")
	body := strings.Repeat("x", 300)
	work := make(chan struct{})
	var clients sync.WaitGroup
	b.ResetTimer()
	for range 32 {
		clients.Go(func() {
			for range work {
				s.send(url, body)
				out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url})
				if err != nil || len(out.Messages) != 1 {
					b.Errorf("received %v, %v", out, err)
					return
				}
				s.delete(url, out.Messages[0])
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	clients.Wait()
}

// BenchmarkCall is the same without HTTP and the SDK: what the service itself takes.
func BenchmarkCall(b *testing.B) {
	s := open(b)
	url := s.create("work")
	request := fmt.Appendf(nil, `{"QueueUrl":%q,"MessageBody":%q}`, url, strings.Repeat("x", 300))
	receive := fmt.Appendf(nil, `{"QueueUrl":%q}`, url)
	work := make(chan struct{})
	var clients sync.WaitGroup
	b.ResetTimer()
	for range 32 {
		clients.Go(func() {
			for range work {
				s.call(b, "SendMessage", request)
				reply := string(s.call(b, "ReceiveMessage", receive))
				_, rest, _ := strings.Cut(reply, `"ReceiptHandle":"`)
				handle, _, _ := strings.Cut(rest, `"`)
				s.call(b, "DeleteMessage", fmt.Appendf(nil, `{"QueueUrl":%q,"ReceiptHandle":%q}`, url, handle))
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	clients.Wait()
}

func (s *sandbox) call(tb testing.TB, op string, body []byte) []byte {
	tb.Helper()
	reply, err := s.service.Call(context.Background(), op, body)
	if err != nil {
		tb.Errorf("%s: %v", op, err)
	}
	return reply
}

// BenchmarkLoad measures starting with 100,000 messages of 300 bytes, and what they take of the heap.
func BenchmarkLoad(b *testing.B) {
	s := open(b)
	url := s.create("work")
	var senders sync.WaitGroup
	entries := make([]string, 10)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"Id":"%d","MessageBody":%q}`, i, strings.Repeat("x", 300))
	}
	request := fmt.Appendf(nil, `{"QueueUrl":%q,"Entries":[%s]}`, url, strings.Join(entries, ","))
	for range 20 {
		senders.Go(func() {
			for range 500 {
				s.call(b, "SendMessageBatch", request)
			}
		})
	}
	senders.Wait()
	if got := s.attributes(url)["ApproximateNumberOfMessages"]; got != "100000" {
		b.Fatalf("%s messages", got)
	}
	s.stop()
	b.ResetTimer()
	for range b.N {
		db, err := store.Open(s.dir, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		service, err := New(Options{Store: db, Clock: s.clock})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&after)
		_ = service.Close()
		runtime.KeepAlive(service)
		service.queues = nil
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-index")
		_ = db.Close()
		b.StartTimer()
	}
	b.StopTimer()
	s.start()
}

// BenchmarkLongPollLatency measures from a send to the return of the receive that waits for it.
func BenchmarkLongPollLatency(b *testing.B) {
	s := open(b)
	url := s.create("work")
	got := make(chan error)
	for range b.N {
		go func() {
			out, err := s.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
			if err == nil && len(out.Messages) != 1 {
				err = fmt.Errorf("%d messages", len(out.Messages))
			}
			got <- err
			if err == nil {
				_, err = s.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: out.Messages[0].ReceiptHandle})
			}
			got <- err
		}()
		b.StopTimer()
		s.clock.AwaitTimers(2)
		b.StartTimer()
		if _, err := s.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("x")}); err != nil {
			b.Fatal(err)
		}
		if err := <-got; err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := <-got; err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
