package dynamodb

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// bound are bindings with some names and values of an author.
func bound() *bindings {
	return newBindings(map[string]string{"in": "in", "#dotted": "a.b"}, map[string]expr.Value[any]{"a": expr.Of[any](1), ":b": expr.Of[any](2)}, nil)
}

// readable puts the names back, so that a test shows what is meant.
func (b *bindings) readable(text string) string {
	var pairs []string
	for p, name := range b.names {
		pairs = append(pairs, p, "<"+name+">")
	}
	for name, p := range b.author.placeholders {
		pairs = append(pairs, p, ":"+name)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// keyed reads a key condition on pk and sk.
func keyed(b *bindings, text string) (string, error) {
	return b.keyCondition(text, KeySchema{[]KeyAttribute{{"pk", "S"}, {"sk", "S"}}})
}

// filtered reads the filter of a query by pk and in.
func filtered(b *bindings, text string) (string, error) {
	return b.queryFilter(text, &Table{Key: KeySchema{[]KeyAttribute{{"pk", "S"}, {"in", "S"}}}}, nil)
}

// indexFiltered reads the filter of a query by an index of that table, on b, that holds c too.
func indexFiltered(b *bindings, text string) (string, error) {
	t := &Table{Key: KeySchema{[]KeyAttribute{{"pk", "S"}, {"in", "S"}}}}
	return b.queryFilter(text, t, &Index{Name: "by_b", Key: KeySchema{[]KeyAttribute{{"b", "S"}}}, Projection: "include", Include: []string{"c"}})
}

type reader func(*bindings, string) (string, error)

func TestExpressionsGoOutWithPlaceholdersOnly(t *testing.T) {
	tests := []struct {
		read       reader
		give, want string
	}{
		{(*bindings).condition, "status=:a", "<status> = :a"},
		{(*bindings).condition, "a.b[0].c <> size ( d )", "<a>.<b>[0].<c> <> size(<d>)"},
		{(*bindings).condition, "not (a = :a or b < :b) and c between :a and :b", "NOT (<a> = :a OR <b> < :b) AND <c> BETWEEN :a AND :b"},
		{(*bindings).condition, "a IN (:a,:b , c)", "<a> IN (:a, :b, <c>)"},
		{(*bindings).condition, "attribute_type(a, :a) OR contains(b, c) OR begins_with(a, :b)", "attribute_type(<a>, :a) OR contains(<b>, <c>) OR begins_with(<a>, :b)"},
		{(*bindings).condition, "NOT NOT attribute_exists(#in) AND attribute_not_exists(#dotted.x)", "NOT NOT attribute_exists(<in>) AND attribute_not_exists(<a.b>.<x>)"},
		{(*bindings).condition, "size = :a AND contains = :b", "<size> = :a AND <contains> = :b"},
		{keyed, "(pk = :a) AND begins_with(sk, :b)", "(<pk> = :a) AND begins_with(<sk>, :b)"},
		{keyed, "pk = :a AND sk BETWEEN :a AND :b", "<pk> = :a AND <sk> BETWEEN :a AND :b"},
		{(*bindings).update, "set a = :a, b[1] = b[0] - :b remove c, d.e add f :a delete g :b", "SET <a> = :a, <b>[1] = <b>[0] - :b REMOVE <c>, <d>.<e> ADD <f> :a DELETE <g> :b"},
		{(*bindings).update, "SET a = if_not_exists(a, :a) + :b, l = list_append(list_append(l, :a), m)", "SET <a> = if_not_exists(<a>, :a) + :b, <l> = list_append(list_append(<l>, :a), <m>)"},
		{(*bindings).update, "SET set = :a REMOVE remove, add", "SET <set> = :a REMOVE <remove>, <add>"},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			b := bound()
			got, err := tt.read(b, tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.readable(got); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestWrongExpressionsSayWhereAndWhatToWrite(t *testing.T) {
	tests := []struct {
		read                reader
		give, message, hint string
	}{
		{(*bindings).condition, "", `an attribute is needed at character 1, found the end`, ""},
		{(*bindings).condition, "a = 5", `an attribute is needed at character 5, found "5"`, "write :name, and values"},
		{(*bindings).condition, "a = -5", `found "-"`, "write :name, and values"},
		{(*bindings).condition, "a = 'x'", `found "'"`, "write :name, and values"},
		{(*bindings).condition, "a = ${{ event.x }}", `found "$"`, "write :name, and values"},
		{(*bindings).condition, "a = :long", ":long is not bound", "add values: {long: …}"},
		{(*bindings).condition, "#inn = :a", "#inn is not bound", `did you mean "in"?`},
		{(*bindings).condition, "a", "a comparison is needed at character 2, found the end", ""},
		{(*bindings).condition, "a = :a b = :b", `the end of the expression is needed at character 8, found "b"`, ""},
		{(*bindings).condition, "(a = :a", `")" is needed at character 8`, ""},
		{(*bindings).condition, "a BETWEEN :a OR :b", `AND is needed at character 14, found "OR"`, ""},
		{(*bindings).condition, "in = :a", `an attribute is needed at character 1, found "in"`, "names: {n: in}"},
		{(*bindings).condition, "attribut_exists(a)", "there is no function attribut_exists here", `did you mean "attribute_exists"?`},
		{(*bindings).condition, "a.:b = :a", `an attribute is needed at character 3, found ":b"`, ""},
		{(*bindings).condition, "a[x] = :a", `a number is needed at character 3, found "x"`, ""},
		{(*bindings).condition, "a[1 = :a", `"]" is needed`, ""},
		{(*bindings).condition, "ä = :a", `found "ä"`, ""},
		{(*bindings).condition, "a = :", `found ":"`, ""},
		{(*bindings).condition, "a = :a" + strings.Repeat(" ", maxExpression), "longer than the 4096 bytes", ""},
		{keyed, "pk = :a OR sk = :b", `the end of the expression is needed at character 9, found "OR"`, ""},
		{keyed, "pk <> :a", `a comparison is needed`, ""},
		{keyed, "contains(pk, :a)", "there is no function contains here", "there are begins_with"},
		{keyed, "pk = :a AND #in = :b", "in is not part of the key {pk: S, sk: S}", "use filter"},
		{keyed, "sk = :a", "the condition does not test the partition key pk", "begin with pk = :value AND"},
		{filtered, "a = :a OR size(pk) = :a", "a query's filter cannot read pk", "use sort or key_condition"},
		{filtered, "#in.x = :a", "a query's filter cannot read in", "use sort or key_condition"},
		{indexFiltered, "b = :a", "a query's filter cannot read b, a part of the key", "use sort or key_condition"},
		{indexFiltered, "pk = :a AND #in = :a AND c = :a AND a.x = :a", "a query's filter cannot read a, which the index by_b does not hold", "add it to the index's include"},
		{(*bindings).update, "a = :a", `SET, REMOVE, ADD, DELETE is needed at character 1, found "a"`, ""},
		{(*bindings).update, "SET a = :a SET b = :b", "SET stands twice", "one SET"},
		{(*bindings).update, "SET a = size(b)", "there is no function size here", "if_not_exists"},
		{(*bindings).update, "ADD a", "a :value is needed at character 6, found the end", ""},
		{(*bindings).update, "SET a = :a,", "an attribute is needed", ""},
		{(*bindings).update, "", "SET, REMOVE, ADD, DELETE is needed", ""},
	}
	for _, tt := range tests {
		t.Run(tt.give[:min(len(tt.give), 40)], func(t *testing.T) {
			got, err := tt.read(bound(), tt.give)
			if err == nil {
				t.Fatalf("no error, got %s", got)
			}
			f := problem("condition", err)
			if !strings.Contains(f.Message, tt.message) || !strings.Contains(f.Hint, tt.hint) {
				t.Fatalf("got  %s (%s)\nwant %s (%s)", f.Message, f.Hint, tt.message, tt.hint)
			}
		})
	}
}

func TestPathsAreReadStepByStep(t *testing.T) {
	for give, want := range map[string]string{
		"a": "<a>", "a.b[0][12].c": "<a>.<b>[0][12].<c>", "first name.last-name": "<first name>.<last-name>", "#dotted.x": "<a.b>.<x>", "select": "<select>",
	} {
		b := bound()
		if got, err := b.path(give); err != nil || b.readable(got) != want {
			t.Errorf("%s: got %s, %v; want %s", give, b.readable(got), err, want)
		}
	}
	for _, give := range []string{"", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[0]b", "a]", "[0]", "#nope", ":a", "a[0].", "a.#"} {
		if got, err := bound().path(give); err == nil {
			t.Errorf("%q became %s", give, got)
		}
	}
}

// FuzzExpressionsKeepTheirMeaning reads any text; what comes out names nothing
// but placeholders, and reads again as the same.
func FuzzExpressionsKeepTheirMeaning(f *testing.F) {
	for i, s := range []string{"a = :a AND size(b.c[0]) > :b", "pk = :a AND begins_with(sk, :b)", "SET a = if_not_exists(a, :a) + :b REMOVE c ADD d :a",
		"NOT (a IN (:a, :b))", "a BETWEEN :a AND :b OR attribute_exists(#in)", "((((", "\x00:"} {
		f.Add(s, i%3)
	}
	readers := []reader{(*bindings).condition, keyed, (*bindings).update}
	f.Fuzz(func(t *testing.T, text string, which int) {
		read := readers[(which%3+3)%3]
		b := bound()
		out, err := read(b, text)
		if err != nil {
			return
		}
		names, values := map[string]string{}, map[string]expr.Value[any]{}
		maps.Copy(names, b.names)
		for _, v := range b.values {
			values[v.placeholder] = v.value
		}
		again := newBindings(names, values, nil)
		second, err := read(again, out)
		if err != nil {
			t.Fatalf("%q became %q, which is not one: %v", text, out, err)
		}
		if first, second := count(out), count(second); first != second || strings.ContainsAny(out, "${'\"") {
			t.Fatalf("%q became %q", out, second)
		}
	})
}

// count is the shape of an expression: its text without the numbers of the
// placeholders.
func count(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
}

func FuzzPathsDoNotBreakOut(f *testing.F) {
	for _, s := range []string{"a.b[0].c", "#in.x", "a b", "[", "a[99999]", "a = :x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b := bound()
		out, err := b.path(text)
		if err != nil {
			return
		}
		for i, tok := range tokenize(out) {
			ok := tok.kind == tokenEnd || tok.kind == tokenName || tok.kind == tokenNumber || tok.is(".") || tok.is("[") || tok.is("]")
			if !ok {
				t.Fatalf("%q became %q, with %s at %d", text, out, fmt.Sprint(tok), i)
			}
		}
	})
}
