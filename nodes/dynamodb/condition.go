package dynamodb

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
)

// guard is the condition of a write, from a `condition` and an `only_if`; ""
// when there is neither. Findings stand under `condition`.
func guard(b *bindings, t *Table, text, onlyIf string) (string, []engine.Finding) {
	out := ""
	if text != "" {
		var err error
		if out, err = b.condition(text); err != nil {
			return "", []engine.Finding{problem("condition", err)}
		}
	}
	function, ok := map[string]string{"absent": "attribute_not_exists", "present": "attribute_exists"}[onlyIf]
	if !ok {
		return out, nil
	}
	exists := fmt.Sprintf("%s(%s)", function, b.name(t.Key.Partition().Name))
	if out == "" {
		return exists, nil
	}
	return fmt.Sprintf("(%s) AND %s", out, exists), nil
}

// checkUnmet finds a wire for an unmet condition where there is none that could
// be unmet.
func checkUnmet(wire engine.Wire, condition, onlyIf string) []engine.Finding {
	if wire.Wired() && condition == "" && onlyIf == "" {
		return []engine.Finding{{Field: "condition_failed", Message: "there is no condition that could fail", Hint: "add only_if or condition, or remove this"}}
	}
	return nil
}

// unmet tells whether an error says that the condition of a write did not hold,
// and gives the item that was there, nil where there was none or it was not
// asked for.
func unmet(err error) (item map[string]types.AttributeValue, ok bool) {
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return nil, false
	}
	return failed.Item, true
}

// whenUnmet says what the service should tell of the item when the condition
// fails: only what somebody will read.
func whenUnmet(wire engine.Wire) types.ReturnValuesOnConditionCheckFailure {
	if wire.Wired() {
		return types.ReturnValuesOnConditionCheckFailureAllOld
	}
	return ""
}

// conditionFailed sends the message by the wire for an unmet condition, with
// the output that output makes of the item as it is.
func (t *target) conditionFailed(ctx context.Context, m *engine.Message, wire engine.Wire, item map[string]types.AttributeValue, output func(item any) map[string]any) (engine.Port, error) {
	if !wire.Wired() {
		return 0, engine.Fail(engine.Permanent, "condition_failed", t.doing+": the item does not meet the condition; wire `condition_failed` to handle it", nil)
	}
	old, err := t.itemOrNull(item)
	if err != nil {
		return 0, err
	}
	t.debug(ctx, m, "the condition does not hold")
	m.SetOutput(output(old))
	return wire.Port(), nil
}
