package dynamodb

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/expression"
	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

func TestKeysStoredBeforeTheyCouldHaveSeveralAttributesAreRead(t *testing.T) {
	for stored, want := range map[string]keySchema{
		`{"Hash":"pk"}`:                            {Hash: keyNames{"pk"}},
		`{"Hash":"pk","Range":"sk"}`:               {Hash: keyNames{"pk"}, Range: keyNames{"sk"}},
		`{"Hash":["a","b"],"Range":["c","d","e"]}`: {Hash: keyNames{"a", "b"}, Range: keyNames{"c", "d", "e"}},
	} {
		var got keySchema
		if err := json.Unmarshal([]byte(stored), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %v, %v; want %v", stored, got, err, want)
		}
	}
}

func TestAPairWithoutBoundsIsDescribedAsNone(t *testing.T) {
	stored := `{"Name":"things","OnDemand":{"Read":-1,"Write":-1}}`
	old, err := loadTable([]byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	if o := describeOnDemand(old.OnDemand); o != nil {
		t.Errorf("%s is described as %v", stored, o)
	}
}

// randomKey is a value for every attribute of the key.
func randomKey(r *rand.Rand, names []string) item.Item {
	i := item.Item{}
	for n, name := range names {
		small := r.IntN(5)
		if n%2 == 0 {
			i[name] = item.String(string([]byte{0, 'a', 0xff}[:small%4]))
			continue
		}
		number, _ := item.ParseNumber(fmt.Sprint(small*small - 7))
		i[name] = item.Num(number)
	}
	return i
}

// compareKeys compares by one attribute after the other.
func compareKeys(names []string, a, b item.Item) int {
	for _, name := range names {
		if c, _ := item.Compare(a[name], b[name]); c != 0 {
			return c
		}
	}
	return 0
}

func TestSeveralAttributesOfASortKeySortOneAfterTheOther(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		k := keySchema{Hash: keyNames{"p", "q"}[:1+r.IntN(2)], Range: keyNames{"a", "b", "c", "d"}[:1+r.IntN(4)]}
		one, other := randomKey(r, k.names()), randomKey(r, k.names())
		for _, name := range k.Hash {
			other[name] = one[name]
		}
		got := slices.Compare(appendKey(nil, k, one), appendKey(nil, k, other))
		if want := compareKeys(k.Range, one, other); got != want {
			t.Fatalf("%v: %v and %v compare as %d, stored as %d", k, one, other, want, got)
		}
	}
}

func TestConditionsOnASortKeyOfSeveralAttributesBoundExactlyTheItemsThatMeetThem(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	operators := []expression.KeyOperator{expression.KeyEqual, expression.KeyLess, expression.KeyLessEqual, expression.KeyGreater, expression.KeyGreaterEqual}
	meets := func(c expression.KeyCondition, i item.Item) bool {
		n, _ := item.Compare(i[c.Name], c.Values[0])
		switch c.Operator {
		case expression.KeyLess:
			return n < 0
		case expression.KeyLessEqual:
			return n <= 0
		case expression.KeyGreater:
			return n > 0
		case expression.KeyGreaterEqual:
			return n >= 0
		}
		return n == 0
	}
	k := keySchema{Hash: keyNames{"p", "q"}, Range: keyNames{"a", "b", "c", "d"}}
	inside := 0
	for range 20000 {
		asked, stored := randomKey(r, k.names()), randomKey(r, k.names())
		asked["p"] = stored["p"]
		var on keyRange
		for _, name := range k.Hash {
			on.hash = append(on.hash, expression.KeyCondition{Name: name, Operator: expression.KeyEqual, Values: []item.Value{asked[name]}})
		}
		for _, name := range k.Range[:r.IntN(5)] {
			on.sort = append(on.sort, expression.KeyCondition{Name: name, Operator: expression.KeyEqual, Values: []item.Value{asked[name]}})
		}
		if n := len(on.sort); n > 0 {
			on.sort[n-1].Operator = operators[r.IntN(len(operators))]
		}
		want := true
		for _, c := range slices.Concat(on.hash, on.sort) {
			want = want && meets(c, stored)
		}
		var read read
		read.bound(on)
		if got := read.covers(appendKey(nil, k, stored)); got != want {
			t.Fatalf("%v is in %v: %v, want %v", stored, on, got, want)
		}
		if want {
			inside++
		}
	}
	if inside < 500 {
		t.Errorf("only %d items met their conditions", inside)
	}
}
