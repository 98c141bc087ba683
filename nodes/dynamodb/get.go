package dynamodb

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Get is the config of a dynamodb.get node.
type Get struct {
	Table      engine.Ref[Table]          `yaml:"table,required" doc:"The table to read."`
	Key        expr.Value[map[string]any] `yaml:"key,required" doc:"The item's key: all attributes of the table's key and no others."`
	Consistent bool                       `yaml:"consistent" doc:"Makes the read see every write that was confirmed before it, at twice the cost. Without it a read may miss writes of the last second."`
	Attributes []string                   `yaml:"attributes" doc:"The attributes to read, such as name or address.lines[0]; all when left out. An item is paid for whole."`
	Names      map[string]string          `yaml:"names" doc:"Attribute names that contain a dot or a bracket, by the word that stands for them as #word in attributes."`
	Missing    engine.Wire                `yaml:"missing" doc:"Where the message goes when there is no such item. Without it a missing item is an error (permanent, code not_found)."`
}

var getSpec = engine.Spec[Get]{
	Type: "dynamodb.get",
	Doc: `Reads one item by its key.

The output is {item, found}: the item as a plain object (numbers exact, sets as lists, binary attributes as bytes)
and whether there is one. When there is none the message leaves by ` + "`missing`" + `, where item is null.`,
	New:    newGet,
	Output: getOutput,
	Check:  checkGet,
	IAM:    func(c *Get) []engine.Statement { return onTable("GetItem", c.Table) },
	Examples: []engine.Example{
		{Doc: "The drivers of an area, and what to do where there are none.", YAML: `type: dynamodb.get
table: drivers
key: {area_code: "${{ event.body.areacode }}"}
next: done
missing: other`},
		{Doc: "A part of an item, as it is at this moment.", YAML: `type: dynamodb.get
table: drivers
key: {area_code: "0231"}
attributes: [availability, vehicle_type]
consistent: true`},
	},
}

func getOutput(c *Get) expr.Type {
	return expr.Object(map[string]expr.Type{"item": projectedType(itemType(c.Table.Resource), c.Attributes), "found": expr.Bool})
}

func checkGet(c *Get) []engine.Finding {
	if !described(c.Table) {
		return nil
	}
	found := checkKeyTree("key", c.Key.Tree(), c.Table.Resource.Key)
	b := newBindings(c.Names, nil, nil)
	_, paths := b.paths("attributes", c.Attributes)
	found = append(found, paths...)
	found = append(found, checkAttributes(c.Attributes, itemType(c.Table.Resource))...)
	return append(found, b.check(len(paths) == 0)...)
}

type getNode struct {
	*target
	config     *Get
	projection *string
	names      map[string]string
}

func newGet(c *Get, d engine.Deps) (engine.Node, error) {
	t, err := newTarget(&c.Table, d, "reading from")
	if err != nil {
		return nil, err
	}
	n := &getNode{target: t, config: c}
	if len(c.Attributes) > 0 {
		b := newBindings(c.Names, nil, nil)
		paths, found := b.paths("attributes", c.Attributes)
		if err := firstError(found); err != nil {
			return nil, err
		}
		n.projection, n.names = &paths, b.names
	}
	return n, nil
}

// Do implements engine.Node.
func (n *getNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	key, err := n.key(&n.config.Key, &m.Env)
	if err != nil {
		return 0, err
	}
	client, err := n.client(ctx)
	if err != nil {
		return 0, err
	}
	in := &sdk.GetItemInput{TableName: &n.address, Key: key, ProjectionExpression: n.projection, ExpressionAttributeNames: n.names}
	if n.config.Consistent {
		in.ConsistentRead = aws.Bool(true)
	}
	reply, err := client.GetItem(ctx, in)
	if err != nil {
		return 0, n.failed(err)
	}
	if reply.Item == nil {
		return n.missing(ctx, m)
	}
	item, err := unmarshalItem(reply.Item)
	if err != nil {
		return 0, n.unreadable(err)
	}
	m.SetOutput(map[string]any{"item": item, "found": true})
	return engine.Next, nil
}

func (n *getNode) missing(ctx context.Context, m *engine.Message) (engine.Port, error) {
	if !n.config.Missing.Wired() {
		return 0, engine.Fail(engine.Permanent, "not_found", fmt.Sprintf("table %q has no item with this key; wire `missing` to handle it", n.resource), nil)
	}
	n.debug(ctx, m, "no such item")
	m.SetOutput(map[string]any{"item": nil, "found": false})
	return n.config.Missing.Port(), nil
}
