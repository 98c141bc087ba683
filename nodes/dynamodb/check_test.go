package dynamodb

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// tree is an object as an author writes it: constants and texts by name.
func tree(entries map[string]any) *expr.Tree {
	t := &expr.Tree{Kind: expr.KindObject}
	for k, v := range entries {
		item := &expr.Tree{Const: v}
		if s, ok := v.(string); ok {
			item = expr.Text(s)
		}
		t.Keys, t.Items = append(t.Keys, k), append(t.Items, item)
	}
	return t
}

// written is a field before it is compiled, as Check sees it.
func written[T any](t *expr.Tree) (v expr.Value[T]) {
	v.Set(t)
	return v
}

// expect compares findings with texts of the form "field: message (hint)", of
// which beginnings will do for each part.
func expect(t *testing.T, found []engine.Finding, want ...string) {
	t.Helper()
	var got []string
	for _, f := range found {
		got = append(got, f.Field+": "+f.Message+" ("+f.Hint+")")
	}
	for _, w := range want {
		i := slices.IndexFunc(got, func(g string) bool { return strings.Contains(g, w) })
		if i < 0 {
			t.Fatalf("no finding %s in\n%s", w, strings.Join(got, "\n"))
		}
		got = slices.Delete(got, i, i+1)
	}
	if len(got) > 0 {
		t.Fatalf("more than was expected:\n%s", strings.Join(got, "\n"))
	}
}

func ordersRef(t testing.TB) engine.Ref[Table] {
	return engine.Ref[Table]{Name: "orders", Resource: orders(t)}
}

func TestAWrongKeyIsFoundAtLoad(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  *expr.Tree
		want []string
	}{
		{"right", tree(map[string]any{"customer": "${{ event.c }}", "at": 5}), nil},
		{"one expression", expr.Text("${{ event.key }}"), nil},
		{"not an object", expr.Text("ann"), []string{"key: a key is an object with the table's key attributes (write key: {customer: …, at: …}"}},
		{"a list", &expr.Tree{Kind: expr.KindList}, []string{"key: a key is an object"}},
		{"a part is missing", tree(map[string]any{"customer": "ann"}), []string{`key: the key has no "at", a part of the table's key {customer: S, at: N} (add at: with a number`}},
		{"misspelt", tree(map[string]any{"custommer": "ann", "at": 5}), []string{`key.custommer: "custommer" is not part of the table's key {customer: S, at: N} (did you mean "customer"?`, `key: the key has no "customer"`}},
		{"wrong types", tree(map[string]any{"customer": 231, "at": "5"}), []string{
			"key.customer: the key attribute is of type S, a text, but the value is a number (put it in quotes", "key.at: the key attribute is of type N, a number, but the value is a text (write a number"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			get := &Get{Table: ordersRef(t), Key: written[map[string]any](tt.key)}
			expect(t, checkGet(get), tt.want...)
			expect(t, checkDelete(&Delete{Table: ordersRef(t), Key: get.Key}), tt.want...)
			expect(t, checkUpdate(&Update{Table: ordersRef(t), Key: get.Key, Remove: []string{"x"}}), tt.want...)
		})
	}
}

func TestWrongConfigsAreFoundAtLoad(t *testing.T) {
	goodKey := written[map[string]any](tree(map[string]any{"customer": "ann", "at": 5}))
	value := func(text string) map[string]expr.Value[any] {
		return map[string]expr.Value[any]{text: written[any](expr.Text("x"))}
	}
	given := written[any](expr.Text("x"))
	list := &expr.Tree{Kind: expr.KindList, Items: []*expr.Tree{expr.Text("x"), tree(map[string]any{"n": math.Inf(1)})}}
	deep := tree(map[string]any{"customer": "ann", "at": 5})
	deep.Keys, deep.Items = append(deep.Keys, "deep", "open"), append(deep.Items, &expr.Tree{Kind: expr.KindObject, Keys: []string{"list"}, Items: []*expr.Tree{list}},
		&expr.Tree{Kind: expr.KindList, Items: []*expr.Tree{expr.Text("${{ event.x }}")}})
	for _, tt := range []struct {
		name  string
		found []engine.Finding
		want  []string
	}{
		{"get: paths", checkGet(&Get{Table: ordersRef(t), Key: goodKey, Attributes: []string{"a", "a", "b..c", "#d"}, Names: map[string]string{"e": "f"}}), []string{
			`attributes[1]: "a" is there twice`, `attributes[2]: "b..c" is not a path: a name is missing`, "attributes[3]: #d is not bound (did you mean"}},
		{"put: item", checkPut(&Put{Table: ordersRef(t), Item: written[map[string]any](tree(map[string]any{"customer": 1, "tags": "${{ event.tags }}"})), Sets: []string{"tag", "customer"}}), []string{
			`item: the item has no "at"`, "item.customer: the key attribute is of type S", `sets[0]: the item has no attribute "tag" (did you mean "tags"?)`, `sets[1]: "customer" is a key attribute`}},
		{"put: condition", checkPut(&Put{Table: ordersRef(t), Item: given2(t), Condition: "a = :a AND b = 5", Values: value("a")}), []string{"condition: an attribute is needed at character 16"}},
		{"put: unused", checkPut(&Put{Table: ordersRef(t), Item: given2(t), Condition: "a = :a", Values: map[string]expr.Value[any]{"a": given, "b": given}}), []string{"values.b: :b stands in no expression of this node"}},
		{"put: wire without a condition", checkPut(&Put{Table: ordersRef(t), Item: given2(t), ConditionFailed: toOther}), []string{"condition_failed: there is no condition that could fail (add only_if or condition"}},
		{"update: nothing", checkUpdate(&Update{Table: ordersRef(t), Key: goodKey}), []string{": this update changes nothing"}},
		{"update: both ways", checkUpdate(&Update{Table: ordersRef(t), Key: goodKey, Update: "REMOVE a", Remove: []string{"b"}}), []string{"update: update excludes set"}},
		{"update: key", checkUpdate(&Update{Table: ordersRef(t), Key: goodKey, Set: value("at")}), []string{`set.at: "at" is a part of the key and cannot be changed`}},
		{"update: twice", checkUpdate(&Update{Table: ordersRef(t), Key: goodKey, Set: value("a"), Remove: []string{"a"}}), []string{`remove[0]: "a" is changed by set.a already`}},
		{"update: sets", checkUpdate(&Update{Table: ordersRef(t), Key: goodKey, Set: value("a"), Sets: []string{"a", "b"}}), []string{"set.a: a set is made of a list", `sets[1]: "b" is neither`}},
		{"update: text", checkUpdate(&Update{Table: ordersRef(t), Key: goodKey, Update: "SET a = 1"}), []string{"update: an attribute is needed at character 9"}},
		{"update: constants", checkUpdate(&Update{Table: ordersRef(t), Key: goodKey, Add: value("a"), Append: value("b"), Delete: value("c")}), []string{
			"add.a: a number is needed, or a list for a set, got a string", "append.b: a list is needed, got a string", "delete.c: a set is made of a list, got a string"}},
		{"put: constants", checkPut(&Put{Table: ordersRef(t), Item: written[map[string]any](tree(map[string]any{"customer": "ann", "at": 5, "n": 1e200}))}), []string{"item.n: the number's magnitude is beyond"}},
		{"put: constants inside", checkPut(&Put{Table: ordersRef(t), Item: written[map[string]any](deep)}), []string{"item.deep: list[1].n: the number is not finite"}},
		{"query: constants", checkQuery(query(t, func(c *Query) {
			c.Partition, c.Sort.Between = written[any](&expr.Tree{Const: 5}), Between{written[any](&expr.Tree{Const: 1}), given}
		})), []string{"partition: the key attribute is of type S, a text, but the value is a number", "sort.between: the key attribute is of type N, a number, but the value is a text"}},
		{"query: no key", checkQuery(query(t, func(c *Query) { c.Partition = expr.Value[any]{} })), []string{": a query needs the value of the partition key"}},
		{"query: both ways", checkQuery(query(t, func(c *Query) { c.KeyCondition = "customer = :c" })), []string{"key_condition: key_condition excludes partition"}},
		{"query: two tests", checkQuery(query(t, func(c *Query) { c.Sort.Lt, c.Sort.Ge = given, given })), []string{"sort: lt and ge exclude each other"}},
		{"query: half a range", checkQuery(query(t, func(c *Query) { c.Sort.Between.From = given })), []string{"sort.between: between needs from and to"}},
		{"query: beginning of a number", checkQuery(query(t, func(c *Query) { c.Sort.BeginsWith = given })), []string{"sort.begins_with: the sort key at is a number"}},
		{"query: index", checkQuery(query(t, func(c *Query) { c.Index = "by_state" })), []string{`index: table "orders" has no index "by_state" (did you mean "by_status"?)`}},
		{"query: consistent", checkQuery(query(t, func(c *Query) { c.Index, c.Consistent = "by_status", true })), []string{"consistent: a global index cannot be read consistently"}},
		{"query: bounds", checkQuery(query(t, func(c *Query) { c.Limit, c.MaxPages = written[int](&expr.Tree{Const: 0}), 101 })), []string{"limit: limit is between 1 and 10000", "max_pages: max_pages is between 1 and 100"}},
		{"query: filter on the key", checkQuery(query(t, func(c *Query) { c.Filter = "attribute_exists(at)" })), []string{"filter: a query's filter cannot read at"}},
		{"query: what the index lacks", checkQuery(query(t, func(c *Query) { c.Index, c.Attributes = "by_status", []string{"total", "customer"} })), []string{`attributes[0]: the items here have no attribute "total"`}},
		{"query: no sort key", checkQuery(&Query{Table: engine.Ref[Table]{Resource: drivers(t)}, Partition: given, Sort: SortCondition{Eq: given}, MaxPages: 1}), []string{"sort: the key {area_code: S} has no sort key"}},
		{"scan", checkScan(&Scan{Table: ordersRef(t), Filter: "a = :a", MaxPages: 1}), []string{"filter: :a is not bound (add values: {a: …})"}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, tt.found, tt.want...) })
	}
}

func given2(t testing.TB) expr.Value[map[string]any] {
	return written[map[string]any](expr.Text("${{ event }}"))
}

func query(t testing.TB, edit func(*Query)) *Query {
	c := enginetest.Config[Query](t)
	c.Table, c.Partition = ordersRef(t), written[any](expr.Text("ann"))
	edit(c)
	return c
}

func TestAWrongTableIsFoundAtLoad(t *testing.T) {
	id := key(t, "id", "S")
	for _, tt := range []struct {
		name  string
		table *Table
		want  []string
	}{
		{"right", orders(t), nil},
		{"no key", &Table{}, []string{"key: a table has a partition key"}},
		{"name", &Table{Key: id, TableName: "a b"}, []string{"name: a table's name has 3 to 255"}},
		{"outside", &Table{Key: id, Table: written[string](expr.Text("arn:aws:sqs:x"))}, []string{"table: this is neither the name nor the ARN"}},
		{"outside by env", &Table{Key: id, Table: written[string](expr.Text("${{ env.TABLE }}"))}, nil},
		{"types", &Table{Key: id, Indexes: []Index{{Name: "other", Key: key(t, "a", "S", "id", "N")}}}, []string{"indexes[0].key.id: id is of type N here and of type S above"}},
		{"indexes", &Table{Key: id, Indexes: []Index{{Name: "x", Key: id}, {Name: "two"}, {Name: "two", Key: id, Projection: "include"}, {Name: "four", Key: id, Include: []string{"a"}}}}, []string{
			"indexes[0].name: an index's name has 3 to 255", "indexes[1].key: an index has a partition key", `indexes[2].name: two indexes are called "two"`,
			"indexes[2].include: projection include needs", "indexes[3].include: these attributes have no meaning"}},
		{"local index", &Table{Key: id, Indexes: []Index{{Name: "local", Key: key(t, "other", "S", "b", "N"), Local: true}}}, []string{
			"indexes[0].key: a local index has the table's partition key", "indexes[0].local: only a table with a sort key"}},
		{"expiry", &Table{Key: id, TTL: "id"}, []string{"ttl: a key attribute cannot be"}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, checkTable(tt.table), tt.want...) })
	}
	many := &Table{Key: key(t, "id", "S", "n", "N")}
	for i := range maxLocalIndexes + 1 {
		many.Indexes = append(many.Indexes, Index{Name: "index" + string(rune('a'+i)), Key: many.Key, Local: true})
	}
	expect(t, checkTable(many), "indexes: a table has at most 20 global and 5 local indexes; here are 0 and 6")
}

func TestAKeyIsReadInTheOrderOfTheFile(t *testing.T) {
	k := key(t, "z", "S", "a", "N")
	equal(t, k.Partition(), KeyAttribute{"z", "S"})
	sort, ok := k.Sort()
	equal(t, sort, KeyAttribute{"a", "N"})
	equal(t, ok, true)
	for _, entry := range [][2]string{{"b", "B"}, {"c", "string"}, {"", "S"}} {
		if err := k.SetEntry(entry[0], entry[1]); err == nil {
			t.Errorf("%v was taken", entry)
		}
	}
}

// An item's type is what finds a misspelt attribute in an expression at load.
func TestOutputsAreTypedByWhatIsKnownOfTheItems(t *testing.T) {
	typed := orders(t)
	typed.Item = engine.Schema{Name: "Order", Type: expr.Object(map[string]expr.Type{"customer": expr.String, "at": expr.Int, "status": expr.String, "total": expr.Number, "lines": expr.List(expr.Any)})}
	ref := engine.Ref[Table]{Name: "orders", Resource: typed}
	list := func(c *Query) *Query { c.Table = ref; return c }
	for _, tt := range []struct {
		name       string
		output     expr.Type
		expression string
		wrong      string
	}{
		{"get without a schema", getOutput(&Get{Table: ordersRef(t)}), "nodes.n.item.anything == 'x' and nodes.n.found", ""},
		{"get without a schema, key", getOutput(&Get{Table: ordersRef(t)}), "nodes.n.item.customer + 1", "+ 1"},
		{"get", getOutput(&Get{Table: ref}), "nodes.n.item.total > 3 and nodes.n.item.lines[0].x == 1", ""},
		{"get, misspelt", getOutput(&Get{Table: ref}), "nodes.n.item.totall > 3", "totall"},
		{"get, misspelt output", getOutput(&Get{Table: ref}), "nodes.n.itm", "itm"},
		{"get, projected", getOutput(&Get{Table: ref, Attributes: []string{"total", "lines[0].x"}}), "nodes.n.item.total > 3 and nodes.n.item.lines[0].x == 1", ""},
		{"get, not projected", getOutput(&Get{Table: ref, Attributes: []string{"total"}}), "nodes.n.item.status", "status"},
		{"put without old", putOutput(&Put{Table: ref}), "nodes.n.old", "old"},
		{"put with old", putOutput(&Put{Table: ref, Return: "old"}), "nodes.n.old?.total ?? 0", ""},
		{"put with the item that was in the way", putOutput(&Put{Table: ref, ConditionFailed: toOther}), "nodes.n.old.totl", "totl"},
		{"update", updateOutput(&Update{Table: ref, Return: "new"}), "nodes.n.item.statuss", "statuss"},
		{"update without item", updateOutput(&Update{Table: ref, Return: "none"}), "nodes.n.item", "item"},
		{"delete", deleteOutput(&Delete{Table: ref}), "nodes.n.found and nodes.n.old.at > 0", ""},
		{"query", list(query(t, func(*Query) {})).list().output(), "nodes.n.items[0].total + nodes.n.count > 1 and nodes.n.next != nil and (nodes.n.next ?? '') != ''", ""},
		{"query, misspelt", list(query(t, func(*Query) {})).list().output(), "map(nodes.n.items, .totl)", "totl"},
		{"index of keys only", list(query(t, func(c *Query) { c.Index = "by_status" })).list().output(), "nodes.n.items[0].total", "total"},
		{"index of keys only, key", list(query(t, func(c *Query) { c.Index = "by_status" })).list().output(), "nodes.n.items[0].customer", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scope := &expr.Scope{Run: engine.RunType, Nodes: map[string]expr.Slot{"n": {Type: tt.output, Always: true}}}
			_, err := expr.Compile(tt.expression, scope, "")
			switch {
			case err == nil && tt.wrong != "":
				t.Fatalf("%s was taken", tt.expression)
			case err != nil && (tt.wrong == "" || !strings.Contains(tt.expression[err.Offset:], tt.wrong)):
				t.Fatalf("%v at %d", err, err.Offset)
			}
		})
	}
}

func TestEveryKindSaysWhatItIsAndShowsIt(t *testing.T) {
	registry := engine.NewRegistry(Kinds(), Resources())
	for _, k := range append(Kinds(), Resources()...) {
		if k.Doc == "" || len(k.Examples) < 2 {
			t.Errorf("%s: %d examples", k.Type, len(k.Examples))
		}
		c := k.NewConfig()
		engine.SetDefaults(c)
		if found := k.Check(c); k.Type != "dynamodb.table" && len(found) > 0 {
			t.Errorf("%s: a config without a table gives %v", k.Type, found)
		}
	}
	equal(t, registry.NodeTypes(), []string{"dynamodb.delete", "dynamodb.get", "dynamodb.put", "dynamodb.query", "dynamodb.scan", "dynamodb.update"})
}
