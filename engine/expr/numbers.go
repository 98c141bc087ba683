package expr

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// The number functions, which the library has too but neither exactly nor
// without a wrong result at the ends of the integers.
var numberFunctions = []definition{
	{Function: Function{"abs", "abs(number) number", "The number without its sign.", `abs(-2.5)`, `2.5`},
		call: func(a ...any) (any, error) { return absolute(a[0]) }},
	{Function: Function{"ceil", "ceil(number) integer", "The least integer that is not below the number.", `ceil(2.1)`, `3`},
		call: rounding("ceil", math.Ceil, func(r *big.Rat) *big.Int { return new(big.Int).Neg(floorOf(new(big.Rat).Neg(r))) })},
	{Function: Function{"floor", "floor(number) integer", "The greatest integer that is not above the number.", `floor(-2.1)`, `-3`},
		call: rounding("floor", math.Floor, floorOf)},
	{Function: Function{"max", "max(number, …) number", "The greatest of the numbers, or of a list's.", `max(1, 2.5)`, `2.5`},
		call: func(a ...any) (any, error) { return extreme("max", a, 1) }},
	{Function: Function{"min", "min(number, …) number", "The least of the numbers, or of a list's.", `min([3, 1, 2])`, `1`},
		call: func(a ...any) (any, error) { return extreme("min", a, -1) }},
	{Function: Function{"round", "round(number) integer", "The nearest integer; a half goes away from zero.", `round(-2.5)`, `-3`},
		call: rounding("round", math.Round, roundOf)},
}

// validators check calls where a list of types cannot say what fits.
var validators = map[string]func([]reflect.Type) (reflect.Type, error){
	"abs": numbers("abs", 1), "max": numbers("max", math.MaxInt), "min": numbers("min", math.MaxInt),
	"ceil": toInteger("ceil"), "floor": toInteger("floor"), "round": toInteger("round"),
}

var (
	anyType   = reflect.TypeFor[any]()
	intType   = reflect.TypeFor[int]()
	floatType = reflect.TypeFor[float64]()
)

// numbers checks a call of a function of numbers or lists of them: its result is
// of the arguments' type where they have one.
func numbers(name string, most int) func([]reflect.Type) (reflect.Type, error) {
	return func(args []reflect.Type) (reflect.Type, error) {
		if len(args) == 0 || len(args) > most {
			return anyType, fmt.Errorf("%s needs a number, it has %d arguments", name, len(args))
		}
		result := args[0]
		for _, t := range args {
			if t == nil || t != result {
				result = anyType
			}
			if t != nil && (t.Kind() == reflect.String || t.Kind() == reflect.Bool || t.Kind() == reflect.Map) {
				return anyType, fmt.Errorf("%s needs numbers, got %s", name, t.Kind())
			}
		}
		if result != intType && result != floatType {
			result = anyType
		}
		return result, nil
	}
}

// toInteger checks a call of a function that makes an integer of a number.
// Of an exact number beyond 64 bits the integer is exact too, and so no int.
func toInteger(name string) func([]reflect.Type) (reflect.Type, error) {
	check := numbers(name, 1)
	return func(args []reflect.Type) (reflect.Type, error) {
		t, err := check(args)
		if t == floatType {
			t = intType
		}
		return t, err
	}
}

func absolute(v any) (any, error) {
	v, err := value.Normal(v)
	if err != nil {
		return nil, err
	}
	if _, ok := float(v); !ok {
		return nil, fmt.Errorf("abs needs a number, got %s", value.Kind(v))
	}
	sign, err := compare(v, 0)
	if err != nil || sign >= 0 {
		return v, err
	}
	return negate(v)
}

// extreme is the element that is furthest in the direction, 1 or -1; lists
// stand for their elements.
func extreme(name string, args []any, direction int) (any, error) {
	var best any
	look := func(v any) error {
		if _, ok := float(v); !ok {
			return fmt.Errorf("%s needs numbers, got %s", name, value.Kind(v))
		}
		if best == nil {
			best = v
			return nil
		}
		order, err := compare(v, best)
		if err == nil && order == direction {
			best = v
		}
		return err
	}
	for _, a := range args {
		a, err := value.Normal(a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, ok := a.([]any); !ok {
			if err := look(a); err != nil {
				return nil, err
			}
			continue
		}
		list, err := elements(name, a)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if err := look(e); err != nil {
				return nil, err
			}
		}
	}
	if best == nil {
		return nil, errors.New(name + " has no numbers to choose from")
	}
	return best, nil
}

func rounding(name string, approx func(float64) float64, exact func(*big.Rat) *big.Int) func(a ...any) (any, error) {
	return func(a ...any) (any, error) {
		v, err := value.Normal(a[0])
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case int:
			return v, nil
		case float64:
			return integer(approx(v))
		case value.Number:
			r, err := rational(v)
			if err != nil {
				return nil, err
			}
			return value.ParseNumber(exact(r).String())
		}
		return nil, fmt.Errorf("%s needs a number, got %s", name, value.Kind(v))
	}
}

func floorOf(r *big.Rat) *big.Int {
	// Div rounds down where the divisor is positive, as a denominator is.
	return new(big.Int).Div(r.Num(), r.Denom())
}

func roundOf(r *big.Rat) *big.Int {
	half := big.NewRat(1, 2)
	if r.Sign() < 0 {
		return new(big.Int).Neg(floorOf(half.Sub(half, r)))
	}
	return floorOf(half.Add(half, r))
}
