package dynamodb

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// member picks a value out of a reply by a path such as "Table.GlobalSecondaryIndexes.0.IndexStatus".
func member(t testing.TB, reply, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(reply), &v); err != nil {
		t.Fatal(err)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(in) {
				return ""
			}
			v = in[i]
		}
	}
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(text), `"`)
}

func (s *server) described(path string) string {
	s.t.Helper()
	return member(s.t, s.ok("DescribeTable", `{"TableName":"things"}`), "Table."+path)
}

func TestDescribeTableCountsWhatIsThere(t *testing.T) {
	s := newServer(t)
	s.create()
	s.fillTable(6)
	for path, want := range map[string]string{
		"TableStatus": "ACTIVE", "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/things", "ItemCount": "6",
		"TableSizeBytes":                 fmt.Sprint(6*(2+1+2+2+4+1) + 2*(1+3+1+1+1+2)),
		"BillingModeSummary.BillingMode": "PAY_PER_REQUEST", "ProvisionedThroughput.ReadCapacityUnits": "0",
		"LocalSecondaryIndexes.0.ItemCount": "2", "LocalSecondaryIndexes.0.IndexStatus": "", "GlobalSecondaryIndexes.0.ItemCount": "2",
		"GlobalSecondaryIndexes.0.IndexSizeBytes":              fmt.Sprint(2 * (2 + 1 + 2 + 2 + 1 + 1 + 1 + 2)),
		"GlobalSecondaryIndexes.0.IndexStatus":                 "ACTIVE",
		"GlobalSecondaryIndexes.0.Projection.NonKeyAttributes": `["x"]`,
		"GlobalSecondaryIndexes.0.IndexArn":                    "arn:aws:dynamodb:eu-west-1:123456789012:table/things/index/global",
		"DeletionProtectionEnabled":                            "false", "CreationDateTime": fmt.Sprint(testStart.Unix()),
	} {
		if got := s.described(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestListTablesPages(t *testing.T) {
	s := newServer(t)
	for i := range 5 {
		s.ok("CreateTable", fmt.Sprintf(`{"TableName":"table%d","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}]}`, i))
	}
	s.steps([]step{
		{"ListTables", `{}`, `{"TableNames":["table0","table1","table2","table3","table4"]}`},
		{"ListTables", `{"Limit":2}`, `{"TableNames":["table0","table1"],"LastEvaluatedTableName":"table1"}`},
		{"ListTables", `{"Limit":3,"ExclusiveStartTableName":"table1"}`, `{"TableNames":["table2","table3","table4"]}`},
		{"ListTables", `{"ExclusiveStartTableName":"table4x"}`, `{"TableNames":[]}`},
	})
}

func TestGlobalIndexesComeAndGo(t *testing.T) {
	s := newServer(t)
	s.create()
	s.fillTable(9)
	s.ok("PutItem", `{"TableName":"things","Item":{"pk":{"S":"q"},"sk":{"N":"1"},"x":{"S":"not a number"}}}`)
	create := `{"TableName":"things","AttributeDefinitions":[{"AttributeName":"x","AttributeType":"N"}],"GlobalSecondaryIndexUpdates":[{"Create":
		{"IndexName":"byx","KeySchema":[{"AttributeName":"x","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}]}`
	reply := s.ok("UpdateTable", create)
	if got := member(t, reply, "TableDescription.GlobalSecondaryIndexes.1.IndexStatus"); got != "CREATING" {
		t.Errorf("the new index is %s in the reply", got)
	}
	if got := s.described("GlobalSecondaryIndexes.1.IndexStatus"); got != "ACTIVE" {
		t.Errorf("the new index is %s", got)
	}
	s.refuses(refusal{"UpdateTable", create, validation, "Attempting to create an index which already exists"})
	query := `"IndexName":"byx","KeyConditionExpression":"x = :x","ExpressionAttributeValues":{":x":{"N":"6"}}`
	if keys, _ := s.pages("Query", query); strings.Join(keys, " ") != "6" {
		t.Errorf("the new index has %v", keys)
	}
	s.ok("UpdateItem", `{"TableName":"things","Key":{"pk":{"S":"p"},"sk":{"N":"5"}},"UpdateExpression":"SET x = :x","ExpressionAttributeValues":{":x":{"N":"6"}}}`)
	if keys, _ := s.pages("Query", query); len(keys) != 2 {
		t.Errorf("the new index has %v after an update", keys)
	}
	s.ok("UpdateTable", `{"TableName":"things","GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"byx"}}]}`)
	s.refuses(refusal{"Query", `{"TableName":"things",` + query + `}`, validation, "The table does not have the specified index: byx"})
	if got := s.described("AttributeDefinitions"); strings.Contains(got, `"x"`) {
		t.Errorf("the deleted index's attribute is still defined: %s", got)
	}
}

func TestThroughputChangesAndItsHistory(t *testing.T) {
	s := newServer(t)
	s.create()
	provisioned := func(r, w int) string {
		units := fmt.Sprintf(`"ProvisionedThroughput":{"ReadCapacityUnits":%d,"WriteCapacityUnits":%d}`, r, w)
		return `{"TableName":"things","BillingMode":"PROVISIONED",` + units + `,"GlobalSecondaryIndexUpdates":[{"Update":{"IndexName":"global",` + units + `}}]}`
	}
	s.ok("UpdateTable", provisioned(5, 5))
	s.ok("UpdateTable", provisioned(3, 6))
	for path, want := range map[string]string{"ReadCapacityUnits": "3", "WriteCapacityUnits": "6", "NumberOfDecreasesToday": "1"} {
		if got := s.described("ProvisionedThroughput." + path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	status, reply := s.call("UpdateTable", provisioned(3, 6))
	if status != 400 || !strings.Contains(reply, "The provisioned throughput for the table will not change.") {
		t.Errorf("%d %s", status, reply)
	}
}

func TestTagsAreKeptWithTheTable(t *testing.T) {
	s := newServer(t)
	s.create()
	arn := `"ResourceArn":"arn:aws:dynamodb:eu-west-1:123456789012:table/things"`
	if reply := s.ok("TagResource", `{`+arn+`,"Tags":[{"Key":"team","Value":"taxi"},{"Key":"env","Value":"dev"}]}`); reply != "" {
		t.Errorf("reply %s", reply)
	}
	s.ok("TagResource", `{`+arn+`,"Tags":[{"Key":"env","Value":"prod"}]}`)
	s.steps([]step{{"ListTagsOfResource", `{` + arn + `}`, `{"Tags":[{"Key":"env","Value":"prod"},{"Key":"team","Value":"taxi"}]}`}})
	s.ok("UntagResource", `{`+arn+`,"TagKeys":["env","none"]}`)
	s.steps([]step{{"ListTagsOfResource", `{` + arn + `}`, `{"Tags":[{"Key":"team","Value":"taxi"}]}`}})
}

func TestLimitsAndEndpoints(t *testing.T) {
	s := newServer(t)
	s.steps([]step{
		{"DescribeLimits", `{}`, `{"AccountMaxReadCapacityUnits":80000,"AccountMaxWriteCapacityUnits":80000,"TableMaxReadCapacityUnits":40000,"TableMaxWriteCapacityUnits":40000}`},
		{"DescribeEndpoints", `{}`, `{"Endpoints":[{"Address":"127.0.0.1","CachePeriodInMinutes":1440}]}`},
	})
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir, store.Options{})
	s.create()
	s.fillTable(6)
	s.ok("UpdateTimeToLive", `{"TableName":"things","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"end"}}`)
	s.ok("PutItem", fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"p"},"sk":{"N":"7"},"end":{"N":"%d"}}}`, testStart.Unix()-1))
	s.ok("TagResource", `{"ResourceArn":"arn:aws:dynamodb:eu-west-1:123456789012:table/things","Tags":[{"Key":"k","Value":"v"}]}`)
	token := `{"ClientRequestToken":"t","TransactItems":[{"Update":{"TableName":"things","Key":` + at(1) + `,"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"1"}}}}]}`
	s.ok("TransactWriteItems", token)
	before := map[string]string{}
	for _, q := range []string{`"IndexName":"local"`, `"IndexName":"global"`, `"Select":"ALL_ATTRIBUTES"`} {
		before[q] = s.ok("Scan", `{"TableName":"things",`+q+`}`)
	}
	description := s.ok("DescribeTable", `{"TableName":"things"}`)
	s.stop()

	s = startServer(t, dir, store.Options{})
	for q, want := range before {
		same(t, s.ok("Scan", `{"TableName":"things",`+q+`}`), want)
	}
	same(t, s.ok("DescribeTable", `{"TableName":"things"}`), description)
	s.ok("TransactWriteItems", token)
	same(t, s.ok("GetItem", `{"TableName":"things","Key":`+at(1)+`,"ProjectionExpression":"n"}`), `{"Item":{"n":{"N":"1"}}}`)
	s.sweeps()
	same(t, s.ok("GetItem", `{"TableName":"things","Key":`+at(7)+`}`), `{}`)
	s.ok("DeleteTable", `{"TableName":"things"}`)
	same(t, s.ok("ListTables", `{}`), `{"TableNames":[]}`)
	s.stop()

	s = startServer(t, dir, store.Options{})
	defer s.stop()
	same(t, s.ok("ListTables", `{}`), `{"TableNames":[]}`)
	s.create()
	same(t, s.ok("Scan", `{"TableName":"things"}`), `{"Items":[],"Count":0,"ScannedCount":0}`)
}
