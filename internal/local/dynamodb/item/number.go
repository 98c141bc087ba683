package item

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// Limits of the DynamoDB number type (Developer Guide, "Supported data types and naming rules").
const (
	maxDigits      = 38
	maxMagnitude   = 125  // the largest power of ten of a leading digit: 9.99…E+125
	minMagnitude   = -130 // the smallest: 1E-130
	farExponent    = 1 << 20
	maxNumberInput = 1024 // longer texts cannot be numbers in range and are not worth the work
)

// The texts are the service's own.
var (
	ErrTooManyDigits = errors.New("Attempting to store more than 38 significant digits in a Number")
	ErrOverflow      = errors.New("Number overflow. Attempting to store a number with magnitude larger than supported range")
	ErrUnderflow     = errors.New("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	errNoNumber      = errors.New(notNumeric)
)

const notNumeric = "The parameter cannot be converted to a numeric value"

// Number is an exact decimal of at most 38 significant digits. The zero Number is 0. Two Numbers are equal with ==
// exactly when they have the same value, because the representation is canonical: the value is 0.DIGITS × 10^exp with
// no leading and no trailing zero in DIGITS.
type Number struct {
	digits string
	exp    int16
	neg    bool
}

// ParseNumber reads a decimal as the service does: optional sign, digits with an optional point, optional exponent.
// The errors carry the service's message texts.
func ParseNumber(s string) (Number, error) {
	if s == "" {
		return Number{}, errNoNumber
	}
	mantissa, exp, ok := splitNumber(s)
	if !ok || len(s) > maxNumberInput {
		return Number{}, errors.New(notNumeric + ": " + s)
	}
	neg := mantissa[0] == '-'
	mantissa = strings.TrimLeft(mantissa, "+-")
	whole, frac, _ := strings.Cut(mantissa, ".")
	n, err := normalise(neg, whole+frac, exp+int64(len(whole)))
	if err == nil && n.digits == "" {
		return Number{}, checkZero(exp - int64(len(frac)))
	}
	return n, err
}

// checkZero checks a zero written with this exponent, which counts although the value does not depend on it.
func checkZero(exp int64) error {
	switch {
	case exp > maxMagnitude:
		return ErrOverflow
	case exp < minMagnitude:
		return ErrUnderflow
	}
	return nil
}

// splitNumber checks the grammar and separates the exponent, which must fit 64 bits.
func splitNumber(s string) (mantissa string, exp int64, ok bool) {
	mantissa = s
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		if !isInteger(s[i+1:]) {
			return "", 0, false
		}
		v, err := strconv.ParseInt(s[i+1:], 10, 64)
		if err != nil {
			return "", 0, false
		}
		// Far beyond all magnitudes one is as good as another, and none overflows by the length of the digits.
		exp = min(max(v, -farExponent), farExponent)
	}
	body := mantissa
	if body != "" && (body[0] == '-' || body[0] == '+') {
		body = body[1:]
	}
	digits, points := 0, 0
	for i := range len(body) {
		switch c := body[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			points++
		default:
			return "", 0, false
		}
	}
	return mantissa, exp, digits > 0 && points <= 1
}

func isInteger(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// normalise makes the canonical form of 0.DIGITS × 10^exp.
func normalise(neg bool, digits string, exp int64) (Number, error) {
	trimmed := strings.TrimLeft(digits, "0")
	exp -= int64(len(digits) - len(trimmed))
	trimmed = strings.TrimRight(trimmed, "0")
	switch {
	case trimmed == "":
		return Number{}, nil
	case exp-1 > maxMagnitude:
		return Number{}, ErrOverflow
	case exp-1 < minMagnitude:
		return Number{}, ErrUnderflow
	case len(trimmed) > maxDigits:
		return Number{}, ErrTooManyDigits
	}
	return Number{digits: trimmed, exp: int16(exp), neg: neg}, nil
}

// NumberFromInt gives the exact decimal of an integer.
func NumberFromInt(i int64) Number {
	n, err := ParseNumber(strconv.FormatInt(i, 10))
	if err != nil {
		panic("item: a 64-bit integer has at most 19 digits") // unreachable: 19 digits always fit
	}
	return n
}

// String is the plain decimal notation without exponent, as the service returns numbers.
func (n Number) String() string {
	if n.digits == "" {
		return "0"
	}
	return string(n.append(make([]byte, 0, len(n.digits)+3)))
}

func (n Number) append(dst []byte) []byte {
	if n.digits == "" {
		return append(dst, '0')
	}
	if n.neg {
		dst = append(dst, '-')
	}
	point := int(n.exp)
	switch {
	case point <= 0:
		dst = append(dst, '0', '.')
		dst = appendZeros(dst, -point)
		return append(dst, n.digits...)
	case point >= len(n.digits):
		dst = append(dst, n.digits...)
		return appendZeros(dst, point-len(n.digits))
	}
	dst = append(dst, n.digits[:point]...)
	dst = append(dst, '.')
	return append(dst, n.digits[point:]...)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// Sign is -1, 0 or +1.
func (n Number) Sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.neg:
		return -1
	}
	return 1
}

// Cmp is -1, 0 or +1 as n is less than, equal to or greater than o.
func (n Number) Cmp(o Number) int {
	if a, b := n.Sign(), o.Sign(); a != b || a == 0 {
		return sign(a - b)
	}
	c := sign(int(n.exp) - int(o.exp))
	if c == 0 {
		c = strings.Compare(n.digits, o.digits)
	}
	if n.neg {
		return -c
	}
	return c
}

func sign(i int) int {
	switch {
	case i < 0:
		return -1
	case i > 0:
		return 1
	}
	return 0
}

// Neg is -n.
func (n Number) Neg() Number {
	if n.digits != "" {
		n.neg = !n.neg
	}
	return n
}

// Add is the exact sum; a sum that does not fit the number type is one of the package's errors.
func (n Number) Add(o Number) (Number, error) {
	switch {
	case n.digits == "":
		return o, nil
	case o.digits == "":
		return n, nil
	}
	low := min(n.scale(), o.scale())
	sum := new(big.Int).Add(n.scaled(low), o.scaled(low))
	digits := sum.Text(10)
	neg := digits[0] == '-'
	digits = strings.TrimPrefix(digits, "-")
	n, err := normalise(neg, digits, int64(len(digits)+low))
	if err == ErrTooManyDigits {
		err = ErrOverflow // the service's word for any result that it cannot keep
	}
	return n, err
}

// Sub is the exact difference n - o.
func (n Number) Sub(o Number) (Number, error) { return n.Add(o.Neg()) }

// scale is the power of ten of the last digit.
func (n Number) scale() int { return int(n.exp) - len(n.digits) }

// scaled is the integer n × 10^-low; low is not above the scale of n.
func (n Number) scaled(low int) *big.Int {
	v, _ := new(big.Int).SetString(n.digits+strings.Repeat("0", n.scale()-low), 10)
	if n.neg {
		v.Neg(v)
	}
	return v
}

// Int64 gives the number as an integer, cut towards zero; ok is false when it is outside the range of int64.
func (n Number) Int64() (i int64, ok bool) {
	if n.exp <= 0 {
		return 0, true
	}
	if n.exp > 19 {
		return 0, false
	}
	text, _, _ := strings.Cut(n.String(), ".")
	i, err := strconv.ParseInt(text, 10, 64)
	return i, err == nil
}

// size is the number's share of the item size: a byte for every two digits as they stand around the decimal point,
// one byte more, and one more for a sign.
func (n Number) size() int {
	if n.digits == "" {
		return 1
	}
	lead := int(n.exp) & 1 // an odd number of digits before the point starts with half a pair
	pairs := (len(n.digits) + lead + 1) / 2
	if n.neg {
		return pairs + 2
	}
	return pairs + 1
}

// Parts gives the canonical form, value = sign × 0.DIGITS × 10^exp, for encoders; DIGITS is empty for zero.
func (n Number) Parts() (negative bool, digits string, exp int) { return n.neg, n.digits, int(n.exp) }
