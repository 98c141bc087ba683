package dynamodb

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Delete is the config of a dynamodb.delete node.
type Delete struct {
	Table           engine.Ref[Table]          `yaml:"table,required" doc:"The table to delete from."`
	Key             expr.Value[map[string]any] `yaml:"key,required" doc:"The item's key: all attributes of the table's key and no others."`
	OnlyIf          string                     `yaml:"only_if" enum:"present" doc:"With present an item that is not there counts as an unmet condition."`
	Condition       string                     `yaml:"condition" doc:"A DynamoDB condition expression on the item that is there, such as state = :closed. The values are bound by values."`
	Values          map[string]expr.Value[any] `yaml:"values" doc:"The values in condition, by the word that stands for them as :word."`
	Names           map[string]string          `yaml:"names" doc:"Attribute names that are keywords or hold other characters than letters, digits and _, by the word that stands for them as #word in condition."`
	ConditionFailed engine.Wire                `yaml:"condition_failed" doc:"Where the message goes when only_if or condition does not hold. Without it that is an error (permanent, code condition_failed)."`
}

var deleteSpec = engine.Spec[Delete]{
	Type: "dynamodb.delete",
	Doc: `Deletes one item by its key.

An item that is not there is no error. The output is {old, found}: the item that was deleted, or null, and whether there
was one. On ` + "`condition_failed`" + ` old is the item that is there.`,
	New:    newDelete,
	Output: deleteOutput,
	Check:  checkDelete,
	IAM:    func(c *Delete) []engine.Statement { return onTable("DeleteItem", c.Table) },
	Examples: []engine.Example{
		{Doc: "The drivers of an area.", YAML: `{type: dynamodb.delete, table: drivers, key: {area_code: "${{ event.body.areacode }}"}}`},
		{Doc: "Only an area without drivers.", YAML: `type: dynamodb.delete
table: drivers
key: {area_code: "${{ event.body.areacode }}"}
condition: size(drivers) = :none
values: {none: 0}
next: done
condition_failed: other`},
	},
}

func deleteOutput(c *Delete) expr.Type {
	return expr.Object(map[string]expr.Type{"old": itemType(c.Table.Resource), "found": expr.Bool})
}

func checkDelete(c *Delete) []engine.Finding {
	if !described(c.Table) {
		return nil
	}
	found := checkKeyTree("key", c.Key.Tree(), c.Table.Resource.Key)
	b := newBindings(c.Names, c.Values, nil)
	_, conditions := guard(b, c.Table.Resource, c.Condition, c.OnlyIf)
	found = append(found, conditions...)
	found = append(found, b.check(len(conditions) == 0)...)
	return append(found, checkUnmet(c.ConditionFailed, c.Condition, c.OnlyIf)...)
}

type deleteNode struct {
	*target
	config    *Delete
	bindings  *bindings
	condition *string
}

func newDelete(c *Delete, d engine.Deps) (engine.Node, error) {
	t, err := newTarget(&c.Table, d, "deleting from")
	if err != nil {
		return nil, err
	}
	n := &deleteNode{target: t, config: c, bindings: newBindings(c.Names, c.Values, nil)}
	condition, found := guard(n.bindings, c.Table.Resource, c.Condition, c.OnlyIf)
	if err := firstError(found); err != nil {
		return nil, err
	}
	n.condition = optional(condition)
	return n, n.bindings.ready()
}

// Do implements engine.Node.
func (n *deleteNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	key, err := n.key(&n.config.Key, &m.Env)
	if err != nil {
		return 0, err
	}
	values, err := n.bindings.get(&m.Env)
	if err != nil {
		return 0, err
	}
	client, err := n.client(ctx)
	if err != nil {
		return 0, err
	}
	reply, err := client.DeleteItem(ctx, &sdk.DeleteItemInput{
		TableName: &n.address, Key: key, ReturnValues: types.ReturnValueAllOld,
		ConditionExpression: n.condition, ExpressionAttributeNames: n.bindings.names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: whenUnmet(n.config.ConditionFailed),
	})
	if item, ok := unmet(err); ok {
		return n.conditionFailed(ctx, m, n.config.ConditionFailed, item, deleted)
	}
	if err != nil {
		return 0, n.failed(err)
	}
	old, err := n.itemOrNull(reply.Attributes)
	if err != nil {
		return 0, err
	}
	m.SetOutput(deleted(old))
	return engine.Next, nil
}

func deleted(old any) map[string]any { return map[string]any{"old": old, "found": old != nil} }
