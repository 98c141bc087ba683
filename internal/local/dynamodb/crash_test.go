package dynamodb

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// crashFolder makes the test binary a server on that data folder, for the test to kill.
const crashFolder = "DYNAMODB_TEST_CRASH_FOLDER"

func TestServerToBeKilled(t *testing.T) {
	dir := os.Getenv(crashFolder)
	if dir == "" {
		t.Skip("only run by TestAcknowledgedWritesSurviveAKill")
	}
	db, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := New(Options{Store: db, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("listening on %s\n", l.Addr())
	t.Fatal(http.Serve(l, awsjson.NewHandler(log, s)))
}

// killable starts the server and gives its address and how to kill it.
func killable(t *testing.T, dir string) (url string, kill func()) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServerToBeKilled$")
	c.Env = append(os.Environ(), crashFolder+"="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanf(out, "listening on %s\n", &url); err != nil {
		t.Fatal(err)
	}
	return "http://" + url, func() {
		if err := c.Process.Kill(); err != nil {
			t.Error(err)
		}
		// It ends by the signal, which Wait reports as an error.
		_ = c.Wait()
	}
}

// send makes one request; ok is false when there was no answer.
func send(t *testing.T, client *http.Client, url, op, body string) (reply string, ok bool) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return "", false
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	answer, err := client.Do(r)
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", false
	}
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s %s: %d %s", op, body, answer.StatusCode, b)
	}
	return string(b), true
}

// TestAcknowledgedWritesSurviveAKill kills the server while clients write. Each client writes pairs of items in
// transactions, the number n of the round in both. Behind the kill both halves must be there and equal, and not older
// than the last round that was acknowledged.
func TestAcknowledgedWritesSurviveAKill(t *testing.T) {
	const clients, kills = 4, 6
	dir := t.TempDir()
	acknowledged := make([]int, clients)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for k := range kills {
		url, kill := killable(t, dir)
		if k == 0 {
			send(t, client, url, "CreateTable", `{"TableName":"pairs","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"n","AttributeType":"N"}],
				"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"GlobalSecondaryIndexes":[{"IndexName":"byn","KeySchema":[{"AttributeName":"n","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}]}`)
		}
		rounds := 5 + rand.IntN(30)
		var wait sync.WaitGroup
		var once sync.Once
		for c := range clients {
			wait.Go(func() {
				for round := acknowledged[c] + 1; ; round++ {
					put := func(half string) string {
						return fmt.Sprintf(`{"Put":{"TableName":"pairs","Item":{"pk":{"S":"%d%s"},"n":{"N":"%d"}}}}`, c, half, round)
					}
					if _, ok := send(t, client, url, "TransactWriteItems", `{"TransactItems":[`+put("a")+`,`+put("b")+`]}`); !ok {
						return
					}
					acknowledged[c] = round
					if c == 0 && round%rounds == 0 {
						once.Do(kill)
					}
				}
			})
		}
		wait.Wait()
		checkPairs(t, client, dir, acknowledged)
		if t.Failed() {
			return
		}
	}
	t.Logf("rounds acknowledged: %v", acknowledged)
}

func checkPairs(t *testing.T, client *http.Client, dir string, acknowledged []int) {
	t.Helper()
	url, kill := killable(t, dir)
	defer kill()
	for c := range acknowledged {
		var n [2]int
		for i, half := range []string{"a", "b"} {
			reply, _ := send(t, client, url, "GetItem", fmt.Sprintf(`{"TableName":"pairs","Key":{"pk":{"S":"%d%s"}}}`, c, half))
			var got struct {
				Item struct {
					N struct{ N json.Number }
				}
			}
			if err := json.Unmarshal([]byte(reply), &got); err != nil {
				t.Fatal(err)
			}
			v, _ := got.Item.N.N.Int64()
			n[i] = int(v)
		}
		if n[0] != n[1] || n[0] < acknowledged[c] || n[0] > acknowledged[c]+1 {
			t.Errorf("client %d: the halves are %v after round %d was acknowledged", c, n, acknowledged[c])
		}
		reply, _ := send(t, client, url, "Query", fmt.Sprintf(`{"TableName":"pairs","IndexName":"byn","KeyConditionExpression":"n = :n","FilterExpression":"begins_with(pk, :c)",
			"ExpressionAttributeValues":{":n":{"N":"%d"},":c":{"S":"%d"}},"Select":"COUNT"}`, n[0], c))
		if n[0] > 0 && !strings.Contains(reply, `"Count":2`) {
			t.Errorf("client %d: the index gives %s", c, reply)
		}
		acknowledged[c] = n[0]
	}
}

// FuzzCall sends any body to the operations; whatever comes back, it must not be a panic or an error of the inside.
func FuzzCall(f *testing.F) {
	s := newServer(f)
	s.create()
	ops := []string{"PutItem", "UpdateItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem", "TransactWriteItems", "GetItem"}
	for op := range operations {
		if !slices.Contains(ops, op) {
			ops = append(ops, op)
		}
	}
	slices.Sort(ops[8:])
	for i, body := range []string{
		`{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"a":{"S":"x"}},"ConditionExpression":"a = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`,
		`{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET x = :a","ExpressionAttributeValues":{":a":{"S":"x"}},"ReturnValues":"UPDATED_NEW"}`,
		`{"TableName":"things","KeyConditionExpression":"pk = :p AND sk > :n","ExpressionAttributeValues":{":p":{"S":"a"},":n":{"N":"0"}},"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"1"}}}`,
		`{"TableName":"things","IndexName":"local","ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"1"},"a":{"S":"x"}},"Segment":0,"TotalSegments":2,"ScanFilter":{"a":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"S":"a"},{"S":"b"}]}}}`,
		`{"RequestItems":{"things":{"Keys":[{"pk":{"S":"a"},"sk":{"N":"1"}}],"AttributesToGet":["a"]}}}`,
		`{"RequestItems":{"things":[{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"N":"2"}}}},{"DeleteRequest":{"Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}]}}`,
		`{"TransactItems":[{"Update":{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"1"}}}}]}`,
		`{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ProjectionExpression":"a.b[1]"}`,
	} {
		f.Add(uint8(i), body)
	}
	for i, op := range ops {
		f.Add(uint8(i), map[string]string{
			"CreateTable": `{"TableName":"abc","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}]}`,
			"UpdateTable": `{"TableName":"abc","AttributeDefinitions":[{"AttributeName":"b","AttributeType":"N"}],"GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"byb",` +
				`"KeySchema":[{"AttributeName":"b","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}],"ReplicaUpdates":[{}]}`,
			"UpdateTimeToLive": `{"TableName":"abc","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"t"}}`,
			"TagResource":      `{"ResourceArn":"arn:aws:dynamodb:eu-west-1:123456789012:table/things","Tags":[{"Key":"a","Value":"b"}]}`,
		}[op])
	}
	f.Fuzz(func(t *testing.T, op uint8, body string) {
		reply, err := s.service.Call(t.Context(), ops[int(op)%len(ops)], []byte(body))
		if err == nil && len(reply) > 0 && !json.Valid(reply) {
			t.Fatalf("%s is answered with %s", body, reply)
		}
		if _, expected := err.(*awsjson.Error); err != nil && !expected {
			t.Fatalf("%s gives %v", body, err)
		}
	})
}
