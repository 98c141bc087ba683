package dynamodb

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

var (
	batchGetShape = structOf("BatchGetItemInput",
		mandatory("RequestItems", mapOf(structOf("KeysAndAttributes",
			mandatory("Keys", listOf(attributeMap).atLeast(1)),
			attributesToGet,
			optional("ConsistentRead", boolean),
			optional("ProjectionExpression", text),
			expressionNames,
		)).withKeys(tableNameShape).shownBy(shownJSON)),
		returnConsumedCapacity,
	)
	batchWriteShape = structOf("BatchWriteItemInput",
		returnConsumedCapacity, returnItemCollectionMetrics,
		mandatory("RequestItems", mapOf(listOf(structOf("WriteRequest",
			optional("PutRequest", structOf("PutRequest", mandatory("Item", attributeMap))),
			optional("DeleteRequest", structOf("DeleteRequest", mandatory("Key", attributeMap))),
		)).atLeast(1).atMost(25)).atMost(25).withKeys(tableNameShape).afterOthers().shownBy(shownWrites)),
	)
	transactGetShape = structOf("TransactGetItemsInput",
		mandatory("TransactItems", listOf(structOf("TransactGetItem",
			mandatory("Get", structOf("Get",
				mandatory("Key", attributeMap),
				mandatory("TableName", tableNameShape),
				optional("ProjectionExpression", text),
				expressionNames,
			)),
		)).atLeast(1).atMost(100)),
		returnConsumedCapacity,
	)
	transactWriteShape = structOf("TransactWriteItemsInput",
		optional("ClientRequestToken", text.atLeast(1).atMost(36)),
		returnConsumedCapacity, returnItemCollectionMetrics,
		mandatory("TransactItems", listOf(structOf("TransactWriteItem",
			optional("ConditionCheck", structOf("ConditionCheck",
				mandatory("Key", attributeMap), mandatory("TableName", tableNameShape), mandatory("ConditionExpression", text),
				expressionNames, expressionValues, returnOnFailure,
			)),
			optional("Put", structOf("Put",
				mandatory("Item", attributeMap), mandatory("TableName", tableNameShape), conditionExpression,
				expressionNames, expressionValues, returnOnFailure,
			)),
			optional("Delete", structOf("Delete",
				mandatory("Key", attributeMap), mandatory("TableName", tableNameShape), conditionExpression,
				expressionNames, expressionValues, returnOnFailure,
			)),
			optional("Update", structOf("Update",
				mandatory("Key", attributeMap), mandatory("UpdateExpression", text), mandatory("TableName", tableNameShape),
				conditionExpression, expressionNames, expressionValues, returnOnFailure,
			)),
		)).atLeast(1).atMost(100)),
	)
)

// checkBounds checks how many tables and keys a BatchGetItem names. Of what is too much the service does not show the
// value.
func checkBounds(r request) error {
	requests := r.object("RequestItems")
	tooMany := func(path string) error {
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", path, maxBatchGets)
	}
	switch {
	case len(requests) == 0:
		return invalid("The requestItems parameter is required for BatchGetItem")
	case len(requests) > maxBatchGets:
		return tooMany("RequestItems")
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		if len(requests.object(name).objects("Keys")) > maxBatchGets {
			return tooMany("RequestItems." + name + ".member.Keys")
		}
	}
	return nil
}

func (s shape) shownBy(echo func(any) string) *shape { s.echo = echo; return &s }

func (s shape) afterOthers() *shape { s.keysLast = true; return &s }

func shownJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return shown(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// shownWrites shows the requests of a BatchWriteItem as the service does, which prints the objects that it has made of
// them.
func shownWrites(v any) string {
	requests, _ := v.(map[string]any)
	tables := make([]string, 0, len(requests))
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		list, _ := requests[name].([]any)
		writes := make([]string, len(list))
		for i, one := range list {
			w, _ := one.(map[string]any)
			writes[i] = "WriteRequest(" + shownWrite(w, "PutRequest", "Item") + ", " + shownWrite(w, "DeleteRequest", "Key") + ")"
		}
		tables = append(tables, name+"=["+strings.Join(writes, ", ")+"]")
	}
	return "{" + strings.Join(tables, ", ") + "}"
}

func shownWrite(w map[string]any, kind, member string) string {
	name := strings.ToLower(kind[:1]) + kind[1:]
	r, ok := w[kind].(map[string]any)
	if !ok {
		return name + "=null"
	}
	attributes, _ := r[member].(map[string]any)
	parts := make([]string, 0, len(attributes))
	for _, a := range slices.Sorted(maps.Keys(attributes)) {
		value, _ := attributes[a].(map[string]any)
		parts = append(parts, a+"="+shownValue(value))
	}
	rest := ""
	if kind == "PutRequest" {
		rest = ", workloadProfileName=null" // a member that the API does not have
	}
	return name + "=" + kind + "(" + strings.ToLower(member) + "={" + strings.Join(parts, ", ") + "}" + rest + ")"
}

// javaMembers are the members of the service's own class of attribute values, some of which the API does not have.
var javaMembers = []string{"S", "N", "B", "INT", "DECIMAL", "DOUBLE", "SS", "NS", "BS", "INTSET", "DECIMALSET", "DOUBLESET", "M", "L", "NULL", "BOOL"}

func shownValue(v map[string]any) string {
	parts := make([]string, len(javaMembers))
	for i, m := range javaMembers {
		parts[i] = strings.ToLower(m[:1]) + m[1:] + "=" + shownContent(v[m])
	}
	return "AttributeValue(" + strings.Join(parts, ", ") + ")"
}

// shownContent shows what stands in an attribute value, which may be values again.
func shownContent(content any) string {
	switch c := content.(type) {
	case map[string]any:
		parts := make([]string, 0, len(c))
		for _, name := range slices.Sorted(maps.Keys(c)) {
			inner, _ := c[name].(map[string]any)
			parts = append(parts, name+"="+shownValue(inner))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(c))
		for i, e := range c {
			if inner, ok := e.(map[string]any); ok {
				parts[i] = shownValue(inner)
				continue
			}
			parts[i] = shown(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return shown(content)
}
