package dynamodb

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// refusal is a request that must fail with this error.
type refusal struct{ op, body, kind, message string }

const (
	validation    = "com.amazon.coral.validate#ValidationException"
	serialization = "com.amazon.coral.service#SerializationException"
	notFound      = "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
)

func (s *server) refuses(r refusal) {
	s.t.Helper()
	status, body := s.call(r.op, r.body)
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		s.t.Fatalf("%s %s: %v in %s", r.op, r.body, err, body)
	}
	if status != http.StatusBadRequest || e.Type != r.kind || e.Message != r.message {
		s.t.Errorf("%s %.300s\n\tgives %d %s: %s\n\twant  400 %s: %s", r.op, r.body, status, e.Type, e.Message, r.kind, r.message)
	}
}

func TestRequestsOfTheWrongTypes(t *testing.T) {
	s := newServer(t)
	for _, r := range []refusal{
		{"GetItem", `"a"`, serialization, "Unexpected value type in payload"},
		{"GetItem", `{"TableName":1}`, serialization, "NUMBER_VALUE cannot be converted to String"},
		{"GetItem", `{"TableName":true}`, serialization, "TRUE_VALUE cannot be converted to String"},
		{"GetItem", `{"TableName":["a"]}`, serialization, "Unrecognized collection type class java.lang.String"},
		{"GetItem", `{"TableName":1.5}`, serialization, "DECIMAL_VALUE cannot be converted to String"},
		{"GetItem", `{"Key":[]}`, serialization, "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"},
		{"GetItem", `{"Key":{"a":[]}}`, serialization, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"},
		{"BatchGetItem", `{"RequestItems":{"abc":{"Keys":["a"]}}}`, serialization, castFailure},
		{"BatchWriteItem", `{"RequestItems":{"abc":[{"PutRequest":"a"}]}}`, serialization, "Unexpected field type"},
		{"PutItem", `{"Expected":{"a":{"Value":[]}}}`, serialization, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"},
		{"GetItem", `{"TableName":{"a":1}}`, serialization, "Start of structure or map found where not expected"},
		{"GetItem", `{"Key":"a"}`, serialization, "Unexpected field type"},
		{"GetItem", `{"Key":{"a":"b"}}`, serialization, "Unexpected value type in payload"},
		{"GetItem", `{"Key":{"a":{"N":1}}}`, serialization, "NUMBER_VALUE cannot be converted to String"},
		{"GetItem", `{"Key":{"a":{"B":"abc"}}}`, serialization, "Base64 encoded length is expected a multiple of 4 bytes but found: 3"},
		{"GetItem", `{"Key":{"a":{"B":"a;bc"}}}`, serialization, "Invalid Base64 character: ';'"},
		{"GetItem", `{"Key":{"a":{"B":1}}}`, serialization, "only base-64-encoded strings are convertible to bytes"},
		{"GetItem", `{"ConsistentRead":"maybe"}`, serialization, "Unexpected token received from parser"},
		{"Query", `{"Limit":"1"}`, serialization, "STRING_VALUE cannot be converted to Integer"},
		{"GetItem", `{"AttributesToGet":"a"}`, serialization, "Unexpected field type"},
		{"PutItem", `{"Item":{"a":{"L":[{"M":{"x":{"BOOL":"on"}}}]}}}`, serialization, "Unexpected token received from parser"},
	} {
		s.refuses(r)
	}
}

func TestConstraintsAreListedTogether(t *testing.T) {
	s := newServer(t)
	for _, r := range []refusal{
		{"GetItem", `{}`, validation, "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; " +
			"Value null at 'key' failed to satisfy constraint: Member must not be null"},
		{"GetItem", `{"TableName":"a;","Key":{}}`, validation, "2 validation errors detected: Value 'a;' at 'tableName' failed to satisfy constraint: " +
			"Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value 'a;' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3"},
		{"GetItem", `{"TableName":"abc","Key":{},"ReturnConsumedCapacity":"hi"}`, validation,
			"1 validation error detected: Value 'hi' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"},
		{"Query", `{"TableName":"abc","Limit":0}`, validation,
			"1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"Scan", `{"TableName":"abc","Segment":-1,"TotalSegments":1000001}`, validation,
			"2 validation errors detected: Value '1000001' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to 1000000; " +
				"Value '-1' at 'segment' failed to satisfy constraint: Member must have value greater than or equal to 0"},
		{"CreateTable", `{}`, validation, "The parameter 'TableName' is required but was not present in the request"},
		{"DeleteTable", `{"TableName":"ab"}`, validation, "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3"},
		{"GetItem", `{"TableName":"","Key":{}}`, validation, "1 validation error detected: Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"DescribeTable", `{"TableName":"` + strings.Repeat("a", 256) + `"}`, validation, "1 validation error detected: Value '" + strings.Repeat("a", 256) + "' at 'tableName' failed to satisfy constraint: Member must have length less than or equal to 255"},
		{"CreateTable", `{"TableName":"abc","AttributeDefinitions":[{"AttributeName":"a","AttributeType":"X"}],"KeySchema":[{"KeyType":"HASH"}]}`, validation,
			"2 validation errors detected: Value 'X' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]; " +
				"Value null at 'keySchema.1.member.attributeName' failed to satisfy constraint: Member must not be null"},
		{"ListTables", `{"Limit":101}`, validation, "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"BatchGetItem", `{"RequestItems":{}}`, validation, "The requestItems parameter is required for BatchGetItem"},
		{"TransactWriteItems", `{"TransactItems":[]}`, validation, "1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	} {
		s.refuses(r)
	}
}

func TestConstraintsAreListedInTheServicesOrder(t *testing.T) {
	s := newServer(t)
	const (
		failed      = "failed to satisfy constraint: "
		capacity    = "Value 'x' at 'returnConsumedCapacity' " + failed + "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
		metrics     = "Value 'x' at 'returnItemCollectionMetrics' " + failed + "Member must satisfy enum value set: [SIZE, NONE]"
		returned    = "Value 'x' at 'returnValues' " + failed + "Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
		emptyName   = "Value '' at 'tableName' " + failed + "Member must have length greater than or equal to 1"
		selected    = "Value 'x' at 'select' " + failed + "Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"
		noKey       = "Value null at 'key' " + failed + "Member must not be null"
		mapKeys     = failed + "Map keys must satisfy constraint: [Member must have length less than or equal to 255, Member must have length greater than or equal to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]"
		shortIndex  = failed + "Member must have length greater than or equal to 3"
		one, two    = "1 validation error detected: ", "2 validation errors detected: "
		three, four = "3 validation errors detected: ", "4 validation errors detected: "
	)
	for _, r := range []refusal{
		{"UpdateItem", `{"TableName":"","ReturnConsumedCapacity":"x","ReturnValues":"x"}`, validation, four + capacity + "; " + emptyName + "; " + returned + "; " + noKey},
		{"DeleteItem", `{"TableName":"","ReturnConsumedCapacity":"x","Key":{},"ReturnItemCollectionMetrics":"x","ReturnValues":"x"}`, validation, four + capacity + "; " + emptyName + "; " + returned + "; " + metrics},
		{"PutItem", `{"TableName":"","ReturnConsumedCapacity":"x","Item":{},"ReturnItemCollectionMetrics":"x","ReturnValues":"x"}`, validation, four + capacity + "; " + emptyName + "; " + returned + "; " + metrics},
		{"PutItem", `{"TableName":"abc","ReturnConsumedCapacity":"x","Item":{},"ReturnItemCollectionMetrics":"x","ReturnValues":"x"}`, validation, three + capacity + "; " + returned + "; " + metrics},
		{"DeleteItem", `{"TableName":"abc","ReturnConsumedCapacity":"x","Key":{},"ReturnValues":"x"}`, validation, two + capacity + "; " + returned},
		{"UpdateItem", `{"TableName":"abc","ReturnConsumedCapacity":"x","Key":{},"ReturnValues":"x"}`, validation, two + capacity + "; " + returned},
		{"GetItem", `{"TableName":"","ReturnConsumedCapacity":"x"}`, validation, three + capacity + "; " + emptyName + "; " + noKey},
		{"Query", `{"TableName":"","ReturnConsumedCapacity":"x","Select":"x"}`, validation, three + selected + "; " + capacity + "; " + emptyName},
		{"Scan", `{"TableName":"","ReturnConsumedCapacity":"x","Select":"x"}`, validation, three + selected + "; " + capacity + "; " + emptyName},
		{"TransactWriteItems", `{"TransactItems":[{}],"ReturnItemCollectionMetrics":"x","ReturnConsumedCapacity":"x","ClientRequestToken":""}`, validation,
			three + "Value '' at 'clientRequestToken' " + failed + "Member must have length greater than or equal to 1; " + capacity + "; " + metrics},
		{"BatchWriteItem", `{"RequestItems":{"a!":[{"PutRequest":{"Item":{}}}]},"ReturnConsumedCapacity":"x","ReturnItemCollectionMetrics":"x"}`, validation, two + capacity + "; " + metrics},
		{"BatchWriteItem", `{"RequestItems":{"a!":[{"PutRequest":{"Item":{"pk":{"S":"a"}}}}]}}`, validation,
			one + "Value '{a!=[WriteRequest(putRequest=PutRequest(item={pk=AttributeValue(s=a, n=null, b=null, iNT=null, dECIMAL=null, dOUBLE=null, sS=null, nS=null, bS=null, iNTSET=null, dECIMALSET=null, dOUBLESET=null, m=null, l=null, nULL=null, bOOL=null)}, workloadProfileName=null), deleteRequest=null)]}' at 'requestItems' " + mapKeys},
		{"BatchWriteItem", `{"RequestItems":{}}`, validation, "The requestItems parameter is required for BatchWriteItem"},
		{"BatchGetItem", `{"RequestItems":{"a!":{"Keys":[{"pk":{"S":"a"}}]}},"ReturnConsumedCapacity":"x"}`, validation,
			two + `Value '{"a!":{"Keys":[{"pk":{"S":"a"}}]}}' at 'requestItems' ` + mapKeys + "; " + capacity},
		{"BatchGetItem", `{"RequestItems":{"abc":{"Keys":[]}}}`, validation,
			one + "Value '[]' at 'requestItems.abc.member.keys' " + failed + "Member must have length greater than or equal to 1"},
		{"CreateTable", `{"TableName":"abc","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],
			"LocalSecondaryIndexes":[{"IndexName":"l","KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"Projection":{}}],
			"GlobalSecondaryIndexes":[{"IndexName":"g","KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"Projection":{}}]}`, validation,
			two + "Value 'g' at 'globalSecondaryIndexes.1.member.indexName' " + shortIndex + "; Value 'l' at 'localSecondaryIndexes.1.member.indexName' " + shortIndex},
		{"CreateTable", `{"TableName":"abc","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"b","KeyType":"RANGE"},{"AttributeName":"c","KeyType":"RANGE"}]}`, validation,
			one + "Value '[KeySchemaElement(attributeName=a, keyType=HASH), KeySchemaElement(attributeName=b, keyType=RANGE), KeySchemaElement(attributeName=c, keyType=RANGE)]' at 'keySchema' " + failed + "Member must have length less than or equal to 2"},
		{"CreateTable", `{"TableName":"abc","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[],"KeySchema":[null]}`, validation,
			one + "Value null at 'keySchema.1.member' " + failed + "Member must not be null"},
	} {
		s.refuses(r)
	}
}

func TestItemRequestsAreRefusedInTheServicesOrder(t *testing.T) {
	s := newServer(t)
	s.create()
	key := `"Key":{"pk":{"S":"a"},"sk":{"N":"1"}}`
	for _, r := range []refusal{
		{"GetItem", `{"TableName":"none","Key":{"pk":{"S":"a"}}}`, notFound, "Requested resource not found"},
		{"GetItem", `{"TableName":"none","Key":{"pk":{}}}`, validation, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		{"GetItem", `{"TableName":"things","Key":{"pk":{"S":"a"}}}`, validation, "The provided key element does not match the schema"},
		{"GetItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, validation, "The provided key element does not match the schema"},
		{"GetItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"N":"1"}}}`, validation, "The provided key element does not match the schema"},
		{"GetItem", `{"TableName":"things","Key":{"pk":{"S":""},"sk":{"N":"1"}}}`, validation,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"GetItem", `{"TableName":"things","Key":{"pk":{"S":"` + strings.Repeat("a", 2049) + `"},"sk":{"N":"1"}}}`, validation,
			"One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"GetItem", `{"TableName":"things",` + key + `,"AttributesToGet":["a"],"ProjectionExpression":"a"}`, validation,
			"Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"},
		{"GetItem", `{"TableName":"things",` + key + `,"ExpressionAttributeNames":{"#a":"a"}}`, validation, "ExpressionAttributeNames can only be specified when using expressions"},
		{"GetItem", `{"TableName":"things",` + key + `,"AttributesToGet":["a","a"]}`, validation, "One or more parameter values were invalid: Duplicate value in attribute name: a"},
		{"GetItem", `{"TableName":"things",` + key + `,"ProjectionExpression":"","ExpressionAttributeNames":{}}`, validation, "ExpressionAttributeNames must not be empty"},
		{"GetItem", `{"TableName":"things",` + key + `,"ProjectionExpression":"a b"}`, validation, `Invalid ProjectionExpression: Syntax error; token: "b", near: "a b"`},
		{"GetItem", `{"TableName":"things",` + key + `,"ProjectionExpression":"a","ExpressionAttributeNames":{"#b":"b"}}`, validation,
			"Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"},

		{"BatchWriteItem", `{"RequestItems":{"things":[{"PutRequest":{"Item":{"pk":{"S":"a"}}}}]}}`, validation, "The provided key element does not match the schema"},
		{"BatchWriteItem", `{"RequestItems":{"things":[{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"S":"1"}}}}]}}`, validation, "The provided key element does not match the schema"},
		{"TransactWriteItems", `{"TransactItems":[{"Delete":{"TableName":"things","Key":{"pk":{"S":""},"sk":{"N":"1"}}}}]}`, validation,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"TransactWriteItems", `{"TransactItems":[{"Update":{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET a = :a","ExpressionAttributeValues":{":a":{"S":""}}}}]}`, validation,
			"One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value."},
		{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"S":"` + strings.Repeat("x", 400<<10) + `"}}}}]}`, validation,
			"Item size has exceeded the maximum allowed size"},
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"things","Key":{"pk":{"S":""},"sk":{"N":"1"}}}}]}`, validation,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},

		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"}}}`, validation, "One or more parameter values were invalid: Missing the key sk in the item"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"S":"1"}}}`, validation, "One or more parameter values were invalid: Type mismatch for key sk expected: N actual: S"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"a":{"N":"1"}}}`, validation,
			"One or more parameter values were invalid: Type mismatch for Index Key a Expected: S Actual: N IndexName: local"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"a":{"S":""}}}`, validation,
			"One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: local, IndexKey: a"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"S":"` + strings.Repeat("x", 400<<10) + `"}}}`, validation, "Item size has exceeded the maximum allowed size"},
		{"PutItem", `{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1e400"}}}`, validation, "Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{"PutItem", `{"TableName":"things","Item":{},"ReturnValues":"ALL_NEW"}`, validation, "ReturnValues can only be ALL_OLD or NONE"},
		{"PutItem", `{"TableName":"things","Item":{},"ExpressionAttributeValues":{":a":{"S":"a"}}}`, validation,
			"ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"},
		{"PutItem", `{"TableName":"things","Item":{},"ConditionExpression":"a = :a","ExpressionAttributeValues":{"a":{"S":"a"}}}`, validation,
			`ExpressionAttributeValues contains invalid key: Syntax error; key: "a"`},
		{"PutItem", `{"TableName":"things","Item":{},"ConditionExpression":"a = :a","ExpressionAttributeValues":{":a":{"NS":[]}}}`, validation,
			"ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An number set  may not be empty for key :a"},
		{"PutItem", `{"TableName":"things","Item":{},"Expected":{"a":{"Value":{"S":"a"},"Exists":false}}}`, validation,
			"One or more parameter values were invalid: Value cannot be used when Exists is false for Attribute: a"},
		{"PutItem", `{"TableName":"things","Item":{},"Expected":{"a":{"Exists":true}}}`, validation,
			"One or more parameter values were invalid: Value must be provided when Exists is true for Attribute: a"},
		{"PutItem", `{"TableName":"things","Item":{},"Expected":{"a":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"1"}]}}}`, validation,
			"One or more parameter values were invalid: Invalid number of argument(s) for the BETWEEN ComparisonOperator"},

		{"DeleteItem", `{"TableName":"things",` + key + `,"ReturnValues":"UPDATED_OLD"}`, validation, "ReturnValues can only be ALL_OLD or NONE"},
		{"DeleteItem", `{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"NULL":true}}}`, validation, "The provided key element does not match the schema"},

		{"UpdateItem", `{"TableName":"things",` + key + `,"UpdateExpression":"SET pk = :a","ExpressionAttributeValues":{":a":{"S":"a"}}}`, validation,
			"One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"},
		{"UpdateItem", `{"TableName":"things",` + key + `,"UpdateExpression":"SET x.y = :a","ExpressionAttributeValues":{":a":{"S":"a"}}}`, validation,
			"The document path provided in the update expression is invalid for update"},
		{"UpdateItem", `{"TableName":"things",` + key + `,"UpdateExpression":"SET x = y"}`, validation, "The provided expression refers to an attribute that does not exist in the item"},
		{"UpdateItem", `{"TableName":"things",` + key + `,"UpdateExpression":"SET x = :a","ExpressionAttributeValues":{":a":{"S":"` + strings.Repeat("x", 400<<10) + `"}}}`, validation,
			"Item size to update has exceeded the maximum allowed size"},
		{"UpdateItem", `{"TableName":"things",` + key + `,"UpdateExpression":"SET a = :a","ExpressionAttributeValues":{":a":{"N":"1"}}}`, validation,
			"One or more parameter values were invalid: Type mismatch for Index Key a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", `{"TableName":"things",` + key + `,"AttributeUpdates":{"a":{"Value":{"N":"1"}}}}`, validation,
			"One or more parameter values were invalid: Type mismatch for Index Key a Expected: S Actual: N IndexName: local"},
		{"UpdateItem", `{"TableName":"things",` + key + `,"AttributeUpdates":{"x":{"Action":"ADD","Value":{"S":"a"}}}}`, validation,
			"One or more parameter values were invalid: ADD action is not supported for the type S"},
		{"UpdateItem", `{"TableName":"things",` + key + `,"AttributeUpdates":{"x":{"Action":"PUT"}}}`, validation,
			"One or more parameter values were invalid: Only DELETE action is allowed when no attribute value is specified"},
	} {
		s.refuses(r)
	}
}

func TestReadsAreRefusedInTheServicesOrder(t *testing.T) {
	s := newServer(t)
	s.create()
	query := func(rest string) string { return `{"TableName":"things",` + rest + `}` }
	values := `"ExpressionAttributeValues":{":p":{"S":"a"},":n":{"N":"1"}}`
	for _, r := range []refusal{
		{"Query", query(`"Select":"COUNT"`), validation, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."},
		{"Query", query(`"KeyConditionExpression":"sk = :n","ExpressionAttributeValues":{":n":{"N":"1"}}`), validation, "Query condition missed key schema element: pk"},
		{"Query", query(`"KeyConditionExpression":"pk > :p","ExpressionAttributeValues":{":p":{"S":"1"}}`), validation, "Query key condition not supported"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND x = :n",` + values), validation, "Query condition missed key schema element: sk"},
		{"Query", query(`"KeyConditionExpression":"pk = :n","ExpressionAttributeValues":{":n":{"N":"1"}}`), validation,
			"One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{"Query", query(`"KeyConditionExpression":"pk = :p OR sk = :n",` + values), validation, "Invalid operator used in KeyConditionExpression: OR"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND",` + values), validation, `Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "AND"`},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","FilterExpression":"sk = :n",` + values), validation,
			"Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","IndexName":"none",` + values), validation, "The table does not have the specified index: none"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","IndexName":"global","ConsistentRead":true,` + values), validation,
			"Consistent reads are not supported on global secondary indexes"},
		{"Query", query(`"KeyConditionExpression":"g = :g","IndexName":"global","Select":"ALL_ATTRIBUTES","ExpressionAttributeValues":{":g":{"B":"AA=="}}`), validation,
			"One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index global because its projection type is not ALL"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","ExclusiveStartKey":{"pk":{"S":"a"}},` + values), validation, "The provided starting key is invalid"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk >= :n","ExclusiveStartKey":{"pk":{"S":"b"},"sk":{"N":"1"}},` + values), validation,
			"The query can return at most one row and cannot be restarted"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","ExclusiveStartKey":{"pk":{"S":"b"},"sk":{"N":"1"}},` + values), validation,
			"The query can return at most one row and cannot be restarted"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"S":"1"}},` + values), validation,
			"The provided key element does not match the schema"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","ProjectionExpression":"g.x",` + values), validation,
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: g"},
		{"Scan", query(`"FilterExpression":"pk[0] = :p","ExpressionAttributeValues":{":p":{"S":"a"}}`), validation,
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"},
		{"Scan", query(`"IndexName":"none","ExclusiveStartKey":{"pk":{"S":"a"}}`), validation, "The provided starting key is invalid"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"2"}},` + values), validation,
			"The provided starting key does not match the range key predicate"},
		{"Query", query(`"KeyConditionExpression":"pk = :p AND sk = :n","Select":"SPECIFIC_ATTRIBUTES",` + values), validation,
			"Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"},
		{"Query", query(`"KeyConditions":{}`), validation, "Conditions can be of length 1 or 2 only"},
		{"Scan", query(`"Segment":1`), validation, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"},
		{"Scan", query(`"TotalSegments":1`), validation, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"},
		{"Scan", query(`"Segment":2,"TotalSegments":2`), validation,
			"The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2"},
		{"Scan", query(`"Select":"COUNT","ProjectionExpression":"a"`), validation, "Cannot specify the ProjectionExpression when choosing to get only the Count"},
		{"Scan", query(`"Select":"ALL_ATTRIBUTES","AttributesToGet":["a"]`), validation, "Cannot specify the AttributesToGet when choosing to get ALL_ATTRIBUTES"},
		{"Scan", query(`"FilterExpression":""`), validation, "Invalid FilterExpression: The expression can not be empty;"},
		{"Scan", query(`"Select":"ALL_PROJECTED_ATTRIBUTES"`), validation, "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"},
		{"Scan", query(`"ExclusiveStartKey":{"pk":{"S":"a"}}`), validation,
			"The provided starting key is invalid: The provided key element does not match the schema"},
		{"Scan", query(`"ExclusiveStartKey":{"pk":{"X":"a"}}`), validation,
			"The provided starting key is invalid: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		{"BatchGetItem", `{"RequestItems":{"things":{"Keys":[{"pk":{"S":"a"},"sk":{"N":"1"}},{"pk":{"S":"a"},"sk":{"N":"1.0"}}]}}}`, validation,
			"Provided list of item keys contains duplicates"},
		{"BatchWriteItem", `{"RequestItems":{"things":[{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"N":"1"}}}},{"DeleteRequest":{"Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}]}}`, validation,
			"Provided list of item keys contains duplicates"},
		{"BatchWriteItem", `{"RequestItems":{"none":[{"PutRequest":{"Item":{"pk":{"S":"a"}}}}]}}`, notFound, "Requested resource not found"},
		{"TransactWriteItems", `{"TransactItems":[{}]}`, validation, "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"},
		{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"things","Item":{"pk":{"S":"a"},"sk":{"N":"1"}}}},{"Delete":{"TableName":"things","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}]}`,
			validation, "Transaction request cannot include multiple operations on one item"},
		{"DescribeTable", `{"TableName":"none"}`, notFound, "Requested resource not found: Table: none not found"},
		{"TagResource", `{"ResourceArn":"abc","Tags":[{"Key":"a","Value":"b"}]}`, validation, "One or more parameter values were invalid: ARNs must start with 'arn:': abc"},
		{"ListTagsOfResource", `{"ResourceArn":"arn:aws:dynamodb:eu-west-1:123456789012:table/none"}`, notFound,
			"Requested resource not found: ResourcArn: arn:aws:dynamodb:eu-west-1:123456789012:table/none not found"},
	} {
		s.refuses(r)
	}
}

func TestTableDefinitionsAreRefusedInTheServicesOrder(t *testing.T) {
	s := newServer(t)
	create := func(rest string) string { return `{"TableName":"abc","BillingMode":"PAY_PER_REQUEST",` + rest + `}` }
	one := `"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}]`
	two := `"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"},{"AttributeName":"b","AttributeType":"S"}],` +
		`"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"b","KeyType":"RANGE"}]`
	index := func(name, hash, sort, projection string) string {
		return `[{"IndexName":"` + name + `","KeySchema":[{"AttributeName":"` + hash + `","KeyType":"HASH"}` + sort + `],"Projection":` + projection + `}]`
	}
	all := `{"ProjectionType":"ALL"}`
	for _, r := range []refusal{
		{"CreateTable", `{"TableName":"abc",` + one + `}`, validation,
			"One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"},
		{"CreateTable", create(one + `,"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}`), validation,
			"One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"},
		{"CreateTable", create(`"AttributeDefinitions":[],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}]`), validation,
			"Invalid KeySchema: Some index key attribute have no definition"},
		{"CreateTable", create(`"AttributeDefinitions":[{"AttributeName":"b","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}]`), validation,
			"One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [a], AttributeDefinitions: [b]"},
		{"CreateTable", create(`"AttributeDefinitions":[],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"b","KeyType":"RANGE"}]`), validation,
			"Invalid KeySchema: Some index key attribute have no definition"},
		{"CreateTable", create(`"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"RANGE"}]`), validation,
			"Invalid KeySchema: The first KeySchemaElement is not a HASH key type"},
		{"CreateTable", create(`"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"a","KeyType":"RANGE"}]`), validation,
			"Invalid KeySchema: Some index key attribute have no definition"},
		{"CreateTable", create(`"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"},{"AttributeName":"b","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"a","KeyType":"RANGE"}]`), validation,
			"Both the Hash Key and the Range Key element in the KeySchema have the same name"},
		{"CreateTable", create(`"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"},{"AttributeName":"b","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}]`), validation,
			"One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"},
		{"CreateTable", create(one + `,"LocalSecondaryIndexes":[]`), validation, "One or more parameter values were invalid: List of LocalSecondaryIndexes is empty"},
		{"CreateTable", create(one + `,"LocalSecondaryIndexes":` + index("abc", "a", "", all)), validation,
			"One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"},
		{"CreateTable", create(two + `,"LocalSecondaryIndexes":` + index("abc", "a", "", all)), validation,
			"One or more parameter values were invalid: Index KeySchema does not have a range key for index: abc"},
		{"CreateTable", create(two + `,"LocalSecondaryIndexes":` + index("abc", "b", `,{"AttributeName":"a","KeyType":"RANGE"}`, all)), validation,
			"One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as table KeySchema for index: abc. index hash key: b, table hash key: a"},
		{"CreateTable", create(two + `,"GlobalSecondaryIndexes":` + index("abc", "b", "", `{}`)), validation, "One or more parameter values were invalid: Unknown ProjectionType: null"},
		{"CreateTable", create(two + `,"GlobalSecondaryIndexes":` + index("abc", "b", "", `{"ProjectionType":"ALL","NonKeyAttributes":["x"]}`)), validation,
			"One or more parameter values were invalid: ProjectionType is ALL, but NonKeyAttributes is specified"},
		{"CreateTable", create(two + `,"GlobalSecondaryIndexes":` + index("abc", "c", "", all)), validation,
			"One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [c], AttributeDefinitions: [a, b]"},
		{"UpdateTable", `{"TableName":"abc","ReplicaUpdates":[{"Create":{"RegionName":"eu-west-2"}}]}`, validation,
			"The local DynamoDB has no global tables: ReplicaUpdates is not supported, leave it out of the request"},
		{"UpdateTable", `{"TableName":"abc"}`, validation,
			"At least one of " + changesOfTable + " is required"},
		{"UpdateTable", `{"TableName":"abc","DeletionProtectionEnabled":true}`, notFound, "Requested resource not found: Table: abc not found"},
	} {
		s.refuses(r)
	}
	s.ok("CreateTable", create(one+`,"DeletionProtectionEnabled":true`))
	s.refuses(refusal{"CreateTable", create(one), typePrefix + "ResourceInUseException", "Table already exists: abc"})
	s.refuses(refusal{"DeleteTable", `{"TableName":"abc"}`, validation,
		"Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."})
}

func TestOperationsThatAreLeftOutSayWhatTheyBelongTo(t *testing.T) {
	s := newServer(t)
	for op, family := range map[string]string{"ExecuteStatement": "PartiQL", "CreateBackup": "backup", "ListGlobalTables": "global tables", "GetRecords": "streams"} {
		status, body := s.call(op, `{}`)
		if status != http.StatusBadRequest || !strings.Contains(body, typeUnknown) || !strings.Contains(body, family) || !strings.Contains(body, op) {
			t.Errorf("%s: %d %s", op, status, body)
		}
	}
}
