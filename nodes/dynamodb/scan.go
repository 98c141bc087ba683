package dynamodb

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Scan is the config of a dynamodb.scan node.
type Scan struct {
	Table      engine.Ref[Table]          `yaml:"table,required" doc:"The table to read."`
	Index      string                     `yaml:"index" doc:"An index of the table to read instead of the table."`
	Filter     string                     `yaml:"filter" doc:"A DynamoDB filter expression, such as seats >= :wanted. What it leaves out is read and paid for all the same."`
	Values     map[string]expr.Value[any] `yaml:"values" doc:"The values in filter, by the word that stands for them as :word."`
	Names      map[string]string          `yaml:"names" doc:"Attribute names that are keywords or hold other characters than letters, digits and _, by the word that stands for them as #word in expressions and paths."`
	Limit      expr.Value[int]            `yaml:"limit" default:"100" doc:"The most items to give, 1 to 10000. The output's next is the cursor for the rest."`
	MaxPages   int                        `yaml:"max_pages" default:"10" doc:"The most pages to read, 1 to 100; a page has up to 1 MB. The output's next is the cursor for the rest."`
	Attributes []string                   `yaml:"attributes" doc:"The attributes to read, such as name or address.lines[0]; all when left out."`
	Consistent bool                       `yaml:"consistent" doc:"Makes the read see every write that was confirmed before it, at twice the cost. A global index cannot."`
	Start      expr.Value[any]            `yaml:"start" doc:"The cursor to read on from: the next of an earlier reading of the same table and index. Null and an empty text start at the beginning."`
	None       engine.Wire                `yaml:"none" doc:"Where the message goes when there are no items. Without it an empty list goes to next."`
}

func (c *Scan) list() listConfig {
	return listConfig{&c.Table, c.Index, c.Filter, false, c.Attributes, &c.Limit, c.MaxPages, c.Consistent, &c.Start, c.None}
}

var scanSpec = engine.Spec[Scan]{
	Type: "dynamodb.scan",
	Doc: `Reads items of a whole table, in no order.

A scan reads, and pays for, everything that it passes; prefer dynamodb.query where a key is known. The output is
{items, count, next}: the items, how many there are, and a cursor (a text) for ` + "`start`" + ` to read on with, or null at the end.
A cursor may lead to an empty rest. The message leaves by ` + "`none`" + ` only when there are no items at all.`,
	New:    newScan,
	Output: func(c *Scan) expr.Type { return c.list().output() },
	Check:  checkScan,
	IAM:    func(c *Scan) []engine.Statement { return onIndex("Scan", c.Table, c.Index) },
	Examples: []engine.Example{
		{Doc: "All areas with free drivers.", YAML: `type: dynamodb.scan
table: drivers
filter: availability = :yes
values: {yes: "yes"}
attributes: [area_code, vehicle_type]
none: other`},
		{Doc: "One page after the other, by a cursor that the caller brings back.", YAML: `type: dynamodb.scan
table: drivers
limit: 20
start: "${{ event.body.cursor }}"`},
	},
}

func checkScan(c *Scan) []engine.Finding {
	if !described(c.Table) {
		return nil
	}
	b := newBindings(c.Names, c.Values, nil)
	_, found := newListing(c.list(), b)
	found = append(found, b.check(len(found) == 0)...)
	return append(found, c.list().check()...)
}

type scanNode struct{ *listing }

func newScan(c *Scan, d engine.Deps) (engine.Node, error) {
	t, err := newTarget(&c.Table, d, "scanning")
	if err != nil {
		return nil, err
	}
	l, found := newListing(c.list(), newBindings(c.Names, c.Values, nil))
	if err := firstError(found); err != nil {
		return nil, err
	}
	l.target = t
	return scanNode{l}, l.bindings.ready()
}

// Do implements engine.Node.
func (n scanNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	values, err := n.bindings.get(&m.Env)
	if err != nil {
		return 0, err
	}
	client, err := n.client(ctx)
	if err != nil {
		return 0, err
	}
	return n.do(ctx, m, func(start map[string]types.AttributeValue, limit *int32) (page, error) {
		reply, err := client.Scan(ctx, &sdk.ScanInput{
			TableName: &n.address, IndexName: n.indexName, ConsistentRead: n.consistentRead, Limit: limit, ExclusiveStartKey: start,
			FilterExpression: n.filterText, ProjectionExpression: n.projection,
			ExpressionAttributeNames: n.bindings.names, ExpressionAttributeValues: values,
		})
		if err != nil {
			return page{}, err
		}
		return page{reply.Items, reply.LastEvaluatedKey}, nil
	})
}
