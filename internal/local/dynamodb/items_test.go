package dynamodb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.etcd.io/bbolt"
)

// same compares two JSON texts by their content.
func same(t testing.TB, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\n\twant %s", got, want)
	}
}

// step is a request and the reply it must have.
type step struct{ op, body, reply string }

func (s *server) steps(steps []step) {
	s.t.Helper()
	for _, one := range steps {
		same(s.t, s.ok(one.op, one.body), one.reply)
	}
}

const first = `"pk":{"S":"p"},"sk":{"N":"1"}`

func TestReturnValuesOfWrites(t *testing.T) {
	s := newServer(t)
	s.create()
	at := `{"TableName":"things","Key":{` + first + `},`
	s.steps([]step{
		{"PutItem", `{"TableName":"things","Item":{` + first + `,"x":{"N":"1"}},"ReturnValues":"ALL_OLD"}`, `{}`},
		{"PutItem", `{"TableName":"things","Item":{` + first + `,"x":{"N":"2"}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{` + first + `,"x":{"N":"1"}}}`},
		{"UpdateItem", at + `"UpdateExpression":"SET y = x, m = :m","ExpressionAttributeValues":{":m":{"M":{"k":{"N":"1"},"l":{"L":[{"S":"a"},{"S":"b"}]}}}},"ReturnValues":"UPDATED_NEW"}`,
			`{"Attributes":{"y":{"N":"2"},"m":{"M":{"k":{"N":"1"},"l":{"L":[{"S":"a"},{"S":"b"}]}}}}}`},
		{"UpdateItem", at + `"UpdateExpression":"ADD m.k :n SET m.l[1] = :n REMOVE y","ExpressionAttributeValues":{":n":{"N":"5"}},"ReturnValues":"UPDATED_OLD"}`,
			`{"Attributes":{"y":{"N":"2"},"m":{"M":{"k":{"N":"1"},"l":{"L":[{"S":"b"}]}}}}}`},
		{"UpdateItem", at + `"UpdateExpression":"SET z = :n","ExpressionAttributeValues":{":n":{"N":"5"}},"ReturnValues":"ALL_OLD"}`,
			`{"Attributes":{` + first + `,"x":{"N":"2"},"m":{"M":{"k":{"N":"6"},"l":{"L":[{"S":"a"},{"N":"5"}]}}}}}`},
		{"UpdateItem", at + `"UpdateExpression":"REMOVE z, m","ReturnValues":"ALL_NEW"}`, `{"Attributes":{` + first + `,"x":{"N":"2"}}}`},
		{"UpdateItem", at + `"UpdateExpression":"REMOVE x","ReturnValues":"UPDATED_NEW"}`, `{}`},
		{"DeleteItem", at + `"ReturnValues":"ALL_OLD"}`, `{"Attributes":{` + first + `}}`},
		{"DeleteItem", at + `"ReturnValues":"ALL_OLD"}`, `{}`},
		{"GetItem", `{"TableName":"things","Key":{` + first + `}}`, `{}`},
		{"UpdateItem", at + `"ReturnValues":"ALL_NEW"}`, `{"Attributes":{` + first + `}}`},
		{"GetItem", `{"TableName":"arn:aws:dynamodb:eu-west-1:123456789012:table/things","Key":{` + first + `}}`, `{"Item":{` + first + `}}`},
	})
}

func TestConditionsGuardWritesAndShowTheItemWhenAsked(t *testing.T) {
	s := newServer(t)
	s.create()
	item := `{` + first + `,"v":{"N":"1"}}`
	s.ok("PutItem", `{"TableName":"things","Item":`+item+`,"ConditionExpression":"attribute_not_exists(pk)"}`)
	for _, op := range []struct{ op, rest string }{
		{"PutItem", `"Item":{` + first + `}`}, {"DeleteItem", `"Key":{` + first + `}`}, {"UpdateItem", `"Key":{` + first + `},"UpdateExpression":"REMOVE v"`},
	} {
		body := `{"TableName":"things",` + op.rest + `,"ConditionExpression":"v > :v","ExpressionAttributeValues":{":v":{"N":"1"}}`
		status, reply := s.call(op.op, body+`}`)
		if status != http.StatusBadRequest {
			t.Errorf("%s: %d", op.op, status)
		}
		same(t, reply, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}`)
		_, reply = s.call(op.op, body+`,"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`)
		same(t, reply, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed","Item":`+item+`}`)
	}
	same(t, s.ok("GetItem", `{"TableName":"things","Key":{`+first+`}}`), `{"Item":`+item+`}`)

	_, err := s.Client.DeleteItem(t.Context(), &sdk.DeleteItemInput{TableName: aws.String("things"), ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		Key:                                 map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberN{Value: "1"}}})
	failed, ok := err.(interface{ Unwrap() error })
	var condition *types.ConditionalCheckFailedException
	for ok && condition == nil {
		inner := failed.Unwrap()
		condition, _ = inner.(*types.ConditionalCheckFailedException)
		failed, ok = inner.(interface{ Unwrap() error })
	}
	if condition == nil || condition.Item["v"].(*types.AttributeValueMemberN).Value != "1" {
		t.Errorf("the SDK sees %v", err)
	}
}

func TestOlderParametersDoWhatExpressionsDo(t *testing.T) {
	s := newServer(t)
	s.create()
	at := `{"TableName":"things","Key":{` + first + `},`
	s.steps([]step{
		{"UpdateItem", at + `"AttributeUpdates":{"x":{"Value":{"N":"1"}},"ss":{"Action":"ADD","Value":{"SS":["a","b"]}},"l":{"Action":"ADD","Value":{"L":[{"N":"1"}]}}},"ReturnValues":"ALL_NEW"}`,
			`{"Attributes":{` + first + `,"x":{"N":"1"},"ss":{"SS":["a","b"]},"l":{"L":[{"N":"1"}]}}}`},
		{"UpdateItem", at + `"AttributeUpdates":{"x":{"Action":"ADD","Value":{"N":"2"}},"ss":{"Action":"DELETE","Value":{"SS":["a"]}},"l":{"Action":"DELETE"}},
			"Expected":{"x":{"Value":{"N":"1.0"}},"none":{"Exists":false},"ss":{"ComparisonOperator":"CONTAINS","AttributeValueList":[{"S":"b"}]}},"ReturnValues":"ALL_NEW"}`,
			`{"Attributes":{` + first + `,"x":{"N":"3"},"ss":{"SS":["b"]}}}`},
		{"GetItem", at + `"AttributesToGet":["x","none"]}`, `{"Item":{"x":{"N":"3"}}}`},
		{"Query", `{"TableName":"things","KeyConditions":{"pk":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"p"}]},"sk":{"ComparisonOperator":"GE","AttributeValueList":[{"N":"1"}]}},
			"QueryFilter":{"x":{"ComparisonOperator":"IN","AttributeValueList":[{"N":"1"},{"N":"3"}]}},"AttributesToGet":["x"]}`, `{"Items":[{"x":{"N":"3"}}],"Count":1,"ScannedCount":1}`},
		{"Scan", `{"TableName":"things","ScanFilter":{"x":{"ComparisonOperator":"NULL"},"ss":{"ComparisonOperator":"NOT_NULL"}},"ConditionalOperator":"OR","Select":"COUNT"}`, `{"Count":1,"ScannedCount":1}`},
		{"Scan", `{"TableName":"things","ScanFilter":{"x":{"ComparisonOperator":"NULL"},"ss":{"ComparisonOperator":"NOT_NULL"}}}`, `{"Items":[],"Count":0,"ScannedCount":1}`},
		{"Scan", `{"TableName":"things","Select":"COUNT","ScanFilter":{"x":{"ComparisonOperator":"IN","AttributeValueList":[` +
			strings.Repeat(`{"N":"1"},`, 20_000) + `{"N":"3"}]}}}`, `{"Count":1,"ScannedCount":1}`},
	})
	status, _ := s.call("DeleteItem", at+`"Expected":{"x":{"ComparisonOperator":"LT","AttributeValueList":[{"N":"3"}]}}}`)
	if status != http.StatusBadRequest {
		t.Errorf("a failed Expected gives %d", status)
	}
}

func TestCapacityAndCollectionMetrics(t *testing.T) {
	s := newServer(t)
	s.create()
	big := strings.Repeat("x", 5000)
	item := `{` + first + `,"a":{"S":"i"},"g":{"B":"AQ=="},"big":{"S":"` + big + `"}}`
	s.steps([]step{
		{"PutItem", `{"TableName":"things","Item":` + item + `,"ReturnConsumedCapacity":"INDEXES","ReturnItemCollectionMetrics":"SIZE"}`,
			`{"ConsumedCapacity":{"TableName":"things","CapacityUnits":7,"Table":{"CapacityUnits":5},"LocalSecondaryIndexes":{"local":{"CapacityUnits":1}},"GlobalSecondaryIndexes":{"global":{"CapacityUnits":1}}},
			 "ItemCollectionMetrics":{"ItemCollectionKey":{"pk":{"S":"p"}},"SizeEstimateRangeGB":[0,1]}}`},
		{"UpdateItem", `{"TableName":"things","Key":{` + first + `},"UpdateExpression":"SET other1 = :v","ExpressionAttributeValues":{":v":{"N":"1"}},"ReturnConsumedCapacity":"TOTAL"}`,
			`{"ConsumedCapacity":{"TableName":"things","CapacityUnits":5}}`},
		{"UpdateItem", `{"TableName":"things","Key":{` + first + `},"UpdateExpression":"SET a = :v REMOVE g","ExpressionAttributeValues":{":v":{"S":"1"}},"ReturnConsumedCapacity":"INDEXES"}`,
			`{"ConsumedCapacity":{"TableName":"things","CapacityUnits":8,"Table":{"CapacityUnits":5},"LocalSecondaryIndexes":{"local":{"CapacityUnits":2}},"GlobalSecondaryIndexes":{"global":{"CapacityUnits":1}}}}`},
		{"GetItem", `{"TableName":"things","Key":{` + first + `},"ProjectionExpression":"a","ReturnConsumedCapacity":"TOTAL"}`,
			`{"Item":{"a":{"S":"1"}},"ConsumedCapacity":{"TableName":"things","CapacityUnits":1}}`},
		{"GetItem", `{"TableName":"things","Key":{` + first + `},"ProjectionExpression":"a","ConsistentRead":true,"ReturnConsumedCapacity":"INDEXES"}`,
			`{"Item":{"a":{"S":"1"}},"ConsumedCapacity":{"TableName":"things","CapacityUnits":2,"Table":{"CapacityUnits":2}}}`},
		{"Query", `{"TableName":"things","IndexName":"local","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"p"}},"ReturnConsumedCapacity":"INDEXES"}`,
			`{"Items":[{` + first + `,"a":{"S":"1"}}],"Count":1,"ScannedCount":1,
			 "ConsumedCapacity":{"TableName":"things","CapacityUnits":0.5,"Table":{"CapacityUnits":0},"LocalSecondaryIndexes":{"local":{"CapacityUnits":0.5}}}}`},
	})
}

// fillTable puts items with sort keys 1 … n into one collection; every third has index keys.
func (s *server) fillTable(n int) {
	s.t.Helper()
	for i := 1; i <= n; i++ {
		index := ""
		if i%3 == 0 {
			index = fmt.Sprintf(`,"a":{"S":"a%02d"},"g":{"B":"AQ=="},"x":{"N":"%d"}`, n-i, i)
		}
		s.ok("PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"%d"},"even":{"BOOL":%v}%s}}`, i, i%2 == 0, index))
	}
}

// pages follows LastEvaluatedKey and gives the sort keys of all items, and how many pages there were.
func (s *server) pages(op, request string) (sortKeys []string, pages int) {
	s.t.Helper()
	start := ""
	for {
		var reply struct {
			Items []map[string]struct {
				N string
			}
			LastEvaluatedKey json.RawMessage
		}
		if err := json.Unmarshal([]byte(s.ok(op, `{"TableName":"things",`+request+start+`}`)), &reply); err != nil {
			s.t.Fatal(err)
		}
		pages++
		for _, i := range reply.Items {
			sortKeys = append(sortKeys, i["sk"].N)
		}
		if reply.LastEvaluatedKey == nil {
			return sortKeys, pages
		}
		start = `,"ExclusiveStartKey":` + string(reply.LastEvaluatedKey)
	}
}

func TestQueriesOfEveryKindAndTheirPages(t *testing.T) {
	s := newServer(t)
	s.create()
	s.fillTable(12)
	for _, c := range []struct{ request, want string }{
		{`"KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"p"}}`, "1 2 3 4 5 6 7 8 9 10 11 12"},
		{`"KeyConditionExpression":"pk = :p","ScanIndexForward":false,"ExpressionAttributeValues":{":p":{"S":"p"}}`, "12 11 10 9 8 7 6 5 4 3 2 1"},
		{`"KeyConditionExpression":"pk = :p AND sk = :n","ExpressionAttributeValues":{":p":{"S":"p"},":n":{"N":"5"}}`, "5"},
		{`"KeyConditionExpression":"pk = :p AND sk < :n","ExpressionAttributeValues":{":p":{"S":"p"},":n":{"N":"3"}}`, "1 2"},
		{`"KeyConditionExpression":"sk <= :n AND pk = :p","ExpressionAttributeValues":{":p":{"S":"p"},":n":{"N":"3"}}`, "1 2 3"},
		{`"KeyConditionExpression":"pk = :p AND sk > :n","ExpressionAttributeValues":{":p":{"S":"p"},":n":{"N":"10.5"}}`, "11 12"},
		{`"KeyConditionExpression":"pk = :p AND :n <= sk","ExpressionAttributeValues":{":p":{"S":"p"},":n":{"N":"11"}}`, "11 12"},
		{`"KeyConditionExpression":"pk = :p AND sk BETWEEN :n AND :m","ScanIndexForward":false,"ExpressionAttributeValues":{":p":{"S":"p"},":n":{"N":"9"},":m":{"N":"11"}}`, "11 10 9"},
		{`"KeyConditionExpression":"pk = :p","FilterExpression":"even = :t","ExpressionAttributeValues":{":p":{"S":"p"},":t":{"BOOL":true}}`, "2 4 6 8 10 12"},
		{`"IndexName":"local","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"p"}}`, "12 9 6 3"},
		{`"IndexName":"local","KeyConditionExpression":"pk = :p AND begins_with(a, :a)","ExpressionAttributeValues":{":p":{"S":"p"},":a":{"S":"a0"}}`, "12 9 6 3"},
		{`"IndexName":"local","KeyConditionExpression":"pk = :p AND begins_with(a, :a)","ExpressionAttributeValues":{":p":{"S":"p"},":a":{"S":"a03"}}`, "9"},
		{`"IndexName":"global","KeyConditionExpression":"g = :g AND sk > :n","ExpressionAttributeValues":{":g":{"B":"AQ=="},":n":{"N":"3"}}`, "6 9 12"},
		{`"IndexName":"global","KeyConditionExpression":"g = :g","ScanIndexForward":false,"FilterExpression":"x > :n","ExpressionAttributeValues":{":g":{"B":"AQ=="},":n":{"N":"3"}}`, "12 9 6"},
		{`"KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"nobody"}}`, ""},
	} {
		whole, pages := s.pages("Query", c.request)
		if got := strings.Join(whole, " "); got != c.want || pages != 1 {
			t.Errorf("%s gives %s in %d pages, want %s", c.request, got, pages, c.want)
		}
		for _, limit := range []int{1, 2, 5} {
			parts, _ := s.pages("Query", fmt.Sprintf(`"Limit":%d,%s`, limit, c.request))
			if got := strings.Join(parts, " "); got != c.want {
				t.Errorf("%s in pages of %d gives %s, want %s", c.request, limit, got, c.want)
			}
		}
	}
}

func TestIndexesReturnWhatTheyProject(t *testing.T) {
	s := newServer(t)
	s.create()
	full := `{` + first + `,"a":{"S":"i"},"g":{"B":"AQ=="},"x":{"N":"1"},"y":{"N":"2"}}`
	s.ok("PutItem", `{"TableName":"things","Item":`+full+`}`)
	local := `{"TableName":"things","IndexName":"local","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"p"}}`
	global := `{"TableName":"things","IndexName":"global","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"B":"AQ=="}}`
	one := func(item string) string { return `{"Items":[` + item + `],"Count":1,"ScannedCount":1}` }
	s.steps([]step{
		{"Query", local + `}`, one(`{` + first + `,"a":{"S":"i"}}`)},
		{"Query", local + `,"Select":"ALL_PROJECTED_ATTRIBUTES"}`, one(`{` + first + `,"a":{"S":"i"}}`)},
		{"Query", local + `,"Select":"ALL_ATTRIBUTES"}`, one(full)},
		{"Query", local + `,"ProjectionExpression":"y"}`, one(`{"y":{"N":"2"}}`)},
		{"Query", local + `,"Select":"COUNT"}`, `{"Count":1,"ScannedCount":1}`},
		{"Query", global + `}`, one(`{` + first + `,"g":{"B":"AQ=="},"x":{"N":"1"}}`)},
		{"Scan", `{"TableName":"things","IndexName":"global"}`, one(`{` + first + `,"g":{"B":"AQ=="},"x":{"N":"1"}}`)},
	})
	s.refuses(refusal{"Query", global + `,"ProjectionExpression":"y, x"}`, validation, "One or more parameter values were invalid: Global secondary index global does not project [y]"})
	s.ok("UpdateItem", `{"TableName":"things","Key":{`+first+`},"UpdateExpression":"REMOVE g"}`)
	s.steps([]step{{"Query", global + `}`, `{"Items":[],"Count":0,"ScannedCount":0}`}})
}

func TestScansDivideIntoSegmentsAndPages(t *testing.T) {
	s := newServer(t)
	s.create()
	want := map[string]bool{}
	for i := range 100 {
		s.ok("PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"p%d"},"sk":{"N":"%d"},"x":{"N":"%d"}}}`, i%40, i, i%2))
		want[fmt.Sprint(i)] = true
	}
	for _, total := range []int{1, 3, 8} {
		seen := map[string]bool{}
		for segment := range total {
			keys, _ := s.pages("Scan", fmt.Sprintf(`"Limit":7,"TotalSegments":%d,"Segment":%d`, total, segment))
			for _, k := range keys {
				if seen[k] {
					t.Errorf("item %s is in two of %d segments", k, total)
				}
				seen[k] = true
			}
		}
		if !reflect.DeepEqual(seen, want) {
			t.Errorf("%d segments have %d of 100 items", total, len(seen))
		}
	}
	if odd, _ := s.pages("Scan", `"FilterExpression":"x = :o","ExpressionAttributeValues":{":o":{"N":"1"}}`); len(odd) != 50 {
		t.Errorf("%d of 50 items pass the filter", len(odd))
	}
}

func TestAPageEndsAtOneMegabyte(t *testing.T) {
	s := newServer(t)
	s.create()
	text := strings.Repeat("x", 300<<10)
	for i := range 9 {
		s.ok("PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"%d"},"x":{"S":"%s"}}}`, i, text))
	}
	for _, c := range []struct{ op, request string }{
		{"Query", `"KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"p"}}`},
		{"Scan", `"Select":"ALL_ATTRIBUTES"`},
	} {
		keys, pages := s.pages(c.op, c.request)
		if got := strings.Join(keys, ""); got != "012345678" || pages != 3 {
			t.Errorf("%s reads %s in %d pages", c.op, got, pages)
		}
	}
}

func TestNumbersKeepAllTheirDigits(t *testing.T) {
	s := newServer(t)
	s.create()
	for _, n := range []string{"12345678901234567890123456789012345678", "-0.00000000000000000000000000000000000012345", "9007199254740993", "18446744073709551616"} {
		s.ok("PutItem", `{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"`+n+`"},"x":{"NS":["`+n+`"]}}}`)
		same(t, s.ok("GetItem", `{"TableName":"things","Key":{"pk":{"S":"p"},"sk":{"N":"`+n+`"}}}`), `{"Item":{"pk":{"S":"p"},"sk":{"N":"`+n+`"},"x":{"NS":["`+n+`"]}}}`)
	}
	s.ok("UpdateItem", `{"TableName":"things","Key":{`+first+`},"UpdateExpression":"SET n = :n","ExpressionAttributeValues":{":n":{"N":"9007199254740993"}}}`)
	same(t, s.ok("UpdateItem", `{"TableName":"things","Key":{`+first+`},"UpdateExpression":"SET n = n + :n","ExpressionAttributeValues":{":n":{"N":"0.1"}},"ReturnValues":"UPDATED_NEW"}`),
		`{"Attributes":{"n":{"N":"9007199254740993.1"}}}`)
}

func TestDamageInTheStoreIsAnErrorAndNeverAnItem(t *testing.T) {
	s := newServer(t)
	s.create()
	s.ok("PutItem", `{"TableName":"things","Item":{`+first+`}}`)
	if err := s.service.store.Update(func(tx *bbolt.Tx) error {
		items := tx.Bucket(s.service.tables["things"].bucket).Bucket(itemsBucket)
		k, v := items.Cursor().First()
		return items.Put(append([]byte(nil), k...), append([]byte(nil), v[:len(v)-2]...))
	}); err != nil {
		t.Fatal(err)
	}
	if status, body := s.call("GetItem", `{"TableName":"things","Key":{`+first+`}}`); status != http.StatusInternalServerError {
		t.Errorf("%d %s", status, body)
	}
}

func TestUpdatesDoNotNestDeeperThanTheLimit(t *testing.T) {
	s := newServer(t)
	s.create()
	document := func(levels int) string {
		return strings.Repeat(`{"M":{"n":`, levels) + `{"S":"leaf"}` + strings.Repeat(`}}`, levels)
	}
	update := func(path string, levels int) string {
		return `{"TableName":"things","Key":{"pk":{"S":"p"},"sk":{"N":"1"}},"UpdateExpression":"SET ` + path + ` = :v","ExpressionAttributeValues":{":v":` + document(levels) + `}}`
	}
	s.ok("UpdateItem", update("d", 1))
	s.ok("UpdateItem", update("d.n", 30))
	s.refuses(refusal{"UpdateItem", update("d.n", 31), validation,
		"Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"})
	s.ok("GetItem", `{"TableName":"things","Key":{"pk":{"S":"p"},"sk":{"N":"1"}}}`)
}
