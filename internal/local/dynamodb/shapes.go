package dynamodb

import "regexp"

func nameOrARN() *shape {
	s := *resourceName
	s.neverEmpty = true
	return &s
}

const namePattern = "[a-zA-Z0-9_.-]+"

var nameExpression = regexp.MustCompile("^(?:" + namePattern + ")$")

// The shapes that several operations share. Constraints are those of the service's published model.
var (
	resourceName = (&shape{kind: stringShape, pattern: nameExpression}).atLeast(3).atMost(255)
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

	getItemShape = structOf("GetItemInput",
		mandatory("TableName", tableNameShape),
		mandatory("Key", attributeMap),
		attributesToGet,
		optional("ConsistentRead", boolean),
		returnConsumedCapacity,
		optional("ProjectionExpression", text),
		expressionNames,
	)
	putItemShape = structOf("PutItemInput",
		mandatory("TableName", tableNameShape),
		mandatory("Item", attributeMap),
		expected, returnValues, returnConsumedCapacity, returnItemCollectionMetrics, conditionalOperator,
		conditionExpression, expressionNames, expressionValues, returnOnFailure,
	)
	deleteItemShape = structOf("DeleteItemInput",
		mandatory("TableName", tableNameShape),
		mandatory("Key", attributeMap),
		expected, returnValues, returnConsumedCapacity, returnItemCollectionMetrics, conditionalOperator,
		conditionExpression, expressionNames, expressionValues, returnOnFailure,
	)
	updateItemShape = structOf("UpdateItemInput",
		mandatory("TableName", tableNameShape),
		mandatory("Key", attributeMap),
		optional("AttributeUpdates", mapOf(structOf("AttributeValueUpdate",
			optional("Action", oneOf("DELETE", "PUT", "ADD")),
			optional("Value", attributeValue),
		))),
		expected, returnValues, returnConsumedCapacity, returnItemCollectionMetrics, conditionalOperator,
		optional("UpdateExpression", text),
		conditionExpression, expressionNames, expressionValues, returnOnFailure,
	)
	queryShape = structOf("QueryInput",
		mandatory("TableName", tableNameShape),
		optional("IndexName", resourceName),
		optional("Select", selectShape),
		attributesToGet,
		optional("Limit", integer.atLeast(1)),
		optional("ConsistentRead", boolean),
		optional("KeyConditions", legacyConditions),
		optional("QueryFilter", legacyConditions),
		conditionalOperator,
		optional("ScanIndexForward", boolean),
		optional("ExclusiveStartKey", attributeMap),
		returnConsumedCapacity,
		optional("ProjectionExpression", text),
		optional("FilterExpression", text),
		optional("KeyConditionExpression", text),
		expressionNames, expressionValues,
	)
	scanShape = structOf("ScanInput",
		mandatory("TableName", tableNameShape),
		optional("IndexName", resourceName),
		optional("Select", selectShape),
		attributesToGet,
		optional("Limit", integer.atLeast(1)),
		optional("ConsistentRead", boolean),
		optional("ScanFilter", legacyConditions),
		conditionalOperator,
		optional("ExclusiveStartKey", attributeMap),
		returnConsumedCapacity,
		optional("TotalSegments", integer.atLeast(1).atMost(1000000)),
		optional("Segment", integer.atLeast(0).atMost(999999)),
		optional("ProjectionExpression", text),
		optional("FilterExpression", text),
		expressionNames, expressionValues,
	)
	selectShape = oneOf("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
)
