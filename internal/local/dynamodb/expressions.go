package dynamodb

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

// parsed are a request's expressions, or what its older parameters say in their place.
type parsed struct {
	update     *expression.Update
	condition  *expression.Condition
	filter     *expression.Condition
	key        []expression.KeyCondition
	projection *expression.Projection
	values     int // how many bytes the ExpressionAttributeValues have
}

// The parameters of the two styles in the order in which the service lists them.
var (
	getExpressions    = parameters{expressions: []string{"ProjectionExpression"}, older: []string{"AttributesToGet"}}
	putExpressions    = parameters{expressions: []string{"ConditionExpression"}, older: []string{"Expected", "ConditionalOperator"}}
	updateExpressions = parameters{expressions: []string{"UpdateExpression", "ConditionExpression"}, older: []string{"AttributeUpdates", "Expected", "ConditionalOperator"}}
	queryExpressions  = parameters{
		expressions: []string{"ProjectionExpression", "FilterExpression", "KeyConditionExpression"},
		older:       []string{"AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"},
	}
	scanExpressions = parameters{
		expressions: []string{"ProjectionExpression", "FilterExpression"},
		older:       []string{"AttributesToGet", "ScanFilter", "ConditionalOperator"},
	}
)

type parameters struct{ expressions, older []string }

// checkStyle checks that a request does not mix expressions with the older parameters, and has placeholders only for
// expressions.
func (p parameters) checkStyle(r request) error {
	given := present(r, p.expressions)
	older := present(r, p.older)
	if r.has("KeyConditions") && !r.has("KeyConditionExpression") {
		older = slices.DeleteFunc(older, func(n string) bool { return n == "KeyConditions" })
	}
	if len(given) > 0 && len(older) > 0 {
		return invalid("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}",
			strings.Join(older, ", "), strings.Join(given, ", "))
	}
	if r.has("ExpressionAttributeNames") && len(given) == 0 {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if !r.has("ExpressionAttributeValues") {
		return nil
	}
	withValues := slices.DeleteFunc(slices.Clone(p.expressions), func(n string) bool { return n == "ProjectionExpression" })
	if len(present(r, withValues)) == 0 {
		verb := "is"
		if len(withValues) > 1 {
			verb = "are"
		}
		return invalid("ExpressionAttributeValues can only be specified when using expressions: %s %s null", strings.Join(withValues, " and "), verb)
	}
	return nil
}

// checkStyles checks all requests of a batch, which have to be of one style together.
func (p parameters) checkStyles(requests request) error {
	all := request{}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		one := requests.object(name)
		if err := p.checkStyle(one); err != nil {
			return err
		}
		for _, n := range present(one, slices.Concat(p.expressions, p.older)) {
			all[n] = one[n]
		}
	}
	return p.checkStyle(all)
}

func present(r request, names []string) []string {
	var out []string
	for _, n := range names {
		if r.has(n) {
			out = append(out, n)
		}
	}
	return out
}

// placeholders reads the two maps of placeholders.
func placeholders(r request) (*expression.Placeholders, error) {
	var names map[string]string
	if r.has("ExpressionAttributeNames") {
		given := r.object("ExpressionAttributeNames")
		if err := checkPlaceholders(given, "ExpressionAttributeNames", '#'); err != nil {
			return nil, err
		}
		names = make(map[string]string, len(given))
		for _, key := range slices.Sorted(maps.Keys(given)) {
			names[key] = given.str(key)
			if err := item.CheckName(names[key]); err != nil {
				return nil, invalid("ExpressionAttributeNames contains invalid value: %s for key %s", err, key)
			}
		}
	}
	if !r.has("ExpressionAttributeValues") {
		return expression.NewPlaceholders(names, nil), nil
	}
	given := r.object("ExpressionAttributeValues")
	if err := checkPlaceholders(given, "ExpressionAttributeValues", ':'); err != nil {
		return nil, err
	}
	values := make(map[string]item.Value, len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		v, err := item.FromJSON(given.object(key))
		if err != nil {
			return nil, invalid("ExpressionAttributeValues contains invalid value: %s for key %s", err, key)
		}
		values[key] = v
	}
	return expression.NewPlaceholders(names, values), nil
}

// maxPlaceholder bounds a placeholder, with its mark.
const maxPlaceholder = 255

func checkPlaceholders(given request, parameter string, mark byte) error {
	if len(given) == 0 {
		return invalid("%s must not be empty", parameter)
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if len(key) > maxPlaceholder {
			size := ""
			if mark == '#' { // only of these the service tells the size
				size = fmt.Sprintf(" size of key: %d", len(key))
			}
			return invalid("%s contains invalid key: The expression attribute map contains a key that is too long;%s", parameter, size)
		}
		if !expression.ValidPlaceholder(key, mark) {
			return invalid("%s contains invalid key: Syntax error; key: \"%s\"", parameter, key)
		}
	}
	return nil
}

// expressionParameters are the expressions in the order in which parse reads them.
var expressionParameters = []string{"UpdateExpression", "ConditionExpression", "KeyConditionExpression", "FilterExpression", "ProjectionExpression"}

// parse reads the request's expressions in the service's order. Without an expression it does not look at placeholders.
func parse(r request) (*parsed, error) {
	if !slices.ContainsFunc(expressionParameters, r.has) {
		return new(parsed), nil
	}
	ph, err := placeholders(r)
	if err != nil {
		return nil, err
	}
	p := &parsed{values: ph.ValuesSize()}
	steps := []struct {
		parameter string
		read      func(string) error
	}{
		{"UpdateExpression", func(src string) (err error) { p.update, err = expression.ParseUpdate(src, ph); return err }},
		{"ConditionExpression", func(src string) (err error) { p.condition, err = expression.ParseCondition(src, ph); return err }},
		{"KeyConditionExpression", func(src string) (err error) { p.key, err = expression.ParseKeyCondition(src, ph); return err }},
		{"FilterExpression", func(src string) (err error) { p.filter, err = expression.ParseCondition(src, ph); return err }},
		{"ProjectionExpression", func(src string) (err error) { p.projection, err = expression.ParseProjection(src, ph); return err }},
	}
	var keyError error
	for _, s := range steps {
		if !r.has(s.parameter) {
			continue
		}
		err := s.read(r.str(s.parameter))
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[*expression.KeyOperatorError](err); ok {
			keyError = err // the service looks at what a key condition may be behind all other expressions
			continue
		}
		return nil, invalid("Invalid %s: %s", s.parameter, err)
	}
	if err := ph.Unused(); err != nil {
		return nil, asInvalid(err)
	}
	return p, asInvalid(keyError)
}
