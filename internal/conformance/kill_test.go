package conformance

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	kills    = flag.Int("kills", 4, "how often the stand-ins are killed under load")
	killSeed = flag.Uint64("kills.seed", 0, "seed of when they are killed; 0 takes a new one")
)

const (
	killQueue = `{"QueueName":"work","Attributes":{"VisibilityTimeout":"2"}}`
	killTable = `{"TableName":"things","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}`
)

// ledger is what the clients know of what they were told.
type ledger struct {
	mu                      sync.Mutex
	sent, deleting, deleted map[string]bool
	broker                  *brokerLedger
	// tried and acknowledged are the versions of each item.
	tried, acknowledged map[string]int
	acks                atomic.Int64
	enough              chan struct{} // closed after the acknowledgement that the kill waits for
	last                int64
}

func (l *ledger) note(change func()) {
	l.mu.Lock()
	change()
	l.mu.Unlock()
	l.count()
}

func (l *ledger) count() {
	if l.acks.Add(1) == l.last {
		close(l.enough)
	}
}

// queueWork sends, receives and deletes until the server is gone. Every third message that it receives it leaves in
// flight.
func (l *ledger) queueWork(ctx context.Context, c *child, url, name string) error {
	for i := 0; ; i++ {
		body := fmt.Sprintf("%s-%d", name, i)
		if done, err := c.try(ctx, "sqs", "SendMessage", fmt.Sprintf(`{"QueueUrl":%q,"MessageBody":%q}`, url, body)); done == nil {
			return err
		}
		l.note(func() { l.sent[body] = true })
		received, err := c.try(ctx, "sqs", "ReceiveMessage", fmt.Sprintf(`{"QueueUrl":%q}`, url))
		if received == nil {
			return err
		}
		for _, m := range messagesOf(received) {
			if i%3 == 0 {
				continue
			}
			l.mu.Lock()
			l.deleting[m.Body] = true
			l.mu.Unlock()
			if done, err := c.try(ctx, "sqs", "DeleteMessage", fmt.Sprintf(`{"QueueUrl":%q,"ReceiptHandle":%q}`, url, m.ReceiptHandle)); done == nil {
				return err
			}
			l.note(func() { l.deleted[m.Body] = true })
		}
	}
}

// tableWork writes versions of two items at a time, in turn with puts, updates and transactions, until the server is
// gone.
func (l *ledger) tableWork(ctx context.Context, c *child, name string) error {
	for i := 0; ; i++ {
		one, two := fmt.Sprint(name, "-", i%20), fmt.Sprint(name, "-pair-", i%20)
		l.mu.Lock()
		version := l.tried[one] + 1
		l.tried[one], l.tried[two] = version, version
		l.mu.Unlock()
		put := func(pk string) string {
			return fmt.Sprintf(`"TableName":"things","Item":{"pk":{"S":%q},"n":{"N":"%d"}}`, pk, version)
		}
		requests := []struct{ op, body string }{{"PutItem", "{" + put(one) + "}"}, {"PutItem", "{" + put(two) + "}"}}
		switch i % 3 {
		case 1:
			requests = []struct{ op, body string }{{"TransactWriteItems", `{"TransactItems":[{"Put":{` + put(one) + `}},{"Put":{` + put(two) + `}}]}`}}
		case 2:
			update := `{"TableName":"things","Key":{"pk":{"S":%q}},"UpdateExpression":"SET n = :n","ExpressionAttributeValues":{":n":{"N":"%d"}}}`
			requests = []struct{ op, body string }{{"UpdateItem", fmt.Sprintf(update, one, version)}, {"UpdateItem", fmt.Sprintf(update, two, version)}}
		}
		for _, r := range requests {
			if done, err := c.try(ctx, "dynamodb", r.op, r.body); done == nil {
				return err
			}
		}
		l.note(func() { l.acknowledged[one], l.acknowledged[two] = version, version })
	}
}

// try makes a request and gives its reply, nil when the server is gone. An error reply is an error.
func (e *endpoint) try(ctx context.Context, service, op, request string) (map[string]any, error) {
	o, err := e.call(ctx, service, op, request)
	if err != nil {
		return nil, nil
	}
	if o.code != "" {
		return nil, fmt.Errorf("%s %s: %s", op, request, o)
	}
	if o.body == nil {
		return map[string]any{}, nil
	}
	return o.body, nil
}

type received struct{ Body, ReceiptHandle string }

func messagesOf(reply map[string]any) []received {
	var out []received
	list, _ := reply["Messages"].([]any)
	for _, m := range list {
		m := m.(map[string]any)
		out = append(out, received{m["Body"].(string), m["ReceiptHandle"].(string)})
	}
	return out
}

// TestNothingAcknowledgedIsLostByKills kills the stand-ins again and again while queues, tables and the broker are
// worked on. Every message whose sending was acknowledged must come unless its deletion was asked for, in flight or
// not; none may come whose deletion was acknowledged; every item and every retained message must have at least the
// version acknowledged last, and an MQTT session gets what was acknowledged while it was away.
func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat the times of the kills with -kills=%d -kills.seed=%d", *kills, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	l := &ledger{sent: map[string]bool{}, deleting: map[string]bool{}, deleted: map[string]bool{}, tried: map[string]int{}, acknowledged: map[string]int{}, broker: newBrokerLedger()}
	dir := t.TempDir()
	var restarts []time.Duration
	c := startChild(t, dir)
	queue := c.must(t, "sqs", "CreateQueue", killQueue)["QueueUrl"].(string)
	c.must(t, "dynamodb", "CreateTable", killTable)
	openSession(t, c)
	for round := range *kills {
		l.work(t, c, queue, round, int64(1+random.IntN(300)))
		before := time.Now()
		c = startChild(t, dir)
		c.must(t, "dynamodb", "DescribeTable", `{"TableName":"things"}`)
		restarts = append(restarts, time.Since(before))
		l.checkItems(t, c)
		l.broker.checkRetained(t, c)
		if t.Failed() {
			break
		}
	}
	l.checkMessages(t, c, queue)
	l.broker.checkInbox(t, c)
	c.kill()
	slices.Sort(restarts)
	t.Logf("%d kills; %d messages sent, %d deleted, %d items; %d MQTT messages for an absent session, %d retained; until they served again: median %v, longest %v",
		*kills, len(l.sent), len(l.deleted), len(l.acknowledged), len(l.broker.sent), len(l.broker.acknowledged), restarts[len(restarts)/2], restarts[len(restarts)-1])
}

// work has clients load the stand-ins and kills them after so many acknowledgements.
func (l *ledger) work(t *testing.T, c *child, queue string, round int, acks int64) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l.acks.Store(0)
	l.last, l.enough = acks, make(chan struct{})
	var clients sync.WaitGroup
	publisher := connectBroker(t, c.mqtt, fmt.Sprint("publisher-", round), true, nil)
	defer publisher.Disconnect(0)
	clients.Go(func() { l.broker.brokerWork(publisher, round, l.count) })
	for n := range 4 {
		clients.Go(func() {
			if err := l.queueWork(ctx, c, queue, fmt.Sprint(round, "-", n)); err != nil {
				t.Error(err)
			}
		})
		clients.Go(func() {
			if err := l.tableWork(ctx, c, fmt.Sprint("client-", n)); err != nil {
				t.Error(err)
			}
		})
	}
	select {
	case <-l.enough:
	case <-ctx.Done():
		t.Errorf("only %d of %d acknowledgements came", l.acks.Load(), acks)
	}
	c.kill()
	clients.Wait()
}

func (l *ledger) checkItems(t *testing.T, c *child) {
	t.Helper()
	have := map[string]int{}
	start := ""
	for {
		reply := c.must(t, "dynamodb", "Scan", `{"TableName":"things"`+start+`}`)
		items, _ := reply["Items"].([]any)
		for _, i := range items {
			var item struct {
				PK struct{ S string } `json:"pk"`
				N  struct {
					N int `json:",string"`
				} `json:"n"`
			}
			if err := json.Unmarshal([]byte(compact(i)), &item); err != nil {
				t.Fatal(err)
			}
			have[item.PK.S] = item.N.N
		}
		if reply["LastEvaluatedKey"] == nil {
			break
		}
		start = `,"ExclusiveStartKey":` + compact(reply["LastEvaluatedKey"])
	}
	for pk, version := range l.acknowledged {
		if have[pk] < version || have[pk] > l.tried[pk] {
			t.Errorf("%s has version %d, acknowledged %d, tried %d", pk, have[pk], version, l.tried[pk])
		}
	}
	// What was not acknowledged may be there or not; the next round goes on from it.
	maps.Copy(l.acknowledged, have)
}

// checkMessages receives all messages, those in flight too when their visibility timeout ends.
func (l *ledger) checkMessages(t *testing.T, c *child, queue string) {
	t.Helper()
	found := map[string]bool{}
	for {
		counts := c.must(t, "sqs", "GetQueueAttributes", fmt.Sprintf(`{"QueueUrl":%q,"AttributeNames":["ApproximateNumberOfMessages","ApproximateNumberOfMessagesNotVisible"]}`, queue))
		if compact(counts) == `{"Attributes":{"ApproximateNumberOfMessages":"0","ApproximateNumberOfMessagesNotVisible":"0"}}` {
			break
		}
		for _, m := range messagesOf(c.must(t, "sqs", "ReceiveMessage", fmt.Sprintf(`{"QueueUrl":%q,"MaxNumberOfMessages":10,"WaitTimeSeconds":5,"VisibilityTimeout":600}`, queue))) {
			found[m.Body] = true
			c.must(t, "sqs", "DeleteMessage", fmt.Sprintf(`{"QueueUrl":%q,"ReceiptHandle":%q}`, queue, m.ReceiptHandle))
		}
	}
	for body := range l.sent {
		if !found[body] && !l.deleting[body] {
			t.Errorf("message %s was acknowledged and is lost", body)
		}
	}
	for body := range l.deleted {
		if found[body] {
			t.Errorf("message %s was deleted and came again", body)
		}
	}
}
