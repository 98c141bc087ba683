package dynamodb

import (
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func TestMarshalGivesEachValueItsOwnType(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	tests := []struct {
		name string
		give any
		want types.AttributeValue
	}{
		{"null", nil, &types.AttributeValueMemberNULL{Value: true}},
		{"text", "a", &types.AttributeValueMemberS{Value: "a"}},
		{"empty text", "", &types.AttributeValueMemberS{Value: ""}},
		{"boolean", false, &types.AttributeValueMemberBOOL{Value: false}},
		{"integer", -7, &types.AttributeValueMemberN{Value: "-7"}},
		{"largest int", math.MaxInt64, &types.AttributeValueMemberN{Value: "9223372036854775807"}},
		{"2^63", value.Number("9223372036854775808"), &types.AttributeValueMemberN{Value: "9223372036854775808"}},
		{"38 digits", value.Number("1234567890123456789012345678.9012345678"), &types.AttributeValueMemberN{Value: "1234567890123456789012345678.9012345678"}},
		{"decimal", 0.1, &types.AttributeValueMemberN{Value: "0.1"}},
		{"minus zero", math.Copysign(0, -1), &types.AttributeValueMemberN{Value: "0"}},
		{"bytes", []byte{0, 255}, &types.AttributeValueMemberB{Value: []byte{0, 255}}},
		{"no bytes", []byte(nil), &types.AttributeValueMemberB{Value: []byte{}}},
		{"empty list", []any{}, &types.AttributeValueMemberL{Value: []types.AttributeValue{}}},
		{"empty object", map[string]any{}, &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}}},
		{"list", []any{1, "a"}, &types.AttributeValueMemberL{Value: []types.AttributeValue{
			&types.AttributeValueMemberN{Value: "1"}, &types.AttributeValueMemberS{Value: "a"}}}},
		{"typed slice of an expression", []string{"a"}, &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberS{Value: "a"}}}},
		{"unsigned", uint64(math.MaxUint64), &types.AttributeValueMemberN{Value: "18446744073709551615"}},
		{"time", at, &types.AttributeValueMemberS{Value: "2026-03-01T12:00:00.000000005Z"}},
		{"duration", 90 * time.Second, &types.AttributeValueMemberS{Value: "1m30s"}},
		{"document", value.NewDoc([]byte(`{"n":9223372036854775808}`)), &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"n": &types.AttributeValueMemberN{Value: "9223372036854775808"}}}},
		{"record", expr.Fields{"a": true}, &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"a": &types.AttributeValueMemberBOOL{Value: true}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := marshal(tt.give)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %#v, %v; want %#v", got, err, tt.want)
			}
		})
	}
}

func nested(levels int) any {
	var v any = "x"
	for range levels {
		v = []any{v}
	}
	return v
}

func TestMarshalRefusesWhatDynamoDBCannotHold(t *testing.T) {
	tests := []struct {
		name string
		give any
		want string
	}{
		{"39 digits", map[string]any{"price": []any{0, value.Number("123456789012345678901234567890123456789")}}, "price[1]: the number has 39 significant digits"},
		{"too large", value.Number("1e126"), "beyond DynamoDB's range"},
		{"too small", value.Number("1e-131"), "beyond DynamoDB's range"},
		{"absurd exponent", value.Number("1e99999999999999999999"), "beyond DynamoDB's range"},
		{"large float", 1e200, "beyond DynamoDB's range"},
		{"not a number", math.NaN(), "not finite"},
		{"infinity", map[string]any{"a": map[string]any{"b": math.Inf(1)}}, "a.b: the number is not finite"},
		{"bad UTF-8", "\xff", "not valid UTF-8"},
		{"bad document", value.NewDoc([]byte("{")), "not valid JSON"},
		{"33 levels", nested(33), "32 levels"},
		{"a function", func() {}, "no JSON form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := marshal(tt.give)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := marshal(nested(32)); err != nil {
		t.Errorf("32 levels: %v", err)
	}
}

func TestNumbersAtTheLimitsAreTaken(t *testing.T) {
	for _, text := range []string{"9.9999999999999999999999999999999999999E+125", "1E-130", "-1E-130", "0", "0.000", "-0", "0e999",
		"12345678901234567890123456789012345678", "12345678901234567890123456789012345678000000000", "0.00000000012345678901234567890123456789012345678"} {
		if _, err := checkNumber(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSetsHoldOneKindAndEachElementOnce(t *testing.T) {
	tests := []struct {
		name string
		give any
		want types.AttributeValue
	}{
		{"texts", []any{"b", "a", "b"}, &types.AttributeValueMemberSS{Value: []string{"b", "a"}}},
		{"numbers that are equal in value", []any{1, 2.5, value.Number("25e-1"), value.Number("1.00")}, &types.AttributeValueMemberNS{Value: []string{"1", "2.5"}}},
		{"bytes", []any{[]byte("a"), []byte("a")}, &types.AttributeValueMemberBS{Value: [][]byte{[]byte("a")}}},
		{"a typed slice", []string{"x"}, &types.AttributeValueMemberSS{Value: []string{"x"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := marshalSet(tt.give)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %#v, %v; want %#v", got, err, tt.want)
			}
		})
	}
	for name, give := range map[string]any{"empty": []any{}, "mixed": []any{"a", 1}, "nested": []any{[]any{}}, "not a list": "a", "with null": []any{nil}} {
		if got, err := marshalSet(give); err == nil {
			t.Errorf("%s: got %#v, want an error", name, got)
		}
	}
}

func TestUnmarshalGivesPlainValues(t *testing.T) {
	tests := []struct {
		name string
		give types.AttributeValue
		want any
	}{
		{"integer", &types.AttributeValueMemberN{Value: "42"}, 42},
		{"integer with a fraction of zero", &types.AttributeValueMemberN{Value: "42.0"}, 42},
		{"decimal", &types.AttributeValueMemberN{Value: "0.1"}, 0.1},
		{"2^53 + 1", &types.AttributeValueMemberN{Value: "9007199254740993"}, 9007199254740993},
		{"2^63", &types.AttributeValueMemberN{Value: "9223372036854775808"}, value.Number("9223372036854775808")},
		{"38 digits", &types.AttributeValueMemberN{Value: "0.12345678901234567890123456789012345678"}, value.Number("0.12345678901234567890123456789012345678")},
		{"set of texts", &types.AttributeValueMemberSS{Value: []string{"a"}}, []any{"a"}},
		{"set of numbers", &types.AttributeValueMemberNS{Value: []string{"1", "2.5"}}, []any{1, 2.5}},
		{"set of bytes", &types.AttributeValueMemberBS{Value: [][]byte{{1}}}, []any{[]byte{1}}},
		{"empty bytes", &types.AttributeValueMemberB{}, []byte{}},
		{"null", &types.AttributeValueMemberNULL{Value: true}, nil},
		{"object", &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"a": &types.AttributeValueMemberBOOL{Value: true}}}, map[string]any{"a": true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := unmarshal(tt.give)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %#v, %v; want %#v", got, err, tt.want)
			}
		})
	}
	for _, text := range []string{"", "NaN", "Inf", "0x10", "1_0", "1e+-5", "1e", ".5", "5.", "+1"} {
		if got, err := unmarshal(&types.AttributeValueMemberN{Value: text}); err == nil {
			t.Errorf("%q became %#v", text, got)
		}
	}
	if _, err := unmarshal(&types.UnknownUnionMember{Tag: "V"}); err == nil {
		t.Error("an unknown type became a value")
	}
}

// FuzzValuesSurviveTheRoundTrip stores any JSON value and reads it back: what
// comes back prints the same.
func FuzzValuesSurviveTheRoundTrip(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true,{"b":{}}]}`, `9223372036854775808`, `0.12345678901234567890123456789012345678`,
		`-0.0`, `1e125`, `[[[]]]`, `"\ud800"`, `1e-130`, `123456789012345678901234567890123456789`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := value.Decode(data)
		if err != nil {
			return
		}
		a, err := marshal(v)
		if err != nil {
			return
		}
		back, err := unmarshal(a)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if !same(v, back) {
			t.Fatalf("%s became %#v", data, back)
		}
	})
}

// same compares values, numbers by what they are worth.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for k, v := range a {
			w, ok := m[k]
			if !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		list, ok := b.([]any)
		if !ok || len(a) != len(list) {
			return false
		}
		for i := range a {
			if !same(a[i], list[i]) {
				return false
			}
		}
		return true
	case int, float64, value.Number:
		x, okX := rational(a)
		y, okY := rational(b)
		return okX && okY && x.Cmp(y) == 0
	}
	return reflect.DeepEqual(a, b)
}

func rational(v any) (*big.Rat, bool) {
	text, ok, err := number(v)
	if !ok || err != nil {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// FuzzNumbersAreMeasuredExactly compares the measure of a number's text with
// arithmetic.
func FuzzNumbersAreMeasuredExactly(f *testing.F) {
	for _, s := range []string{"0", "-0.0", "1e125", "12.340", "0.00120e-7", "1E+126", "99999999999999999999999999999999999999", "1e", "--1", "1e+-5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		digits, exponent, ok := significand(text)
		if !ok || len(text) > 200 || exponent > 1000 || exponent < -1000 {
			return
		}
		want, valid := new(big.Rat).SetString(text)
		if !valid {
			t.Fatalf("%q is no number but was measured as one", text)
		}
		if digits == "" {
			if want.Sign() != 0 {
				t.Fatalf("%q was measured as zero", text)
			}
			return
		}
		got, _ := new(big.Rat).SetString(digits)
		scale := new(big.Rat).SetFrac(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(abs(exponent-len(digits)+1))), nil), big.NewInt(1))
		if exponent-len(digits)+1 < 0 {
			scale.Inv(scale)
		}
		got.Mul(got, scale)
		if want.Abs(want).Cmp(got) != 0 {
			t.Fatalf("%q was measured as %sE%d", text, digits, exponent)
		}
		if again, e, ok := significand(strings.TrimPrefix(canonicalText(text), "-")); !ok || again != digits || e != exponent {
			t.Fatalf("canonical form of %q is %q", text, canonical(text))
		}
	})
}

// canonicalText is the canonical form as a number in JSON: its exponent counts
// from the first digit.
func canonicalText(text string) string {
	c := canonical(text)
	mantissa, e, _ := strings.Cut(strings.TrimPrefix(c, "-"), "E")
	return mantissa[:1] + "." + mantissa[1:] + "0E" + e
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
