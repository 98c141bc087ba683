package flows

import (
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// schemaBeside loads the schema S, given as YAML in braces, with others beside it.
func schemaBeside(t *testing.T, schema string) engine.Schema {
	t.Helper()
	text := "version: 1\nschemas:\n  Address: {type: object, required: [city], properties: {city: {type: string}, zip: {type: string}}}\n" +
		"  Tree: {type: object, properties: {label: {type: string}, children: {type: array, items: {$ref: Tree}}}}\n" +
		"  S: " + schema + "\n"
	l := newLoader(Options{Registry: engine.NewRegistry(nil, nil)})
	root, ok := l.parse(&file{path: "app.flow.yaml"}, []byte(text))
	if !ok {
		t.Fatal(l.found)
	}
	l.declareSchemas(l.section(root, "schemas"))
	if len(l.found) > 0 {
		t.Fatal(l.found)
	}
	return l.schemaSet.field("S")
}

func TestTypesOfSchemas(t *testing.T) {
	for _, tt := range []struct{ schema, path, want string }{
		{`{type: string}`, ``, `string`},
		{`{type: integer}`, ``, `integer`},
		{`{type: number}`, ``, `number`},
		{`{type: boolean}`, ``, `boolean`},
		{`{type: "null"}`, ``, `null`},
		{`{}`, ``, `any`},
		{`{type: [string, "null"]}`, ``, `any`},
		{`{enum: [a, b]}`, ``, `any`},
		{`{type: array, items: {type: integer}}`, ``, `list of integer`},
		{`{type: array}`, ``, `list`},
		{`{type: array, items: {$ref: Address}}`, `[].city`, `string`},
		{`{type: object}`, ``, `object`},
		{`{type: object}`, `x`, `any`},
		{`{properties: {a: {type: integer}}}`, `a`, `integer`},
		{`{type: object, properties: {a: {type: integer}}}`, `a`, `integer`},
		{`{type: object, properties: {a: {type: integer}}}`, `b`, `no field`},
		{`{type: object, properties: {}, additionalProperties: false}`, `b`, `no field`},
		{`{type: object, properties: {a: {type: integer}}, additionalProperties: true}`, `b`, `any`},
		{`{type: object, properties: {a: {type: integer}}, additionalProperties: {type: string}}`, `b`, `string`},
		{`{type: object, additionalProperties: {type: array, items: {type: boolean}}}`, `b[]`, `boolean`},
		{`{type: object, properties: {a: {type: object, properties: {b: {type: object, properties: {c: {type: number}}}}}}}`, `a.b.c`, `number`},
		{`{type: object, properties: {a: {type: object, properties: {b: {type: string}}}}}`, `a.c`, `no field`},
		{`{$ref: Address}`, `zip`, `string`},
		{`{$ref: Address}`, `zipp`, `no field`},
		{`{type: object, properties: {to: {$ref: Address}}}`, `to.city`, `string`},
		{`{$ref: Tree}`, `children[].children[].label`, `string`},
		{`{$ref: Tree}`, `children[].lable`, `no field`},
		{`{type: object, properties: {a: {type: integer}}, patternProperties: {"^x": {type: string}}}`, `x1`, `any`},
		{`{type: object, properties: {a: {type: integer}}, allOf: [{$ref: Address}]}`, `a`, `integer`},
		{`{type: object, properties: {a: {type: integer}}, allOf: [{$ref: Address}]}`, `city`, `any`},
		{`{allOf: [{$ref: Address}]}`, `city`, `any`},
		{`{oneOf: [{$ref: Address}, {type: string}]}`, `city`, `any`},
		{`{type: object, properties: {a: {type: integer}}, anyOf: [{required: [a]}]}`, `b`, `any`},
		{`{definitions: {Line: {type: object, properties: {n: {type: integer}}}}, type: object, properties: {line: {$ref: "#/definitions/Line"}}}`, `line.n`, `integer`},
		{`{definitions: {Line: {type: object, properties: {n: {type: integer}}}}, type: object, properties: {line: {$ref: "#/definitions/Line"}}}`, `line.m`, `no field`},
		{`{type: object, properties: {next: {$ref: "#"}, n: {type: integer}}}`, `next.next.n`, `integer`},
	} {
		typ, got := schemaBeside(t, tt.schema).Type, ""
		for _, step := range strings.FieldsFunc(tt.path, func(r rune) bool { return r == '.' }) {
			name, elements := strings.CutSuffix(step, "[]")
			if name != "" {
				var ok bool
				if typ, ok = typ.Field(name); !ok {
					got = "no field"
					break
				}
			}
			if elements {
				typ = typ.Elem()
			}
		}
		if got == "" {
			got = typ.String()
		}
		if got != tt.want {
			t.Errorf("%s: %q is %s; want %s", tt.schema, tt.path, got, tt.want)
		}
	}
}

// A schema with many references to itself must not make a type of every way
// through it.
func TestTypesOfRecursiveSchemasEnd(t *testing.T) {
	var props []string
	for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		props = append(props, name+": {$ref: S}")
	}
	typ := schemaBeside(t, "{type: object, properties: {"+strings.Join(props, ", ")+"}}").Type
	a, ok := typ.Field("a")
	if _, inside := a.Field("zz"); !ok || inside {
		t.Errorf("the field a is %v, and takes any name: %v", a, inside)
	}
}

func TestValidationSaysWhichFieldBreaksTheSchema(t *testing.T) {
	const order = `{type: object, required: [id, lines], additionalProperties: false, properties: {id: {type: string, minLength: 2}, to: {$ref: Address}, at: {type: string, format: date-time},
    lines: {type: array, minItems: 1, items: {type: object, required: [n], properties: {n: {type: integer, minimum: 1, maximum: 9007199254740993}}}}}}`
	for _, tt := range []struct{ schema, value, want string }{
		{order, `{"id": "ab", "lines": [{"n": 1}]}`, ``},
		{order, `{"id": "ab", "lines": [{"n": 1}], "to": {"city": "x", "more": true}}`, ``},
		{order, `{}`, "id: is missing\nlines: is missing"},
		{order, `{"id": "a", "lines": []}`, "id: minLength: got 1, want 2\nlines: minItems: got 0, want 1"},
		{order, `{"id": 1, "lines": [{"n": 1}, {"n": "2"}]}`, "id: got number, want string\nlines.1.n: got string, want integer"},
		{order, `{"id": "ab", "lines": [{}], "to": {}}`, "lines.0.n: is missing\nto.city: is missing"},
		{order, `{"id": "ab", "lines": [{"n": 1}], "more": 1}`, `the body: additional properties 'more' not allowed`},
		{order, `{"id": "ab", "lines": [{"n": 1}], "at": "yesterday"}`, `at: 'yesterday' is not valid date-time`},
		{order, `[]`, `the body: got array, want object`},
		{order, `null`, `the body: got null, want object`},
		{order, `{"id": "ab", "lines": [{"n": 9007199254740993}]}`, ``},
		{order, `{"id": "ab", "lines": [{"n": 9007199254740994}]}`, `lines.0.n: maximum: got 9007199254740994, want 9007199254740993`},
		{order, `{"id": "ab", "lines": [{"n": 1.5}]}`, `lines.0.n: got number, want integer`},
		{order, `{"id": "ab", "lines": [{"n": 1.0}]}`, ``},
		{`{type: integer}`, `12345678901234567890123456789012345678`, ``},
		{`{type: integer}`, `12345678901234567890123456789012345678.5`, `the body: got number, want integer`},
		{`{type: number, maximum: 12345678901234567890}`, `12345678901234567890`, ``},
		{`{type: number, maximum: 12345678901234567890}`, `12345678901234567890.000000001`, `maximum`},
		{`{type: number, multipleOf: 0.01}`, `0.07`, ``},
		{`{type: number, multipleOf: 0.01}`, `0.071`, `multipleOf`},
		{`{const: 12345678901234567890}`, `12345678901234567890`, ``},
		{`{const: 12345678901234567890}`, `12345678901234567891`, `the body: value must be`},
		{`{enum: [1, 2]}`, `1.0`, ``},
		{`{enum: [1, 2]}`, `"1"`, `the body: value must be one of 1, 2`},
		{`{type: array, uniqueItems: true}`, `[12345678901234567890, 12345678901234567891]`, ``},
		{`{type: array, uniqueItems: true}`, `[12345678901234567890, 12345678901234567890]`, `items at 0 and 1 are equal`},
		{`{type: object, properties: {a: {type: number}}}`, `{"a": 12345678901234567890.5, "b": [12345678901234567890]}`, ``},
		{`{oneOf: [{type: string}, {type: integer}]}`, `true`, "the body: got boolean, want integer\nthe body: got boolean, want string"},
	} {
		v, err := value.Decode([]byte(tt.value))
		if err != nil {
			t.Fatal(err)
		}
		err = schemaBeside(t, tt.schema).Validate(v)
		switch {
		case err == nil && tt.want != "", err != nil && tt.want == "", err != nil && !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s against %s: %v; want %q", tt.value, tt.schema, err, tt.want)
		}
	}
}

func TestSampleFitsItsSchema(t *testing.T) {
	for _, schema := range []string{
		`{type: object, required: [a, b, c, d], properties: {a: {type: string}, b: {type: integer}, c: {type: array, items: {type: boolean}}, d: {$ref: Address}}}`,
		`{type: object, examples: [{a: 1}], properties: {a: {type: integer}}}`,
		`{enum: [x, y]}`, `{const: 4}`, `{type: string, default: abc}`,
	} {
		text := "version: 1\nschemas:\n  Address: {type: object, properties: {city: {type: string}}}\n  S: " + schema + "\n"
		l := newLoader(Options{Registry: engine.NewRegistry(nil, nil)})
		root, _ := l.parse(&file{path: "app.flow.yaml"}, []byte(text))
		l.declareSchemas(l.section(root, "schemas"))
		app := &App{schemas: l.schemaSet}
		if err := l.schemaSet.field("S").Validate(app.Sample("S")); err != nil {
			t.Errorf("the sample %v of %s: %v", app.Sample("S"), schema, err)
		}
		if got := app.Sample("None"); got != nil {
			t.Errorf("the sample of no schema is %v", got)
		}
	}
}
