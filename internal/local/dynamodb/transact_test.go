package dynamodb

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.etcd.io/bbolt"
)

func at(n int) string { return fmt.Sprintf(`{"pk":{"S":"p"},"sk":{"N":"%d"}}`, n) }

func TestBatchesWriteAndRead(t *testing.T) {
	s := newServer(t)
	s.create()
	s.ok("PutItem", `{"TableName":"things","Item":`+at(9)+`}`)
	s.steps([]step{
		{"BatchWriteItem", `{"RequestItems":{"things":[{"PutRequest":{"Item":` + at(1) + `}},{"PutRequest":{"Item":{` + first[:len(first)-3] + `2"},"x":{"S":"y"}}}},{"DeleteRequest":{"Key":` + at(9) + `}}]},
			"ReturnConsumedCapacity":"TOTAL","ReturnItemCollectionMetrics":"SIZE"}`,
			`{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"things","CapacityUnits":3}],
			  "ItemCollectionMetrics":{"things":[{"ItemCollectionKey":{"pk":{"S":"p"}},"SizeEstimateRangeGB":[0,1]}]}}`},
		{"BatchGetItem", `{"RequestItems":{"things":{"Keys":[` + at(2) + `,` + at(9) + `,` + at(1) + `],"ProjectionExpression":"#s, x","ExpressionAttributeNames":{"#s":"sk"}}},"ReturnConsumedCapacity":"TOTAL"}`,
			`{"Responses":{"things":[{"sk":{"N":"2"},"x":{"S":"y"}},{"sk":{"N":"1"}}]},"UnprocessedKeys":{},"ConsumedCapacity":[{"TableName":"things","CapacityUnits":1.5}]}`},
		{"BatchGetItem", `{"RequestItems":{"arn:aws:dynamodb:eu-west-1:123456789012:table/things":{"Keys":[` + at(1) + `]}}}`,
			`{"Responses":{"arn:aws:dynamodb:eu-west-1:123456789012:table/things":[` + at(1) + `]},"UnprocessedKeys":{}}`},
	})
}

func TestBatchGetLeavesKeysBehind16MegabytesForTheNextCall(t *testing.T) {
	s := newServer(t)
	s.create()
	var keys []string
	for i := range 45 {
		s.ok("PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"%d"},"x":{"S":"%s"}}}`, i, strings.Repeat("x", 390<<10)))
		keys = append(keys, at(i))
	}
	request := &sdk.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"things": {}}}
	for i := range 45 {
		k := request.RequestItems["things"]
		k.Keys = append(k.Keys, map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberN{Value: fmt.Sprint(i)}})
		k.ProjectionExpression = aws.String("sk")
		request.RequestItems["things"] = k
	}
	calls, found := 0, 0
	for len(request.RequestItems) > 0 {
		reply, err := s.BatchGetItem(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		calls++
		found += len(reply.Responses["things"])
		request.RequestItems = reply.UnprocessedKeys
	}
	if calls != 2 || found != len(keys) {
		t.Errorf("%d items in %d calls", found, calls)
	}
}

func TestTransactionsWriteAllOrNothing(t *testing.T) {
	s := newServer(t)
	s.create()
	s.ok("PutItem", `{"TableName":"things","Item":{`+first+`,"v":{"N":"1"}}}`)
	body := func(version string) string {
		return `{"TransactItems":[
			{"ConditionCheck":{"TableName":"things","Key":` + at(1) + `,"ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":{"N":"` + version + `"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}},
			{"Put":{"TableName":"things","Item":` + at(2) + `}},
			{"Update":{"TableName":"things","Key":` + at(3) + `,"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}},
			{"Delete":{"TableName":"things","Key":` + at(4) + `,"ConditionExpression":"attribute_not_exists(pk)"}}],"ReturnConsumedCapacity":"TOTAL"}`
	}
	status, reply := s.call("TransactWriteItems", body("2"))
	if status != http.StatusBadRequest {
		t.Fatalf("%d %s", status, reply)
	}
	same(t, reply, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
		"message":"Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None, None, None]",
		"CancellationReasons":[{"Code":"ConditionalCheckFailed","Message":"The conditional request failed","Item":{`+first+`,"v":{"N":"1"}}},{"Code":"None"},{"Code":"None"},{"Code":"None"}]}`)
	same(t, s.ok("Scan", `{"TableName":"things","Select":"COUNT"}`), `{"Count":1,"ScannedCount":1}`)

	same(t, s.ok("TransactWriteItems", body("1")), `{"ConsumedCapacity":[{"TableName":"things","CapacityUnits":8,"WriteCapacityUnits":8}]}`)
	same(t, s.ok("TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"things","Key":`+at(3)+`,"ProjectionExpression":"n"}},{"Get":{"TableName":"things","Key":`+at(4)+`}},{"Get":{"TableName":"things","Key":`+at(2)+`}}],"ReturnConsumedCapacity":"TOTAL"}`),
		`{"Responses":[{"Item":{"n":{"N":"1"}}},{},{"Item":`+at(2)+`}],"ConsumedCapacity":[{"TableName":"things","CapacityUnits":6,"ReadCapacityUnits":6}]}`)
}

func TestTransactionsNameWhatIsWrongWithEachPart(t *testing.T) {
	s := newServer(t)
	s.create()
	_, reply := s.call("TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"things","Item":`+at(1)+`}},
		{"Update":{"TableName":"things","Key":`+at(2)+`,"UpdateExpression":"SET n = n + :one","ExpressionAttributeValues":{":one":{"N":"1"}}}}]}`)
	same(t, reply, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
		"message":"Transaction cancelled, please refer cancellation reasons for specific reasons [None, ValidationError]",
		"CancellationReasons":[{"Code":"None"},{"Code":"ValidationError","Message":"The provided expression refers to an attribute that does not exist in the item"}]}`)
	_, reply = s.call("TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"things","Key":{"pk":{"S":"p"}}}}]}`)
	same(t, reply, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
		"message":"Transaction cancelled, please refer cancellation reasons for specific reasons [ValidationError]",
		"CancellationReasons":[{"Code":"ValidationError","Message":"The provided key element does not match the schema"}]}`)
	same(t, s.ok("Scan", `{"TableName":"things","Select":"COUNT"}`), `{"Count":0,"ScannedCount":0}`)
}

func TestATokenMakesATransactionHappenOnce(t *testing.T) {
	s := newServer(t)
	s.create()
	add := func(n string) string {
		return `{"ClientRequestToken":"token-1","ReturnConsumedCapacity":"TOTAL","TransactItems":[{"Update":{"TableName":"things","Key":` + at(1) +
			`,"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"` + n + `"}}}}]}`
	}
	n := func(want string) {
		t.Helper()
		same(t, s.ok("GetItem", `{"TableName":"things","Key":`+at(1)+`,"ProjectionExpression":"n"}`), `{"Item":{"n":{"N":"`+want+`"}}}`)
	}
	s.ok("TransactWriteItems", add("1"))
	same(t, s.ok("TransactWriteItems", add("1")), `{"ConsumedCapacity":[{"TableName":"things","CapacityUnits":2,"ReadCapacityUnits":2}]}`)
	n("1")
	if status, reply := s.call("TransactWriteItems", add("2")); status != http.StatusBadRequest || !strings.Contains(reply, "#IdempotentParameterMismatchException") {
		t.Errorf("other parameters: %d %s", status, reply)
	}
	n("1")
	s.clock.Advance(tokenLife)
	s.ok("TransactWriteItems", add("2"))
	n("3")
}

func TestARepeatedTransactionIsAnsweredWhateverItWouldDoNow(t *testing.T) {
	s := newServer(t)
	s.create()
	s.ok("PutItem", `{"TableName":"things","Item":{`+first+`,"x":{"S":"y"}}}`)
	const body = `{"ClientRequestToken":"token-1","ReturnConsumedCapacity":"TOTAL","TransactItems":[{"Update":{"TableName":"things","Key":{` + first +
		`},"UpdateExpression":"SET a = x"}}]}`
	s.ok("TransactWriteItems", body)
	// An index's key cannot be empty, so that the same transaction would be refused.
	s.ok("UpdateItem", `{"TableName":"things","Key":{`+first+`},"UpdateExpression":"SET x = :x","ExpressionAttributeValues":{":x":{"S":""}}}`)
	same(t, s.ok("TransactWriteItems", body), `{"ConsumedCapacity":[{"TableName":"things","CapacityUnits":2,"ReadCapacityUnits":2}]}`)
}

func TestConcurrentCountersLoseNothing(t *testing.T) {
	s := newServer(t)
	s.create()
	const clients, each = 8, 25
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for range each {
				var err error
				if c%2 == 0 {
					_, err = s.UpdateItem(t.Context(), &sdk.UpdateItemInput{TableName: aws.String("things"), UpdateExpression: aws.String("ADD n :one"),
						Key:                       map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberN{Value: "1"}},
						ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}}})
				} else {
					_, err = s.TransactWriteItems(t.Context(), &sdk.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Update: &types.Update{
						TableName: aws.String("things"), UpdateExpression: aws.String("ADD n :one"),
						Key:                       map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberN{Value: "1"}},
						ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}}}}}})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	same(t, s.ok("GetItem", `{"TableName":"things","Key":`+at(1)+`,"ProjectionExpression":"n"}`), fmt.Sprintf(`{"Item":{"n":{"N":"%d"}}}`, clients*each))
}

// sweeps advances the clock by one sweep and waits until the service has done it: it sets its timer anew afterwards.
func (s *server) sweeps() {
	s.t.Helper()
	s.clock.AwaitTimers(1)
	s.clock.Advance(sweepInterval)
	s.clock.AwaitTimers(1)
}

func TestItemsEndWhenTheirTimeHasCome(t *testing.T) {
	s := newServer(t)
	s.create()
	put := func(n int, attributes string) {
		t.Helper()
		s.ok("PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"%d"}%s}}`, n, attributes))
	}
	now := testStart.Unix()
	put(1, fmt.Sprintf(`,"end":{"N":"%d"},"g":{"B":"AQ=="}`, now+60))
	put(2, fmt.Sprintf(`,"end":{"N":"%d"}`, now+3600))
	put(3, fmt.Sprintf(`,"end":{"S":"%d"}`, now-60))
	put(4, "")
	put(5, fmt.Sprintf(`,"end":{"N":"%d"}`, testStart.AddDate(-6, 0, 0).Unix()))
	s.steps([]step{
		{"DescribeTimeToLive", `{"TableName":"things"}`, `{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}`},
		{"UpdateTimeToLive", `{"TableName":"things","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"end"}}`, `{"TimeToLiveSpecification":{"Enabled":true,"AttributeName":"end"}}`},
		{"DescribeTimeToLive", `{"TableName":"things"}`, `{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"end"}}`},
	})
	s.refuses(refusal{"UpdateTimeToLive", `{"TableName":"things","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"end"}}`, validation, "TimeToLive is already enabled"})
	put(6, fmt.Sprintf(`,"end":{"N":"%d"}`, now+60))
	put(7, fmt.Sprintf(`,"end":{"N":"%d"}`, now+60))
	s.ok("UpdateItem", `{"TableName":"things","Key":`+at(7)+`,"UpdateExpression":"REMOVE #e","ExpressionAttributeNames":{"#e":"end"}}`)
	left := func(want string) {
		t.Helper()
		keys, _ := s.pages("Query", `"KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"p"}}`)
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
	}
	s.sweeps()
	left("1 2 3 4 5 6 7")
	s.clock.Advance(61 * time.Second)
	s.sweeps()
	left("2 3 4 5 7")
	same(t, s.ok("Scan", `{"TableName":"things","IndexName":"global","Select":"COUNT"}`), `{"Count":0,"ScannedCount":0}`)
	s.ok("UpdateTimeToLive", `{"TableName":"things","TimeToLiveSpecification":{"Enabled":false,"AttributeName":"end"}}`)
	s.clock.Advance(2 * time.Hour)
	s.sweeps()
	left("2 3 4 5 7")
}

// TestTablesChangeBetweenTheBatchesOfASweep has a change of definitions wait while more items are due than are deleted
// at once: it must not wait for all, and everybody else for it.
func TestTablesChangeBetweenTheBatchesOfASweep(t *testing.T) {
	s := newServer(t)
	s.create()
	const items = 2*sweepBatch + 25
	for n := 0; n < items; n += 25 {
		var puts []string
		for i := range 25 {
			puts = append(puts, fmt.Sprintf(`{"PutRequest":{"Item":{"pk":{"S":"p"},"sk":{"N":"%d"},"end":{"N":"%d"}}}}`, n+i, testStart.Unix()-60))
		}
		s.ok("BatchWriteItem", `{"RequestItems":{"things":[`+strings.Join(puts, ",")+`]}}`)
	}
	s.ok("UpdateTimeToLive", `{"TableName":"things","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"end"}}`)
	mu := &s.service.mu
	started, release := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() { // holds up the sweep in its first batch
		hold := sync.OnceFunc(func() { close(started); <-release })
		if err := s.service.store.Update(func(*bbolt.Tx) error { hold(); return nil }); err != nil {
			t.Error(err)
		}
	})
	<-started
	wait.Go(func() {
		if err := s.service.sweep(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for mu.TryLock() { // until the sweep has it
		mu.Unlock()
		runtime.Gosched()
	}
	var left contents
	wait.Go(func() {
		mu.Lock()
		defer mu.Unlock()
		var err error
		if left, err = s.service.contents(s.service.tables["things"]); err != nil {
			t.Error(err)
		}
	})
	for mu.TryRLock() { // until the change waits
		mu.RUnlock()
		runtime.Gosched()
	}
	close(release)
	wait.Wait()
	if left.items < items-sweepBatch {
		t.Errorf("the change came when %d of %d items were left", left.items, items)
	}
}
