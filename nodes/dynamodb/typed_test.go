package dynamodb

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine/value"
)

func typedItem(t testing.TB, text string) (map[string]types.AttributeValue, error) {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ParseTyped(v.(map[string]any))
}

func TestTypedItemsKeepEveryType(t *testing.T) {
	const text = `{"b":{"B":"AAEC"},"bs":{"BS":["AA==","AQ=="]},"f":{"BOOL":false},"l":{"L":[{"N":"1"},{"NULL":true},{"M":{}}]},` +
		`"m":{"M":{"deep":{"L":[]}}},"n":{"N":"12345678901234567890123456789012345678"},"ns":{"NS":["1","2.50"]},"s":{"S":"a<b"},"ss":{"SS":["x","y"]}}`
	item, err := typedItem(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if n := item["n"].(*types.AttributeValueMemberN).Value; n != "12345678901234567890123456789012345678" {
		t.Errorf("number %s", n)
	}
	if set, ok := item["ss"].(*types.AttributeValueMemberSS); !ok || !reflect.DeepEqual(set.Value, []string{"x", "y"}) {
		t.Errorf("set %v", item["ss"])
	}
	back, err := TypedValue(item)
	if err != nil {
		t.Fatal(err)
	}
	got, err := value.Append(nil, back)
	if err != nil || string(got) != text {
		t.Errorf("%s (%v)\nwant %s", got, err, text)
	}
}

func TestTypedItemsSayWhatIsWrongWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":"plain"}`:                     `a: a typed value is an object with its type alone`,
		`{"a":{"S":"x","N":"1"}}`:           `a: a typed value is an object with its type alone`,
		`{"a":{"X":"x"}}`:                   `a: "X" is no type; there are B, BOOL`,
		`{"a":{"N":"1e999"}}`:               `a: the number's magnitude`,
		`{"a":{"N":7}}`:                     `a: the value of type N is an integer`,
		`{"a":{"B":"?"}}`:                   `a: the bytes are not in base64`,
		`{"a":{"SS":[]}}`:                   `a: DynamoDB has no empty set`,
		`{"a":{"NS":["1",2]}}`:              `a[1]: an element of a set is written as a text, this is an integer`,
		`{"a":{"M":{"b":{"L":[{"S":1}]}}}}`: `a.b[0]: the value of type S is an integer`,
		`{"a":{"NULL":false}}`:              `a: the value of type NULL is`,
		`{"a":` + strings.Repeat(`{"L":[`, 33) + strings.Repeat(`]}`, 33) + `}`: `nested deeper than the 32 levels`,
	} {
		_, err := typedItem(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
}

func FuzzParseTyped(f *testing.F) {
	f.Add([]byte(`{"a":{"S":"x"},"b":{"NS":["1","1.0"]}}`))
	f.Add([]byte(`{"a":{"M":{"b":{"L":[{"B":"AA=="}]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := value.Decode(data)
		object, ok := v.(map[string]any)
		if err != nil || !ok {
			return
		}
		item, err := ParseTyped(object)
		if err != nil {
			return
		}
		back, err := TypedValue(item)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseTyped(back)
		if err != nil || !reflect.DeepEqual(again, item) {
			t.Fatalf("%v became %v (%v)", item, again, err)
		}
	})
}
