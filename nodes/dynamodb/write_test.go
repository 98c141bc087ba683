package dynamodb

import (
	"context"
	"reflect"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func drivers(t testing.TB) *Table { return &Table{Key: key(t, "area_code", "S")} }

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %#v\nwant %#v", got, want)
	}
}

func TestGetReadsAnItemExactly(t *testing.T) {
	s := newServer(t)
	item := map[string]any{
		"area_code": "0231", "big": value.Number("9223372036854775808"), "odd": 9007199254740993,
		"long":   value.Number("1234567890123456789012345678.9012345678"),
		"nested": map[string]any{"list": []any{1, 2.5, nil, true, []byte{0, 1}}}, "empty": "",
	}
	table := s.table("drivers", drivers(t), item)
	c := enginetest.Config[Get](t)
	c.Table, c.Key = table, object(t, "${{ {area_code: event.area} }}")
	port, out := node(s, getSpec, c).do(map[string]any{"area": "0231"})
	equal(t, port, "next")
	equal(t, out, map[string]any{"item": item, "found": true})
}

func TestGetSendsAMissingItemByItsOwnWire(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Get](t)
	c.Table, c.Key = s.table("drivers", drivers(t)), object(t, "${{ {area_code: event.area} }}")
	c.Missing = toOther
	port, out := node(s, getSpec, c).do(map[string]any{"area": "0231"})
	equal(t, port, "missing")
	equal(t, out, map[string]any{"item": nil, "found": false})

	c.Missing = engine.Wire{}
	node(s, getSpec, c).fail(map[string]any{"area": "0231"}, engine.Permanent, "not_found", "wire `missing`")
}

func TestGetReadsOnlyTheAttributesAskedFor(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Get](t)
	c.Table = s.table("drivers", drivers(t), map[string]any{"area_code": "1", "name": "reserved", "a": map[string]any{"b": []any{1, 2, 3}, "c": 4}, "x.y": 5, "z": 6})
	c.Key = expr.Of(map[string]any{"area_code": "1"})
	c.Attributes, c.Names = []string{"name", "a.b[1]", "#dotted"}, map[string]string{"#dotted": "x.y"}
	c.Consistent = true
	_, out := node(s, getSpec, c).do(nil)
	equal(t, out["item"], map[string]any{"name": "reserved", "a": map[string]any{"b": []any{2}}, "x.y": 5})
	if r := s.took("GetItem"); len(r) != 1 || r[0].body["ConsistentRead"] != true {
		t.Errorf("requests: %v", r)
	}
}

func TestAKeyThatDoesNotFitIsRefusedBeforeTheCall(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Get](t)
	c.Table = s.table("orders", &Table{Key: key(t, "customer", "S", "at", "N")})
	c.Key = object(t, "${{ event.key }}")
	n := node(s, getSpec, c)
	s.took("GetItem")
	for _, tt := range []struct {
		key  map[string]any
		want string
	}{
		{map[string]any{"customer": "c"}, "the key has no at; the table's key is {customer: S, at: N}"},
		{map[string]any{"customer": "c", "at": 1, "more": 2}, "the key has more, which is not part"},
		{map[string]any{"customer": "c", "at": "1"}, "key.at: the key attribute is of type N, a number, but the value is a text"},
		{map[string]any{"customer": "", "at": 1}, "key.customer: a key attribute cannot be empty"},
		{map[string]any{"customer": nil, "at": 1}, "key.customer: the key attribute is null"},
		{map[string]any{"customer": []any{}, "at": 1}, "key.customer: the key attribute is of type S"},
	} {
		n.fail(map[string]any{"key": tt.key}, engine.Permanent, "invalid_key", tt.want)
	}
	if r := s.took("GetItem"); len(r) != 0 {
		t.Errorf("%d calls were made", len(r))
	}
}

func TestPutStoresAnItemAndGivesTheOneItReplaced(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Put](t)
	c.Table, c.Item, c.Return = s.table("drivers", drivers(t)), object(t, "${{ event.item }}"), "old"
	n := node(s, putSpec, c)
	first := map[string]any{"area_code": "1", "n": value.Number("12345678901234567890123456789012345678")}
	_, out := n.do(map[string]any{"item": first})
	equal(t, out, map[string]any{"old": nil})
	_, out = n.do(map[string]any{"item": map[string]any{"area_code": "1", "list": []any{"a"}}})
	equal(t, out, map[string]any{"old": first})
	equal(t, s.item("drivers", map[string]any{"area_code": "1"}), map[string]any{"area_code": "1", "list": []any{"a"}})
}

func TestPutOnlyIfAbsentSendsASecondItemByItsOwnWire(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Put](t)
	c.Table, c.Item, c.OnlyIf, c.ConditionFailed = s.table("drivers", drivers(t)), object(t, "${{ event }}"), "absent", toOther
	n := node(s, putSpec, c)
	port, out := n.do(map[string]any{"area_code": "1", "v": 1})
	equal(t, port, "next")
	equal(t, out, map[string]any{})
	port, out = n.do(map[string]any{"area_code": "1", "v": 2})
	equal(t, port, "condition_failed")
	equal(t, out, map[string]any{"old": map[string]any{"area_code": "1", "v": 1}})
	equal(t, s.item("drivers", map[string]any{"area_code": "1"})["v"], 1)

	c.ConditionFailed = engine.Wire{}
	node(s, putSpec, c).fail(map[string]any{"area_code": "1"}, engine.Permanent, "condition_failed", "wire `condition_failed`")
}

func TestPutWithAConditionReplacesOnlyWhatItHoldsFor(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Put](t)
	c.Table = s.table("drivers", drivers(t), map[string]any{"area_code": "1", "version": 1, "status": "open"})
	c.Item, c.ConditionFailed = object(t, "${{ event }}"), toOther
	c.Condition, c.OnlyIf = "version = :seen AND (status IN (:open, :new) OR #in = :open)", "present"
	c.Values, c.Names = values(t, map[string]any{"seen": "${{ event.version - 1 }}", ":open": "open", "new": "new"}), map[string]string{"in": "in"}
	n := node(s, putSpec, c)
	port, _ := n.do(map[string]any{"area_code": "1", "version": 2, "status": "open"})
	equal(t, port, "next")
	port, out := n.do(map[string]any{"area_code": "1", "version": 2})
	equal(t, port, "condition_failed")
	equal(t, out["old"], map[string]any{"area_code": "1", "version": 2, "status": "open"})
	port, out = n.do(map[string]any{"area_code": "none", "version": 3})
	equal(t, port, "condition_failed")
	equal(t, out["old"], nil)
}

func TestPutStoresNamedListsAsSets(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Put](t)
	c.Table, c.Item, c.Sets = s.table("drivers", drivers(t)), object(t, "${{ event }}"), []string{"tags", "sizes"}
	n := node(s, putSpec, c)
	n.do(map[string]any{"area_code": "1", "tags": []any{"b", "a", "b"}, "list": []any{"b", "a", "b"}})
	put := s.took("PutItem")[0].body["Item"].(map[string]any)
	equal(t, put["tags"], map[string]any{"SS": []any{"b", "a"}})
	equal(t, put["list"], map[string]any{"L": []any{map[string]any{"S": "b"}, map[string]any{"S": "a"}, map[string]any{"S": "b"}}})
	n.fail(map[string]any{"area_code": "1", "tags": []any{}}, engine.Permanent, "invalid_item", "item.tags: DynamoDB has no empty set")
}

func TestPutRefusesAnItemBeforeTheCall(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Put](t)
	c.Table, c.Item = s.table("drivers", drivers(t)), object(t, "${{ event }}")
	n := node(s, putSpec, c)
	n.fail(map[string]any{"name": "x"}, engine.Permanent, "invalid_item", "the item has no area_code; the table's key is {area_code: S}")
	n.fail(map[string]any{"area_code": 231}, engine.Permanent, "invalid_item", "item.area_code: the key attribute is of type S")
	n.fail(map[string]any{"area_code": "1", "n": value.Number("1234567890123456789012345678901234567890.1")}, engine.Permanent, "invalid_item", "item.n: the number has 41 significant digits")
	if r := s.took("PutItem"); len(r) != 0 {
		t.Errorf("%d calls were made", len(r))
	}
}

func TestDeleteTellsWhatItDeleted(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Delete](t)
	c.Table = s.table("drivers", drivers(t), map[string]any{"area_code": "1", "state": "open"})
	c.Key = object(t, "${{ {area_code: event.area} }}")
	n := node(s, deleteSpec, c)
	_, out := n.do(map[string]any{"area": "1"})
	equal(t, out, map[string]any{"old": map[string]any{"area_code": "1", "state": "open"}, "found": true})
	_, out = n.do(map[string]any{"area": "1"})
	equal(t, out, map[string]any{"old": nil, "found": false})
}

func TestDeleteKeepsAnItemThatDoesNotMeetTheCondition(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Delete](t)
	item := map[string]any{"area_code": "1", "state": "open"}
	c.Table = s.table("drivers", drivers(t), item)
	c.Key, c.ConditionFailed = object(t, "${{ {area_code: event.area} }}"), toOther
	c.Condition, c.Values = "state = :closed", values(t, map[string]any{"closed": "closed"})
	port, out := node(s, deleteSpec, c).do(map[string]any{"area": "1"})
	equal(t, port, "condition_failed")
	equal(t, out, map[string]any{"old": item, "found": true})
	equal(t, s.item("drivers", map[string]any{"area_code": "1"}), item)

	c.Condition, c.Values, c.OnlyIf, c.ConditionFailed = "", nil, "present", engine.Wire{}
	node(s, deleteSpec, c).fail(map[string]any{"area": "none"}, engine.Permanent, "condition_failed", "deleting from table \"drivers\"")
}

func TestUpdateMakesAllItsChangesAtOnce(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Update](t)
	c.Table = s.table("drivers", drivers(t), map[string]any{"area_code": "1", "status": "old", "n": value.Number("9223372036854775807"),
		"address": map[string]any{"city": "Rome", "zip": 1}, "log": []any{"a"}, "draft": true, "kept": "x", "x.y": 1})
	c.Key = expr.Of(map[string]any{"area_code": "1"})
	c.Names = map[string]string{"dotted": "x.y"}
	c.Set = values(t, map[string]any{"status": "${{ event.status }}", "address.city": "Oslo", "#dotted": 2, "tags": []any{"p", "q", "p"}})
	c.SetIfAbsent = values(t, map[string]any{"kept": "y", "made": "z"})
	c.Add = values(t, map[string]any{"n": 1, "fresh": -2, "members": []any{"m"}})
	c.Append = values(t, map[string]any{"log": "${{ [event.status] }}", "history": []any{1}})
	c.Remove = []string{"draft", "address.zip"}
	c.Sets = []string{"tags"}
	_, out := node(s, updateSpec, c).do(map[string]any{"status": "new"})
	want := map[string]any{"area_code": "1", "status": "new", "n": value.Number("9223372036854775808"), "address": map[string]any{"city": "Oslo"},
		"log": []any{"a", "new"}, "history": []any{1}, "kept": "x", "made": "z", "fresh": -2, "members": []any{"m"}, "tags": []any{"p", "q"}, "x.y": 2}
	equal(t, out["item"], want)
	equal(t, s.item("drivers", map[string]any{"area_code": "1"}), want)
}

func TestUpdateTakesElementsOutOfASet(t *testing.T) {
	s := newServer(t)
	put := enginetest.Config[Put](t)
	put.Table, put.Item, put.Sets = s.table("drivers", drivers(t)), object(t, "${{ event }}"), []string{"tags"}
	node(s, putSpec, put).do(map[string]any{"area_code": "1", "tags": []any{1, 2, 3}})
	c := enginetest.Config[Update](t)
	c.Table, c.Key = put.Table, expr.Of(map[string]any{"area_code": "1"})
	c.Delete, c.Return = values(t, map[string]any{"tags": "${{ event.gone }}"}), "updated_new"
	n := node(s, updateSpec, c)
	_, out := n.do(map[string]any{"gone": []any{1, 3, 9}})
	equal(t, out["item"], map[string]any{"tags": []any{2}})
	n.fail(map[string]any{"gone": "1"}, engine.Permanent, "invalid_value", "delete.tags: a set is made of a list, got a string")
	n.fail(map[string]any{"gone": []any{}}, engine.Permanent, "invalid_value", "delete.tags: DynamoDB has no empty set")
}

func TestUpdateGivesTheItemThatReturnNames(t *testing.T) {
	s := newServer(t)
	table := s.table("drivers", drivers(t))
	for _, tt := range []struct {
		returns string
		want    map[string]any
	}{
		{"none", map[string]any{}},
		{"old", map[string]any{"item": map[string]any{"area_code": "1", "v": 1, "w": 0}}},
		{"new", map[string]any{"item": map[string]any{"area_code": "1", "v": 2, "w": 0}}},
		{"updated_old", map[string]any{"item": map[string]any{"v": 1}}},
		{"updated_new", map[string]any{"item": map[string]any{"v": 2}}},
	} {
		t.Run(tt.returns, func(t *testing.T) {
			if err := Seed(t.Context(), s.client, "drivers", []map[string]any{{"area_code": "1", "v": 1, "w": 0}}); err != nil {
				t.Fatal(err)
			}
			c := enginetest.Config[Update](t)
			c.Table, c.Key, c.Add, c.Return = table, expr.Of(map[string]any{"area_code": "1"}), values(t, map[string]any{"v": 1}), tt.returns
			_, out := node(s, updateSpec, c).do(nil)
			equal(t, out, tt.want)
		})
	}
}

func TestUpdateByAnExpressionNeedsNoNamesForReservedWords(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Update](t)
	c.Table = s.table("drivers", drivers(t), map[string]any{"area_code": "1", "count": 3, "name": "n", "set": 1, "size": []any{1, 2}})
	c.Key = expr.Of(map[string]any{"area_code": "1"})
	c.Update = "SET count = count - :one, list = list_append(if_not_exists(list, :none), :more), set = :one REMOVE name ADD total :one"
	c.Values = values(t, map[string]any{"one": 1, "none": []any{}, "more": "${{ event.more }}"})
	c.Condition, c.Names = "count > :one AND size(size) >= :one AND NOT attribute_exists(#and)", map[string]string{"and": "and"}
	c.ConditionFailed = toOther
	n := node(s, updateSpec, c)
	_, out := n.do(map[string]any{"more": []any{"x"}})
	equal(t, out["item"], map[string]any{"area_code": "1", "count": 2, "list": []any{"x"}, "set": 1, "size": []any{1, 2}, "total": 1})
	n.do(map[string]any{"more": []any{"y"}})
	port, out := n.do(map[string]any{"more": []any{"z"}})
	equal(t, port, "condition_failed")
	equal(t, out["item"].(map[string]any)["count"], 1)
}

func TestUpdateOnlyIfPresentMakesNoItem(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Update](t)
	c.Table, c.Key, c.Set = s.table("drivers", drivers(t)), expr.Of(map[string]any{"area_code": "1"}), values(t, map[string]any{"v": 1})
	c.OnlyIf, c.ConditionFailed = "present", toOther
	port, out := node(s, updateSpec, c).do(nil)
	equal(t, port, "condition_failed")
	equal(t, out, map[string]any{"item": nil})
	if got := s.item("drivers", map[string]any{"area_code": "1"}); got != nil {
		t.Errorf("made %v", got)
	}
}

func TestOneNodeServesManyMessagesAtOnce(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Update](t)
	c.Table, c.Key = s.table("drivers", drivers(t)), object(t, "${{ {area_code: event.area} }}")
	c.Add, c.Set = values(t, map[string]any{"n": 1, "sum": "${{ event.i }}"}), values(t, map[string]any{"last": "${{ event.i }}", "kind": "x"})
	n := node(s, updateSpec, c)
	const workers, each = 16, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				if _, _, err := n.try(context.Background(), map[string]any{"area": "1", "i": w*each + i}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	item := s.item("drivers", map[string]any{"area_code": "1"})
	equal(t, item["n"], workers*each)
	equal(t, item["sum"], workers*each*(workers*each-1)/2)
}

// Data that looks like syntax stays data.
func TestDataNeverBecomesPartOfAnExpression(t *testing.T) {
	s := newServer(t)
	c := enginetest.Config[Put](t)
	c.Table = s.table("drivers", drivers(t), map[string]any{"area_code": "1", "owner": "me"})
	c.Item, c.ConditionFailed = object(t, "${{ {area_code: '1', owner: event.owner} }}"), toOther
	c.Condition, c.Values = "owner = :owner", values(t, map[string]any{"owner": "${{ event.owner }}"})
	port, _ := node(s, putSpec, c).do(map[string]any{"owner": "x OR attribute_exists(area_code)"})
	equal(t, port, "condition_failed")
}
