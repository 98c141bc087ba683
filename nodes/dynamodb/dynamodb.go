// Package dynamodb is the node family that reads and writes Amazon DynamoDB
// tables: dynamodb.get, put, update, delete, query and scan, and the resource
// dynamodb.table.
//
// Authors see plain JSON values; the service's typed form ({"S": ...}) appears
// nowhere. All text of expressions is known when a node is made: the data of a
// message travels only as bound values and can never become part of one. Every
// attribute name goes out as a placeholder, so that none of the service's
// reserved words is in an author's way.
//
// The protocol's rules are those of the Amazon DynamoDB API reference,
// version 2012-08-10, and of the Developer Guide.
package dynamodb

import "github.com/flowctl-dev/flowctl/engine"

// Kinds are the family's node types.
func Kinds() []*engine.Kind {
	return []*engine.Kind{
		engine.Define(getSpec),
		engine.Define(putSpec),
		engine.Define(updateSpec),
		engine.Define(deleteSpec),
		engine.Define(querySpec),
		engine.Define(scanSpec),
	}
}

// Resources are the family's resource types.
func Resources() []*engine.Kind {
	return []*engine.Kind{engine.DefineResource(tableSpec)}
}
