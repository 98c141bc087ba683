package expression

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

func parseItem(t testing.TB, text string) item.Item {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	i, err := item.ItemFromJSON(v)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return i
}

// testNames and testValues are the placeholders that the tests of this package use.
var testNames = map[string]string{"#a": "a", "#status": "status", "#dot": "a.b", "#b": "b"}

func testValues(t testing.TB) map[string]item.Value {
	return parseItem(t, `{":s":{"S":"abc"},":p":{"S":"ab"},":z":{"S":"z"},":n":{"N":"5"},":m":{"N":"7"},":one":{"N":"1"},":b":{"B":"AQID"},":t":{"BOOL":true},
		":null":{"NULL":true},":ss":{"SS":["x","y"]},":xs":{"SS":["x"]},":ns":{"NS":["5","6"]},":l":{"L":[{"N":"1"}]},":map":{"M":{"k":{"S":"v"}}},
		":typeS":{"S":"S"},":typeX":{"S":"X"},":typeSS":{"S":"SS"}}`)
}

func placeholdersFor(t testing.TB) *Placeholders { return NewPlaceholders(testNames, testValues(t)) }

func TestConditionsHoldAsInTheService(t *testing.T) {
	i := parseItem(t, `{"a":{"S":"abc"},"n":{"N":"5.0"},"b":{"B":"AQIDBA=="},"flag":{"BOOL":true},"nothing":{"NULL":true},
		"ss":{"SS":["y","x"]},"ns":{"NS":["1","5"]},"l":{"L":[{"S":"abc"},{"N":"5"},{"M":{"deep":{"N":"7"}}}]},"m":{"M":{"k":{"S":"v"},"a.b":{"S":"abc"}}},
		"txt":{"S":"äö"},"another":{"S":"abd"}}`)
	for src, want := range map[string]bool{
		"a = :s": true, "a <> :s": false, "#a = :s": true, "a = :p": false, "a > :p": true, "a < :z": true, "a <= :s": true, "a >= :s": true,
		"n = :n": true, "n < :m": true, "n > :m": false, "n <> :m": true, "n BETWEEN :one AND :n": true, "n BETWEEN :m AND :m": false,
		"n IN (:one, :m)": false, "n in (:one, :n, :m)": true, "a = n": false, "a <> n": true, "a < n": false, "a < another": true,
		"absent = :s": false, "absent <> :s": true, "absent < :s": false, "NOT absent = :s": true, "absent = lost": false, "absent <> lost": true,
		"attribute_exists(a)": true, "attribute_exists(absent)": false, "attribute_not_exists(absent)": true, "attribute_not_exists(m.k)": false,
		"attribute_exists(l[2].deep)": true, "attribute_exists(l[3])": false, "attribute_exists(m.#dot)": true, "attribute_exists(m.a.b)": false,
		"attribute_exists(a[0])": false, "attribute_exists(a.b)": false,
		"attribute_type(a, :typeS)": true, "attribute_type(ss, :typeSS)": true, "attribute_type(n, :typeS)": false, "attribute_type(absent, :typeS)": false,
		"begins_with(a, :p)": true, "begins_with(a, :z)": false, "begins_with(b, :b)": true, "begins_with(n, :p)": false, "begins_with(absent, :p)": false,
		"contains(a, :p)": true, "contains(a, :n)": false, "contains(ss, :z)": false, "contains(ns, :n)": true, "contains(l, :n)": true, "contains(l, :s)": true,
		"contains(l, :z)": false, "contains(b, :b)": true, "contains(n, :n)": false, "contains(m, :s)": false, "contains(absent, :s)": false,
		"size(a) < :n": true, "size(b) < :n": true, "size(ss) < :n": true, "size(l) < :n": true, "size(m) < :n": true, "size(n) < :n": false, "size(absent) < :n": false,
		"size(txt) <> :one AND size(txt) < :n": true, "size (a) BETWEEN :one AND :m": true,
		"ss = :ss": true, "ss = :xs": false, "ss <> :xs": true, "flag = :t": true, "nothing = :null": true, "m.k = m.k.x": false, "l[1] = :n": true,
		"a = :z OR n = :n": true, "a = :z AND n = :n": false, "a = :z OR a = :p OR a = :s": true, "NOT a = :z AND n = :n": true, "NOT (a = :z OR n = :n)": false,
		"a = :s OR a = :z AND n = :m": true, "(a = :s OR a = :z) AND n = :m": false, "NOT NOT a = :s": true, "(a) = (:s)": true, "(m).k <> :s": true,
	} {
		c, err := ParseCondition(src, placeholdersFor(t))
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := c.Holds(i); got != want {
			t.Errorf("%s is %v, want %v", src, got, want)
		}
	}
}

func TestConditionErrorsHaveTheServicesWords(t *testing.T) {
	for src, want := range map[string]string{
		"":             "The expression can not be empty;",
		"whatever bad": `Syntax error; token: "bad", near: "whatever bad"`,
		"a = ":         `Syntax error; token: "<EOF>", near: "="`,
		"a = = :s":     `Syntax error; token: "=", near: "= = :s"`,
		"_a = :s":      `Syntax error; token: "_", near: "_a"`,
		"a ! :s":       `Syntax error; token: "!", near: "a ! :s"`,
		"a = :s)":      `Syntax error; token: ")", near: ":s)"`,
		"(a = :s":      `Syntax error; token: "<EOF>", near: ":s"`,
		"AND a = :s":   `Syntax error; token: "AND", near: "AND a"`,
		"a IN :s":      `Syntax error; token: ":s", near: "IN :s"`,
		"((a = :s))":   "The expression has redundant parentheses;",
		"a = ((:s))":   "The expression has redundant parentheses;",
		"((a = :s) OR (n = :n)) AND a = :s AND hello(a)": "Invalid function name; function: hello",
		"hello(a)":                      "Invalid function name; function: hello",
		"a = if_not_exists(a, :s)":      "The function is not allowed in a condition expression; function: if_not_exists",
		"Size(a) = :n":                  "Invalid function name; function: Size",
		"size(a)":                       "The function is not allowed to be used this way in an expression; function: size",
		"attribute_exists(a) = :t":      "The function is not allowed to be used this way in an expression; function: attribute_exists",
		"size(begins_with(a, :s)) = :n": "The function is not allowed to be used this way in an expression; function: begins_with",
		"abort = :undefined":            "Attribute name is a reserved keyword; reserved keyword: abort",
		"Status = :s":                   "Attribute name is a reserved keyword; reserved keyword: Status",
		"x.y.name = :s":                 "Attribute name is a reserved keyword; reserved keyword: name",
		"#nope = :nope":                 "An expression attribute name used in the document path is not defined; attribute name: #nope",
		"a = :nope":                     "An expression attribute value used in expression is not defined; attribute value: :nope",
		"size(a, x) = :n":               "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2",
		"begins_with(a)":                "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1",
		"a = a":                         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
		"x[0].y < x[0].y":               "The first operand must be distinct from the remaining operands for this operator or function; operator: <, first operand: [x, [0], y]",
		"#a = a":                        "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
		"attribute_exists(:s)":          "Operator or function requires a document path; operator or function: attribute_exists",
		"begins_with(a, :n)":            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
		"attribute_type(a, :n)":         "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
		"attribute_type(a, size(b))":    "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
		"attribute_type(a, b)":          "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}",
		"attribute_type(a, :typeX)":     "Invalid attribute type name found; type: X, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
		"size(:n) = :n":                 "Incorrect operand type for operator or function; operator or function: size, operand type: N",
		"a < :map":                      "Incorrect operand type for operator or function; operator or function: <, operand type: M",
		"a BETWEEN :s AND :p":           "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:abc}, upper bound operand: AttributeValue: {S:ab}",
		"a BETWEEN :s AND :n":           "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:abc}, upper bound operand: AttributeValue: {N:5}",
		"a[99999999999] = :s":           "List index is not within the allowable range; index: [99999999999]",
		"a[x] = :s":                     `Syntax error; token: "x", near: "[x]"`,
		strings.Repeat("x", 4097):       "Expression size has exceeded the maximum allowed size; expression size: 4097",
		"a IN (" + strings.Repeat(":s,", 100) + ":s)": "The IN operator is provided with too many operands; number of operands: 101",
		strings.Repeat("a=:s OR ", 200) + "a=:s":      "The expression contains too many operators; operator count: 301",
	} {
		if _, err := ParseCondition(src, placeholdersFor(t)); err == nil || err.Error() != want {
			t.Errorf("%.60s: %v\n\twant %s", src, err, want)
		}
	}
}

func TestProjections(t *testing.T) {
	i := parseItem(t, `{"a":{"S":"x"},"b":{"M":{"c":{"N":"1"},"d":{"N":"2"}}},"l":{"L":[{"N":"0"},{"M":{"e":{"N":"1"},"f":{"N":"2"}}},{"N":"2"}]}}`)
	for src, want := range map[string]string{
		"a":               `{"a":{"S":"x"}}`,
		"absent":          `{}`,
		"b.c":             `{"b":{"M":{"c":{"N":"1"}}}}`,
		"b.c, b.d":        `{"b":{"M":{"c":{"N":"1"},"d":{"N":"2"}}}}`,
		"b.x":             `{}`,
		"l[2], l[0]":      `{"l":{"L":[{"N":"0"},{"N":"2"}]}}`,
		"l[1].f, l[9]":    `{"l":{"L":[{"M":{"f":{"N":"2"}}}]}}`,
		"#a, b.c, l[1].e": `{"a":{"S":"x"},"b":{"M":{"c":{"N":"1"}}},"l":{"L":[{"M":{"e":{"N":"1"}}}]}}`,
		"a.x":             `{}`,
	} {
		p, err := ParseProjection(src, placeholdersFor(t))
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := string(p.Apply(i).AppendJSON(nil)); got != want {
			t.Errorf("%s gives %s, want %s", src, got, want)
		}
	}
	for src, want := range map[string]string{
		"":              "The expression can not be empty;",
		"a,":            `Syntax error; token: "<EOF>", near: ","`,
		"a b":           `Syntax error; token: "b", near: "a b"`,
		"a, abort":      "Attribute name is a reserved keyword; reserved keyword: abort",
		"#nope":         "An expression attribute name used in the document path is not defined; attribute name: #nope",
		"a, #a":         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
		"b.c, b":        "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [b, c], path two: [b]",
		"b[1], b.c":     "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [b, [1]], path two: [b, c]",
		"a[1][2].b[3].": `Syntax error; token: "<EOF>", near: "."`,
	} {
		if _, err := ParseProjection(src, placeholdersFor(t)); err == nil || err.Error() != want {
			t.Errorf("%s: %v\n\twant %s", src, err, want)
		}
	}
}

func TestKeyConditions(t *testing.T) {
	for src, want := range map[string]KeyCondition{
		"a = :s":               {Name: "a", Operator: KeyEqual},
		":s = a":               {Name: "a", Operator: KeyEqual},
		":n < n":               {Name: "n", Operator: KeyGreater},
		":n >= n":              {Name: "n", Operator: KeyLessEqual},
		"n BETWEEN :n AND :m":  {Name: "n", Operator: KeyBetween},
		"begins_with(#dot,:s)": {Name: "a.b", Operator: KeyBeginsWith},
	} {
		got, err := ParseKeyCondition(src, placeholdersFor(t))
		if err != nil || len(got) != 1 || got[0].Name != want.Name || got[0].Operator != want.Operator {
			t.Errorf("%s gives %v, %v", src, got, err)
		}
	}
	for src, want := range map[string]string{
		"a = :s OR b = :s":             "Invalid operator used in KeyConditionExpression: OR",
		"NOT a = :s":                   "Invalid operator used in KeyConditionExpression: NOT",
		"a IN (:s)":                    "Invalid operator used in KeyConditionExpression: IN",
		"a <> :s":                      "Invalid operator used in KeyConditionExpression: <>",
		"attribute_exists(a)":          "Invalid operator used in KeyConditionExpression: attribute_exists",
		"contains(a, :s)":              "Invalid operator used in KeyConditionExpression: contains",
		"size(a) = :n":                 "KeyConditionExpressions cannot contain nested operations",
		":n BETWEEN :n AND a":          "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand",
		"begins_with(:s, a)":           "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand",
		"a = b":                        "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
		"a.b = :s":                     "KeyConditionExpressions cannot have conditions on nested attributes",
		":s = :p":                      "Invalid condition in KeyConditionExpression: No key attribute specified",
		"a = :s AND b = :n AND a = :p": "KeyConditionExpressions must only contain one condition per key",
		"a =":                          `Syntax error; token: "<EOF>", near: "="`,
	} {
		if got, err := ParseKeyCondition(src, placeholdersFor(t)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v\n\twant %s", src, got, err, want)
		}
	}
}

func TestPlaceholdersThatNothingUsesAreNamed(t *testing.T) {
	ph := NewPlaceholders(map[string]string{"#a": "a", "#z": "z", "#y": "y"}, nil)
	if _, err := ParseProjection("#a", ph); err != nil {
		t.Fatal(err)
	}
	if err := ph.Unused(); err == nil || err.Error() != "Value provided in ExpressionAttributeNames unused in expressions: keys: {#y, #z}" {
		t.Error(err)
	}
	ph = NewPlaceholders(nil, map[string]item.Value{":v": item.String("")})
	if err := ph.Unused(); err == nil || err.Error() != "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}" {
		t.Error(err)
	}
	if _, err := ParseCondition("a = :v", ph); err != nil || ph.Unused() != nil {
		t.Error(err, ph.Unused())
	}
}
