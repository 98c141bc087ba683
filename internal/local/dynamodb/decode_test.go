package dynamodb

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// reference decodes with encoding/json and says whether src is one JSON document.
func reference(src string) (any, bool) {
	d := json.NewDecoder(strings.NewReader(src))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, err != nil
}

var documents = []struct {
	name, src string
	plain     bool
}{
	{"an item", `{"TableName":"things","Item":{"pk":{"S":"1"},"n":{"N":"-1.5e3"},"l":{"L":[{"BOOL":true},{"NULL":true}]}}}`, true},
	{"white space everywhere", " \t\r\n{ \"a\" : [ 1 , -0.5E+7 , null , false ] , \"b\" : { } , \"c\" : [ ] } \n", true},
	{"the last of two members of one name", `{"a":1,"a":2}`, true},
	{"simple escapes", `{"a\n":"\"\\\/\b\f\n\r\t é€"}`, true},
	{"an escape of UTF-16", `{"a":"\u00e9"}`, false},
	{"bytes that are not UTF-8", "{\"a\":\"\xff\"}", false},
	{"bytes that are not UTF-8 behind an escape", "{\"a\":\"\\n\xff\"}", false},
	{"a control character in a text", "\"\x01\"", false},
	{"a control character behind an escape", "\"\\n\x01\"", false},
	{"a second document", `{} {}`, false},
	{"a number with a leading zero", `01`, false},
	{"a number without digits", `-`, false},
	{"a fraction without digits", `1.`, false},
	{"an exponent without digits", `1e+`, false},
	{"a word cut off", `tru`, false},
	{"a comma at the end of an object", `{"a":1,}`, false},
	{"a comma at the end of an array", `[1,]`, false},
	{"a text without an end", `"abc`, false},
	{"an escape without an end", `"abc\`, false},
	{"nothing", ``, false},
	{"deep nesting", strings.Repeat("[", 200) + strings.Repeat("]", 200), false},
}

func TestDecodePlainAgreesWithEncodingJSONOrGivesUp(t *testing.T) {
	for _, c := range documents {
		t.Run(c.name, func(t *testing.T) {
			v, ok := decodePlain(c.src)
			if ok != c.plain {
				t.Fatalf("decoded: %t, want %t", ok, c.plain)
			}
			if want, _ := reference(c.src); ok && !reflect.DeepEqual(v, want) {
				t.Errorf("got %#v, want %#v", v, want)
			}
		})
	}
}

func FuzzDecodePlain(f *testing.F) {
	for _, c := range documents {
		f.Add(c.src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		v, ok := decodePlain(src)
		if !ok {
			return
		}
		want, valid := reference(src)
		if !valid {
			t.Fatalf("decoded %q, which is not JSON", src)
		}
		if !reflect.DeepEqual(v, want) {
			t.Fatalf("%q: got %#v, want %#v", src, v, want)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	src := documents[0].src
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			decodePlain(src)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			reference(src)
		}
	})
}

func TestDepthsThatAreNotReadCountAsNestingOfValues(t *testing.T) {
	s := newServer(t)
	s.create()
	for _, levels := range []int{40, 4000, 400000} {
		deep := strings.Repeat(`{"L":[`, levels) + strings.Repeat(`]}`, levels)
		status, body := s.call("PutItem", `{"TableName":"things","Item":{`+first+`,"deep":`+deep+`}}`)
		if status != 400 || !strings.Contains(body, "ValidationException") || !strings.Contains(body, "Nesting Levels have exceeded supported limits") {
			t.Errorf("%d levels: %d %.200s", levels, status, body)
		}
	}
}
