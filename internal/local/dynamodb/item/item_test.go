package item

import (
	"encoding/json"
	"strings"
	"testing"
)

// decode reads an item from wire JSON.
func decode(t testing.TB, text string) (Item, error) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return ItemFromJSON(v)
}

const everyKind = `{"a":{"S":"täxt \"q\" \u0001\n"},"b":{"N":"-12.5"},"c":{"B":"AAEC/w=="},"d":{"BOOL":true},"e":{"NULL":true},` +
	`"f":{"SS":["x","y"]},"g":{"NS":["1","2"]},"h":{"BS":["AA==","AQ=="]},"i":{"L":[{"S":"x"},{"M":{"k":{"N":"0"}}}]},"j":{"M":{}},"k":{"BOOL":false},"l":{"S":""}}`

func TestEveryKindSurvivesJSONAndStorage(t *testing.T) {
	i, err := decode(t, everyKind)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := Decode(Append(nil, i))
	if err != nil {
		t.Fatal(err)
	}
	if !i.Equal(stored) {
		t.Error("the stored item differs")
	}
	again, err := decode(t, string(stored.AppendJSON(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if !i.Equal(again) {
		t.Errorf("the item differs after JSON: %s", stored.AppendJSON(nil))
	}
}

func TestValuesThatTheServiceRefuses(t *testing.T) {
	deep := strings.Repeat(`{"L":[`, 32) + strings.Repeat(`]}`, 32)
	for value, want := range map[string]string{
		`{}`:                     "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"S":"a","N":"1"}`:      "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
		`{"NULL":false}`:         "One or more parameter values were invalid: Null attribute value types must have the value of true",
		`{"SS":[]}`:              "One or more parameter values were invalid: An string set  may not be empty",
		`{"NS":[]}`:              "One or more parameter values were invalid: An number set  may not be empty",
		`{"BS":[]}`:              "One or more parameter values were invalid: Binary sets should not be empty",
		`{"SS":["a","b","a"]}`:   "One or more parameter values were invalid: Input collection [a, b, a] contains duplicates.",
		`{"NS":["1","1.0"]}`:     "Input collection contains duplicates",
		`{"BS":["AA==","AA=="]}`: "One or more parameter values were invalid: Input collection [AA==, AA==]of type BS contains duplicates.",
		`{"SS":["a",null]}`:      "One or more parameter values were invalid: An string set may not have a null string as a member",
		`{"BS":[null]}`:          "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"NS":["1","b"]}`:       "The parameter cannot be converted to a numeric value: b",
		`{"L":[{"N":"x"}]}`:      "The parameter cannot be converted to a numeric value: x",
		`{"M":{"a":{}}}`:         "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		deep:                     "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
	} {
		if _, err := decode(t, `{"a":`+value+`}`); err == nil || err.Error() != want {
			t.Errorf("%s: %v\n\twant %s", value, err, want)
		}
	}
	if _, err := decode(t, `{"a":`+strings.Repeat(`{"L":[`, 31)+strings.Repeat(`]}`, 31)+`}`); err != nil {
		t.Errorf("31 levels: %v", err)
	}
}

func TestErrorsShowTheRequestAsItIs(t *testing.T) {
	for value, want := range map[string]string{
		`{"SS":["z","c","z","a"]}`:      "One or more parameter values were invalid: Input collection [z, c, z, a] contains duplicates.",
		`{"BS":["/w==","AQ==","AQ=="]}`: "One or more parameter values were invalid: Input collection [/w==, AQ==, AQ==]of type BS contains duplicates.",
		`{"NS":["3","1","3"]}`:          "Input collection contains duplicates",
		`{"N":""}`:                      "The parameter cannot be converted to a numeric value",
		`{"N":"5e2147483647"}`:          ErrOverflow.Error(),
		`{"N":"5e-2147483647"}`:         ErrUnderflow.Error(),
	} {
		if _, err := decode(t, `{"a":`+value+`}`); err == nil || err.Error() != want {
			t.Errorf("%s: %v\n\twant %s", value, err, want)
		}
	}
}

func TestEqualityIgnoresTheOrderOfSetsAndTheFormOfNumbers(t *testing.T) {
	a, _ := decode(t, `{"s":{"SS":["x","y"]},"n":{"NS":["1","20"]},"l":{"L":[{"N":"1.0"}]}}`)
	b, _ := decode(t, `{"s":{"SS":["y","x"]},"n":{"NS":["2e1","1"]},"l":{"L":[{"N":"1"}]}}`)
	c, _ := decode(t, `{"s":{"SS":["y","z"]},"n":{"NS":["2e1","1"]},"l":{"L":[{"N":"1"}]}}`)
	if !a.Equal(b) {
		t.Error("equal items differ")
	}
	if a.Equal(c) {
		t.Error("different items are equal")
	}
}

func TestSizesFollowTheDeveloperGuide(t *testing.T) {
	for text, want := range map[string]int{
		`{}`:                                      0,
		`{"name":{"S":"ab"}}`:                     6,
		`{"a":{"S":"é"}}`:                         3,
		`{"a":{"B":"AAEC"}}`:                      4,
		`{"a":{"BOOL":true}}`:                     2,
		`{"a":{"NULL":true}}`:                     2,
		`{"a":{"N":"27"}}`:                        1 + 2,
		`{"a":{"N":"-27"}}`:                       1 + 3,
		`{"a":{"N":"461"}}`:                       1 + 3,
		`{"a":{"SS":["ab","c"]}}`:                 1 + 3,
		`{"a":{"L":[]}}`:                          1 + 3,
		`{"a":{"L":[{"S":"ab"},{"BOOL":true}]}}`:  1 + 3 + 3 + 2,
		`{"a":{"M":{"key":{"S":"v"}}}}`:           1 + 3 + 3 + 1 + 1,
		`{"a":{"M":{}},"bc":{"L":[{"L":[]}]}}`:    4 + 2 + 3 + 1 + 3,
		`{"n":{"NS":["1","-2"]},"e":{"S":""}}`:    1 + 2 + 3 + 1,
		`{"n":{"N":"0"},"m":{"N":"1e125"}}`:       1 + 1 + 1 + 2,
		`{"n":{"N":"1.5"},"mm":{"N":"0.000001"}}`: 1 + 3 + 2 + 2,
	} {
		i, err := decode(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.Size(); got != want {
			t.Errorf("%s has size %d, want %d", text, got, want)
		}
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	i, _ := decode(t, everyKind)
	whole := Append(nil, i)
	for n := range whole {
		if _, err := Decode(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes decode", n, len(whole))
		}
	}
	if _, err := Decode(append(whole, 0)); err == nil {
		t.Error("a record with a byte too many decodes")
	}
	if _, err := Decode([]byte{2, 0}); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("another version: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	i, _ := decode(f, everyKind)
	f.Add(Append(nil, i))
	f.Add([]byte{1, 1, 1, 'a', byte(L), 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(Append(nil, i))
		if err != nil || !again.Equal(i) {
			t.Fatalf("%x decodes to %s, then to %s, %v", data, i.AppendJSON(nil), again.AppendJSON(nil), err)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	f.Add(everyKind)
	f.Add(`{"a":{"L":[{"NS":["1","2"]}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var v map[string]any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		i, err := ItemFromJSON(v)
		if err != nil {
			return
		}
		stored, err := Decode(Append(nil, i))
		if err != nil || !stored.Equal(i) {
			t.Fatalf("%s is stored as %s, %v", text, stored.AppendJSON(nil), err)
		}
		if reply := i.AppendJSON(nil); !json.Valid(reply) {
			t.Fatalf("%s is answered as %s", text, reply)
		}
	})
}
