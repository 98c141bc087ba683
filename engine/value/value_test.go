package value

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeKeepsNumbersExact(t *testing.T) {
	for _, tt := range []struct {
		text string
		want any
		out  string
	}{
		{"0", 0, "0"},
		{"-0", math.Copysign(0, -1), "-0.0"},
		{"42", 42, "42"},
		{"-7", -7, "-7"},
		{"9223372036854775807", math.MaxInt64, "9223372036854775807"},
		{"9223372036854775808", Number("9223372036854775808"), "9223372036854775808"},
		{"-9223372036854775808", math.MinInt64, "-9223372036854775808"},
		{"9007199254740993", 9007199254740993, "9007199254740993"},
		{"9007199254740993.0", 9007199254740993, "9007199254740993"},
		{"0.1", 0.1, "0.1"},
		{"1.50", 1.5, "1.5"},
		{"2.0", 2, "2"},
		{"1e3", 1000, "1000"},
		{"1e300", 1e300, "1e+300"},
		{"1e400", Number("1e400"), "1e400"},
		{"0.0000001", 1e-7, "1e-07"},
		{"12345678901234567890123456789012345678", Number("12345678901234567890123456789012345678"), "12345678901234567890123456789012345678"},
		{"3.1415926535897932384626433832795028841", Number("3.1415926535897932384626433832795028841"), "3.1415926535897932384626433832795028841"},
		{"1e99999999999999999999", Number("1e99999999999999999999"), "1e99999999999999999999"},
	} {
		got, err := Decode([]byte(tt.text))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Decode(%s) = %v (%T), %v; want %v (%T)", tt.text, got, got, err, tt.want, tt.want)
			continue
		}
		out, err := Append(nil, got)
		if err != nil || string(out) != tt.out {
			t.Errorf("Append(%v) = %s, %v; want %s", got, out, err, tt.out)
		}
	}
}

func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "ends where a value should be"},
		{"{", "expected a key"},
		{`{"a":1,}`, "expected a key"},
		{`{"a" 1}`, "expected ':'"},
		{`{"a":1 "b":2}`, "expected ',' or '}'"},
		{`[1,]`, "cannot begin here"},
		{`[1`, "expected ',' or ']'"},
		{`"abc`, "does not end"},
		{`"a\`, "does not end"},
		{"\"a\nb\"", "control character"},
		{`"\x"`, "not an escape"},
		{`"\u12g4"`, "four hexadecimal digits"},
		{"01", "something follows"},
		{"-", "malformed"},
		{"1.", "malformed"},
		{"1e", "malformed"},
		{"tru", "expected true"},
		{"NaN", "cannot begin here"},
		{"1 2", "something follows"},
		{`{"a":1,"a":2}`, `the key "a" stands twice`},
		{strings.Repeat("[", 600), "nested deeper"},
	} {
		_, err := Decode([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Decode(%.20q) = %v; want an error with %q", tt.text, err, tt.want)
		}
	}
}

func TestAppendRefusesWhatJSONCannotCarry(t *testing.T) {
	var deep any
	for range 600 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{
		"NaN": math.NaN(), "+Inf": math.Inf(1), "a function": func() {}, "too deep": deep,
		"an invalid document": NewDoc([]byte("{")),
	} {
		if out, err := Append(nil, v); err == nil {
			t.Errorf("Append(%s) = %s; want an error", name, out)
		}
	}
}

func TestADocPassesThroughByteForByte(t *testing.T) {
	raw := `{ "b": 1.50,  "a": [ ] }`
	d := NewDoc([]byte(raw))
	if b, err := Bytes(d); err != nil || string(b) != raw {
		t.Errorf("Bytes = %s, %v; want %s", b, err, raw)
	}
	if b, err := Append(nil, map[string]any{"in": d}); err != nil || string(b) != `{"in":`+raw+`}` {
		t.Errorf("Append = %s, %v", b, err)
	}
}

func TestNormalGivesJSONTypes(t *testing.T) {
	for _, tt := range []struct{ in, want any }{
		{[]string{"a", "b"}, []any{"a", "b"}},
		{map[any]any{"k": 1, 2: "x"}, map[string]any{"k": 1, "2": "x"}},
		{uint64(math.MaxUint64), Number("18446744073709551615")},
		{int8(3), 3},
	} {
		got, err := Normal(tt.in)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Normal(%v) = %#v, %v; want %#v", tt.in, got, err, tt.want)
		}
	}
}

// FuzzDecode holds Decode to encoding/json: what it takes, encoding/json takes,
// and the other way round but for the bounds this package adds; and what it
// gives prints and reads back as the same value.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x\u00e9\ud83d\ude00",null,true]}`, `-0`, `1e400`, `"\ud800"`, "[[[]]]", `{"a":1,"a":2}`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data)
		if err != nil {
			if json.Valid(data) && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "nested deeper") {
				t.Fatalf("Decode refuses valid JSON %q: %v", data, err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("Decode takes %q, which is not JSON", data)
		}
		out, err := Append(nil, v)
		if err != nil {
			t.Fatalf("Append(%#v): %v", v, err)
		}
		again, err := Decode(out)
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%q reads as %#v, prints as %s and reads back as %#v, %v", data, v, out, again, err)
		}
	})
}

var passenger = []byte(`{"areacode":"2331","name":"John","seat":"4","vehicle_type":"sedan"}`)

func BenchmarkDecode(b *testing.B) {
	b.Run("value", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Decode(passenger)
		}
	})
	b.Run("encoding-json-map", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m map[string]any
			json.Unmarshal(passenger, &m)
		}
	})
	b.Run("encoding-json-struct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var p struct{ Areacode, Name, Seat, Vehicle_type string }
			json.Unmarshal(passenger, &p)
		}
	})
}
