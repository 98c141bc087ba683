package dynamodb

import (
	"math"
	"strconv"
	"strings"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// Limits of the number type (Developer Guide, "Supported data types and naming
// rules"): 38 significant digits, magnitudes from 1E-130 to 9.99…E+125.
const (
	maxDigits   = 38
	maxExponent = 125
	minExponent = -130
)

// checkNumber gives a number's text as the service takes it: zero without a
// sign and an exponent, all else as it is.
func checkNumber(text string) (string, error) {
	digits, exponent, ok := significand(text)
	switch {
	case !ok:
		return "", cannot("the number is malformed")
	case digits == "":
		return "0", nil
	case len(digits) > maxDigits:
		return "", cannot("the number has %d significant digits and DynamoDB holds %d; store it as a text", len(digits), maxDigits)
	case exponent > maxExponent || exponent < minExponent:
		return "", cannot("the number's magnitude is beyond DynamoDB's range of 1E%d to 1E+%d; store it as a text", minExponent, maxExponent+1)
	}
	return text, nil
}

// parseNumber reads a number as the service writes it.
func parseNumber(text string) (any, error) {
	if _, _, ok := significand(text); !ok {
		return nil, cannot("the service gave a number that is none")
	}
	v, err := value.ParseNumber(text)
	if err != nil {
		return nil, cannot("the service gave a number that is none")
	}
	return v, nil
}

// canonical is one text for all texts of a number.
func canonical(text string) string {
	digits, exponent, _ := significand(text)
	if digits == "" {
		return "0"
	}
	sign := ""
	if text[0] == '-' {
		sign = "-"
	}
	return sign + digits + "E" + strconv.Itoa(exponent)
}

// significand splits a number's text into its digits without leading and
// trailing zeros, none for zero, and the power of ten of the first digit. ok is
// false for a text that is not a number as JSON has it.
func significand(text string) (digits string, exponent int, ok bool) {
	mantissa, e := strings.TrimPrefix(text, "-"), ""
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, e = mantissa[:i], mantissa[i+1:]
		unsigned := e
		if e != "" && (e[0] == '+' || e[0] == '-') {
			unsigned = e[1:]
		}
		if !isDigits(unsigned) {
			return "", 0, false
		}
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	if !isDigits(whole) || point && !isDigits(fraction) {
		return "", 0, false
	}
	if e != "" {
		n, err := strconv.Atoi(e)
		if err != nil {
			n = math.MaxInt32
			if e[0] == '-' {
				n = math.MinInt32
			}
		}
		exponent = min(max(n, math.MinInt32), math.MaxInt32)
	}
	exponent += len(whole) - 1
	digits = whole + fraction
	trimmed := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(trimmed)
	return strings.TrimRight(trimmed, "0"), exponent, true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
