package dynamodb

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// orders is a table with an index of each sort.
func orders(t testing.TB) *Table {
	return &Table{Key: key(t, "customer", "S", "at", "N"), Indexes: []Index{
		{Name: "by_status", Key: key(t, "status", "S", "at", "N"), Projection: "keys_only"},
		{Name: "by_total", Key: key(t, "customer", "S", "total", "N"), Local: true, Projection: "keys_only"},
	}}
}

// placed are n orders of each of two customers.
func placed(n int, padding string) []map[string]any {
	var items []map[string]any
	for i := range n {
		for _, customer := range []string{"ann", "bob"} {
			items = append(items, map[string]any{"customer": customer, "at": i, "total": n - i, "status": []string{"open", "done"}[i%2], "name": padding})
		}
	}
	return items
}

func newQueryConfig(t testing.TB, table engine.Ref[Table]) *Query {
	c := enginetest.Config[Query](t)
	c.Table, c.Partition = table, anyOf(t, "${{ event.customer }}")
	return c
}

// numbers are one attribute of all items.
func numbers(out map[string]any, attribute string) string {
	var all []string
	for _, item := range out["items"].([]any) {
		all = append(all, fmt.Sprint(item.(map[string]any)[attribute]))
	}
	return strings.Join(all, " ")
}

func TestQueryGivesAPartitionInTheOrderOfTheSortKey(t *testing.T) {
	s := newServer(t)
	table := s.table("orders", orders(t), placed(6, "")...)
	type edit = func(c *Query)
	tests := []struct {
		name string
		edit edit
		want string
	}{
		{"all", func(*Query) {}, "0 1 2 3 4 5"},
		{"descending", func(c *Query) { c.Order = "desc" }, "5 4 3 2 1 0"},
		{"limit", func(c *Query) { c.Limit = expr.Of(2) }, "0 1"},
		{"limit of an expression", func(c *Query) { c.Limit = enginetest.Expr[int](t, "${{ 1 + 2 }}") }, "0 1 2"},
		{"eq", func(c *Query) { c.Sort.Eq = expr.Of[any](3) }, "3"},
		{"lt", func(c *Query) { c.Sort.Lt = expr.Of[any](3) }, "0 1 2"},
		{"le", func(c *Query) { c.Sort.Le = expr.Of[any](3) }, "0 1 2 3"},
		{"gt", func(c *Query) { c.Sort.Gt = expr.Of[any](3) }, "4 5"},
		{"ge", func(c *Query) { c.Sort.Ge = anyOf(t, "${{ len(event.customer) }}") }, "3 4 5"},
		{"between", func(c *Query) { c.Sort.Between = Between{expr.Of[any](1.5), expr.Of[any](4)} }, "2 3 4"},
		{"filter", func(c *Query) {
			c.Filter, c.Values = "total > :n AND attribute_exists(status)", values(t, map[string]any{"n": 3})
		}, "0 1 2"},
		{"filter and limit", func(c *Query) {
			c.Filter, c.Values, c.Limit = "status = :s", values(t, map[string]any{"s": "done"}), expr.Of(2)
		}, "1 3"},
		{"expression", func(c *Query) {
			c.Partition, c.KeyCondition, c.Values = expr.Value[any]{}, "customer = :c AND at < :n", values(t, map[string]any{"c": "bob", "n": 2})
		}, "0 1"},
		{"consistent", func(c *Query) { c.Consistent = true }, "0 1 2 3 4 5"},
		{"local index", func(c *Query) { c.Index = "by_total"; c.Consistent = true; c.Sort.Le = expr.Of[any](3) }, "5 4 3"},
		{"global index", func(c *Query) { c.Index = "by_status"; c.Partition = expr.Of[any]("done"); c.Limit = expr.Of(4) }, "1 1 3 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newQueryConfig(t, table)
			tt.edit(c)
			_, out := node(s, querySpec, c).do(map[string]any{"customer": "ann"})
			if got := numbers(out, "at"); got != tt.want {
				t.Fatalf("got %s, want %s", got, tt.want)
			}
			equal(t, out["count"], len(out["items"].([]any)))
		})
	}
}

func TestKeysOfBytesAreReadOnByACursor(t *testing.T) {
	s := newServer(t)
	table := s.table("blobs", &Table{Key: key(t, "hash", "B", "part", "B")}, map[string]any{"hash": []byte{0xff, 0}, "part": []byte{1}}, map[string]any{"hash": []byte{0xff, 0}, "part": []byte{2}})
	c := enginetest.Config[Query](t)
	c.Table, c.Partition, c.Limit, c.Start = table, expr.Of[any]([]byte{0xff, 0}), expr.Of(1), anyOf(t, "${{ event.cursor }}")
	n := node(s, querySpec, c)
	_, out := n.do(map[string]any{"cursor": nil})
	_, out = n.do(map[string]any{"cursor": out["next"]})
	equal(t, out["items"], []any{map[string]any{"hash": []byte{0xff, 0}, "part": []byte{2}}})
}

func TestQueryBySortKeyText(t *testing.T) {
	s := newServer(t)
	table := s.table("files", &Table{Key: key(t, "owner", "S", "path", "S")},
		map[string]any{"owner": "a", "path": "x/1"}, map[string]any{"owner": "a", "path": "x/2"}, map[string]any{"owner": "a", "path": "y/1"})
	c := enginetest.Config[Query](t)
	c.Table, c.Partition, c.Sort.BeginsWith = table, expr.Of[any]("a"), expr.Of[any]("x/")
	_, out := node(s, querySpec, c).do(nil)
	equal(t, numbers(out, "path"), "x/1 x/2")
}

func TestTheCursorReadsOnWithoutGapsOrDoubles(t *testing.T) {
	s := newServer(t)
	table := s.table("orders", orders(t), placed(23, "")...)
	for _, tt := range []struct {
		name string
		edit func(c *Query)
		want int
	}{
		{"table", func(*Query) {}, 23},
		{"descending", func(c *Query) { c.Order = "desc" }, 23},
		{"filter that cuts pages", func(c *Query) { c.Filter, c.Values = "total <> :n", values(t, map[string]any{"n": 7}) }, 22},
		{"filter, projection and hidden keys", func(c *Query) {
			c.Filter, c.Values, c.Attributes = "status = :s", values(t, map[string]any{"s": "done"}), []string{"total"}
		}, 11},
		{"global index", func(c *Query) { c.Index, c.Partition = "by_status", expr.Of[any]("open") }, 24},
		{"global index with a filter", func(c *Query) {
			c.Index, c.Partition, c.Filter, c.Values = "by_status", expr.Of[any]("open"), "customer = :c", values(t, map[string]any{"c": "bob"})
		}, 12},
		{"local index with a filter", func(c *Query) {
			c.Index, c.Filter, c.Values, c.Attributes = "by_total", "at >= :n", values(t, map[string]any{"n": 11}), []string{"at", "name"}
		}, 12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newQueryConfig(t, table)
			c.Limit, c.Start = expr.Of(5), anyOf(t, "${{ event.cursor }}")
			tt.edit(c)
			n := node(s, querySpec, c)
			seen, cursor := map[string]bool{}, any(nil)
			for range 20 {
				_, out := n.do(map[string]any{"customer": "ann", "cursor": cursor})
				for _, item := range out["items"].([]any) {
					m := item.(map[string]any)
					if len(c.Attributes) > 0 && len(m) > len(c.Attributes) {
						t.Fatalf("more than the attributes: %v", m)
					}
					id := fmt.Sprint(m)
					if seen[id] {
						t.Fatalf("%s came twice", id)
					}
					seen[id] = true
				}
				if cursor = out["next"]; cursor == nil {
					break
				}
			}
			if cursor != nil || len(seen) != tt.want {
				t.Fatalf("got %d items, want %d; cursor %v", len(seen), tt.want, cursor)
			}
		})
	}
}

func TestQueryReadsOverManyPages(t *testing.T) {
	s := newServer(t)
	table := s.table("orders", orders(t), placed(60, strings.Repeat("x", 90<<10))...)
	c := newQueryConfig(t, table)
	n := node(s, querySpec, c)
	s.took("Query")
	_, out := n.do(map[string]any{"customer": "bob"})
	equal(t, out["count"], 60)
	equal(t, out["next"], nil)
	if pages := len(s.took("Query")); pages < 5 {
		t.Errorf("5 MB came in %d pages", pages)
	}

	c.MaxPages = 2
	c.None = toOther
	port, out := node(s, querySpec, c).do(map[string]any{"customer": "bob"})
	equal(t, port, "next")
	if out["count"] == 60 || out["next"] == nil {
		t.Errorf("two pages gave %v items and the cursor %v", out["count"], out["next"])
	}
	equal(t, len(s.took("Query")), 2)

	c.Filter, c.Values = "total = :n", values(t, map[string]any{"n": 1})
	port, out = node(s, querySpec, c).do(map[string]any{"customer": "bob"})
	equal(t, port, "next")
	equal(t, out["count"], 0)
	if out["next"] == nil {
		t.Error("there is more to read, but no cursor")
	}
}

func TestALocalIndexFetchesWhatItDoesNotHold(t *testing.T) {
	s := newServer(t)
	c := newQueryConfig(t, s.table("orders", orders(t), placed(3, "x")...))
	c.Index, c.Limit = "by_total", expr.Of(1)
	_, out := node(s, querySpec, c).do(map[string]any{"customer": "ann"})
	equal(t, out["items"], []any{map[string]any{"customer": "ann", "at": 2, "total": 1}})
	c.Attributes = []string{"name"}
	_, out = node(s, querySpec, c).do(map[string]any{"customer": "ann"})
	equal(t, out["items"], []any{map[string]any{"name": "x"}})
}

func TestQuerySendsAnEmptyResultByItsOwnWire(t *testing.T) {
	s := newServer(t)
	c := newQueryConfig(t, s.table("orders", orders(t)))
	c.None = toOther
	empty := map[string]any{"items": []any{}, "count": 0, "next": nil}
	port, out := node(s, querySpec, c).do(map[string]any{"customer": "nobody"})
	equal(t, port, "none")
	equal(t, out, empty)
	c.None = engine.Wire{}
	port, out = node(s, querySpec, c).do(map[string]any{"customer": "nobody"})
	equal(t, port, "next")
	equal(t, out, empty)
}

func TestQueryRefusesDataThatDoesNotFit(t *testing.T) {
	s := newServer(t)
	c := newQueryConfig(t, s.table("orders", orders(t)))
	c.Limit, c.Start = enginetest.Expr[int](t, "${{ event.limit }}"), anyOf(t, "${{ event.cursor }}")
	n := node(s, querySpec, c)
	for _, tt := range []struct {
		event      map[string]any
		code, text string
	}{
		{map[string]any{"customer": 5, "limit": 1}, "invalid_value", "partition: the key attribute is of type S"},
		{map[string]any{"customer": "a", "limit": 0}, "invalid_limit", "limit is between 1 and 10000, got 0"},
		{map[string]any{"customer": "a", "limit": 10001}, "invalid_limit", "got 10001"},
		{map[string]any{"customer": "a", "limit": 1, "cursor": "x"}, "invalid_cursor", "not a cursor that this node gave"},
		{map[string]any{"customer": "a", "limit": 1, "cursor": 7}, "invalid_cursor", "start is a cursor, which is a text, got an integer"},
	} {
		n.fail(tt.event, engine.Permanent, tt.code, tt.text)
	}
}

func TestScanReadsAWholeTable(t *testing.T) {
	s := newServer(t)
	table := s.table("orders", orders(t), placed(20, "")...)
	c := enginetest.Config[Scan](t)
	c.Table, c.Limit, c.Start = table, expr.Of(7), anyOf(t, "${{ event.cursor }}")
	n := node(s, scanSpec, c)
	seen, cursor := map[string]bool{}, any("")
	for range 10 {
		_, out := n.do(map[string]any{"cursor": cursor})
		for _, item := range out["items"].([]any) {
			seen[fmt.Sprint(item)] = true
		}
		if cursor = out["next"]; cursor == nil {
			break
		}
	}
	equal(t, len(seen), 40)

	c = enginetest.Config[Scan](t)
	c.Table, c.Filter, c.Values, c.Attributes = table, "status = :s AND at >= :n", values(t, map[string]any{"s": "done", "n": "${{ event.from }}"}), []string{"at"}
	c.Consistent, c.None = true, toOther
	n = node(s, scanSpec, c)
	port, out := n.do(map[string]any{"from": 18})
	equal(t, port, "next")
	equal(t, numbers(out, "at"), "19 19")
	equal(t, out["items"].([]any)[0], map[string]any{"at": 19})
	port, _ = n.do(map[string]any{"from": 99})
	equal(t, port, "none")

	c = enginetest.Config[Scan](t)
	c.Table, c.Index = table, "by_status"
	_, out = node(s, scanSpec, c).do(nil)
	equal(t, len(out["items"].([]any)[0].(map[string]any)), 3)
}

func TestAPageThatFailsInTheMiddleFailsTheReading(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Scan](t)
	c.Table = s.table("orders", orders(t), placed(30, strings.Repeat("x", 90<<10))...)
	n := node(s, scanSpec, c)
	pages := 0
	s.intercept(func(w http.ResponseWriter, r request) bool {
		if pages++; pages < 3 {
			return false
		}
		return refuse(w, 400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "Requested resource not found")
	})
	n.fail(nil, engine.Permanent, "not_found", `scanning table "orders"`)
}

func TestCursorsBelongToOneTableAndIndex(t *testing.T) {
	table := orders(t)
	mine := newCursors("orders", table, nil)
	at := map[string]types.AttributeValue{"customer": &types.AttributeValueMemberS{Value: "ann"}, "at": &types.AttributeValueMemberN{Value: "12345678901234567890123456789012345678"}}
	text, err := mine.text(at)
	if err != nil {
		t.Fatal(err)
	}
	back, err := mine.parse(text)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, back, at)
	for name, other := range map[string]cursors{
		"another table": newCursors("others", table, nil), "an index": newCursors("orders", table, table.Index("by_status")),
		"another key": newCursors("orders", &Table{Key: key(t, "customer", "S", "at", "S")}, nil),
	} {
		if _, err := other.parse(text); err == nil {
			t.Errorf("%s took the cursor", name)
		}
	}
	if _, err := mine.text(map[string]types.AttributeValue{"customer": at["customer"]}); err == nil {
		t.Error("half a key became a cursor")
	}
}

// FuzzCursorsAreKeysOrRefused parses any text: what is taken is a whole key of
// the right types, and prints as a cursor for the same place.
func FuzzCursorsAreKeysOrRefused(f *testing.F) {
	table := &Table{Key: KeySchema{[]KeyAttribute{{"s", "S"}, {"n", "N"}}}}
	c := newCursors("t", table, &Index{Name: "i", Key: KeySchema{[]KeyAttribute{{"b", "B"}}}})
	good, err := c.text(map[string]types.AttributeValue{"s": &types.AttributeValueMemberS{Value: "x"}, "n": &types.AttributeValueMemberN{Value: "1.5"}, "b": &types.AttributeValueMemberB{Value: []byte{1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add("W10")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := c.parse(text)
		if err != nil {
			return
		}
		if _, err := marshalAll(c.key, key); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := c.text(key)
		if err != nil {
			t.Fatal(err)
		}
		back, err := c.parse(again)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, back, key)
	})
}

// marshalAll checks that a key has exactly these attributes, of their types.
func marshalAll(attributes []KeyAttribute, key map[string]types.AttributeValue) (int, error) {
	for _, a := range attributes {
		v, ok := key[a.Name]
		if !ok {
			return 0, fmt.Errorf("no %s", a.Name)
		}
		if err := a.check(v); err != nil {
			return 0, err
		}
	}
	return len(key) - len(attributes), nil
}
