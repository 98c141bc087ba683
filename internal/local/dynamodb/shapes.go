package dynamodb

import "regexp"

func nameOrARN() *shape {
	s := *resourceName
	s.ofTable = true
	return &s
}

const minTableName = 3

const namePattern = "[a-zA-Z0-9_.-]+"

var nameExpression = regexp.MustCompile("^(?:" + namePattern + ")$")

// The shapes that several operations share. Constraints are those of the service's published model.
var (
	resourceName = (&shape{kind: stringShape, pattern: nameExpression}).atLeast(minTableName).atMost(255)
	// tableNameShape is also the name of a table in the operations that take its ARN instead; the model of the service
	// lets any text of at least one character through to where that is looked at.
	tableNameShape = nameOrARN()

	returnConsumedCapacity      = optional("ReturnConsumedCapacity", oneOf("INDEXES", "TOTAL", "NONE"))
	returnItemCollectionMetrics = optional("ReturnItemCollectionMetrics", oneOf("SIZE", "NONE"))
	returnOnFailure             = optional("ReturnValuesOnConditionCheckFailure", oneOf("ALL_OLD", "NONE"))
	returnValues                = optional("ReturnValues", oneOf("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"))
	expressionNames             = optional("ExpressionAttributeNames", mapOf(text))
	expressionValues            = optional("ExpressionAttributeValues", attributeMap)
	conditionExpression         = optional("ConditionExpression", text)
	conditionalOperator         = optional("ConditionalOperator", oneOf("OR", "AND"))
	attributesToGet             = optional("AttributesToGet", listOf(text).atLeast(1))

	comparisonOperator = oneOf("IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS")
	legacyConditions   = mapOf(structOf("Condition",
		optional("AttributeValueList", listOf(attributeValue)),
		mandatory("ComparisonOperator", comparisonOperator),
	))
	expected = optional("Expected", mapOf(structOf("ExpectedAttributeValue",
		optional("AttributeValueList", listOf(attributeValue)),
		optional("ComparisonOperator", comparisonOperator),
		optional("Exists", boolean),
		optional("Value", attributeValue),
	)))

	// The members stand in the order in which the service reports their errors.

	getItemShape = structOf("GetItemInput",
		returnConsumedCapacity,
		attributesToGet,
		mandatory("TableName", tableNameShape),
		mandatory("Key", attributeMap),
		optional("ConsistentRead", boolean),
		optional("ProjectionExpression", text),
		expressionNames,
	)
	putItemShape = structOf("PutItemInput",
		returnConsumedCapacity,
		mandatory("TableName", tableNameShape),
		mandatory("Item", attributeMap),
		conditionalOperator, expected, returnValues, returnItemCollectionMetrics,
		conditionExpression, expressionValues, expressionNames, returnOnFailure,
	)
	deleteItemShape = structOf("DeleteItemInput",
		returnConsumedCapacity,
		mandatory("TableName", tableNameShape),
		returnValues, returnItemCollectionMetrics,
		mandatory("Key", attributeMap),
		conditionalOperator, expected,
		conditionExpression, expressionValues, expressionNames, returnOnFailure,
	)
	updateItemShape = structOf("UpdateItemInput",
		returnConsumedCapacity,
		mandatory("TableName", tableNameShape),
		returnItemCollectionMetrics, returnValues, conditionalOperator,
		mandatory("Key", attributeMap),
		expected,
		optional("AttributeUpdates", mapOf(structOf("AttributeValueUpdate",
			optional("Action", oneOf("DELETE", "PUT", "ADD")),
			optional("Value", attributeValue),
		))),
		conditionExpression,
		optional("UpdateExpression", text),
		expressionValues, expressionNames, returnOnFailure,
	)
	queryShape = structOf("QueryInput",
		optional("Select", selectShape),
		optional("IndexName", resourceName),
		returnConsumedCapacity,
		optional("QueryFilter", legacyConditions),
		mandatory("TableName", tableNameShape),
		conditionalOperator,
		attributesToGet,
		optional("Limit", integer.atLeast(1)),
		optional("KeyConditions", legacyConditions),
		optional("ExclusiveStartKey", attributeMap),
		optional("ConsistentRead", boolean),
		optional("ScanIndexForward", boolean),
		optional("KeyConditionExpression", text),
		optional("FilterExpression", text),
		optional("ProjectionExpression", text),
		expressionValues, expressionNames,
	)
	scanShape = structOf("ScanInput",
		optional("Select", selectShape),
		optional("IndexName", resourceName),
		optional("TotalSegments", integer.atLeast(1).atMost(1000000)),
		returnConsumedCapacity,
		mandatory("TableName", tableNameShape),
		conditionalOperator,
		optional("ScanFilter", legacyConditions),
		optional("Segment", integer.atLeast(0).atMost(999999)),
		optional("Limit", integer.atLeast(1)),
		attributesToGet,
		optional("ExclusiveStartKey", attributeMap),
		optional("ConsistentRead", boolean),
		optional("FilterExpression", text),
		optional("ProjectionExpression", text),
		expressionValues, expressionNames,
	)
	selectShape = oneOf("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
)
