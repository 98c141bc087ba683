package dynamodb

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestUpdatesOfIndexKeysAreCheckedBeforeTheItemIsRead(t *testing.T) {
	s := newServer(t)
	s.create()
	s.ok("PutItem", `{"TableName":"things","Item":{`+first+`,"n":{"N":"7"}}}`)
	const mismatch = "One or more parameter values were invalid: Type mismatch for Index Key "
	update := func(expression, values string) string {
		return `{"TableName":"things","Key":{` + first + `},"UpdateExpression":"` + expression + `","ExpressionAttributeValues":{` + values + `}}`
	}
	for _, r := range []refusal{
		{"UpdateItem", update("SET n = :n ADD a :n", `":n":{"N":"1"}`), validation, mismatch + "a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", update("SET a = n - :n", `":n":{"N":"1"}`), validation, mismatch + "a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", update("SET g = list_append(n, :l)", `":l":{"L":[]}`), validation, mismatch + "g Expected: B Actual: L IndexName: global"},
		{"UpdateItem", update("DELETE g :s", `":s":{"SS":["x"]}`), validation, mismatch + "g Expected: B Actual: SS IndexName: global"},
		{"UpdateItem", update("SET g.x = :n, a = :n", `":n":{"N":"1"}`), validation, mismatch + "a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", update("SET g.x = :n, n = a[1]", `":n":{"N":"1"}`), validation,
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: g"},
		{"UpdateItem", update("SET a = n, x = :n", `":n":{"N":"1"}`), validation, "The update expression attempted to update the secondary index key to unsupported type"},
		{"UpdateItem", update("SET a = if_not_exists(n, :n)", `":n":{"N":"1"}`), validation, "The update expression attempted to update the secondary index key to unsupported type"},
	} {
		s.refuses(r)
	}
	same(t, s.ok("GetItem", `{"TableName":"things","Key":{`+first+`}}`), `{"Item":{`+first+`,"n":{"N":"7"}}}`)
}

// TestItemsFromBeforeAnIndexThatDoNotFitItsKeyCanBeChanged has items whose attribute is of no type that a key can have, and
// of another one than the key's.
func TestItemsFromBeforeAnIndexThatDoNotFitItsKeyCanBeChanged(t *testing.T) {
	s := newServer(t)
	s.create()
	odd := []string{`{"M":{}}`, `{"N":"1"}`, `{"BOOL":true}`, `{"L":[]}`, `{"SS":["x"]}`}
	for n, v := range odd {
		s.ok("PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"%d"},"late":%s,"end":{"N":"%d"}}}`, n, v, testStart.Unix()))
	}
	s.ok("UpdateTable", `{"TableName":"things","AttributeDefinitions":[{"AttributeName":"late","AttributeType":"S"}],
		"GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"late","KeySchema":[{"AttributeName":"late","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}]}`)
	const scan = `{"TableName":"things","IndexName":"late","Select":"COUNT"}`
	same(t, s.ok("Scan", scan), `{"Count":0,"ScannedCount":0}`)
	same(t, s.ok("PutItem", `{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"0"},"late":{"S":"x"}},"ReturnConsumedCapacity":"INDEXES"}`),
		`{"ConsumedCapacity":{"TableName":"things","CapacityUnits":2,"Table":{"CapacityUnits":1},"GlobalSecondaryIndexes":{"late":{"CapacityUnits":1}}}}`)
	s.ok("UpdateItem", `{"TableName":"things","Key":`+at(1)+`,"UpdateExpression":"SET late = :x","ExpressionAttributeValues":{":x":{"S":"y"}}}`)
	s.ok("UpdateItem", `{"TableName":"things","Key":`+at(2)+`,"UpdateExpression":"REMOVE late"}`)
	same(t, s.ok("DeleteItem", `{"TableName":"things","Key":`+at(3)+`,"ReturnConsumedCapacity":"TOTAL"}`),
		`{"ConsumedCapacity":{"TableName":"things","CapacityUnits":1}}`)
	same(t, s.ok("Scan", scan), `{"Count":2,"ScannedCount":2}`)
	// The last one is deleted by its time: nobody would be there to answer with an error.
	s.ok("UpdateTimeToLive", `{"TableName":"things","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"end"}}`)
	s.clock.Advance(time.Minute)
	s.sweeps()
	keys, _ := s.pages("Query", `"KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"p"}}`)
	if got := strings.Join(keys, " "); got != "0" {
		t.Errorf("left are %s", got)
	}
}
