package dynamodb

import (
	"maps"
	"math"
	"slices"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// The parameters that are older than expressions (API Reference, "Legacy conditional parameters") are read into the
// same conditions, updates and projections that expressions give.

// operandCounts has no bound above for IN: the hundred operands that the service takes there are a limit of expressions.
var operandCounts = map[string]struct{ low, high int }{
	"NULL": {0, 0}, "NOT_NULL": {0, 0}, "IN": {1, math.MaxInt}, "BETWEEN": {2, 2},
	"EQ": {1, 1}, "NE": {1, 1}, "LE": {1, 1}, "LT": {1, 1}, "GE": {1, 1}, "GT": {1, 1},
	"CONTAINS": {1, 1}, "NOT_CONTAINS": {1, 1}, "BEGINS_WITH": {1, 1},
}

// operandKinds are the kinds that an operator of QueryFilter, ScanFilter and KeyConditions takes; any when not listed.
var operandKinds = map[string][]item.Kind{
	"LE": {item.S, item.N, item.B}, "LT": {item.S, item.N, item.B}, "GE": {item.S, item.N, item.B}, "GT": {item.S, item.N, item.B},
	"CONTAINS": {item.S, item.N, item.B}, "NOT_CONTAINS": {item.S, item.N, item.B}, "BEGINS_WITH": {item.S, item.B},
	"IN": {item.S, item.N, item.B}, "BETWEEN": {item.S, item.N, item.B},
}

func readValues(r request) ([]item.Value, error) {
	var values []item.Value
	for _, e := range r.objects("AttributeValueList") {
		v, err := item.FromJSON(e)
		if err != nil {
			return nil, asInvalid(err)
		}
		values = append(values, v)
	}
	return values, nil
}

func checkOperands(operator string, values []item.Value) error {
	if n := operandCounts[operator]; len(values) < n.low || len(values) > n.high {
		return invalidParameter("Invalid number of argument(s) for the %s ComparisonOperator", operator)
	}
	for _, v := range values {
		if v.Kind != values[0].Kind {
			return invalidParameter("AttributeValues inside AttributeValueList must be of same type")
		}
	}
	for _, v := range values {
		if kinds, limited := operandKinds[operator]; limited && !slices.Contains(kinds, v.Kind) {
			return invalidParameter("ComparisonOperator %s is not valid for %s AttributeValue type", operator, v.Kind)
		}
	}
	if operator == "BETWEEN" {
		if c, _ := item.Compare(values[0], values[1]); c > 0 {
			return invalid("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
		}
	}
	return nil
}

// olderFilter reads QueryFilter or ScanFilter.
func olderFilter(r request, parameter string) (*expression.Condition, error) {
	given := r.object(parameter)
	if r.has("ConditionalOperator") && len(given) < 2 {
		if len(given) == 0 {
			return nil, invalid("ConditionalOperator cannot be used without Filter or Expected")
		}
		return nil, invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	var conditions []*expression.Condition
	for _, name := range slices.Sorted(maps.Keys(given)) {
		c := given.object(name)
		values, err := readValues(c)
		if err != nil {
			return nil, err
		}
		if err := checkOperands(c.str("ComparisonOperator"), values); err != nil {
			return nil, err
		}
		conditions = append(conditions, expression.NewComparison(name, c.str("ComparisonOperator"), values))
	}
	return expression.Join(conditions, r.str("ConditionalOperator") == "OR"), nil
}

// olderKeyConditions reads KeyConditions.
func olderKeyConditions(r request) ([]expression.KeyCondition, error) {
	given := r.object("KeyConditions")
	var conditions []expression.KeyCondition
	for _, name := range slices.Sorted(maps.Keys(given)) {
		c := given.object(name)
		values, err := readValues(c)
		if err != nil {
			return nil, err
		}
		if err := checkOperands(c.str("ComparisonOperator"), values); err != nil {
			return nil, err
		}
		conditions = append(conditions, expression.KeyCondition{
			Name: name, Operator: expression.KeyOperator(c.str("ComparisonOperator")), Values: values,
		})
	}
	return conditions, nil
}

// olderExpected reads Expected.
func olderExpected(r request) (*expression.Condition, error) {
	given := r.object("Expected")
	if r.has("ConditionalOperator") && len(given) < 2 {
		if len(given) == 0 {
			return nil, invalid("ConditionalOperator cannot be used without Filter or Expected")
		}
		return nil, invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	var conditions []*expression.Condition
	for _, name := range slices.Sorted(maps.Keys(given)) {
		c, err := expectedCondition(name, given.object(name))
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c)
	}
	return expression.Join(conditions, r.str("ConditionalOperator") == "OR"), nil
}

func expectedCondition(name string, c request) (*expression.Condition, error) {
	operator := c.str("ComparisonOperator")
	switch {
	case c.has("AttributeValueList") && c.has("Value"):
		return nil, invalidParameter("Value and AttributeValueList cannot be used together for Attribute: %s", name)
	case operator != "" && c.has("Exists"):
		return nil, invalidParameter("Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
	case operator == "" && c.has("AttributeValueList"):
		return nil, invalidParameter("AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	case operator == "":
		return existsCondition(name, c)
	case operator != "NULL" && operator != "NOT_NULL" && !c.has("AttributeValueList") && !c.has("Value"):
		return nil, invalidParameter("Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s", operator, name)
	}
	values, err := readValues(c)
	if err != nil {
		return nil, err
	}
	if c.has("Value") {
		v, err := item.FromJSON(c.object("Value"))
		if err != nil {
			return nil, asInvalid(err)
		}
		values = []item.Value{v}
	}
	if err := checkOperands(operator, values); err != nil {
		return nil, err
	}
	return expression.NewComparison(name, operator, values), nil
}

// existsCondition reads the oldest form: a value that the attribute has, or that there is none.
func existsCondition(name string, c request) (*expression.Condition, error) {
	exists := !c.has("Exists") || c.boolean("Exists")
	switch {
	case exists && !c.has("Value"):
		given := "null"
		if c.has("Exists") {
			given = "true"
		}
		return nil, invalidParameter("Value must be provided when Exists is %s for Attribute: %s", given, name)
	case !exists && c.has("Value"):
		return nil, invalidParameter("Value cannot be used when Exists is false for Attribute: %s", name)
	case !exists:
		return expression.NewComparison(name, "NULL", nil), nil
	}
	v, err := item.FromJSON(c.object("Value"))
	if err != nil {
		return nil, asInvalid(err)
	}
	return expression.NewComparison(name, "EQ", []item.Value{v}), nil
}

// olderUpdates reads AttributeUpdates.
func olderUpdates(r request) (*expression.Update, error) {
	given := r.object("AttributeUpdates")
	var changes []expression.Change
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := item.CheckName(name); err != nil {
			return nil, asInvalid(err)
		}
		u := given.object(name)
		c := expression.Change{Name: name, Action: u.str("Action")}
		if u.has("Value") {
			v, err := item.FromJSON(u.object("Value"))
			if err != nil {
				return nil, asInvalid(err)
			}
			c.Value = &v
		}
		if err := checkChange(c); err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return expression.NewUpdate(changes), nil
}

func checkChange(c expression.Change) error {
	if c.Value == nil {
		if c.Action != "DELETE" {
			return invalidParameter("Only DELETE action is allowed when no attribute value is specified")
		}
		return nil
	}
	isSet := c.Value.Kind.Member() != 0
	if c.Action == "DELETE" && !isSet {
		return invalidParameter("DELETE action with value is not supported for the type %s", c.Value.Kind)
	}
	if c.Action == "ADD" && !isSet && c.Value.Kind != item.N && c.Value.Kind != item.L {
		return invalidParameter("ADD action is not supported for the type %s", c.Value.Kind)
	}
	return nil
}

// olderProjection reads AttributesToGet; nil when it is not given.
func olderProjection(r request) (*expression.Projection, error) {
	if !r.has("AttributesToGet") {
		return nil, nil
	}
	names := r.strings("AttributesToGet")
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		if err := item.CheckName(n); err != nil {
			return nil, asInvalid(err)
		}
		if seen[n] {
			return nil, invalidParameter("Duplicate value in attribute name: %s", n)
		}
		seen[n] = true
	}
	return expression.NewProjection(expression.TopLevelPaths(names)), nil
}
