package mqtt

import (
	"fmt"
	"sync"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// BenchmarkMessages has 4 clients publish to one subscriber as fast as they are acknowledged, each with up to 64 messages
// on their way.
func BenchmarkMessages(b *testing.B) {
	for qos := range byte(3) {
		for filters := range 2 {
			b.Run(fmt.Sprintf("QoS%d/%d filters", qos, 1+3*filters), func(b *testing.B) {
				benchmarkMessages(b, qos, filters == 1)
			})
		}
	}
}

func benchmarkMessages(b *testing.B, qos byte, apart bool) {
	broker := startBroker(b)
	received := make(chan struct{}, 1000)
	subscriber, _ := connect(b, "mqtt://"+broker.Addr(), func(o *paho.ClientOptions) {
		o.SetClientID("subscriber").SetDefaultPublishHandler(func(paho.Client, paho.Message) { received <- struct{}{} })
	})
	var publishers [4]paho.Client
	for i := range publishers {
		publishers[i], _ = connect(b, "mqtt://"+broker.Addr(), func(o *paho.ClientOptions) { o.SetClientID(fmt.Sprint("publisher", i)) })
		if apart {
			subscribe(b, subscriber, fmt.Sprintf("bench/%d/#", i), qos)
		}
	}
	if !apart {
		subscribe(b, subscriber, "bench/#", qos)
	}
	payload := make([]byte, 200)
	b.ResetTimer()
	var sending sync.WaitGroup
	for i, p := range publishers {
		sending.Go(func() {
			window := make(chan struct{}, 64)
			for n := i; n < b.N; n += len(publishers) {
				window <- struct{}{}
				token := p.Publish(fmt.Sprintf("bench/%d/x", i), qos, false, payload)
				go func() {
					token.Wait()
					<-window
				}()
			}
		})
	}
	for range b.N {
		<-received
	}
	sending.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
