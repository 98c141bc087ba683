package conformance

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	randomOperations = flag.Int("random.operations", 500, "number of random DynamoDB operations that are run here and on moto")
	randomSeed       = flag.Uint64("random.seed", 0, "seed of the random operations; 0 takes a new one")
)

const randomTable = `{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
	"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},{"AttributeName":"g","AttributeType":"S"}],
	"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
	"GlobalSecondaryIndexes":[{"IndexName":"byg","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`

// operation is a random request and the keys of the items that it may change.
type operation struct {
	op, request string
	writes      []string
}

// generator makes random requests on few keys, so that they meet.
type generator struct{ *rand.Rand }

func (g generator) one(texts ...string) string { return texts[g.IntN(len(texts))] }

func (g generator) key() string {
	return fmt.Sprintf(`"pk":{"S":"%c"},"sk":{"N":"%d"}`, 'p'+rune(g.IntN(2)), g.IntN(8)-2)
}

func (g generator) item(key string) string {
	attributes := []string{key}
	for _, a := range []string{
		fmt.Sprintf(`"n":{"N":"%d"}`, g.IntN(12)-2),
		`"g":{"S":"` + g.one("red", "blue") + `"}`,
		`"s":{"S":"` + g.one("", "a", "ab", "ü") + `"}`,
		`"tags":{"SS":[` + g.one(`"x"`, `"x","y"`, `"y","z","x"`) + `]}`,
		fmt.Sprintf(`"l":{"L":[{"N":"%d"},{"S":"x"}]}`, g.IntN(3)),
		fmt.Sprintf(`"m":{"M":{"k":{"N":"%d"},"in":{"M":{}}}}`, g.IntN(3)),
	} {
		if g.IntN(2) == 0 {
			attributes = append(attributes, a)
		}
	}
	return strings.Join(attributes, ",")
}

// condition is a condition with its value under :c, or without one.
func (g generator) condition() (expression, value string) {
	number := fmt.Sprintf(`":c":{"N":"%d"}`, g.IntN(8)-1)
	text := `":c":{"S":"` + g.one("a", "ab", "x", "red") + `"}`
	switch g.IntN(9) {
	case 0:
		return g.one("attribute_not_exists(pk)", "attribute_exists(n)", "attribute_exists(m.k)", "attribute_not_exists(l[1])"), ""
	case 1:
		return "n " + g.one("=", "<>", "<", "<=", ">", ">=") + " :c", number
	case 2:
		return g.one("begins_with(s, :c)", "contains(tags, :c)", "s = :c", "contains(s, :c)", "g IN (:c)"), text
	case 3:
		return "NOT (n = :c)", number
	case 4:
		return "m.k < :c AND attribute_exists(g)", number
	case 5:
		return "attribute_exists(s) OR n > :c", number
	case 6:
		return "n BETWEEN :c AND l[0]", number
	case 7:
		return "size(tags) > :c", number
	}
	return "attribute_type(s, :c) OR attribute_not_exists(s)", `":c":{"S":"S"}`
}

// guard is a condition for one write of two, with the values that the request takes besides.
func (g generator) guard(values ...string) string {
	members := ""
	if g.IntN(2) == 0 {
		expression, value := g.condition()
		members = `,"ConditionExpression":"` + expression + `"`
		if value != "" {
			values = append(values, value)
		}
	}
	if len(values) > 0 {
		members += `,"ExpressionAttributeValues":{` + strings.Join(values, ",") + `}`
	}
	return members
}

func (g generator) change() (expression, value string) {
	switch g.IntN(8) {
	case 0:
		return "SET n = if_not_exists(n, :v) + :v", `":v":{"N":"2"}`
	case 1:
		return "SET s = :v REMOVE g", `":v":{"S":"new"}`
	case 2:
		return "ADD n :v", `":v":{"N":"-1"}`
	case 3:
		return "ADD tags :v", `":v":{"SS":["x","w"]}`
	case 4:
		return "DELETE tags :v SET g = :w", `":v":{"SS":["x","y"]},":w":{"S":"thinned"}`
	case 5:
		return "SET l = list_append(if_not_exists(l, :v), :v)", `":v":{"L":[{"S":"end"}]}`
	case 6:
		return "REMOVE l[0], s SET g = :v", `":v":{"S":"bare"}`
	}
	return "SET g = :v", `":v":{"S":"green"}`
}

func (g generator) write() operation {
	key := g.key()
	returned := `"ReturnValues":"ALL_OLD"`
	switch g.IntN(4) {
	case 0:
		return operation{"DeleteItem", `{"TableName":"things",` + returned + `,"Key":{` + key + `}` + g.guard() + `}`, []string{key}}
	case 1, 2:
		return operation{"PutItem", `{"TableName":"things",` + returned + `,"Item":{` + g.item(key) + `}` + g.guard() + `}`, []string{key}}
	}
	expression, value := g.change()
	guard := ""
	if value != "" {
		guard = g.guard(value)
	} else {
		guard = g.guard()
	}
	return operation{"UpdateItem", `{"TableName":"things","ReturnValues":"` + g.one("ALL_NEW", "ALL_OLD", "NONE") + `","UpdateExpression":"` + expression + `","Key":{` + key + `}` + guard + `}`, []string{key}}
}

func (g generator) batch() operation {
	var requests, keys []string
	used := map[string]bool{}
	for range 1 + g.IntN(4) {
		key := g.key()
		if used[key] {
			continue
		}
		used[key] = true
		keys = append(keys, key)
		if g.IntN(3) == 0 {
			requests = append(requests, `{"DeleteRequest":{"Key":{`+key+`}}}`)
		} else {
			requests = append(requests, `{"PutRequest":{"Item":{`+g.item(key)+`}}}`)
		}
	}
	return operation{"BatchWriteItem", `{"RequestItems":{"things":[` + strings.Join(requests, ",") + `]}}`, keys}
}

func (g generator) transaction() operation {
	one, two := g.key(), g.key()
	for two == one {
		two = g.key()
	}
	expression, value := g.condition()
	if value != "" {
		value = `,"ExpressionAttributeValues":{` + value + `}`
	}
	return operation{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"things","Item":{` + g.item(one) + `}}},` +
		`{"Delete":{"TableName":"things","Key":{` + two + `},"ConditionExpression":"` + expression + `"` + value + `}}]}`, []string{one, two}}
}

func (g generator) read() operation {
	filter, values := "", `":p":{"S":"`+g.one("p", "q")+`"}`
	if g.IntN(2) == 0 {
		expression, value := g.condition()
		for strings.Contains(expression, "pk") {
			expression, value = g.condition()
		}
		filter = `,"FilterExpression":"` + expression + `"`
		if value != "" {
			values += "," + value
		}
	}
	order := fmt.Sprintf(`,"ScanIndexForward":%v`, g.IntN(2) == 0)
	switch g.IntN(4) {
	case 0:
		return operation{op: "GetItem", request: `{"TableName":"things","Key":{` + g.key() + `}}`}
	case 1:
		low := g.IntN(6) - 2
		values += fmt.Sprintf(`,":low":{"N":"%d"}`, low)
		condition := g.one("sk = :low", "sk < :low", "sk >= :low")
		if g.IntN(2) == 0 {
			condition = "sk BETWEEN :low AND :high"
			values += fmt.Sprintf(`,":high":{"N":"%d"}`, low+g.IntN(4))
		}
		return operation{op: "Query", request: `{"TableName":"things","KeyConditionExpression":"pk = :p AND ` + condition + `"` + filter + order + `,"ExpressionAttributeValues":{` + values + `}}`}
	case 2:
		return operation{op: "Query", request: fmt.Sprintf(`{"TableName":"things","Limit":%d,"KeyConditionExpression":"pk = :p"`, 1+g.IntN(9)) + filter + order + `,"ExpressionAttributeValues":{` + values + `}}`}
	}
	return operation{op: "BatchGetItem", request: `{"RequestItems":{"things":{"Keys":[{` + `"pk":{"S":"p"},"sk":{"N":"0"}` + `},{"pk":{"S":"q"},"sk":{"N":"1"}}]}}}`}
}

func (g generator) operation() operation {
	switch g.IntN(10) {
	case 0:
		return g.batch()
	case 1:
		return g.transaction()
	case 2, 3, 4, 5:
		return g.read()
	}
	return g.write()
}

// TestRandomOperationsAgainstMoto runs the same random operations here and on moto. Every difference must be explained.
// Where one server refuses, moto is given the stand-in's items, so that one difference does not become many.
func TestRandomOperationsAgainstMoto(t *testing.T) {
	seed := *randomSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -random.operations=%d -random.seed=%d", *randomOperations, seed)
	moto, standIn := startMoto(t), startOurs(t)
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	for _, e := range []*endpoint{moto, standIn} {
		e.must(t, "dynamodb", "CreateTable", randomTable)
	}
	differences, unexplained := 0, 0
	for n := range *randomOperations {
		o := g.operation()
		a, b := normalised(t, standIn, o), normalised(t, moto, o)
		found := compare(a, b)
		differences += len(found)
		apart := (a.code == "") != (b.code == "")
		for _, d := range found {
			key := finding{difference: d, script: script{service: "dynamodb"}, step: step{op: o.op}}.key()
			if e := explain(key, o.request); e == nil {
				unexplained++
				t.Errorf("operation %d, unexplained: %s\n\t%s", n, key, o.request)
			} else if e.random {
				apart = true
			}
		}
		for _, key := range o.writes {
			if apart {
				resync(t, standIn, moto, key)
			}
		}
		if unexplained > 20 {
			t.Fatal("and so on")
		}
	}
	t.Logf("%d operations, %d explained differences", *randomOperations, differences)
}

func normalised(t *testing.T, e *endpoint, o operation) outcome {
	t.Helper()
	got, err := e.call(context.Background(), "dynamodb", o.op, o.request)
	if err != nil {
		t.Fatal(err)
	}
	got.body, _ = normalise(got.body, "", e.url).(map[string]any)
	return got
}

// resync gives one server the item that the other one has.
func resync(t *testing.T, from, to *endpoint, key string) {
	t.Helper()
	if item := from.must(t, "dynamodb", "GetItem", `{"TableName":"things","Key":{`+key+`}}`)["Item"]; item != nil {
		to.must(t, "dynamodb", "PutItem", `{"TableName":"things","Item":`+compact(item)+`}`)
		return
	}
	to.must(t, "dynamodb", "DeleteItem", `{"TableName":"things","Key":{`+key+`}}`)
}
