package dynamodb

import "strings"

var (
	// globalKeyShape has no upper bound in the model: the service counts the attributes of both kinds itself.
	globalKeyShape = listOf(structOf("KeySchemaElement",
		mandatory("AttributeName", text.atLeast(1).atMost(255)),
		mandatory("KeyType", oneOf("HASH", "RANGE")),
	)).atLeast(1).shownBy(shownKeySchema)
	keySchemaShape       = globalKeyShape.atMost(2)
	attributeDefinitions = listOf(structOf("AttributeDefinition",
		mandatory("AttributeName", text.atLeast(1).atMost(255)),
		mandatory("AttributeType", oneOf("B", "N", "S")),
	))
	throughputShape = structOf("ProvisionedThroughput",
		mandatory("WriteCapacityUnits", long.atLeast(1)),
		mandatory("ReadCapacityUnits", long.atLeast(1)),
	)
	onDemandShape = structOf("OnDemandThroughput",
		optional("MaxReadRequestUnits", long),
		optional("MaxWriteRequestUnits", long),
	)
	warmShape = structOf("WarmThroughput",
		optional("ReadUnitsPerSecond", long),
		optional("WriteUnitsPerSecond", long),
	)
	projectionShape = structOf("Projection",
		optional("ProjectionType", oneOf("ALL", "INCLUDE", "KEYS_ONLY")),
		optional("NonKeyAttributes", listOf(text.atLeast(1).atMost(255)).atLeast(1).atMost(20)),
	)
	globalIndex = func(name string) *shape {
		return structOf(name,
			mandatory("Projection", projectionShape),
			mandatory("IndexName", resourceName),
			optional("ProvisionedThroughput", throughputShape),
			mandatory("KeySchema", globalKeyShape),
			optional("OnDemandThroughput", onDemandShape),
			optional("WarmThroughput", warmShape),
		)
	}
	localIndexShape = structOf("LocalSecondaryIndex",
		mandatory("Projection", projectionShape),
		mandatory("IndexName", resourceName),
		mandatory("KeySchema", keySchemaShape),
	)
	billingMode   = oneOf("PROVISIONED", "PAY_PER_REQUEST")
	streamShape   = structOf("StreamSpecification", mandatory("StreamEnabled", boolean), optional("StreamViewType", oneOf("OLD_IMAGE", "KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE")))
	encryptShape  = structOf("SSESpecification", optional("Enabled", boolean), optional("SSEType", oneOf("AES256", "KMS")), optional("KMSMasterKeyId", text.atLeast(1)))
	anythingAtAll = &shape{kind: anyShape}

	createTableShape = structOf("CreateTableInput",
		mandatory("AttributeDefinitions", attributeDefinitions),
		optional("TableName", tableNameShape),
		optional("BillingMode", billingMode),
		optional("ProvisionedThroughput", throughputShape),
		mandatory("KeySchema", keySchemaShape),
		optional("GlobalSecondaryIndexes", listOf(globalIndex("GlobalSecondaryIndex"))),
		optional("LocalSecondaryIndexes", listOf(localIndexShape)),
		optional("StreamSpecification", streamShape),
		optional("SSESpecification", encryptShape),
		optional("Tags", tagListShape),
		optional("TableClass", text),
		optional("DeletionProtectionEnabled", boolean),
		optional("OnDemandThroughput", onDemandShape),
		optional("WarmThroughput", warmShape),
		optional("ResourcePolicy", text),
		optional("VectorIndexes", anythingAtAll),
		optional("GlobalTableSourceArn", text),
		optional("GlobalTableSettingsReplicationMode", text),
	)
	updateTableShape = structOf("UpdateTableInput",
		optional("TableName", tableNameShape),
		optional("AttributeDefinitions", attributeDefinitions),
		optional("BillingMode", billingMode),
		optional("ProvisionedThroughput", throughputShape),
		optional("GlobalSecondaryIndexUpdates", listOf(structOf("GlobalSecondaryIndexUpdate",
			optional("Create", globalIndex("CreateGlobalSecondaryIndexAction")),
			optional("Update", structOf("UpdateGlobalSecondaryIndexAction",
				mandatory("IndexName", resourceName),
				optional("ProvisionedThroughput", throughputShape),
				optional("OnDemandThroughput", onDemandShape),
				optional("WarmThroughput", warmShape),
			)),
			optional("Delete", structOf("DeleteGlobalSecondaryIndexAction", mandatory("IndexName", resourceName))),
		))),
		optional("StreamSpecification", streamShape),
		optional("SSESpecification", encryptShape),
		optional("TableClass", text),
		optional("DeletionProtectionEnabled", boolean),
		optional("OnDemandThroughput", onDemandShape),
		optional("WarmThroughput", warmShape),
		optional("VectorIndexUpdates", anythingAtAll),
		optional("ReplicaUpdates", anythingAtAll),
		optional("MultiRegionConsistency", text),
		optional("GlobalTableWitnessUpdates", anythingAtAll),
		optional("GlobalTableSettingsReplicationMode", text),
	)
	describeTableShape = structOf("DescribeTableInput", optional("TableName", tableNameShape))
	listTablesShape    = structOf("ListTablesInput",
		optional("ExclusiveStartTableName", resourceName),
		optional("Limit", integer.atLeast(1).atMost(100)),
	)
)

// checkTableRequest checks a request of the operations on tables, which word a missing name in their own way.
func (s *shape) checkTableRequest(r request) error {
	if !r.has("TableName") {
		return invalid("The parameter 'TableName' is required but was not present in the request")
	}
	return s.constrained(r)
}

// shownKeySchema shows a key schema as the service does, which prints the objects that it has made of it.
func shownKeySchema(v any) string {
	list, _ := v.([]any)
	elements := make([]string, len(list))
	for i, one := range list {
		e, _ := one.(map[string]any)
		elements[i] = "KeySchemaElement(attributeName=" + shown(e["AttributeName"]) + ", keyType=" + shown(e["KeyType"]) + ")"
	}
	return "[" + strings.Join(elements, ", ") + "]"
}
