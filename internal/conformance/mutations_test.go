package conformance

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestMangledRequestsAreAnsweredAsMistakes sends each request of validRequests with every part of it in turn left out or
// replaced by values of other types and out of bounds: whatever is wrong is the client's mistake, never an internal error.
func TestMangledRequestsAreAnsweredAsMistakes(t *testing.T) {
	e := startOurs(t)
	e.must(t, "dynamodb", "CreateTable", mangledTable)
	for _, queue := range []string{`"work"`, `"dead"`} {
		e.must(t, "sqs", "CreateQueue", `{"QueueName":`+queue+`}`)
	}
	refused := 0
	for _, v := range validRequests {
		for _, request := range mutate(v.request) {
			o, err := e.call(context.Background(), v.service, v.op, request)
			if err != nil {
				t.Fatal(err)
			}
			if o.status >= http.StatusInternalServerError {
				t.Errorf("%s %.500s: %s", v.op, request, o)
			}
			if o.code != "" {
				refused++
			}
			if v.op == "CreateTable" && o.code == "" {
				e.must(t, "dynamodb", "DeleteTable", `{"TableName":`+compact(o.body["TableDescription"].(map[string]any)["TableName"])+`}`)
			}
		}
	}
	if refused < 5000 {
		t.Errorf("only %d requests were refused", refused)
	}
}

// wrongValues take the place of each part of a request, one at a time: other types, and values out of bounds.
var wrongValues = []string{
	`null`, `true`, `1`, `-1`, `0`, `1.5`, `""`, `"a"`, `"a;"`, `"` + strings.Repeat("a", 256) + `"`, `[]`, `["a"]`, `[{}]`, `[null]`, `{}`, `{"a":"b"}`, `{"a":{}}`,
	`{"a":{"S":"x"}}`, `{"a":{"S":""}}`, `{"a":{"N":"x"}}`, `{"a":{"SS":[]}}`, `{"a":{"S":"x","N":"1"}}`, `{"S":""}`, `{"N":""}`, `{"N":"1e126"}`, `{"NULL":false}`, `{"SS":["a","a"]}`,
	`{"B":"a"}`, `{"L":[{"N":"x"}]}`, `{"M":{"x":{}}}`, `{"S":"x","N":"1"}`, `{"NS":["1","1.0"]}`,
}

// mutate gives all requests that come of one by leaving out a part or putting a wrong value in its place.
func mutate(request string) []string {
	var tree any
	if err := json.Unmarshal([]byte(request), &tree); err != nil {
		panic(err) // a request of these tests
	}
	var all []string
	emit := func() { all = append(all, compact(tree)) }
	var walk func(node any, set func(any), remove func())
	walk = func(node any, set func(any), remove func()) {
		for _, text := range wrongValues {
			var wrong any
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if err := d.Decode(&wrong); err != nil {
				panic(err)
			}
			set(wrong)
			emit()
		}
		if remove != nil {
			remove()
			emit()
		}
		set(node)
		switch node := node.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(node)) {
				child := node[name]
				walk(child, func(v any) { node[name] = v }, func() { delete(node, name) })
			}
		case []any:
			for i, child := range node {
				walk(child, func(v any) { node[i] = v }, nil)
			}
		}
	}
	object := tree.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		child := object[name]
		walk(child, func(v any) { object[name] = v }, func() { delete(object, name) })
	}
	return slices.Compact(all)
}

const mangledTable = `{"TableName":"things","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},{"AttributeName":"g","AttributeType":"S"}],
"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
"GlobalSecondaryIndexes":[{"IndexName":"byg","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}],
"LocalSecondaryIndexes":[{"IndexName":"local","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"g","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]}`

// validRequests have every member that their operations take, those that exclude each other in several requests.
var validRequests = []struct{ service, op, request string }{
	{"dynamodb", "GetItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ConsistentRead":true,"ProjectionExpression":"a,#b","ExpressionAttributeNames":{"#b":"b"},"ReturnConsumedCapacity":"TOTAL"}`},
	{"dynamodb", "GetItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"AttributesToGet":["a","b"]}`},
	{"dynamodb", "PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":"x"}},"ConditionExpression":"#b = :b","ExpressionAttributeNames":{"#b":"pk"},"ExpressionAttributeValues":{":b":{"S":"a"}},"ReturnValues":"ALL_OLD","ReturnItemCollectionMetrics":"SIZE","ReturnConsumedCapacity":"TOTAL"}`},
	{"dynamodb", "PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"}},"Expected":{"a":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]},"b":{"Exists":false}},"ConditionalOperator":"OR"}`},
	{"dynamodb", "DeleteItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ConditionExpression":"#b = :b","ExpressionAttributeNames":{"#b":"b"},"ExpressionAttributeValues":{":b":{"S":"a"}},"ReturnValues":"ALL_OLD","ReturnItemCollectionMetrics":"SIZE","ReturnConsumedCapacity":"TOTAL"}`},
	{"dynamodb", "DeleteItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"Expected":{"a":{"Value":{"S":"a"}},"b":{"Exists":true,"Value":{"N":"1"}}},"ConditionalOperator":"AND"}`},
	{"dynamodb", "UpdateItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET a = :b REMOVE c","ConditionExpression":"#b = :b","ExpressionAttributeNames":{"#b":"b"},"ExpressionAttributeValues":{":b":{"S":"a"}},"ReturnValues":"ALL_NEW","ReturnItemCollectionMetrics":"SIZE","ReturnConsumedCapacity":"TOTAL"}`},
	{"dynamodb", "UpdateItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"AttributeUpdates":{"a":{"Action":"PUT","Value":{"S":"a"}},"b":{"Action":"DELETE"},"c":{"Action":"ADD","Value":{"NS":["1"]}}},"Expected":{"x":{"ComparisonOperator":"NULL"}}}`},
	{"dynamodb", "Query", `{"TableName":"things","KeyConditionExpression":"pk = :p AND sk > :s","FilterExpression":"#b = :p","ProjectionExpression":"a","ExpressionAttributeNames":{"#b":"b"},"ExpressionAttributeValues":{":p":{"S":"a"},":s":{"N":"1"}},"Limit":5,"Select":"SPECIFIC_ATTRIBUTES","ConsistentRead":true,"ScanIndexForward":false,"ReturnConsumedCapacity":"INDEXES","ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"2"}}}`},
	{"dynamodb", "Query", `{"TableName":"things","IndexName":"byg","KeyConditions":{"g":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"x"}]}},"QueryFilter":{"a":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"1"},{"N":"2"}]}},"ConditionalOperator":"OR","AttributesToGet":["a"],"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"2"},"g":{"S":"x"}}}`},
	{"dynamodb", "Query", `{"TableName":"things","IndexName":"local","KeyConditionExpression":"pk = :p AND begins_with(g, :s)","ExpressionAttributeValues":{":p":{"S":"a"},":s":{"S":"1"}},"Select":"ALL_ATTRIBUTES","ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"2"},"g":{"S":"1x"}}}`},
	{"dynamodb", "Scan", `{"TableName":"things","FilterExpression":"#b = :p","ProjectionExpression":"a","ExpressionAttributeNames":{"#b":"b"},"ExpressionAttributeValues":{":p":{"S":"a"}},"Limit":5,"Select":"SPECIFIC_ATTRIBUTES","ConsistentRead":true,"ReturnConsumedCapacity":"INDEXES","Segment":0,"TotalSegments":2}`},
	{"dynamodb", "Scan", `{"TableName":"things","IndexName":"byg","ScanFilter":{"a":{"ComparisonOperator":"IN","AttributeValueList":[{"N":"1"},{"N":"2"}]}},"ConditionalOperator":"AND","AttributesToGet":["a"],"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"2"},"g":{"S":"x"}}}`},
	{"dynamodb", "BatchGetItem", `{"RequestItems":{"things":{"Keys":[{"pk":{"S":"a"},"sk":{"N":"1"}}],"ConsistentRead":true,"ProjectionExpression":"#b","ExpressionAttributeNames":{"#b":"b"}}},"ReturnConsumedCapacity":"TOTAL"}`},
	{"dynamodb", "BatchGetItem", `{"RequestItems":{"things":{"Keys":[{"pk":{"S":"a"},"sk":{"N":"1"}}],"AttributesToGet":["a"]}}}`},
	{"dynamodb", "BatchWriteItem", `{"RequestItems":{"things":[{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":"x"}}}},{"DeleteRequest":{"Key":{"pk":{"S":"b"},"sk":{"N":"1"}}}}]},"ReturnConsumedCapacity":"TOTAL","ReturnItemCollectionMetrics":"SIZE"}`},
	{"dynamodb", "DescribeTable", `{"TableName":"things"}`},
	{"dynamodb", "DeleteTable", `{"TableName":"nothing"}`},
	{"dynamodb", "ListTables", `{"ExclusiveStartTableName":"abc","Limit":3}`},
	{"dynamodb", "DescribeTimeToLive", `{"TableName":"things"}`},
	{"dynamodb", "TagResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/nothing","Tags":[{"Key":"a","Value":"b"}]}`},
	{"dynamodb", "UntagResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/nothing","TagKeys":["a","b"]}`},
	{"dynamodb", "ListTagsOfResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/nothing","NextToken":"x"}`},
	{"dynamodb", "UpdateTable", `{"TableName":"nothing","BillingMode":"PROVISIONED","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1},"GlobalSecondaryIndexUpdates":[{"Update":{"IndexName":"byg","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}}]}`},
	{"dynamodb", "UpdateTable", `{"TableName":"nothing","AttributeDefinitions":[{"AttributeName":"g","AttributeType":"S"}],"GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"new","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"},"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}}]}`},
	{"dynamodb", "UpdateTable", `{"TableName":"nothing","GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"abc"}}]}`},
	{"dynamodb", "CreateTable", `{"TableName":"made","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1},"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},{"AttributeName":"g","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"GlobalSecondaryIndexes":[{"IndexName":"byg","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["a"]},"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}],"LocalSecondaryIndexes":[{"IndexName":"local","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"g","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]}`},
	{"dynamodb", "CreateTable", `{"TableName":"made","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"Tags":[{"Key":"a","Value":"b"}]}`},
	{"sqs", "CreateQueue", `{"QueueName":"made","Attributes":{"VisibilityTimeout":"5","DelaySeconds":"1","RedrivePolicy":"{}","Policy":"{}"},"tags":{"a":"b"}}`},
	{"sqs", "SetQueueAttributes", `{"QueueUrl":"work","Attributes":{"MaximumMessageSize":"2048","RedriveAllowPolicy":"{}"}}`},
	{"sqs", "GetQueueAttributes", `{"QueueUrl":"work","AttributeNames":["All","QueueArn"]}`},
	{"sqs", "ListQueues", `{"QueueNamePrefix":"w","MaxResults":1,"NextToken":"x"}`},
	{"sqs", "TagQueue", `{"QueueUrl":"work","Tags":{"a":"b"}}`},
	{"sqs", "UntagQueue", `{"QueueUrl":"work","TagKeys":["a"]}`},
	{"sqs", "SendMessage", `{"QueueUrl":"work","MessageBody":"x","DelaySeconds":1,"MessageGroupId":"g","MessageDeduplicationId":"d","MessageAttributes":{"a":{"DataType":"String","StringValue":"b"},"c":{"DataType":"Binary","BinaryValue":"AA=="}},"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"x"}}}`},
	{"sqs", "SendMessageBatch", `{"QueueUrl":"work","Entries":[{"Id":"1","MessageBody":"x","DelaySeconds":1,"MessageAttributes":{"a":{"DataType":"Number","StringValue":"1"}}},{"Id":"2","MessageBody":"y"}]}`},
	{"sqs", "ReceiveMessage", `{"QueueUrl":"work","MaxNumberOfMessages":2,"VisibilityTimeout":3,"AttributeNames":["All"],"MessageAttributeNames":["a.*"],"MessageSystemAttributeNames":["All"],"ReceiveRequestAttemptId":"x"}`},
	{"sqs", "DeleteMessage", `{"QueueUrl":"work","ReceiptHandle":"x"}`},
	{"sqs", "DeleteMessageBatch", `{"QueueUrl":"work","Entries":[{"Id":"1","ReceiptHandle":"x"}]}`},
	{"sqs", "ChangeMessageVisibility", `{"QueueUrl":"work","ReceiptHandle":"x","VisibilityTimeout":3}`},
	{"sqs", "ChangeMessageVisibilityBatch", `{"QueueUrl":"work","Entries":[{"Id":"1","ReceiptHandle":"x","VisibilityTimeout":3}]}`},
	{"sqs", "StartMessageMoveTask", `{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:dead","DestinationArn":"arn:aws:sqs:us-east-1:000000000000:work","MaxNumberOfMessagesPerSecond":3}`},
	{"sqs", "CancelMessageMoveTask", `{"TaskHandle":"x"}`},
	{"sqs", "ListMessageMoveTasks", `{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:dead","MaxResults":2}`},
}
