package dynamodb

import "github.com/flowctl-dev/flowctl/engine"

// onTable is the permission for one operation on a table. Conditions, filters,
// projections and returned items need none of their own (Service Authorization
// Reference, "Actions defined by Amazon DynamoDB").
func onTable(operation string, table engine.Ref[Table]) []engine.Statement {
	return []engine.Statement{{Actions: []string{"dynamodb:" + operation}, Resource: table.Name}}
}

// onIndex is the permission for reading an index of a table, or the table where
// index is "". An index is a resource of its own: whoever reads it needs no
// permission on the table.
func onIndex(operation string, table engine.Ref[Table], index string) []engine.Statement {
	s := onTable(operation, table)
	if index != "" {
		s[0].Below = "/index/" + index
	}
	return s
}
