package expr

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/bits"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm/runtime"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// Arithmetic that never gives a wrong number silently: what overflows int64,
// divides by zero or leaves the finite numbers is an error, and a value.Number
// is computed with exactly.

var (
	errOverflow = errors.New("the result does not fit a 64-bit integer; use float(…) if an approximate result will do")
	errDivision = errors.New("division by zero")
)

// maxText bounds, in bytes, a text that an expression builds.
const maxText = 16 << 20

var errTextTooLong = fmt.Errorf("the text grows beyond %d MiB", maxText>>20)

func arithmetic(op string) func(a, b any) (any, error) {
	switch op {
	case "+":
		return add
	case "-":
		return subtract
	case "*":
		return multiply
	case "/":
		return divide
	case "%":
		return modulo
	case "**", "^":
		return power
	}
	return nil
}

func add(a, b any) (any, error) {
	switch x := a.(type) {
	case int:
		if y, ok := b.(int); ok {
			sum := x + y
			if (sum > x) != (y > 0) {
				return nil, errOverflow
			}
			return sum, nil
		}
	case string:
		if y, ok := b.(string); ok {
			if len(x)+len(y) > maxText {
				return nil, errTextTooLong
			}
			return x + y, nil
		}
	}
	if narrowed(&a, &b) {
		return add(a, b)
	}
	return mixed("+", a, b, (*big.Rat).Add, func(x, y float64) float64 { return x + y }, runtime.Add)
}

func subtract(a, b any) (any, error) {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			diff := x - y
			if (diff < x) != (y > 0) {
				return nil, errOverflow
			}
			return diff, nil
		}
	}
	if narrowed(&a, &b) {
		return subtract(a, b)
	}
	return mixed("-", a, b, (*big.Rat).Sub, func(x, y float64) float64 { return x - y }, runtime.Subtract)
}

// narrowed puts int in the place of the integers of other sizes, which the
// methods of times and durations give: now().Unix().
func narrowed(a, b *any) bool {
	x, y := narrow(a), narrow(b)
	return x || y
}

func narrow(v *any) bool {
	switch (*v).(type) {
	case nil, int, float64, string, bool, value.Number, time.Time, time.Duration:
		return false
	}
	switch reflect.TypeOf(*v).Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32:
	default:
		return false
	}
	n, err := value.Normal(*v)
	if err == nil {
		*v = n
	}
	return err == nil
}

func negate(v any) (any, error) {
	narrow(&v)
	switch v := v.(type) {
	case int:
		if v == math.MinInt {
			return nil, errOverflow
		}
		return -v, nil
	case float64:
		return -v, nil
	case value.Number:
		return subtract(0, v)
	case nil:
		return nil, errors.New("- does not take null")
	}
	return guarded(func() any { return runtime.Negate(v) }, func() error { return fmt.Errorf("- does not take %s", value.Kind(v)) })
}

func multiply(a, b any) (any, error) {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			return multiplyInts(x, y)
		}
	}
	if narrowed(&a, &b) {
		return multiply(a, b)
	}
	return mixed("*", a, b, (*big.Rat).Mul, func(x, y float64) float64 { return x * y }, runtime.Multiply)
}

func multiplyInts(x, y int) (any, error) {
	hi, lo := bits.Mul64(magnitude(x), magnitude(y))
	negative := (x < 0) != (y < 0)
	if hi != 0 || lo > math.MaxInt64 && (!negative || lo > 1<<63) {
		return nil, errOverflow
	}
	return x * y, nil
}

func magnitude(n int) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func divide(a, b any) (any, error) {
	narrowed(&a, &b)
	if exactly(a, b) {
		return divideExactly(a, b)
	}
	x, xok := float(a)
	y, yok := float(b)
	if !xok || !yok {
		return nil, mismatch("/", a, b)
	}
	if y == 0 {
		return nil, errDivision
	}
	return finite(x / y)
}

// divideExactly keeps all digits of a quotient that has an end.
func divideExactly(a, b any) (any, error) {
	x, err := rational(a)
	if err != nil {
		return nil, fmt.Errorf("/: %w", err)
	}
	y, err := rational(b)
	if err != nil {
		return nil, fmt.Errorf("/: %w", err)
	}
	if y.Sign() == 0 {
		return nil, errDivision
	}
	return decimal(x.Quo(x, y))
}

func modulo(a, b any) (any, error) {
	narrowed(&a, &b)
	x, xok := a.(int)
	y, yok := b.(int)
	if !xok || !yok {
		return nil, mismatch("%", a, b)
	}
	if y == 0 {
		return nil, errDivision
	}
	return x % y, nil
}

func power(a, b any) (any, error) {
	narrowed(&a, &b)
	x, xok := float(a)
	y, yok := float(b)
	if !xok || !yok {
		return nil, mismatch("**", a, b)
	}
	return finite(math.Pow(x, y))
}

func finite(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, value.ErrNotFinite
	}
	return f, nil
}

// mixed does what the int paths do not: floats, exact numbers, and the times
// and durations that the language itself knows.
func mixed(op string, a, b any, exact func(z, x, y *big.Rat) *big.Rat, approx func(x, y float64) float64, other func(a, b any) any) (any, error) {
	if exactly(a, b) {
		x, err := rational(a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		y, err := rational(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		return decimal(exact(new(big.Rat), x, y))
	}
	if x, ok := float(a); ok {
		if y, ok := float(b); ok {
			return finite(approx(x, y))
		}
	}
	if a == nil || b == nil {
		return nil, mismatch(op, a, b)
	}
	return guarded(func() any { return other(a, b) }, func() error { return mismatch(op, a, b) })
}

// guarded turns a panic of the language's own operators into an error.
func guarded(f func() any, failed func() error) (v any, err error) {
	defer func() {
		if recover() != nil {
			v, err = nil, failed()
		}
	}()
	return f(), nil
}

// exactly reports that a and b are to be computed with as they are written and
// not as float64.
func exactly(a, b any) bool { return isExact(a) || isExact(b) }

func mismatch(op string, a, b any) error {
	return fmt.Errorf("%s does not take %s and %s", op, value.Kind(a), value.Kind(b))
}

// isExact reports a number that float64 cannot stand for.
func isExact(v any) bool {
	switch v := v.(type) {
	case value.Number:
		return true
	case int:
		return v > 1<<53 || v < -1<<53
	}
	return false
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case value.Number:
		// A number out of range is an infinity, which finite refuses.
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil || math.IsInf(f, 0)
	}
	return 0, false
}

// maxDigits bounds the length of an exact number that is computed with:
// 1e400000000 is short to write and huge to add.
const maxDigits = 400

func rational(v any) (*big.Rat, error) {
	switch v := v.(type) {
	case int:
		return new(big.Rat).SetInt64(int64(v)), nil
	case float64:
		// What a float64 stands for is the decimal that it was read from, not
		// the binary fraction nearest to it: 0.1 is a tenth.
		if r, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'e', -1, 64)); ok {
			return r, nil
		}
	case value.Number:
		_, exp, _ := strings.Cut(strings.ToLower(string(v)), "e")
		if len(v) > maxDigits || len(strings.Trim(exp, "+-0")) > 3 {
			return nil, fmt.Errorf("the number %.20s… is too long to compute with", v)
		}
		if r, ok := new(big.Rat).SetString(string(v)); ok {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s is not a number", value.Kind(v))
}

// decimal writes a rational whose denominator divides a power of ten, as sums
// and products of decimals do, exactly.
func decimal(r *big.Rat) (any, error) {
	prec, exact := r.FloatPrec()
	if !exact {
		f, _ := r.Float64()
		return finite(f)
	}
	return value.ParseNumber(r.FloatString(prec))
}

// compare orders two values as <, <=, > and >= do: -1, 0 or 1.
func compare(a, b any) (int, error) {
	switch x := a.(type) {
	case int:
		if y, ok := b.(int); ok {
			return cmp(x < y, x > y), nil
		}
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	}
	if narrowed(&a, &b) {
		return compare(a, b)
	}
	if exactly(a, b) {
		x, err := rational(a)
		if err != nil {
			return 0, err
		}
		y, err := rational(b)
		if err != nil {
			return 0, err
		}
		return x.Cmp(y), nil
	}
	if x, ok := float(a); ok {
		if y, ok := float(b); ok {
			return cmp(x < y, x > y), nil
		}
	}
	if a == nil || b == nil {
		return 0, mismatch("a comparison", a, b)
	}
	less, err := guarded(func() any { return runtime.Less(a, b) }, func() error { return mismatch("a comparison", a, b) })
	if err != nil {
		return 0, err
	}
	return cmp(less == true, !runtime.Equal(a, b)), nil
}

func cmp(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// Equal is == of the language: numbers are compared by value, lists and objects
// by what is in them.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return x == y
		}
	case int:
		if y, ok := b.(int); ok {
			return x == y
		}
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case nil:
		return b == nil
	case []any:
		if y, ok := b.([]any); ok {
			return slices.EqualFunc(x, y, Equal)
		}
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			return maps.EqualFunc(x, y, Equal)
		}
	}
	if opened(&a) || opened(&b) || narrowed(&a, &b) {
		return Equal(a, b)
	}
	if exactly(a, b) {
		x, errX := rational(a)
		y, errY := rational(b)
		return errX == nil && errY == nil && x.Cmp(y) == 0
	}
	if b == nil {
		return runtime.IsNil(a)
	}
	return runtime.Equal(a, b)
}

// opened puts a document's content in its place; one that is not JSON equals
// nothing.
func opened(v *any) bool {
	d, ok := (*v).(*value.Doc)
	if !ok {
		return false
	}
	content, err := d.Value()
	if err == nil {
		*v = content
	}
	return err == nil
}
