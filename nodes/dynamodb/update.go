package dynamodb

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Update is the config of a dynamodb.update node.
type Update struct {
	Table           engine.Ref[Table]          `yaml:"table,required" doc:"The table to write to."`
	Key             expr.Value[map[string]any] `yaml:"key,required" doc:"The item's key: all attributes of the table's key and no others. An item that is not there is made."`
	Set             map[string]expr.Value[any] `yaml:"set" doc:"New values by path, such as status or address.city. A null is stored as null."`
	SetIfAbsent     map[string]expr.Value[any] `yaml:"set_if_absent" doc:"Values by path for what the item does not have yet; what is there stays."`
	Add             map[string]expr.Value[any] `yaml:"add" doc:"By path, a number to add to the number there (negative to subtract; 0 if absent), or a list of elements to put into the set there."`
	Append          map[string]expr.Value[any] `yaml:"append" doc:"By path, a list whose elements go to the end of the list there (an empty one if absent)."`
	Remove          []string                   `yaml:"remove" doc:"Paths of attributes or of list elements to remove."`
	Delete          map[string]expr.Value[any] `yaml:"delete" doc:"By path, a list of elements to take out of the set there."`
	Sets            []string                   `yaml:"sets" doc:"Paths in set and set_if_absent, and words in values, whose lists are stored as sets."`
	Update          string                     `yaml:"update" doc:"A DynamoDB update expression instead of the keys above, such as SET total = total + :n REMOVE draft."`
	OnlyIf          string                     `yaml:"only_if" enum:"absent,present" doc:"Writes only if no item of this key is there (absent) or if one is (present)."`
	Condition       string                     `yaml:"condition" doc:"A DynamoDB condition expression on the item that is there, such as seats >= :wanted. The values are bound by values."`
	Values          map[string]expr.Value[any] `yaml:"values" doc:"The values in condition and update, by the word that stands for them as :word."`
	Names           map[string]string          `yaml:"names" doc:"Attribute names that are keywords or hold other characters than letters, digits and _, by the word that stands for them as #word in expressions and paths."`
	Return          string                     `yaml:"return" enum:"none,old,new,updated_old,updated_new" default:"new" doc:"What the output's item is: the item after the update (new) or before it (old), only the updated attributes of either, or nothing."`
	ConditionFailed engine.Wire                `yaml:"condition_failed" doc:"Where the message goes when only_if or condition does not hold. Without it that is an error (permanent, code condition_failed)."`
}

var updateSpec = engine.Spec[Update]{
	Type: "dynamodb.update",
	Doc: `Changes parts of one item, in one step that nothing comes between.

The item is made if it is not there; ` + "`only_if: present`" + ` forbids that. The output is {item}, by ` + "`return`" + ` the item
as it is now, or was before. On ` + "`condition_failed`" + ` item is the item that is there, or null.

Adding, appending and expressions such as ` + "`SET n = n + :one`" + ` are not idempotent: an update whose answer got lost is sent
again and then counts twice, as it does when a queue delivers its message again. Where that matters, add a condition
that the update itself makes false, such as ` + "`last_message <> :id`" + ` with ` + "`set: {last_message: …}`" + `.`,
	New:    newUpdate,
	Output: updateOutput,
	Check:  checkUpdate,
	IAM:    func(c *Update) []engine.Statement { return onTable("UpdateItem", c.Table) },
	Examples: []engine.Example{
		{Doc: "Take a seat, if there is one.", YAML: `type: dynamodb.update
table: drivers
key: {area_code: "${{ event.body.areacode }}"}
set: {last_passenger: "${{ event.body.name }}"}
add: {seats: -1}
condition: seats > :none
values: {none: 0}
next: done
condition_failed: other`},
		{Doc: "The same with an update expression.", YAML: `type: dynamodb.update
table: drivers
key: {area_code: "${{ event.body.areacode }}"}
update: SET seats = seats - :one REMOVE reserved
values: {one: 1}
only_if: present
return: updated_new`},
	},
}

func updateOutput(c *Update) expr.Type {
	if c.Return == "none" && !c.ConditionFailed.Wired() {
		return expr.Object(nil).Lacking("item", "without `return: none` it has item, the item after the update")
	}
	return expr.Object(map[string]expr.Type{"item": itemType(c.Table.Resource)})
}

func checkUpdate(c *Update) []engine.Finding {
	if !described(c.Table) {
		return nil
	}
	found := checkKeyTree("key", c.Key.Tree(), c.Table.Resource.Key)
	b := newBindings(c.Names, c.Values, c.Sets)
	_, updates := updateExpression(b, c)
	_, conditions := guard(b, c.Table.Resource, c.Condition, c.OnlyIf)
	found = append(append(found, updates...), conditions...)
	found = append(found, b.check(len(updates)+len(conditions) == 0)...)
	found = append(found, c.checkSets()...)
	return append(found, checkUnmet(c.ConditionFailed, c.Condition, c.OnlyIf)...)
}

// checkSets finds a name in sets that stands for nothing.
func (c *Update) checkSets() []engine.Finding {
	var found []engine.Finding
	for i, name := range c.Sets {
		_, set := c.Set[name]
		_, absent := c.SetIfAbsent[name]
		_, value := c.Values[name]
		if !set && !absent && !value {
			found = append(found, engine.Finding{Field: fmt.Sprintf("sets[%d]", i), Message: fmt.Sprintf("%q is neither a path in set nor a word in values", name)})
		}
	}
	return found
}

type updateNode struct {
	*target
	config    *Update
	bindings  *bindings
	update    string
	condition *string
	returns   types.ReturnValue
}

var returnValues = map[string]types.ReturnValue{
	"old": types.ReturnValueAllOld, "new": types.ReturnValueAllNew,
	"updated_old": types.ReturnValueUpdatedOld, "updated_new": types.ReturnValueUpdatedNew,
}

func newUpdate(c *Update, d engine.Deps) (engine.Node, error) {
	t, err := newTarget(&c.Table, d, "updating")
	if err != nil {
		return nil, err
	}
	n := &updateNode{target: t, config: c, bindings: newBindings(c.Names, c.Values, c.Sets), returns: returnValues[c.Return]}
	update, found := updateExpression(n.bindings, c)
	condition, unusable := guard(n.bindings, c.Table.Resource, c.Condition, c.OnlyIf)
	if err := firstError(append(found, unusable...)); err != nil {
		return nil, err
	}
	n.update, n.condition = update, optional(condition)
	return n, n.bindings.ready()
}

// Do implements engine.Node.
func (n *updateNode) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
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
	reply, err := client.UpdateItem(ctx, &sdk.UpdateItemInput{
		TableName: &n.address, Key: key, UpdateExpression: &n.update, ReturnValues: n.returns,
		ConditionExpression: n.condition, ExpressionAttributeNames: n.bindings.names, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: whenUnmet(n.config.ConditionFailed),
	})
	if item, ok := unmet(err); ok {
		return n.conditionFailed(ctx, m, n.config.ConditionFailed, item, updated)
	}
	if err != nil {
		return 0, n.failed(err)
	}
	if n.returns == "" {
		m.SetOutput(map[string]any{})
		return engine.Next, nil
	}
	item, err := n.itemOrNull(reply.Attributes)
	if err != nil {
		return 0, err
	}
	m.SetOutput(updated(item))
	return engine.Next, nil
}

func updated(item any) map[string]any { return map[string]any{"item": item} }
