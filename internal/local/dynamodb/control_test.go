package dynamodb

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	accessDenied = "com.amazon.coral.service#AccessDeniedException"
	missingName  = "The parameter 'TableName' is required but was not present in the request"
)

func TestSettingsAreRefusedInTheServicesWords(t *testing.T) {
	s := newServer(t)
	s.create()
	resource := "arn:aws:dynamodb:eu-west-1:123456789012:table/"
	denied := func(op, resource string) string {
		return "User: arn:aws:iam::123456789012:user/local is not authorized to perform: dynamodb:" + op + " on resource: " + resource
	}
	index := func(action string) string {
		return `{"TableName":"nosuch","GlobalSecondaryIndexUpdates":[` + action + `]}`
	}
	for _, r := range []refusal{
		{"DescribeTimeToLive", `{}`, validation, missingName},
		{"UpdateTimeToLive", `{}`, validation, missingName},
		{"UpdateTimeToLive", `{"TableName":"nosuch!"}`, validation, "1 validation error detected: Value 'nosuch!' at 'tableName' failed to satisfy constraint: " +
			"Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
		{"UpdateTimeToLive", `{"TableName":"things"}`, validation, "1 validation error detected: Value null at 'timeToLiveSpecification' failed to satisfy constraint: Member must not be null"},
		{"UpdateTimeToLive", `{"TableName":"things","TimeToLiveSpecification":{"Enabled":true,"AttributeName":""}}`, validation,
			"1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"TagResource", `{}`, validation, "Invalid TableArn"},
		{"UntagResource", `{"TagKeys":["team"]}`, validation, "Invalid TableArn"},
		{"ListTagsOfResource", `{"ResourceArn":""}`, accessDenied, denied("ListTagsOfResource", "*")},
		{"TagResource", `{"ResourceArn":"things","Tags":[]}`, validation, "One or more parameter values were invalid: ARNs must start with 'arn:': things"},
		{"UntagResource", `{"ResourceArn":"arn:aws:sqs:eu-west-1:123456789012:jobs","TagKeys":[]}`, validation,
			"One or more parameter values were invalid: Provided Arn is not a DynamoDB resource arn: arn:aws:sqs:eu-west-1:123456789012:jobs"},
		{"ListTagsOfResource", `{"ResourceArn":"arn:aws:dynamodb:eu-west-1:999999999999:table/things"}`, accessDenied,
			denied("ListTagsOfResource", "arn:aws:dynamodb:eu-west-1:999999999999:table/things")},
		{"TagResource", `{"ResourceArn":"` + resource + `things"}`, validation, "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null"},
		{"TagResource", `{"ResourceArn":"` + resource + `t","Tags":[]}`, validation, "Invalid TableArn: Invalid ResourceArn provided as input " + resource + "t"},
		{"UntagResource", `{"ResourceArn":"` + resource + `things","TagKeys":[]}`, validation, "Atleast one Tag Key needs to be provided as Input."},
		{"UpdateTable", index(`{"Update":{"IndexName":"byTeam","ProvisionedThroughput":{"ReadCapacityUnits":1000000000001,"WriteCapacityUnits":1000000000001}}}`),
			validation, "Given value 1000000000001 for ReadCapacityUnits is out of bounds for index byTeam"},
		{"UpdateTable", index(`{"Update":{"IndexName":"byTeam","ProvisionedThroughput":{"ReadCapacityUnits":7,"WriteCapacityUnits":1000000000001}}}`),
			validation, "Given value 1000000000001 for WriteCapacityUnits is out of bounds for index byTeam"},
		{"UpdateTable", index(`{"Create":[]}`), serialization, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.CreateGlobalSecondaryIndexAction"},
	} {
		s.refuses(r)
	}
	s.ok("PutItem", `{"TableName":"things","Item":{`+first+`,"open":{"BOOL":"Yes"},"paid":{"BOOL":"0"},"gone":{"NULL":"TRUE"}}}`)
	same(t, s.ok("GetItem", `{"TableName":"things","Key":{`+first+`},"ConsistentRead":"no"}`), `{"Item":{`+first+`,"open":{"BOOL":true},"paid":{"BOOL":false},"gone":{"NULL":true}}}`)
	status, body := s.call("ListTables", `{"Limit":1} {`)
	if status != 400 || !strings.Contains(body, serialization) {
		t.Errorf("a body that goes on behind its object: %d %s", status, body)
	}
}

func TestAnUpdatedTableKeepsItsThroughputUntilTheUpdateIsDone(t *testing.T) {
	s := newServer(t)
	s.ok("CreateTable", `{"TableName":"fares","AttributeDefinitions":[{"AttributeName":"zone","AttributeType":"S"}],`+
		`"KeySchema":[{"AttributeName":"zone","KeyType":"HASH"}],"ProvisionedThroughput":{"ReadCapacityUnits":4,"WriteCapacityUnits":5}}`)
	check := func(when string, got *types.TableDescription, status types.TableStatus, read, decreases int64) {
		t.Helper()
		p := got.ProvisionedThroughput
		if got.TableStatus != status || *p.ReadCapacityUnits != read || *p.WriteCapacityUnits != 5 || *p.NumberOfDecreasesToday != decreases {
			t.Errorf("%s: %s, %d reads, %d writes, %d decreases", when, got.TableStatus, *p.ReadCapacityUnits, *p.WriteCapacityUnits, *p.NumberOfDecreasesToday)
		}
		if p.LastDecreaseDateTime == nil {
			t.Errorf("%s: no time of the decrease", when)
		}
	}
	updated, err := s.UpdateTable(t.Context(), &sdk.UpdateTableInput{TableName: aws.String("fares"),
		ProvisionedThroughput: &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(2), WriteCapacityUnits: aws.Int64(5)}})
	if err != nil {
		t.Fatal(err)
	}
	check("while it is updated", updated.TableDescription, types.TableStatusUpdating, 4, 0)
	described, err := s.DescribeTable(t.Context(), &sdk.DescribeTableInput{TableName: aws.String("fares")})
	if err != nil {
		t.Fatal(err)
	}
	check("afterwards", described.Table, types.TableStatusActive, 2, 1)
}
