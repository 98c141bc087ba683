package dynamodb

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
	"github.com/flowctl-dev/flowctl/internal/local/clock"
	"github.com/flowctl-dev/flowctl/internal/local/store"
)

var (
	modelSeed       = flag.Uint64("model.seed", 0, "seed of the random operations; 0 takes a new one")
	modelOperations = flag.Int("model.operations", 4000, "number of random operations")
)

// The model of a table is a map of items with a few attributes of plain Go types. It shares nothing with the service:
// no values, no keys, no expressions.

type modelKey struct {
	pk string
	sk int
}

type modelItem struct {
	a    string // "" for none; sort key of the local index
	g    string // "" for none; partition key of the global index, in base64
	n    int    // -1 for none
	tags string // the sorted letters of a string set
}

func (k modelKey) json() string { return fmt.Sprintf(`"pk":{"S":"%s"},"sk":{"N":"%d"}`, k.pk, k.sk) }

func (i modelItem) json(k modelKey) string {
	var b strings.Builder
	b.WriteString("{" + k.json())
	if i.a != "" {
		fmt.Fprintf(&b, `,"a":{"S":"%s"}`, i.a)
	}
	if i.g != "" {
		fmt.Fprintf(&b, `,"g":{"B":"%s"}`, i.g)
	}
	if i.n >= 0 {
		fmt.Fprintf(&b, `,"n":{"N":"%d"}`, i.n)
	}
	if i.tags != "" {
		fmt.Fprintf(&b, `,"tags":{"SS":["%s"]}`, strings.Join(strings.Split(i.tags, ""), `","`))
	}
	return b.String() + "}"
}

// model runs random operations on the service and on a map.
type model struct {
	t     *testing.T
	rand  *rand.Rand
	call  func(op, body string) (string, error)
	items map[modelKey]modelItem
	log   []string
}

func TestRandomOperationsAgreeWithAModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -model.seed=%d -model.operations=%d", seed, *modelOperations)
	dir := t.TempDir()
	m := &model{t: t, rand: rand.New(rand.NewPCG(seed, 0)), items: map[modelKey]modelItem{}}
	stop := m.open(dir)
	defer func() { stop() }()
	m.must("CreateTable", `{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},
			{"AttributeName":"a","AttributeType":"S"},{"AttributeName":"g","AttributeType":"B"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
		"LocalSecondaryIndexes":[{"IndexName":"local","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"a","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}],
		"GlobalSecondaryIndexes":[{"IndexName":"global","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`)
	operations := []func(){m.put, m.put, m.put, m.delete, m.update, m.update, m.get, m.query, m.query, m.queryLocal, m.queryGlobal, m.scan, m.batch, m.transact}
	for i := range *modelOperations {
		if i > 0 && i%(*modelOperations/3+1) == 0 {
			stop()
			stop = m.open(dir)
		}
		operations[m.rand.IntN(len(operations))]()
		if t.Failed() {
			t.Fatalf("after operation %d; the last ones:\n%s", i, strings.Join(m.log[max(0, len(m.log)-6):], "\n"))
		}
	}
}

// open starts the service on the folder.
func (m *model) open(dir string) (stop func()) {
	db, err := store.Open(dir, store.Options{Relaxed: true})
	if err != nil {
		m.t.Fatal(err)
	}
	s, err := New(Options{Store: db, Clock: clock.NewFake(testStart), Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		m.t.Fatal(err)
	}
	m.call = func(op, body string) (string, error) {
		reply, err := s.Call(m.t.Context(), op, []byte(body))
		return string(reply), err
	}
	return func() {
		if err := errors.Join(s.Close(), db.Close()); err != nil {
			m.t.Error(err)
		}
	}
}

func (m *model) must(op, body string) string {
	m.t.Helper()
	reply, err := m.call(op, body)
	m.log = append(m.log, op+" "+body, "\t"+reply)
	if err != nil {
		m.t.Errorf("%s %s: %v", op, body, err)
	}
	return reply
}

// guarded runs a write that must succeed exactly when its condition holds.
func (m *model) guarded(op, body string, holds bool) (reply string, done bool) {
	m.t.Helper()
	if holds {
		return m.must(op, body), true
	}
	reply, err := m.call(op, body)
	m.log = append(m.log, op+" "+body, fmt.Sprint("\t", err))
	e, ok := errors.AsType[*awsjson.Error](err)
	if !ok || !strings.Contains(e.Type, "ConditionalCheckFailed") && !strings.Contains(e.Type, "TransactionCanceled") {
		m.t.Errorf("%s %s: %s, %v; want a failed condition", op, body, reply, err)
	}
	return "", false
}

func (m *model) key() modelKey {
	return modelKey{pk: string(rune('p' + m.rand.IntN(3))), sk: m.rand.IntN(24) - 8}
}

func (m *model) item() modelItem {
	i := modelItem{n: m.rand.IntN(10) - 1}
	if m.rand.IntN(3) > 0 {
		i.a = []string{"a", "ab", "abc", "b", "ba", "\u00e4"}[m.rand.IntN(6)]
	}
	if m.rand.IntN(3) > 0 {
		i.g = []string{"AA==", "AAE=", "/w=="}[m.rand.IntN(3)]
	}
	for _, letter := range "xyz" {
		if m.rand.IntN(2) == 0 {
			i.tags += string(letter)
		}
	}
	return i
}

// condition makes a random condition on the item and says whether it holds.
func (m *model) condition(k modelKey) (expression, values string, holds bool) {
	i, exists := m.items[k]
	n := m.rand.IntN(10)
	value := fmt.Sprintf(`":c":{"N":"%d"}`, n)
	switch m.rand.IntN(6) {
	case 0:
		return "attribute_not_exists(pk)", "", !exists
	case 1:
		return "attribute_exists(a)", "", exists && i.a != ""
	case 2:
		return "n >= :c", value, exists && i.n >= n
	case 3:
		return "NOT n < :c OR attribute_not_exists(g)", value, !(exists && i.n >= 0 && i.n < n) || i.g == ""
	case 4:
		return "contains(tags, :letter) AND size(tags) BETWEEN :low AND :high", `":letter":{"S":"x"},":low":{"N":"2"},":high":{"N":"3"}`,
			strings.Contains(i.tags, "x") && len(i.tags) >= 2
	}
	return "n <> :c", value, !exists || i.n != n
}

// guard is a condition for two requests out of three, with the members of the request that it takes.
func (m *model) guard(k modelKey, values ...string) (members string, holds bool) {
	holds = true
	if m.rand.IntN(3) > 0 {
		expression, value, ok := m.condition(k)
		members, holds = `,"ConditionExpression":"`+expression+`"`, ok
		if value != "" {
			values = append(values, value)
		}
	}
	if len(values) > 0 {
		members += `,"ExpressionAttributeValues":{` + strings.Join(values, ",") + `}`
	}
	return members, holds
}

func (m *model) old(k modelKey) string {
	if i, ok := m.items[k]; ok {
		return `{"Attributes":` + i.json(k) + `}`
	}
	return `{}`
}

func (m *model) put() {
	k, i := m.key(), m.item()
	guard, holds := m.guard(k)
	if reply, done := m.guarded("PutItem", `{"TableName":"things","ReturnValues":"ALL_OLD","Item":`+i.json(k)+guard+`}`, holds); done {
		m.same(reply, m.old(k))
		m.items[k] = i
	}
}

func (m *model) delete() {
	k := m.key()
	guard, holds := m.guard(k)
	if reply, done := m.guarded("DeleteItem", `{"TableName":"things","ReturnValues":"ALL_OLD","Key":{`+k.json()+`}`+guard+`}`, holds); done {
		m.same(reply, m.old(k))
		delete(m.items, k)
	}
}

// change makes a random update and the item after it.
func (m *model) change(k modelKey) (expression string, values []string, after modelItem) {
	after, exists := m.items[k]
	if !exists {
		after.n = -1
	}
	other := m.item()
	switch m.rand.IntN(4) {
	case 0:
		after.n = max(after.n, 0) + 2
		return "ADD n :two", []string{`":two":{"N":"2"}`}, after
	case 1:
		after.a, after.g = "", ""
		return "REMOVE a, g", nil, after
	case 2:
		letters := map[rune]bool{'x': true}
		for _, l := range after.tags {
			letters[l] = true
		}
		after.tags = string(slices.Sorted(maps.Keys(letters)))
		after.a = cmp.Or(other.a, "new")
		return "ADD tags :x SET a = :a", []string{`":x":{"SS":["x"]}`, fmt.Sprintf(`":a":{"S":"%s"}`, after.a)}, after
	}
	after.tags = strings.NewReplacer("x", "", "y", "").Replace(after.tags)
	if after.n < 0 {
		after.n = 0
	}
	after.n++
	return "SET n = if_not_exists(n, :zero) + :one DELETE tags :xy", []string{`":zero":{"N":"0"}`, `":one":{"N":"1"}`, `":xy":{"SS":["y","x"]}`}, after
}

func (m *model) update() {
	k := m.key()
	expression, values, after := m.change(k)
	guard, holds := m.guard(k, values...)
	body := `{"TableName":"things","ReturnValues":"ALL_NEW","UpdateExpression":"` + expression + `","Key":{` + k.json() + `}` + guard + `}`
	if reply, done := m.guarded("UpdateItem", body, holds); done {
		m.replace(k, after)
		m.same(reply, m.old(k))
	}
}

// replace puts the item after an update in its place; one that has nothing to take away from makes no item.
func (m *model) replace(k modelKey, after modelItem) {
	if _, exists := m.items[k]; exists || after != (modelItem{n: -1}) {
		m.items[k] = after
	}
}

func (m *model) get() {
	k := m.key()
	want := `{}`
	if i, ok := m.items[k]; ok {
		want = `{"Item":` + i.json(k) + `}`
	}
	m.same(m.must("GetItem", `{"TableName":"things","Key":{`+k.json()+`}}`), want)
}

// sorted are the keys of the items that match, in the given order.
func (m *model) sorted(match func(modelKey, modelItem) bool, order func(a, b modelKey) int, backward bool) []modelKey {
	var keys []modelKey
	for k, i := range m.items {
		if match(k, i) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, order)
	if backward {
		slices.Reverse(keys)
	}
	return keys
}

func bySort(a, b modelKey) int {
	return cmp.Or(cmp.Compare(a.sk, b.sk), strings.Compare(a.pk, b.pk))
}

// reads follows the pages of a read and compares all items with the expected ones; ordered says that their order counts.
func (m *model) reads(op, request string, want []modelKey, ordered bool) {
	m.t.Helper()
	var got []string
	limit, start := "", ""
	if m.rand.IntN(2) == 0 {
		limit = fmt.Sprintf(`,"Limit":%d`, 1+m.rand.IntN(6))
	}
	for {
		var page struct {
			Items            []json.RawMessage
			LastEvaluatedKey json.RawMessage
		}
		if err := json.Unmarshal([]byte(m.must(op, `{"TableName":"things",`+request+limit+start+`}`)), &page); err != nil {
			m.t.Error(err)
			return
		}
		for _, i := range page.Items {
			got = append(got, canonical(m.t, string(i)))
		}
		if page.LastEvaluatedKey == nil {
			break
		}
		start = `,"ExclusiveStartKey":` + string(page.LastEvaluatedKey)
	}
	expected := make([]string, len(want))
	for n, k := range want {
		expected[n] = canonical(m.t, m.items[k].json(k))
	}
	if !ordered {
		slices.Sort(got)
		slices.Sort(expected)
	}
	if !slices.Equal(got, expected) {
		m.t.Errorf("%s %s gives\n\t%v, want\n\t%v", op, request+limit, got, expected)
	}
}

// direction is a random ScanIndexForward.
func (m *model) direction() (member string, backward bool) {
	backward = m.rand.IntN(2) == 0
	return fmt.Sprintf(`"ScanIndexForward":%v`, !backward), backward
}

func (m *model) query() {
	pk, low := m.key().pk, m.rand.IntN(20)-8
	high := low + m.rand.IntN(8)
	member, backward := m.direction()
	condition, in := "pk = :p AND sk BETWEEN :low AND :high", func(sk int) bool { return sk >= low && sk <= high }
	values := fmt.Sprintf(`":p":{"S":"%s"},":low":{"N":"%d"},":high":{"N":"%d.0"}`, pk, low, high)
	switch m.rand.IntN(4) {
	case 0:
		condition, in = "sk > :low AND pk = :p", func(sk int) bool { return sk > low }
		values = fmt.Sprintf(`":p":{"S":"%s"},":low":{"N":"%d"}`, pk, low)
	case 1:
		condition, in = "pk = :p AND :low >= sk", func(sk int) bool { return sk <= low }
		values = fmt.Sprintf(`":p":{"S":"%s"},":low":{"N":"%d"}`, pk, low)
	}
	want := m.sorted(func(k modelKey, _ modelItem) bool { return k.pk == pk && in(k.sk) }, bySort, backward)
	m.reads("Query", fmt.Sprintf(`%s,"KeyConditionExpression":"%s","ExpressionAttributeValues":{%s}`, member, condition, values), want, true)
}

func (m *model) queryLocal() {
	pk, prefix := m.key().pk, []string{"a", "ab", "b", "\u00e4"}[m.rand.IntN(4)]
	member, backward := m.direction()
	want := m.sorted(func(k modelKey, i modelItem) bool { return k.pk == pk && strings.HasPrefix(i.a, prefix) }, func(a, b modelKey) int {
		return cmp.Or(strings.Compare(m.items[a].a, m.items[b].a), bySort(a, b))
	}, backward)
	m.reads("Query", fmt.Sprintf(`"IndexName":"local",%s,"KeyConditionExpression":"pk = :p AND begins_with(a, :a)","ExpressionAttributeValues":{":p":{"S":"%s"},":a":{"S":"%s"}}`,
		member, pk, prefix), want, true)
}

func (m *model) queryGlobal() {
	g, n := m.item().g, m.rand.IntN(8)
	if g == "" {
		g = "AA=="
	}
	member, backward := m.direction()
	want := m.sorted(func(_ modelKey, i modelItem) bool { return i.g == g && i.n >= n }, bySort, backward)
	// Items with equal index keys come in an order of the service's own.
	distinct := map[int]bool{}
	for _, k := range want {
		distinct[k.sk] = true
	}
	m.reads("Query", fmt.Sprintf(`"IndexName":"global",%s,"KeyConditionExpression":"g = :g","FilterExpression":"n >= :n","ExpressionAttributeValues":{":g":{"B":"%s"},":n":{"N":"%d"}}`,
		member, g, n), want, len(distinct) == len(want))
}

func (m *model) scan() {
	index, in := "", func(modelKey, modelItem) bool { return true }
	switch m.rand.IntN(3) {
	case 0:
		index, in = `"IndexName":"global",`, func(_ modelKey, i modelItem) bool { return i.g != "" }
	case 1:
		index, in = `"IndexName":"local",`, func(_ modelKey, i modelItem) bool { return i.a != "" }
	}
	m.reads("Scan", index+`"Select":"ALL_ATTRIBUTES"`, m.sorted(in, bySort, false), false)
}

func (m *model) batch() {
	var requests []string
	writes := map[modelKey]*modelItem{}
	for range 1 + m.rand.IntN(8) {
		k := m.key()
		if _, twice := writes[k]; twice {
			continue
		}
		if m.rand.IntN(3) == 0 {
			writes[k] = nil
			requests = append(requests, `{"DeleteRequest":{"Key":{`+k.json()+`}}}`)
			continue
		}
		i := m.item()
		writes[k] = &i
		requests = append(requests, `{"PutRequest":{"Item":`+i.json(k)+`}}`)
	}
	m.must("BatchWriteItem", `{"RequestItems":{"things":[`+strings.Join(requests, ",")+`]}}`)
	var keys []string
	for k, i := range writes {
		keys = append(keys, `{`+k.json()+`}`)
		if delete(m.items, k); i != nil {
			m.items[k] = *i
		}
	}
	var reply struct {
		Responses struct{ Things []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(m.must("BatchGetItem", `{"RequestItems":{"things":{"Keys":[`+strings.Join(keys, ",")+`]}}}`)), &reply); err != nil {
		m.t.Error(err)
	}
	var got, want []string
	for _, i := range reply.Responses.Things {
		got = append(got, canonical(m.t, string(i)))
	}
	for k := range writes {
		if i, ok := m.items[k]; ok {
			want = append(want, canonical(m.t, i.json(k)))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		m.t.Errorf("BatchGetItem gives\n\t%v, want\n\t%v", got, want)
	}
}

func (m *model) transact() {
	put, change, check := m.key(), m.key(), m.key()
	if put == change || put == check || change == check {
		return
	}
	item := m.item()
	putGuard, putHolds := m.guard(put)
	expression, values, after := m.change(change)
	changeGuard, changeHolds := m.guard(change, values...)
	condition, value, checkHolds := m.condition(check)
	if value != "" {
		value = `,"ExpressionAttributeValues":{` + value + `}`
	}
	body := `{"TransactItems":[{"Put":{"TableName":"things","Item":` + item.json(put) + putGuard + `}},` +
		`{"Update":{"TableName":"things","UpdateExpression":"` + expression + `","Key":{` + change.json() + `}` + changeGuard + `}},` +
		`{"ConditionCheck":{"TableName":"things","Key":{` + check.json() + `},"ConditionExpression":"` + condition + `"` + value + `}}]}`
	if _, done := m.guarded("TransactWriteItems", body, putHolds && changeHolds && checkHolds); done {
		m.items[put] = item
		m.replace(change, after)
	}
}

func (m *model) same(got, want string) {
	m.t.Helper()
	if g, w := canonical(m.t, got), canonical(m.t, want); g != w {
		m.t.Errorf("got  %s\n\twant %s", g, w)
	}
}

// canonical writes JSON with sorted members and sorted sets.
func canonical(t testing.TB, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%v in %q", err, text)
		return ""
	}
	sortSets(v)
	out, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return string(out)
}

func sortSets(v any) {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			sortSets(e)
		}
		return
	}
	m, _ := v.(map[string]any)
	for name, e := range m {
		if set, ok := e.([]any); ok && name == "SS" {
			slices.SortFunc(set, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		sortSets(e)
	}
}
