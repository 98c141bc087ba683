package expr

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"
	"github.com/google/uuid"

	"github.com/flowctl-dev/flowctl/engine/value"
)

// Function is one function that expressions may call: its documentation and an
// example whose result the tests check.
type Function struct {
	Name, Signature, Doc string
	Example, Result      string
}

type definition struct {
	Function
	call  func(args ...any) (any, error)
	types []any // function types for the checker
}

// maxElements bounds a list that one function makes.
const maxElements = 1_000_000

// turnFunction is the guard's own; its name cannot be written.
const turnFunction = "\x00turn"

const (
	negateFunction = "\x00negate"
	sumFunction    = "\x00sum"
	matchFunction  = "\x00matches"
	loadFunction   = "\x00load"
	sliceFunction  = "\x00slice"
	fetchFunction  = "\x00fetch"
)

func operatorFunction(op string) string { return "\x00" + op }

var definitions = slices.Concat(textFunctions, numberFunctions, partFunctions)

var textFunctions = []definition{
	{Function{"toJSON", "toJSON(value) string", "The value as compact JSON, numbers exact.", `toJSON({"n": 1, "s": "x"})`, `{"n":1,"s":"x"}`},
		func(a ...any) (any, error) { b, err := value.Append(nil, a[0]); return string(b), err }, []any{new(func(any) string)}},
	{Function{"fromJSON", "fromJSON(text) any", "The value that a JSON text holds, numbers exact. A text that is not JSON is an error.", `fromJSON("[1, 2.5]")[1]`, `2.5`},
		fromJSON, []any{new(func(string) any), new(func([]byte) any)}},
	{Function{"uuid", "uuid() string", "A new random UUID (version 4).", `len(uuid())`, `36`},
		func(...any) (any, error) { id, err := uuid.NewRandom(); return id.String(), err }, []any{new(func() string)}},
	{Function{"sha256", "sha256(text) string", "The SHA-256 of the text's bytes, in hexadecimal.", `sha256("abc")[:8]`, `ba7816bf`},
		func(a ...any) (any, error) { return sha256Hex(a[0]) }, []any{new(func(any) string)}},
	{Function{"hmacSHA256", "hmacSHA256(key, text) string", "The HMAC-SHA-256 of the text under the key, in hexadecimal. Null and an empty key are errors.", `hmacSHA256("key", "text")[:8]`, `6afa9046`},
		hmacHex, []any{new(func(any, any) string)}},
	{Function{"sameSecret", "sameSecret(a, b) bool", "Whether two texts are equal, found out in a time that does not tell where they differ: for signatures and tokens. Null equals nothing.", `sameSecret("abc", "abd")`, `false`},
		sameSecret, []any{new(func(any, any) bool)}},
	{Function{"urlEncode", "urlEncode(text) string", "The text escaped for use in a URL's query.", `urlEncode("a b&c")`, `a+b%26c`},
		func(a ...any) (any, error) { return url.QueryEscape(a[0].(string)), nil }, []any{new(func(string) string)}},
	{Function{"urlDecode", "urlDecode(text) string", "The text that urlEncode was given.", `urlDecode("a+b%26c")`, `a b&c`},
		func(a ...any) (any, error) { return url.QueryUnescape(a[0].(string)) }, []any{new(func(string) string)}},
	{Function{"coalesce", "coalesce(value, …) any", "The first value that is not null, null if all are.", `coalesce(nil, nil, 3)`, `3`},
		coalesce, []any{new(func(...any) any)}},
	{Function{"default", "default(value, instead) any", "The value, or instead where the value is null or an empty text.", `default("", "none")`, `none`},
		func(a ...any) (any, error) {
			if a[0] == nil || a[0] == "" {
				return a[1], nil
			}
			return a[0], nil
		}, []any{new(func(any, any) any)}},
	{Function{"string", "string(value) string", "The value as text: texts as they are, everything else as JSON.", `string(2.50)`, `2.5`},
		text, []any{new(func(any) string)}},
	{Function{"int", "int(value) integer", "The integer that a text or a number holds, a fraction cut off. One that does not fit 64 bits is an error.", `int("41") + 1`, `42`},
		integer, []any{new(func(any) int)}},
	{Function{"float", "float(value) number", "The number that a text or an integer holds.", `float("2.5") * 2`, `5`},
		floating, []any{new(func(any) float64)}},
	{Function{"join", "join(list, glue) string", "The list's texts with glue between them.", `join(["a", "b"], "-")`, `a-b`},
		join, []any{new(func([]any, string) string), new(func([]any) string), new(func([]string, string) string), new(func([]string) string)}},
	{Function{"repeat", "repeat(text, n) string", "The text n times.", `repeat("ab", 2)`, `abab`},
		repeat, []any{new(func(string, int) string)}},
	{Function{"replace", "replace(text, old, new) string", "The text with every old replaced by new.", `replace("a.b.c", ".", "/")`, `a/b/c`},
		replace, []any{new(func(string, string, string) string), new(func(string, string, string, int) string)}},
	{Function{"trim", "trim(text, characters) string", "The text without white space, or without the characters, around it.", `trim(" a ")`, `a`},
		trim, []any{new(func(string) string), new(func(string, string) string)}},
	{Function{"concat", "concat(list, …) list", "One list of the lists' elements.", `concat([1], [2, 3])`, `[1,2,3]`},
		concat, []any{new(func(...[]any) []any)}},
	{Function{"flatten", "flatten(list) list", "The list with the elements of the lists in it.", `flatten([1, [2, [3]]])`, `[1,2,3]`},
		flatten, []any{new(func([]any) []any)}},
	{Function{"uniq", "uniq(list) list", "The list without repeated elements.", `uniq([1, 2, 1])`, `[1,2]`},
		uniq, []any{new(func([]any) []any)}},
	{Function{"toBase64", "toBase64(value) string", "The bytes of a text, or bytes, in Base64.", `toBase64("hi")`, `aGk=`},
		toBase64, []any{new(func(string) string), new(func([]byte) string)}},
}

// builtIn documents the library's own functions that authors need most.
var builtIn = []Function{
	{"all", "all(list, condition) bool", "Whether the condition holds for every element, which is `#`, its fields `.field`.", `all([2, 4], # % 2 == 0)`, `true`},
	{"any", "any(list, condition) bool", "Whether the condition holds for some element.", `any([1, 4], # > 3)`, `true`},
	{"date", "date(text) time", "The time that a text such as 2026-11-23T08:00:00Z holds.", `date("2026-11-23T08:00:00Z").Unix()`, `1795420800`},
	{"duration", "duration(text) duration", "The duration that a text such as 90s holds; times and durations can be added and compared.", `string(date("2026-11-23T08:00:00Z") + duration("90s"))`, `2026-11-23T08:01:30Z`},
	{"filter", "filter(list, condition) list", "The elements for which the condition holds.", `filter([1, 2, 3], # > 1)`, `[2,3]`},
	{"fromBase64", "fromBase64(text) string", "The text that toBase64 was given.", `fromBase64("aGk=")`, `hi`},
	{"keys", "keys(object) list", "The names of an object's fields.", `keys({"a": 1})`, `["a"]`},
	{"len", "len(value) integer", "How many elements a list, fields an object or characters a text has.", `len([1, 2])`, `2`},
	{"lower", "lower(text) string", "The text in small letters.", `lower("ABC")`, `abc`},
	{"map", "map(list, expression) list", "What the expression gives for each element.", `map([1, 2], # * 10)`, `[10,20]`},
	{"now", "now() time", "The time.", `now().Year() > 2000`, `true`},
	{"split", "split(text, by) list", "The parts of a text.", `split("a,b", ",")`, `["a","b"]`},
	{"sum", "sum(list) number", "The sum of a list's numbers; with a second argument, of what it gives for each element.", `sum([1, 2, 3])`, `6`},
	{"upper", "upper(text) string", "The text in capitals.", `upper("abc")`, `ABC`},
}

// functionTable is what the expression library is given: the functions above
// and the operators and guard that guard.go puts into expressions.
var functionTable = buildTable()

func buildTable() map[string]*builtin.Function {
	t := map[string]*builtin.Function{}
	for _, d := range definitions {
		f := &builtin.Function{Name: d.Name, Func: d.call, Validate: validators[d.Name]}
		for _, typ := range d.types {
			f.Types = append(f.Types, reflect.TypeOf(typ).Elem())
		}
		t[d.Name] = f
	}
	hidden := func(name string, call func(args ...any) (any, error)) {
		t[name] = &builtin.Function{Name: name, Func: call}
	}
	hidden(turnFunction, func(a ...any) (any, error) { return a[0], a[1].(*guard).turn(a[0]) })
	hidden(negateFunction, func(a ...any) (any, error) { return negate(a[0]) })
	hidden(sumFunction, func(a ...any) (any, error) { return sum(a[0]) })
	hidden(matchFunction, func(a ...any) (any, error) { return matches(a[0], a[1]) })
	hidden(loadFunction, func(a ...any) (any, error) { return a[0].(*guard).load(a[1].(int)) })
	hidden(sliceFunction, slice)
	hidden(fetchFunction, fetch)
	for _, op := range []string{"+", "-", "*", "/", "%", "**", "^"} {
		f := arithmetic(op)
		hidden(operatorFunction(op), func(a ...any) (any, error) { return f(a[0], a[1]) })
	}
	for _, op := range []string{"<", "<=", ">", ">="} {
		f := ordering(op)
		hidden(operatorFunction(op), func(a ...any) (any, error) { return f(a[0], a[1]) })
	}
	hidden(operatorFunction("=="), func(a ...any) (any, error) { return Equal(a[0], a[1]), nil })
	hidden(operatorFunction("!="), func(a ...any) (any, error) { return !Equal(a[0], a[1]), nil })
	return t
}

// Functions documents the functions this package adds or makes safe and the
// most used of the expression language's own, in order of name.
func Functions() []Function {
	out := slices.Clone(builtIn)
	for _, d := range definitions {
		out = append(out, d.Function)
	}
	slices.SortFunc(out, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// FunctionNames are all the names that can be called, sorted.
func FunctionNames() []string {
	var names []string
	for _, d := range definitions {
		names = append(names, d.Name)
	}
	names = append(names, builtin.Names...)
	slices.Sort(names)
	return slices.Compact(names)
}

func fromJSON(a ...any) (any, error) {
	switch t := a[0].(type) {
	case string:
		return value.Decode([]byte(t))
	case []byte:
		return value.Decode(t)
	}
	return nil, fmt.Errorf("fromJSON needs a text, got %s", value.Kind(a[0]))
}

func toBase64(a ...any) (any, error) {
	switch v := a[0].(type) {
	case string:
		return base64.StdEncoding.EncodeToString([]byte(v)), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(v), nil
	}
	return nil, fmt.Errorf("toBase64 needs a text or bytes, got %s; toJSON makes a text of anything", value.Kind(a[0]))
}

func sha256Hex(v any) (any, error) {
	if v == nil {
		return nil, errors.New("sha256 does not take null")
	}
	b, err := value.Bytes(v)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

func sameSecret(a ...any) (any, error) {
	if a[0] == nil || a[1] == nil {
		return false, nil
	}
	x, err := value.Bytes(a[0])
	if err != nil {
		return nil, err
	}
	y, err := value.Bytes(a[1])
	return hmac.Equal(x, y), err
}

// hmacHex does not sign with a key that is missing: everybody could guess it.
func hmacHex(a ...any) (any, error) {
	if a[0] == nil || a[1] == nil {
		return nil, errors.New("hmacSHA256 does not take null")
	}
	key, err := value.Bytes(a[0])
	if err != nil {
		return nil, err
	}
	if len(key) == 0 {
		return nil, errors.New("hmacSHA256: the key is empty")
	}
	text, err := value.Bytes(a[1])
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

func integer(a ...any) (any, error) {
	v, err := value.Normal(a[0])
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case int:
		return v, nil
	case float64:
		// Both bounds are exact as float64; the upper one is 2^63.
		if !(v >= math.MinInt64 && v < math.MaxInt64) {
			return nil, errOverflow
		}
		return int(v), nil
	case value.Number:
		r, err := rational(v)
		if err != nil {
			return nil, err
		}
		n := new(big.Int).Quo(r.Num(), r.Denom())
		if !n.IsInt64() {
			return nil, errOverflow
		}
		return int(n.Int64()), nil
	case string:
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, fmt.Errorf("%s is not an integer", shortened(v))
		}
		return n, nil
	case time.Duration:
		return int(v), nil
	}
	return nil, fmt.Errorf("int does not take %s", value.Kind(v))
}

func floating(a ...any) (any, error) {
	v, err := value.Normal(a[0])
	if err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not a number", shortened(s))
		}
		return finite(f)
	}
	f, ok := float(v)
	if !ok {
		return nil, fmt.Errorf("float does not take %s", value.Kind(v))
	}
	return finite(f)
}

// sum adds as + does, so that what does not fit is an error.
func sum(v any) (any, error) {
	list, err := elements("sum", v)
	if err != nil {
		return nil, err
	}
	var total any = 0
	for i, e := range list {
		narrow(&e)
		if _, ok := float(e); !ok {
			return nil, fmt.Errorf("sum: element %d is %s and no number", i, value.Kind(e))
		}
		if total, err = add(total, e); err != nil {
			return nil, fmt.Errorf("sum: %w", err)
		}
	}
	return total, nil
}

func coalesce(args ...any) (any, error) {
	for _, v := range args {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

func text(a ...any) (any, error) {
	if a[0] == nil {
		return "null", nil
	}
	return value.Text(a[0])
}

func join(a ...any) (any, error) {
	glue := ""
	if len(a) == 2 {
		glue = a[1].(string)
	}
	list, err := elements("join", a[0])
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, e := range list {
		s, err := value.Text(e)
		if err != nil {
			return nil, fmt.Errorf("join: element %d: %w", i, err)
		}
		if i > 0 {
			b.WriteString(glue)
		}
		b.WriteString(s)
		if b.Len() > maxText {
			return nil, errTextTooLong
		}
	}
	return b.String(), nil
}

func repeat(a ...any) (any, error) {
	s, n := a[0].(string), runtime.ToInt(a[1])
	switch {
	case n < 0:
		return nil, fmt.Errorf("repeat: %d times is not possible", n)
	case n > 0 && len(s) > maxText/n:
		return nil, errTextTooLong
	}
	return strings.Repeat(s, n), nil
}

func replace(a ...any) (any, error) {
	s, from, to := a[0].(string), a[1].(string), a[2].(string)
	n := -1
	if len(a) == 4 {
		n = runtime.ToInt(a[3])
	}
	if grows := len(to) - len(from); grows > 0 && len(s)+grows*strings.Count(s, from) > maxText {
		return nil, errTextTooLong
	}
	return strings.Replace(s, from, to, n), nil
}

// maxCutset bounds, in bytes, the characters that trim takes away: each
// character of the text is looked up in them.
const maxCutset = 256

func trim(a ...any) (any, error) {
	if len(a) == 1 {
		return strings.TrimSpace(a[0].(string)), nil
	}
	characters := a[1].(string)
	if len(characters) > maxCutset {
		return nil, fmt.Errorf("trim: more than %d bytes of characters to take away", maxCutset)
	}
	return strings.Trim(a[0].(string), characters), nil
}

// elements is the list that a function was given, its documents opened.
func elements(function string, v any) ([]any, error) {
	n, err := value.Normal(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", function, err)
	}
	list, ok := n.([]any)
	if !ok {
		return nil, fmt.Errorf("%s needs a list, got %s", function, value.Kind(v))
	}
	first := slices.IndexFunc(list, closed)
	if first < 0 {
		return list, nil
	}
	list = slices.Clone(list)
	for i := first; i < len(list); i++ {
		if list[i], err = open(list[i]); err != nil {
			return nil, fmt.Errorf("%s: element %d: %w", function, i, err)
		}
	}
	return list, nil
}

// closed reports a value that open would change.
func closed(v any) bool {
	switch v.(type) {
	case *value.Doc, Record:
		return true
	}
	return false
}

var errListTooLong = fmt.Errorf("the list grows beyond %s elements", strconv.Itoa(maxElements))

func concat(a ...any) (any, error) {
	out := []any{}
	for _, v := range a {
		list, err := elements("concat", v)
		if err != nil {
			return nil, err
		}
		if len(out)+len(list) > maxElements {
			return nil, errListTooLong
		}
		out = append(out, list...)
	}
	return out, nil
}

func flatten(a ...any) (any, error) {
	list, err := elements("flatten", a[0])
	if err != nil {
		return nil, err
	}
	f := flattener{out: []any{}}
	err = f.add(list, 0)
	return f.out, err
}

// flattener counts the lists it enters too: one that holds another twice, which
// holds another twice and so on, is small and takes for ever even if the
// innermost is empty.
type flattener struct {
	out     []any
	visited int
}

func (f *flattener) add(list []any, depth int) error {
	if f.visited += 1 + len(list); f.visited > maxElements || depth > value.MaxDepth {
		return errListTooLong
	}
	for _, e := range list {
		inner, ok := e.([]any)
		if !ok {
			f.out = append(f.out, e)
			continue
		}
		if err := f.add(inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// uniq compares by JSON form, so that it takes time in proportion to the list.
func uniq(a ...any) (any, error) {
	list, err := elements("uniq", a[0])
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(list))
	compared := 0
	out := []any{}
	for _, e := range list {
		key, err := value.Append(nil, e)
		if err != nil {
			return nil, fmt.Errorf("uniq: %w", err)
		}
		if compared += len(key); compared > maxText {
			return nil, fmt.Errorf("uniq: the elements take more than %d MiB as JSON", maxText>>20)
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, e)
		}
	}
	return out, nil
}
