package dynamodb

import (
	"fmt"
	"strings"
	"testing"
)

// nestedValue is a text in this many maps, one inside the other.
func nestedValue(levels int) string {
	return strings.Repeat(`{"M":{"k":`, levels) + `{"S":"x"}` + strings.Repeat(`}}`, levels)
}

func TestDeepWritesAreRefusedInOlderWords(t *testing.T) {
	s := newServer(t)
	const (
		enveloped = "1 validation error detected: "
		nesting   = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
		returned  = "1 validation error detected: Value 'OLD' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
		joined    = "1 validation error detected: Value 'NOR' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value set: [OR, AND]"
		onlyOld   = "ReturnValues can only be ALL_OLD or NONE"
	)
	deletion := func(levels int, values string) string {
		return fmt.Sprintf(`{"TableName":"none","Key":{"pk":{"S":"a"}},"ConditionExpression":"d = :d","ExpressionAttributeValues":{":d":%s},"ReturnValues":%q}`, nestedValue(levels), values)
	}
	expecting := func(levels int, operator string) string {
		return fmt.Sprintf(`{"TableName":"none","Item":{"pk":{"S":"a"}},"Expected":{"a":{"Value":%s},"b":{"Exists":false}},"ConditionalOperator":%q}`, nestedValue(levels), operator)
	}
	for _, r := range []refusal{
		{"DeleteItem", deletion(40, "ALL_OLD"), validation, enveloped + nesting},
		{"DeleteItem", deletion(40, "OLD"), validation, enveloped + newerReturnValues},
		{"DeleteItem", deletion(40, "ALL_NEW"), validation, enveloped + onlyOld},
		{"DeleteItem", deletion(70, "ALL_OLD"), validation, "ExpressionAttributeValues contains invalid value: " + nesting + " for key :d"},
		{"DeleteItem", deletion(70, "OLD"), validation, returned},
		{"DeleteItem", deletion(70, "ALL_NEW"), validation, onlyOld},
		{"PutItem", expecting(40, "NOR"), validation, enveloped + newerOperator},
		{"PutItem", expecting(40, "OR"), validation, enveloped + nesting},
		{"PutItem", expecting(70, "NOR"), validation, joined},
		{"PutItem", expecting(70, "OR"), validation, nesting},
		{"PutItem", `{"TableName":"none","Item":{"pk":{"S":"a"}},"Expected":{"a":{"Exists":false}},"ConditionalOperator":"NOR"}`, validation, joined},
	} {
		s.refuses(r)
	}
}
