package dynamodb

import (
	"context"
	"fmt"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Put is the config of a dynamodb.put node.
type Put struct {
	Table           engine.Ref[Table]          `yaml:"table,required" doc:"The table to write to."`
	Item            expr.Value[map[string]any] `yaml:"item,required" doc:"The whole item, with the table's key. An item of the same key is replaced."`
	Sets            []string                   `yaml:"sets" doc:"Names of attributes of the item whose lists are stored as sets: of texts, of numbers or of bytes, without order, each element once. An empty one is an error."`
	OnlyIf          string                     `yaml:"only_if" enum:"absent,present" doc:"Writes only if no item of this key is there (absent) or if one is (present)."`
	Condition       string                     `yaml:"condition" doc:"A DynamoDB condition expression on the item that is there, such as version = :seen. The values are bound by values."`
	Values          map[string]expr.Value[any] `yaml:"values" doc:"The values in condition, by the word that stands for them as :word."`
	Names           map[string]string          `yaml:"names" doc:"Attribute names that are keywords or hold other characters than letters, digits and _, by the word that stands for them as #word in condition."`
	Return          string                     `yaml:"return" enum:"none,old" default:"none" doc:"With old the output has the item that was replaced."`
	ConditionFailed engine.Wire                `yaml:"condition_failed" doc:"Where the message goes when only_if or condition does not hold. Without it that is an error (permanent, code condition_failed)."`
}

var putSpec = engine.Spec[Put]{
	Type: "dynamodb.put",
	Doc: `Writes one whole item.

Values are stored as what they are: texts, numbers with all their digits (up to 38), booleans, null, bytes, lists and
objects. A null is stored as null; leave the attribute out if it should be absent. A set that was read comes as a list:
name it in ` + "`sets`" + ` to write it back as a set.

The output is {old} with ` + "`return: old`" + `: the item that was replaced, or null. On ` + "`condition_failed`" + ` the output is {old} too:
the item that is there. A write whose answer got lost is sent again, and then its own item may be the one in the way.`,
	New:    newPut,
	Output: putOutput,
	Check:  checkPut,
	IAM:    func(c *Put) []engine.Statement { return onTable("PutItem", c.Table) },
	Examples: []engine.Example{
		{Doc: "A new driver; a second one of the same area is another case.", YAML: `type: dynamodb.put
table: drivers
item: {area_code: "${{ event.body.areacode }}", name: "${{ event.body.name }}", seats: 4}
only_if: absent
next: done
condition_failed: other`},
		{Doc: "A replacement only of an older version.", YAML: `type: dynamodb.put
table: drivers
item: "${{ event.body }}"
condition: version < :seen OR attribute_not_exists(version)
values: {seen: "${{ event.body.version }}"}
return: old`},
	},
}

func putOutput(c *Put) expr.Type {
	if c.Return != "old" && !c.ConditionFailed.Wired() {
		return expr.Object(nil).Lacking("old", "with `return: old` it has old, the item that was replaced")
	}
	return expr.Object(map[string]expr.Type{"old": itemType(c.Table.Resource)})
}

func checkPut(c *Put) []engine.Finding {
	if !described(c.Table) {
		return nil
	}
	found := checkItemTree("item", c.Item.Tree(), c.Table.Resource.Key)
	for i, name := range c.Sets {
		if c.Table.Resource.Key.has(name) {
			found = append(found, engine.Finding{Field: fmt.Sprintf("sets[%d]", i), Message: fmt.Sprintf("%q is a key attribute and cannot be a set", name)})
		}
		if tree := c.Item.Tree(); tree != nil && tree.Kind == expr.KindObject && !slices.Contains(tree.Keys, name) {
			found = append(found, engine.Finding{Field: fmt.Sprintf("sets[%d]", i), Message: fmt.Sprintf("the item has no attribute %q", name), Hint: expr.Nearest(name, tree.Keys)})
		}
	}
	b := newBindings(c.Names, c.Values, nil)
	_, conditions := guard(b, c.Table.Resource, c.Condition, c.OnlyIf)
	found = append(found, conditions...)
	found = append(found, b.check(len(conditions) == 0)...)
	return append(found, checkUnmet(c.ConditionFailed, c.Condition, c.OnlyIf)...)
}

type putNode struct {
	*target
	config    *Put
	bindings  *bindings
	condition *string
	returns   types.ReturnValue
}

func newPut(c *Put, d engine.Deps) (engine.Node, error) {
	t, err := newTarget(&c.Table, d, "writing to")
	if err != nil {
		return nil, err
	}
	n := &putNode{target: t, config: c, bindings: newBindings(c.Names, c.Values, nil)}
	condition, found := guard(n.bindings, c.Table.Resource, c.Condition, c.OnlyIf)
	if err := firstError(found); err != nil {
		return nil, err
	}
	n.condition = optional(condition)
	if c.Return == "old" {
		n.returns = types.ReturnValueAllOld
	}
	return n, n.bindings.ready()
}

// optional is a pointer to an expression, nil where there is none: the service
// takes no empty one.
func optional(expression string) *string {
	if expression == "" {
		return nil
	}
	return &expression
}

// Do implements engine.Node.
func (n *putNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	in, err := n.input(m)
	if err != nil {
		return 0, err
	}
	client, err := n.client(ctx)
	if err != nil {
		return 0, err
	}
	reply, err := client.PutItem(ctx, in)
	if item, ok := unmet(err); ok {
		return n.conditionFailed(ctx, m, n.config.ConditionFailed, item, func(item any) map[string]any { return map[string]any{"old": item} })
	}
	if err != nil {
		return 0, n.failed(err)
	}
	output := map[string]any{}
	if n.returns != "" {
		if output["old"], err = n.itemOrNull(reply.Attributes); err != nil {
			return 0, err
		}
	}
	m.SetOutput(output)
	return engine.Next, nil
}

func (n *putNode) input(m *engine.Message) (*sdk.PutItemInput, error) {
	item, err := n.item(&m.Env)
	if err != nil {
		return nil, err
	}
	values, err := n.bindings.get(&m.Env)
	if err != nil {
		return nil, err
	}
	return &sdk.PutItemInput{
		TableName: &n.address, Item: item, ReturnValues: n.returns,
		ConditionExpression: n.condition, ExpressionAttributeNames: n.bindings.names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: whenUnmet(n.config.ConditionFailed),
	}, nil
}

func (n *putNode) item(env *expr.Env) (map[string]types.AttributeValue, error) {
	values, err := n.config.Item.Get(env)
	if err != nil {
		return nil, err
	}
	item, err := marshalItem(values)
	if err == nil {
		err = n.asSets(values, item)
	}
	if err == nil {
		err = n.Key.checkItem(item)
	}
	if err != nil {
		return nil, n.refused("invalid_item", within("item", err))
	}
	return item, nil
}

// asSets makes sets of the attributes that the author named. One that is not
// there stays away.
func (n *putNode) asSets(values map[string]any, item map[string]types.AttributeValue) error {
	for _, name := range n.config.Sets {
		v, ok := values[name]
		if !ok {
			continue
		}
		set, err := marshalSet(v)
		if err != nil {
			return within(name, err)
		}
		item[name] = set
	}
	return nil
}
