package expression

import (
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

const updated = `{"a":{"S":"x"},"n":{"N":"1"},"ss":{"SS":["x","y"]},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"},"n":{"N":"3"}}}}`

func TestUpdatesChangeTheItemAndLeaveTheOldOneAlone(t *testing.T) {
	for src, want := range map[string]string{
		"SET a = :s":                        `{"a":{"S":"abc"},"l":L,"m":M,"n":{"N":"1"},"ss":SS}`,
		"set x = :s remove a":               `{"l":L,"m":M,"n":{"N":"1"},"ss":SS,"x":{"S":"abc"}}`,
		"SET n = n + :n":                    `{"a":A,"l":L,"m":M,"n":{"N":"6"},"ss":SS}`,
		"SET n = :n - n, x = n":             `{"a":A,"l":L,"m":M,"n":{"N":"4"},"ss":SS,"x":{"N":"1"}}`,
		"SET n = (n + :n)":                  `{"a":A,"l":L,"m":M,"n":{"N":"6"},"ss":SS}`,
		"SET n = m.n, m.n = n":              `{"a":A,"l":L,"m":{"M":{"k":{"S":"v"},"n":{"N":"1"}}},"n":{"N":"3"},"ss":SS}`,
		"SET x = if_not_exists(x, :s)":      `{"a":A,"l":L,"m":M,"n":{"N":"1"},"ss":SS,"x":{"S":"abc"}}`,
		"SET a = if_not_exists(a, :s)":      `{"a":A,"l":L,"m":M,"n":{"N":"1"},"ss":SS}`,
		"SET x = if_not_exists(x, :n) + :n": `{"a":A,"l":L,"m":M,"n":{"N":"1"},"ss":SS,"x":{"N":"10"}}`,
		"SET l = list_append(:l, l)":        `{"a":A,"l":{"L":[{"N":"1"},{"N":"0"},{"N":"1"},{"N":"2"}]},"m":M,"n":{"N":"1"},"ss":SS}`,
		"SET l[1] = :s":                     `{"a":A,"l":{"L":[{"N":"0"},{"S":"abc"},{"N":"2"}]},"m":M,"n":{"N":"1"},"ss":SS}`,
		"SET l[9] = :s, l[7] = :n":          `{"a":A,"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"},{"N":"5"},{"S":"abc"}]},"m":M,"n":{"N":"1"},"ss":SS}`,
		"REMOVE l[0], l[2]":                 `{"a":A,"l":{"L":[{"N":"1"}]},"m":M,"n":{"N":"1"},"ss":SS}`,
		"REMOVE l[0] SET l[2] = :s":         `{"a":A,"l":{"L":[{"N":"1"},{"S":"abc"}]},"m":M,"n":{"N":"1"},"ss":SS}`,
		"REMOVE l[7], absent, m.absent":     `{"a":A,"l":L,"m":M,"n":{"N":"1"},"ss":SS}`,
		"SET m.#dot = :s":                   `{"a":A,"l":L,"m":{"M":{"a.b":{"S":"abc"},"k":{"S":"v"},"n":{"N":"3"}}},"n":{"N":"1"},"ss":SS}`,
		"REMOVE m.k":                        `{"a":A,"l":L,"m":{"M":{"n":{"N":"3"}}},"n":{"N":"1"},"ss":SS}`,
		"ADD n :n, x :m, m.n :one":          `{"a":A,"l":L,"m":{"M":{"k":{"S":"v"},"n":{"N":"4"}}},"n":{"N":"6"},"ss":SS,"x":{"N":"7"}}`,
		"ADD ss :ss, y :ss":                 `{"a":A,"l":L,"m":M,"n":{"N":"1"},"ss":SS,"y":SS}`,
		"DELETE ss :xs":                     `{"a":A,"l":L,"m":M,"n":{"N":"1"},"ss":{"SS":["y"]}}`,
		"DELETE ss :ss, absent :xs":         `{"a":A,"l":L,"m":M,"n":{"N":"1"}}`,
	} {
		expand := func(s string) string {
			for mark, text := range map[string]string{":L,": `:{"L":[{"N":"0"},{"N":"1"},{"N":"2"}]},`, ":M,": `:{"M":{"k":{"S":"v"},"n":{"N":"3"}}},`, ":A,": `:{"S":"x"},`} {
				s = replaceAll(s, mark, text)
			}
			return replaceAll(s, ":SS", `:{"SS":["x","y"]}`)
		}
		u, err := ParseUpdate(src, placeholdersFor(t))
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		before := parseItem(t, updated)
		after, err := u.Apply(before)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := string(after.AppendJSON(nil)); got != expand(want) {
			t.Errorf("%s gives\n\t%s, want\n\t%s", src, got, expand(want))
		}
		if !before.Equal(parseItem(t, updated)) {
			t.Errorf("%s changed the old item to %s", src, before.AppendJSON(nil))
		}
	}
}

func replaceAll(s, old, text string) string {
	for i := 0; i+len(old) <= len(s); i++ {
		if s[i:i+len(old)] == old && i > 0 && s[i-1] == '"' {
			s = s[:i] + text + s[i+len(old):]
		}
	}
	return s
}

func TestUpdatesThatDoNotFitTheItem(t *testing.T) {
	for src, want := range map[string]error{
		"SET x.y = :s":              ErrInvalidPath,
		"SET a.y = :s":              ErrInvalidPath,
		"SET a[0] = :s":             ErrInvalidPath,
		"SET l[9].x = :s":           ErrInvalidPath,
		"REMOVE x.y":                ErrInvalidPath,
		"ADD m.x.y :n":              ErrInvalidPath,
		"SET x = absent":            ErrNoAttribute,
		"SET x = absent + :n":       ErrNoAttribute,
		"SET x = a + :n":            ErrOperandType,
		"SET x = list_append(a,:l)": ErrOperandType,
		"ADD a :n":                  ErrOperandType,
		"ADD ss :ns":                ErrOperandType,
		"DELETE a :ss":              ErrOperandType,
	} {
		u, err := ParseUpdate(src, placeholdersFor(t))
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if _, err := u.Apply(parseItem(t, updated)); err != want {
			t.Errorf("%s: %v, want %v", src, err, want)
		}
	}
}

func TestUpdateErrorsHaveTheServicesWords(t *testing.T) {
	for src, want := range map[string]string{
		"":                             "The expression can not be empty;",
		"whatever":                     `Syntax error; token: "whatever", near: "whatever"`,
		"SET":                          `Syntax error; token: "<EOF>", near: "SET"`,
		"SET a = :s,":                  `Syntax error; token: "<EOF>", near: ","`,
		"SET a :s":                     `Syntax error; token: ":s", near: "a :s"`,
		"ADD a b":                      `Syntax error; token: "b", near: "a b"`,
		"SET a = n + n + n":            `Syntax error; token: "+", near: "n + n"`,
		"SET _a = :s":                  `Syntax error; token: "_", near: "SET _a"`,
		"SET set = :s":                 `Syntax error; token: "set", near: "SET set ="`,
		"SET abort = hello(:nope)":     "Attribute name is a reserved keyword; reserved keyword: abort",
		"SET a = hello(:nope)":         "Invalid function name; function: hello",
		"SET a = size(l)":              "The function is not allowed in an update expression; function: size",
		"SET a = :s SET #nope = :s":    `The "SET" section can only be used once in an update expression;`,
		"SET #nope = :nope":            "An expression attribute name used in the document path is not defined; attribute name: #nope",
		"SET a = :nope":                "An expression attribute value used in expression is not defined; attribute value: :nope",
		"SET a = :s, #a = :n":          "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
		"SET a = :s REMOVE a.x":        "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, x]",
		"SET x[0] = :s REMOVE x.y":     "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [x, [0]], path two: [x, y]",
		"ADD a :s":                     "Incorrect operand type for operator or function; operator: ADD, operand type: STRING",
		"ADD a :l":                     "Incorrect operand type for operator or function; operator: ADD, operand type: LIST",
		"DELETE a :n":                  "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER",
		"DELETE a :t":                  "Incorrect operand type for operator or function; operator: DELETE, operand type: BOOLEAN",
		"SET a = if_not_exists(:s, a)": "Operator or function requires a document path; operator or function: if_not_exists",
		"SET a = if_not_exists(a)":     "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
		"SET a = list_append(:l)":      "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1",
		"SET a = list_append(l, :s)":   "Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
		"SET a = a + :s":               "Incorrect operand type for operator or function; operator or function: +, operand type: S",
		"SET a = :t - a":               "Incorrect operand type for operator or function; operator or function: -, operand type: BOOL",
	} {
		if _, err := ParseUpdate(src, placeholdersFor(t)); err == nil || err.Error() != want {
			t.Errorf("%s: %v\n\twant %s", src, err, want)
		}
	}
}

// FuzzExpressions gives any text to all four grammars; what they take must evaluate without harm.
func FuzzExpressions(f *testing.F) {
	for _, s := range []string{"a = :s", "((a = :s))", "NOT size(l[0].x) IN (:n, :m) AND (b).c BETWEEN :n AND :m", "SET a = if_not_exists(b, :n) + :n REMOVE l[0] ADD n :n DELETE ss :ss",
		"a, b[0].#a", "SET l[9] = :s, l[7] = :n", "begins_with(a, :s)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		i := parseItem(t, updated)
		if c, err := ParseCondition(src, placeholdersFor(t)); err == nil {
			c.Holds(i)
			c.Holds(nil)
		}
		if p, err := ParseProjection(src, placeholdersFor(t)); err == nil {
			p.Apply(i)
		}
		if _, err := ParseKeyCondition(src, placeholdersFor(t)); err == nil {
			if _, err := ParseCondition(src, placeholdersFor(t)); err != nil {
				t.Errorf("%q is a key condition and no condition: %v", src, err)
			}
		}
		if u, err := ParseUpdate(src, placeholdersFor(t)); err == nil {
			if after, err := u.Apply(i); err == nil {
				if _, err := item.Decode(item.Append(nil, after)); err != nil {
					t.Errorf("%q makes an item that cannot be stored: %v", src, err)
				}
			}
		}
		if !i.Equal(parseItem(t, updated)) {
			t.Errorf("%q changed the item in place", src)
		}
	})
}
