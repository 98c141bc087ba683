package item

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestNumbersAreExactAndPlain(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "000": "0", "0.000": "0", "0e125": "0", "0e-130": "0", "1": "1", "+1": "1", "-1": "-1", "007": "7",
		"1.50": "1.5", ".5": "0.5", "5.": "5", "100": "100", "1e2": "100", "1E+2": "100", "12e-1": "1.2", "-0.00120": "-0.0012",
		"9223372036854775807":                      "9223372036854775807",
		"9007199254740993":                         "9007199254740993",
		"12345678901234567890123456789012345678":   "12345678901234567890123456789012345678",
		"0.10000000000000000000000000000000000001": "0.10000000000000000000000000000000000001",
		"1e125":  "1" + strings.Repeat("0", 125),
		"1e-130": "0." + strings.Repeat("0", 129) + "1",
		"9.9999999999999999999999999999999999999E+125": "99999999999999999999999999999999999999" + strings.Repeat("0", 88),
	} {
		n, err := ParseNumber(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if n.String() != want {
			t.Errorf("%s reads as %s, want %s", in, n, want)
		}
	}
}

func TestNumbersOutOfRangeOrFormAreRefusedInTheServicesWords(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "The parameter cannot be converted to a numeric value",
		"b":                        "The parameter cannot be converted to a numeric value: b",
		"1 ":                       "The parameter cannot be converted to a numeric value: 1 ",
		"--1":                      "The parameter cannot be converted to a numeric value: --1",
		"1e":                       "The parameter cannot be converted to a numeric value: 1e",
		".":                        "The parameter cannot be converted to a numeric value: .",
		"1.2.3":                    "The parameter cannot be converted to a numeric value: 1.2.3",
		"0x10":                     "The parameter cannot be converted to a numeric value: 0x10",
		"NaN":                      "The parameter cannot be converted to a numeric value: NaN",
		"1e126":                    "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"-1e126":                   "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"1e-131":                   "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		"1e99999999999":            "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"1e-99999999999":           "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		"1e9223372036854775808":    "The parameter cannot be converted to a numeric value: 1e9223372036854775808",
		"1e9223372036854775807":    "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"0.0e-9223372036854775808": "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		"0e126":                    "Number overflow. Attempting to store a number with magnitude larger than supported range",
		"0e-131":                   "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		"0.00e-129":                "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		"123456789012345678901234567890123456789": "Attempting to store more than 38 significant digits in a Number",
	} {
		if n, err := ParseNumber(in); err == nil || err.Error() != want {
			t.Errorf("%q reads as %s with error %v, want %s", in, n, err, want)
		}
	}
}

// randomNumber makes numbers of all magnitudes, often close to one another.
func randomNumber(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteByte('-')
	}
	for range 1 + r.IntN(20) {
		b.WriteByte(byte('0' + r.IntN(3)*r.IntN(5)))
	}
	if r.IntN(2) == 0 {
		b.WriteByte('.')
		for range 1 + r.IntN(18) {
			b.WriteByte(byte('0' + r.IntN(10)))
		}
	}
	return b.String()
}

func rational(t *testing.T, n Number) *big.Rat {
	t.Helper()
	v, ok := new(big.Rat).SetString(n.String())
	if !ok {
		t.Fatalf("%s is no number", n)
	}
	return v
}

func TestArithmeticAndOrderAgreeWithRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		a, err := ParseNumber(randomNumber(r))
		if err != nil {
			t.Fatal(err)
		}
		b, err := ParseNumber(randomNumber(r))
		if err != nil {
			t.Fatal(err)
		}
		x, y := rational(t, a), rational(t, b)
		if got, want := a.Cmp(b), x.Cmp(y); got != want {
			t.Fatalf("%s compared with %s is %d, want %d", a, b, got, want)
		}
		if sum, err := a.Add(b); err == nil && rational(t, sum).Cmp(new(big.Rat).Add(x, y)) != 0 {
			t.Fatalf("%s + %s is %s", a, b, sum)
		} else if err != nil && err != ErrTooManyDigits {
			t.Fatalf("%s + %s: %v", a, b, err)
		}
		if difference, err := a.Sub(b); err == nil && rational(t, difference).Cmp(new(big.Rat).Sub(x, y)) != 0 {
			t.Fatalf("%s - %s is %s", a, b, difference)
		}
	}
}

func TestIntegersOfNumbers(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "12.9": 12, "-12.9": -12, "0.9": 0, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63} {
		n, _ := ParseNumber(in)
		if got, ok := n.Int64(); !ok || got != want {
			t.Errorf("%s is the integer %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"9223372036854775808", "1e20", "1e125"} {
		n, _ := ParseNumber(in)
		if got, ok := n.Int64(); ok {
			t.Errorf("%s fits int64 as %d", in, got)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0", "-12.34e5", "1e126", ".", "+.5e-7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumber(s)
		if err != nil {
			return
		}
		again, err := ParseNumber(n.String())
		if err != nil || again != n {
			t.Fatalf("%q reads as %s, which reads as %s, %v", s, n, again, err)
		}
	})
}
