package expr

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
)

// What the expression library says about a mistake, in an author's words and at
// its place.

// languageError takes the position and the text out of an error of the
// expression library.
func languageError(source string, err error) *Error {
	var at *file.Error
	if !errors.As(err, &at) {
		return &Error{Source: source, Message: err.Error()}
	}
	e := &Error{Source: source, Offset: at.From, Length: max(1, at.To-at.From), Message: authorsWords(at.Message)}
	if total := utf8.RuneCountInString(source); e.Offset > total {
		e.Offset = total
	}
	if call := unknownCall(source, e.Offset); call != nil {
		return call
	}
	if m := longInteger.FindStringSubmatch(at.Message); m != nil {
		return integerError(source, m[1])
	}
	e.Hint = syntaxHint(source, e)
	return e
}

// calls are names that something in brackets follows, and quoted texts, in which
// there are none.
var calls = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|` + "`[^`]*`" + `|([.#]?\b[A-Za-z_][A-Za-z0-9_]*)\(`)

// unknownCall is the call of a function that is not there, before the offset at
// which the parser gave up: only of the functions that it knows does it take a
// condition, as in filter(list, .x > 1).
func unknownCall(source string, offset int) *Error {
	for _, m := range calls.FindAllStringSubmatchIndex(source, -1) {
		if m[2] < 0 || utf8.RuneCountInString(source[:m[2]]) >= offset {
			continue
		}
		name := source[m[2]:m[3]]
		if strings.ContainsAny(name[:1], ".#") || slices.Contains(FunctionNames(), name) || slices.Contains(words, name) {
			continue
		}
		return &Error{Source: source, Offset: utf8.RuneCountInString(source[:m[2]]), Length: len(name),
			Message: fmt.Sprintf("there is no function %q", name), Hint: Nearest(name, FunctionNames())}
	}
	return nil
}

// words of the language may stand before a bracket.
var words = []string{"not", "and", "or", "in", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}

var longInteger = regexp.MustCompile(`^invalid integer literal: .*parsing "([0-9]+)": value out of range`)

func integerError(source, digits string) *Error {
	before, _, _ := strings.Cut(source, digits)
	return &Error{Source: source, Offset: utf8.RuneCountInString(before), Length: len(digits),
		Message: fmt.Sprintf("%s does not fit a 64-bit integer", digits), Hint: fmt.Sprintf("write fromJSON(\"%s\") for the exact number", digits)}
}

// typeError is what the checker found in the expression n.
func (r *resolver) typeError(n ast.Node, err error) *Error {
	e := languageError(r.source, err)
	if m := unknownField.FindStringSubmatch(e.Message); m != nil {
		e.Hint = Nearest(m[1], r.fieldNames())
	}
	if m := mismatched.FindStringSubmatch(e.Message); m != nil && (m[1] == "string") != (m[2] == "string") {
		e.Hint = "write int(…) or float(…) around the text, or string(…) around the number"
	}
	if m := wrongNumber.FindStringSubmatch(e.Message); m != nil {
		if types := argumentsThatFit(n, m[1], e.Offset); types != nil {
			e.Message = fmt.Sprintf("%s does not take %s", m[1], strings.Join(types, " and "))
		}
	}
	return e
}

var (
	mismatched   = regexp.MustCompile(`mismatched types (string|integer|number) and (string|integer|number)\)$`)
	unknownField = regexp.MustCompile(`^unknown field (.+)$`)
	wrongNumber  = regexp.MustCompile(`^(?:not enough|too many) arguments to call (\S+)$`)
)

// fieldNames are all fields of what the expression reads.
func (r *resolver) fieldNames() []string {
	var names []string
	var visit func(t Type)
	visit = func(t Type) {
		names = append(names, t.FieldNames()...)
		for _, f := range t.fields {
			visit(f)
		}
		if t.elem != nil {
			visit(*t.elem)
		}
	}
	for _, t := range r.refTypes {
		visit(t)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// argumentsThatFit names the types of a call's arguments if the function has a
// form with as many: of a function with several forms the checker blames the
// last, be it for the number of arguments that another one takes.
func argumentsThatFit(n ast.Node, function string, offset int) []string {
	var found []string
	ast.Walk(&n, visitor(func(n ast.Node) {
		name, args := "", []ast.Node(nil)
		switch x := n.(type) {
		case *ast.BuiltinNode:
			name, args = x.Name, x.Arguments
		case *ast.CallNode:
			name, args = x.Callee.String(), x.Arguments
		}
		if name != function || n.Location().From != offset || !takes(function, len(args)) {
			return
		}
		for _, a := range args {
			found = append(found, authorsNames(a.Nature().String()))
		}
	}))
	return found
}

type visitor func(n ast.Node)

func (v visitor) Visit(n *ast.Node) { v(*n) }

// takes reports whether a function has a form with so many arguments.
func takes(function string, arguments int) bool {
	f := functionTable[function]
	if i := slices.IndexFunc(builtin.Builtins, func(b *builtin.Function) bool { return b.Name == function }); f == nil && i >= 0 {
		f = builtin.Builtins[i]
	}
	return f != nil && slices.ContainsFunc(f.Types, func(t reflect.Type) bool { return t.NumIn() == arguments })
}

var goTypes = strings.NewReplacer(
	"map[string]interface {}", "object", "map[string]any", "object", "[]interface {}", "list", "[]any", "list",
	"interface {}", "any", "%!s(<nil>)", "null", "value.Number", "number", "*value.Doc", "a document that is not valid JSON",
	"time.Time", "time", "time.Duration", "duration", "[]uint8", "bytes",
)

// goWords are whole words only: an author's `points` or `mint` stays.
var goWords = regexp.MustCompile(`\b(bool|int|float64)\b`)

var authorsTypes = map[string]string{"bool": "boolean", "int": "integer", "float64": "number"}

func authorsNames(msg string) string {
	return goWords.ReplaceAllStringFunc(goTypes.Replace(msg), func(word string) string { return authorsTypes[word] })
}

func authorsWords(msg string) string {
	switch msg = strings.TrimSpace(msg); msg {
	case "unexpected token EOF", "unexpected end of expression":
		return endsEarly
	case "literal not terminated":
		return "the quoted text does not end"
	}
	return authorsNames(tokens.ReplaceAllString(msg, `$1 is not expected here`))
}

// tokens are what the library's parser calls a piece of the source.
var tokens = regexp.MustCompile(`unexpected token \w+\("(.*)"\)`)

func syntaxHint(source string, e *Error) string {
	runes := []rune(source)
	rest := strings.TrimSpace(string(runes[min(e.Offset, len(runes)):]))
	switch {
	case strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "=="):
		return "compare with =="
	case strings.HasPrefix(rest, "&") && !strings.HasPrefix(rest, "&&"):
		return "write `and`, or + to join texts"
	case strings.HasPrefix(rest, "===") || strings.HasPrefix(rest, "!=="):
		return "write == or !="
	case e.Message == "the quoted text does not end":
		return "close the quoted text"
	case e.Message == endsEarly:
		if m := piped.FindStringSubmatch(source); m != nil {
			return fmt.Sprintf("write | %s()", m[1])
		}
	}
	return ""
}

const endsEarly = "the expression ends too early"

// piped is a function behind | without its brackets.
var piped = regexp.MustCompile(`\|\s*([A-Za-z][A-Za-z0-9]*)\s*$`)

// plainError is what a panic or an error of the library says, in the words of
// JSON instead of Go's.
func plainError(r any) error {
	if err, ok := r.(error); ok {
		var at *file.Error
		if errors.As(err, &at) {
			if at.Prev != nil {
				return plainError(at.Prev)
			}
			return errors.New(plainText(at.Message))
		}
		var conversion interface{ RuntimeError() }
		var looped *reflect.ValueError
		if !errors.As(err, &conversion) && !errors.As(err, &looped) {
			return err
		}
		return errors.New(plainText(err.Error()))
	}
	return errors.New(plainText(fmt.Sprint(r)))
}

func plainText(msg string) string {
	if rest, ok := strings.CutPrefix(msg, "interface conversion: interface {} is "); ok {
		got, want, _ := strings.Cut(rest, ", not ")
		return fmt.Sprintf("got %s where %s is needed", goKind(got), goKind(want))
	}
	if m := reflected.FindStringSubmatch(msg); m != nil {
		return fmt.Sprintf("got %s where a list is needed", goKind(m[1]))
	}
	msg = strings.ReplaceAll(msg, "<nil>", "null")
	msg = strings.ReplaceAll(msg, "from nil", "from null")
	return authorsWords(msg)
}

// reflected is a loop of the library over what is no list.
var reflected = regexp.MustCompile(`^reflect: call of reflect\.Value\.\w+ on (\w+) Value$`)

func goKind(name string) string {
	switch name {
	case "nil", "zero":
		return "null"
	case "int":
		return "an integer"
	case "float64", "value.Number":
		return "a number"
	case "string":
		return "a string"
	case "bool":
		return "a boolean"
	case "map[string]interface {}", "map[string]any", "map":
		return "an object"
	case "[]uint8":
		return "a text"
	case "struct", "ptr":
		return "something else"
	case "[]interface {}", "[]any":
		return "a list"
	}
	return name
}
