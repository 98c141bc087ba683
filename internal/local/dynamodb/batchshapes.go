package dynamodb

var (
	batchGetShape = structOf(
		mandatory("RequestItems", mapOf(structOf(
			mandatory("Keys", listOf(attributeMap).atLeast(1).atMost(100)),
			attributesToGet,
			optional("ConsistentRead", boolean),
			optional("ProjectionExpression", text),
			expressionNames,
		)).atLeast(1).atMost(100).withKeys(resourceName)),
		returnConsumedCapacity,
	)
	batchWriteShape = structOf(
		mandatory("RequestItems", mapOf(listOf(structOf(
			optional("PutRequest", structOf(mandatory("Item", attributeMap))),
			optional("DeleteRequest", structOf(mandatory("Key", attributeMap))),
		)).atLeast(1).atMost(25)).atLeast(1).atMost(25).withKeys(resourceName)),
		returnConsumedCapacity, returnItemCollectionMetrics,
	)
	transactGetShape = structOf(
		mandatory("TransactItems", listOf(structOf(
			mandatory("Get", structOf(
				mandatory("Key", attributeMap),
				mandatory("TableName", resourceName),
				optional("ProjectionExpression", text),
				expressionNames,
			)),
		)).atLeast(1).atMost(100)),
		returnConsumedCapacity,
	)
	transactWriteShape = structOf(
		mandatory("TransactItems", listOf(structOf(
			optional("ConditionCheck", structOf(
				mandatory("Key", attributeMap), mandatory("TableName", resourceName), mandatory("ConditionExpression", text),
				expressionNames, expressionValues, returnOnFailure,
			)),
			optional("Put", structOf(
				mandatory("Item", attributeMap), mandatory("TableName", resourceName), conditionExpression,
				expressionNames, expressionValues, returnOnFailure,
			)),
			optional("Delete", structOf(
				mandatory("Key", attributeMap), mandatory("TableName", resourceName), conditionExpression,
				expressionNames, expressionValues, returnOnFailure,
			)),
			optional("Update", structOf(
				mandatory("Key", attributeMap), mandatory("UpdateExpression", text), mandatory("TableName", resourceName),
				conditionExpression, expressionNames, expressionValues, returnOnFailure,
			)),
		)).atLeast(1).atMost(100)),
		returnConsumedCapacity, returnItemCollectionMetrics,
		optional("ClientRequestToken", text.atLeast(1).atMost(36)),
	)
)
