package dynamodb

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Query is the config of a dynamodb.query node.
type Query struct {
	Table        engine.Ref[Table]          `yaml:"table,required" doc:"The table to read."`
	Index        string                     `yaml:"index" doc:"An index of the table to query instead of the table; partition and sort are then its key's."`
	Partition    expr.Value[any]            `yaml:"partition" doc:"The value of the partition key."`
	Sort         SortCondition              `yaml:"sort" doc:"What the sort key must be: one of eq, lt, le, gt, ge, begins_with and between. All items of the partition when left out."`
	KeyCondition string                     `yaml:"key_condition" doc:"A DynamoDB key condition expression instead of partition and sort, such as id = :id AND at > :since."`
	Filter       string                     `yaml:"filter" doc:"A DynamoDB filter expression on attributes outside the key, such as seats >= :wanted; by an index, on what the index holds. What it leaves out is read and paid for all the same."`
	Values       map[string]expr.Value[any] `yaml:"values" doc:"The values in key_condition and filter, by the word that stands for them as :word."`
	Names        map[string]string          `yaml:"names" doc:"Attribute names that are keywords or hold other characters than letters, digits and _, by the word that stands for them as #word in expressions and paths."`
	Order        string                     `yaml:"order" enum:"asc,desc" default:"asc" doc:"The order by the sort key: ascending or descending."`
	Limit        expr.Value[int]            `yaml:"limit" default:"100" doc:"The most items to give, 1 to 10000. The output's next is the cursor for the rest."`
	MaxPages     int                        `yaml:"max_pages" default:"10" doc:"The most pages to read, 1 to 100; a page has up to 1 MB. The output's next is the cursor for the rest."`
	Attributes   []string                   `yaml:"attributes" doc:"The attributes to read, such as name or address.lines[0]; all when left out."`
	Consistent   bool                       `yaml:"consistent" doc:"Makes the read see every write that was confirmed before it, at twice the cost. A global index cannot."`
	Start        expr.Value[any]            `yaml:"start" doc:"The cursor to read on from: the next of an earlier reading of the same table, index and partition. Null and an empty text start at the beginning."`
	None         engine.Wire                `yaml:"none" doc:"Where the message goes when there are no items. Without it an empty list goes to next."`
}

// SortCondition is what a sort key must be.
type SortCondition struct {
	Eq         expr.Value[any] `yaml:"eq" doc:"Equal to this."`
	Lt         expr.Value[any] `yaml:"lt" doc:"Less than this."`
	Le         expr.Value[any] `yaml:"le" doc:"Less than or equal to this."`
	Gt         expr.Value[any] `yaml:"gt" doc:"Greater than this."`
	Ge         expr.Value[any] `yaml:"ge" doc:"Greater than or equal to this."`
	BeginsWith expr.Value[any] `yaml:"begins_with" doc:"A text, or bytes, that begins with this."`
	Between    Between         `yaml:"between" doc:"From one value to another, both included."`
}

// Between is a range of a sort key.
type Between struct {
	From expr.Value[any] `yaml:"from" doc:"The least value."`
	To   expr.Value[any] `yaml:"to" doc:"The greatest value."`
}

func (c *Query) list() listConfig {
	return listConfig{&c.Table, c.Index, c.Filter, true, c.Attributes, &c.Limit, c.MaxPages, c.Consistent, &c.Start, c.None}
}

var querySpec = engine.Spec[Query]{
	Type: "dynamodb.query",
	Doc: `Reads the items of one partition of a table or of an index, in the order of the sort key.

The output is {items, count, next}: the items, how many there are, and a cursor (a text) for ` + "`start`" + ` to read on with, or
null at the end. Pages are read until ` + "`limit`" + ` items are there or ` + "`max_pages`" + ` are read; a cursor may lead to an empty rest.
The message leaves by ` + "`none`" + ` only when there are no items at all.`,
	New:    newQuery,
	Output: func(c *Query) expr.Type { return c.list().output() },
	Check:  checkQuery,
	IAM:    func(c *Query) []engine.Statement { return onIndex("Query", c.Table, c.Index) },
	Examples: []engine.Example{
		{Doc: "The drivers of an area who have a seat.", YAML: `type: dynamodb.query
table: drivers
partition: "${{ event.body.areacode }}"
filter: seats >= :wanted
values: {wanted: "${{ event.body.seats }}"}
limit: 5
next: done
none: other`},
		{Doc: "The same by an expression, with a name that is a keyword, read on from a cursor.", YAML: `type: dynamodb.query
table: drivers
key_condition: area_code = :area
filter: "#in = :yes"
names: {in: in}
values: {area: "0231", yes: true}
start: "${{ event.body.cursor }}"`},
	},
}

func checkQuery(c *Query) []engine.Finding {
	if !described(c.Table) {
		return nil
	}
	b := newBindings(c.Names, c.Values, nil)
	_, found := keyExpression(b, c)
	_, unusable := newListing(c.list(), b)
	found = append(found, unusable...)
	found = append(found, b.check(len(found) == 0)...)
	return append(found, c.list().check()...)
}

// keyExpression is the text of the key condition.
func keyExpression(b *bindings, c *Query) (string, []engine.Finding) {
	sort, found := c.Sort.given()
	switch friendly := c.Partition.Given() || len(sort) > 0; {
	case len(found) > 0:
		return "", found
	case c.KeyCondition != "" && friendly:
		return "", []engine.Finding{{Field: "key_condition", Message: "key_condition excludes partition and sort", Hint: "write the key in one way"}}
	case c.KeyCondition != "":
		text, err := b.keyCondition(c.KeyCondition, keyOf(c.Table.Resource, c.Index))
		if err != nil {
			return "", []engine.Finding{problem("key_condition", err)}
		}
		return text, nil
	case !c.Partition.Given():
		return "", []engine.Finding{{Message: "a query needs the value of the partition key", Hint: "add partition, or key_condition"}}
	}
	key := keyOf(c.Table.Resource, c.Index)
	partition := key.Partition()
	text := b.name(partition.Name) + " = " + b.bind("partition", c.Partition, partition.marshal)
	if len(sort) == 0 {
		return text, nil
	}
	attribute, ok := key.Sort()
	if !ok {
		return "", []engine.Finding{{Field: "sort", Message: fmt.Sprintf("the key %s has no sort key", key), Hint: "leave out sort; use filter for other attributes"}}
	}
	more, found := sort[0].text(b, attribute)
	return text + " AND " + more, found
}

// sortTest is one test of a sort key.
type sortTest struct {
	field  string
	format string // with %[1]s for the attribute, %[2]s and %[3]s for the values
	values []expr.Value[any]
}

// given are the tests that the author gave: one at most, and not half of one.
func (s *SortCondition) given() ([]sortTest, []engine.Finding) {
	var given []sortTest
	for _, t := range []sortTest{
		{"eq", "%[1]s = %[2]s", []expr.Value[any]{s.Eq}},
		{"lt", "%[1]s < %[2]s", []expr.Value[any]{s.Lt}},
		{"le", "%[1]s <= %[2]s", []expr.Value[any]{s.Le}},
		{"gt", "%[1]s > %[2]s", []expr.Value[any]{s.Gt}},
		{"ge", "%[1]s >= %[2]s", []expr.Value[any]{s.Ge}},
		{"begins_with", "begins_with(%[1]s, %[2]s)", []expr.Value[any]{s.BeginsWith}},
		{"between", "%[1]s BETWEEN %[2]s AND %[3]s", []expr.Value[any]{s.Between.From, s.Between.To}},
	} {
		n := 0
		for i := range t.values {
			if t.values[i].Given() {
				n++
			}
		}
		if n > 0 && n < len(t.values) {
			return nil, []engine.Finding{{Field: "sort." + t.field, Message: "between needs from and to", Hint: "write between: {from: …, to: …}, or ge or le for one side"}}
		}
		if n > 0 {
			given = append(given, t)
		}
	}
	if len(given) > 1 {
		return nil, []engine.Finding{{Field: "sort", Message: fmt.Sprintf("%s and %s exclude each other: DynamoDB takes one test of the sort key", given[0].field, given[1].field),
			Hint: "write between: {from: …, to: …} for a range, and filter for other tests"}}
	}
	return given, nil
}

func (t sortTest) text(b *bindings, a KeyAttribute) (string, []engine.Finding) {
	if t.field == "begins_with" && a.Type == "N" {
		return "", []engine.Finding{{Field: "sort.begins_with", Message: fmt.Sprintf("the sort key %s is a number, which has no beginning", a.Name), Hint: "use ge, or between"}}
	}
	args := []any{b.name(a.Name)}
	for _, v := range t.values {
		args = append(args, b.bind("sort."+t.field, v, a.marshal))
	}
	return fmt.Sprintf(t.format, args...), nil
}

type queryNode struct {
	*listing
	key     *string
	forward *bool
}

func newQuery(c *Query, d engine.Deps) (engine.Node, error) {
	t, err := newTarget(&c.Table, d, "querying")
	if err != nil {
		return nil, err
	}
	b := newBindings(c.Names, c.Values, nil)
	key, found := keyExpression(b, c)
	l, unusable := newListing(c.list(), b)
	if err := firstError(append(found, unusable...)); err != nil {
		return nil, err
	}
	l.target = t
	return &queryNode{listing: l, key: &key, forward: aws.Bool(c.Order != "desc")}, b.ready()
}

// Do implements engine.Node.
func (n *queryNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	values, err := n.bindings.get(&m.Env)
	if err != nil {
		return 0, err
	}
	client, err := n.client(ctx)
	if err != nil {
		return 0, err
	}
	return n.do(ctx, m, func(start map[string]types.AttributeValue, limit *int32) (page, error) {
		reply, err := client.Query(ctx, &sdk.QueryInput{
			TableName: &n.address, IndexName: n.indexName, ConsistentRead: n.consistentRead, Limit: limit, ExclusiveStartKey: start,
			KeyConditionExpression: n.key, ScanIndexForward: n.forward, FilterExpression: n.filterText, ProjectionExpression: n.projection,
			ExpressionAttributeNames: n.bindings.names, ExpressionAttributeValues: values,
		})
		if err != nil {
			return page{}, err
		}
		return page{reply.Items, reply.LastEvaluatedKey}, nil
	})
}
